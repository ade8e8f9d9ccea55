"""Live events for one open desk: the inbox's rows and, where one is open, its conversation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from aiohttp import hdrs, web
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import desk_payloads as payloads
from bot.dashboard.feed import Feed
from bot.dashboard.inbox import read_counts
from bot.dashboard.presence import Presence, say
from bot.dashboard.reading import changed_messages
from bot.dashboard.sessions import is_in_force
from bot.dashboard.signed_in import SignedIn, signed_in
from bot.events import Hub, Publisher, conversation_topic, draft_topic, presence_topic
from bot.web.addressed import find, number_of
from bot.web.bodies import read_json
from bot.web.event_stream import Drain, EventStream, next_payload, open_stream
from bot.web.rules import access

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
COUNTS_SECONDS = 1.0
MAX_BODY_BYTES = 1024


class Live:
    """The stream, and where a page says what its person does."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        hub: Hub,
        publisher: Publisher,
        drain: Drain,
    ) -> None:
        self._sessions = sessions
        self._hub = hub
        self._publisher = publisher
        self._drain = drain
        self.feed = Feed(sessions, hub)

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/desk/api/live", self.follow, allow_head=False),  # a stream has no head
            web.post("/desk/api/conversations/{number}/presence", self.be_present),
        ]

    @access("staff")
    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Events until the browser goes, the session ends, or this process drains.

        Events with an id are the open conversation's: `Last-Event-ID` goes on after it.
        """
        agent, conversation_id = signed_in(request), await self._open_conversation(request)
        desk = _Desk(self, agent, conversation_id, _position(request))
        async with open_stream(request) as stream:
            await desk.follow(stream)
        return stream.response

    @access("staff")
    async def be_present(self, request: web.Request) -> web.Response:
        """Colleagues see that somebody writes; the customer too, unless it is a note."""
        asked = await read_json(request, payloads.PresenceIn, MAX_BODY_BYTES)
        number, agent = number_of(request), signed_in(request)
        async with self._sessions() as session:
            conversation_id = await session.run_sync(find, number)
        await say(self._publisher, conversation_id, agent, {"doing": asked.doing})
        if asked.doing == "writing":
            told = {"typing": "agent", "name": agent.name}
            topic = conversation_topic(conversation_id)
            await asyncio.to_thread(self._publisher.publish, topic, told)
        return web.Response(status=204)

    async def _open_conversation(self, request: web.Request) -> UUID | None:
        text = request.query.get("conversation", "")
        if not (text.isascii() and text.isdigit() and len(text) < 18):
            return None
        async with self._sessions() as session:
            return await session.run_sync(find, int(text))


class _Desk:
    """One open stream."""

    def __init__(
        self, live: Live, agent: SignedIn, conversation_id: UUID | None, position: int
    ) -> None:
        self._live = live
        self._agent = agent
        self._conversation_id = conversation_id
        self._position = position
        self._counted_at = 0.0
        self._owes_counts = True
        self._presence = (
            Presence(agent, conversation_id, live._publisher) if conversation_id else None
        )

    async def follow(self, stream: EventStream) -> None:
        topics = _topics(self._conversation_id)
        async with self._live._hub.listen(*topics) as queue:
            with self._live.feed.tell(queue):
                try:
                    if self._presence:
                        await self._presence.come()
                    await self._tell_until_end(stream, queue)
                finally:
                    if self._presence:
                        await asyncio.shield(self._presence.leave())

    async def _tell_until_end(
        self, stream: EventStream, queue: asyncio.Queue[dict[str, Any]]
    ) -> None:
        payload: dict[str, Any] | None = {}
        while not self._live._drain.has_begun:
            try:
                if not await self._tell(stream, payload):
                    return
            except SQLAlchemyError as error:
                log.warning("a desk's stream waits error=%s", type(error).__name__)
                await asyncio.sleep(1)
                queue.put_nowait({})
            payload = await next_payload(queue, BEAT_SECONDS)

    async def _tell(self, stream: EventStream, payload: dict[str, Any] | None) -> bool:
        """Tell what a payload is about; False when the session is over."""
        if payload is None:
            return await self._beat(stream)
        if "rows" in payload:
            await stream.send("rows", payload)
            self._owes_counts = True
        elif "raw" in payload:
            await stream.send("raw", payload)
        elif "presence" in payload and self._presence:
            if await self._presence.hear(payload["presence"]):
                await stream.send("presence", {"others": self._presence.seen()})
        elif payload.get("typing") == "contact":
            await stream.send("typing", {})
        elif "typing" not in payload:
            await self._tell_messages(stream)
        await self._tell_counts(stream)
        return True

    async def _tell_messages(self, stream: EventStream) -> None:
        if self._conversation_id is None:
            return
        async with self._live._sessions() as session:
            seq, messages = await session.run_sync(
                changed_messages, self._conversation_id, self._position
            )
        if seq > self._position:
            self._position = seq
            told = [message.model_dump(mode="json") for message in messages]
            await stream.send("messages", {"messages": told, "seq": seq}, str(seq))

    async def _tell_counts(self, stream: EventStream) -> None:
        """Once a second at most; what is owed then comes with the next beat."""
        current = asyncio.get_running_loop().time()
        if not self._owes_counts or current - self._counted_at < COUNTS_SECONDS:
            return
        self._owes_counts, self._counted_at = False, current
        async with self._live._sessions() as session:
            counts = await session.run_sync(read_counts, self._agent.agent_id)
        await stream.send("counts", counts.model_dump())

    async def _beat(self, stream: EventStream) -> bool:
        async with self._live._sessions() as session:
            if not await session.run_sync(_may_stay, self._agent):
                return False
        if self._presence:
            await self._presence.stay()
            await stream.send("presence", {"others": self._presence.seen()})
        await self._tell_messages(stream)
        await self._tell_counts(stream)
        await stream.beat()
        return True


def _may_stay(session: Session, agent: SignedIn) -> bool:
    return is_in_force(session, agent.session_id)


def _topics(conversation_id: UUID | None) -> list[str]:
    if conversation_id is None:
        return ["desk"]  # woken after a lost connection, and by the feed
    return [
        conversation_topic(conversation_id),
        draft_topic(conversation_id),
        presence_topic(conversation_id),
    ]


def _position(request: web.Request) -> int:
    """Where to go on: the browser's header after a break, else the page's own word."""
    text = request.headers.get(hdrs.LAST_EVENT_ID) or request.query.get("after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
