"""Tags: the company's words for its conversations, put on and taken off."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bot import conversations
from bot.dashboard import desk_payloads as payloads
from bot.dashboard.changes import Changes
from bot.dashboard.signed_in import signed_in
from bot.privacy.audit import note
from bot.tables import ConversationTag, Tag
from bot.web.addressed import uuid_of
from bot.web.bodies import answer_with, read_json
from bot.web.rules import access

MAX_BODY_BYTES = 16 * 1024


class Tags:
    """The endpoints. A tag comes into being with its first use; supervisors take it away."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], changes: Changes) -> None:
        self._sessions = sessions
        self._changes = changes

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/desk/api/tags", self.list),
            web.delete("/desk/api/tags/{tag}", self.delete),
            web.post("/desk/api/conversations/{number}/tags", self.change),
        ]

    @access("staff")
    async def list(self, _request: web.Request) -> web.Response:
        """All tags, with how many conversations bear them."""
        query = (
            select(
                Tag.id, Tag.name, func.count(ConversationTag.conversation_id).label("conversations")
            )
            .outerjoin(ConversationTag, ConversationTag.tag_id == Tag.id)
            .group_by(Tag.id)
            .order_by(Tag.name)
        )
        async with self._sessions() as session:
            rows = (await session.execute(query)).all()
        return answer_with(
            payloads.Tags(
                items=[
                    payloads.Tag(id=str(row.id), name=row.name, conversations=row.conversations)
                    for row in rows
                ]
            )
        )

    @access("staff")
    async def change(self, request: web.Request) -> web.Response:
        """Put tags on a conversation and take others off."""
        asked = await read_json(request, payloads.TagsIn, MAX_BODY_BYTES)
        return await self._changes.apply(
            request,
            lambda session, id_, _agent: conversations.tag(
                session, id_, add=asked.add, remove=asked.remove
            ),
        )

    @access("supervisor")
    async def delete(self, request: web.Request) -> web.Response:
        """No conversation bears it any more."""
        tag_id, actor = uuid_of(request, "tag"), signed_in(request).actor
        async with self._sessions.begin() as session:
            await session.execute(delete(Tag).where(Tag.id == tag_id))
            await session.run_sync(note, actor, "tag.delete", str(tag_id))
        return web.Response(status=204)
