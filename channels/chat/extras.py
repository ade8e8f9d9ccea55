"""What a visitor does beside writing: fetch a file, judge, rate, end, ask for a mail, log out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.conversations import (
    ConversationError,
    judge_message,
    rate_conversation,
    resolve,
    send_transcript,
)
from bot.events import Advance, Publisher
from bot.tables import Inbox
from bot.web.bodies import read_json
from bot.web.limits import Buckets, Rate, client_address
from bot.web.refusals import Refusal, refuse_too_many
from bot.web.rules import access
from channels.chat.appearance import widget_of
from channels.chat.front import find_mailbox_id
from channels.chat.payloads import Judgement, Nothing, Rating, TranscriptWanted
from channels.chat.reading import find_reply, latest_conversation
from channels.chat.sessions import close_session
from channels.chat.uploads import read_file
from channels.chat.visitor import VISITOR, Visitor

MAX_BODY_BYTES = 16 * 1024
FILES = Rate(burst=60, per_second=2.0)
JUDGEMENTS = Rate(burst=20, per_second=0.2)
TRANSCRIPTS = Rate(burst=3, per_second=1 / 600)
TRANSCRIPTS_FROM_ADDRESS = Rate(burst=10, per_second=1 / 60)


class Extras:
    """The routes; each speaks of the visitor's own thread and of nothing else."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], publisher: Publisher) -> None:
        self._sessions = sessions
        self._publisher = publisher
        self._files = Buckets(FILES)
        self._judgements = Buckets(JUDGEMENTS)
        self._transcripts = Buckets(TRANSCRIPTS)
        self._transcripts_from = Buckets(TRANSCRIPTS_FROM_ADDRESS)

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/chat/files/{file}", self.send_file, allow_head=False),
            web.post("/chat/feedback", self.judge),
            web.post("/chat/rating", self.rate),
            web.post("/chat/transcript", self.mail_transcript),
            web.post("/chat/end", self.end),
            web.post("/chat/logout", self.log_out),  # the last: what follows needs a new session
        ]

    @access("visitor")
    async def send_file(self, request: web.Request) -> web.Response:
        """A file of a message, as bytes that no browser opens as a page."""
        visitor = request[VISITOR]
        _take(self._files, visitor.reference)
        file_id = _uuid(request.match_info["file"])
        async with self._sessions() as session:
            file = await session.run_sync(read_file, visitor, file_id)
        if file is None:
            raise _nothing()
        # The widget reads the type from the message; a header could make a page of a file.
        headers = {"Content-Disposition": "attachment", "Cache-Control": "private, max-age=86400"}
        return web.Response(
            body=file.content, content_type="application/octet-stream", headers=headers
        )

    @access("visitor")
    async def judge(self, request: web.Request) -> web.Response:
        """Keep whether a reply helped."""
        visitor = request[VISITOR]
        _take(self._judgements, visitor.reference)
        wanted = await read_json(request, Judgement, MAX_BODY_BYTES)

        def keep(session: Session) -> Advance:
            conversation_id = find_reply(session, visitor, wanted.message_id)
            if conversation_id is None:
                raise _nothing()
            return judge_message(
                session, conversation_id, wanted.message_id, wanted.score, wanted.reason
            )

        return await self._write(keep)

    @access("visitor")
    async def rate(self, request: web.Request) -> web.Response:
        """Keep the rating of the visitor's latest conversation."""
        visitor = request[VISITOR]
        _take(self._judgements, visitor.reference)
        wanted = await read_json(request, Rating, MAX_BODY_BYTES)
        return await self._write(
            lambda session: rate_conversation(
                session, _latest(session, visitor), wanted.score, wanted.comment
            )
        )

    @access("visitor")
    async def end(self, request: web.Request) -> web.Response:
        """Close the visitor's latest conversation; writing opens it again."""
        visitor = request[VISITOR]
        _take(self._judgements, visitor.reference)
        await read_json(request, Nothing, MAX_BODY_BYTES)
        return await self._write(lambda session: resolve(session, _latest(session, visitor)))

    @access("visitor")
    async def mail_transcript(self, request: web.Request) -> web.Response:
        """Mail the visitor's latest conversation, where a mailbox is set up for it."""
        visitor = request[VISITOR]
        wanted = await read_json(request, TranscriptWanted, MAX_BODY_BYTES)
        _take(self._transcripts, visitor.reference)
        _take(self._transcripts_from, client_address(request))

        def send(session: Session) -> Advance:
            inbox = session.get_one(Inbox, visitor.inbox_id)
            mailbox_id = find_mailbox_id(session, widget_of(inbox.settings))
            if mailbox_id is None:
                raise Refusal(409, "no_mailbox", "This inbox sends no transcripts.")
            return send_transcript(session, _latest(session, visitor), wanted.address, mailbox_id)

        return await self._write(send)

    @access("visitor")
    async def log_out(self, request: web.Request) -> web.Response:
        """End the session: its token opens nothing any more."""
        await read_json(request, Nothing, MAX_BODY_BYTES)
        async with self._sessions.begin() as session:
            await session.run_sync(close_session, request[VISITOR])
        return web.Response(status=204)

    async def _write(self, change: Callable[[Session], Advance]) -> web.Response:
        try:
            async with self._sessions.begin() as session:
                advance = await session.run_sync(change)
        except ConversationError as error:
            raise Refusal(409, "conflict", str(error)) from error
        await asyncio.to_thread(self._publisher.advanced, advance)
        return web.Response(status=204)


def _latest(session: Session, visitor: Visitor) -> UUID:
    conversation_id = latest_conversation(session, visitor)
    if conversation_id is None:
        raise Refusal(409, "nothing_said", "Nothing was said yet.")
    return conversation_id


def _take(buckets: Buckets, key: str | None) -> None:
    if key is not None and (wait_s := buckets.take(key)):
        raise refuse_too_many(wait_s)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise _nothing() from error


def _nothing() -> Refusal:
    return Refusal(404, "not_found", "There is no such message or file.")
