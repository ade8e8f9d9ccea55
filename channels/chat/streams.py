"""The visitors' open event streams: woken by bells, and by one shared look at Postgres."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bot.database import without_transactions
from bot.events import Hub
from bot.web.event_stream import HEARTBEAT_SECONDS, Drain, EventStream, compose, next_payload
from channels.chat.reading import Position, Progress, newest_positions, progress_since
from channels.chat.visitor import Visitor

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
LOOK_TOGETHER = 500
AWAY_SECONDS = 2.0
FAR = math.inf


@dataclass(eq=False, slots=True)
class _Watch:
    """One open stream and how far it has told."""

    visitor: Visitor
    position: Position
    queue: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    writing: bool | None = None
    assignee: str | None = ""  # nobody's name: so the first look always tells who is there

    def has_to_look(self, payload: dict[str, Any]) -> bool:
        """False for the bell of what was told already, because an earlier look saw it too.

        While the bot writes any bell may be the one that says it no longer does.
        """
        return bool(self.writing) or payload.get("seq", FAR) > self.position.seq


class Streams:
    """All open streams of this web process.

    A bell may get lost; so every LOOK_SECONDS one query asks where all watched threads stand
    and wakes the streams that are behind. No stream asks by itself.
    """

    def __init__(self, sessions: async_sessionmaker[AsyncSession], hub: Hub, drain: Drain) -> None:
        self._sessions = without_transactions(sessions)
        self._hub = hub
        self._drain = drain
        self._watches: set[_Watch] = set()

    @property
    def open_count(self) -> int:
        return len(self._watches)

    async def follow(self, visitor: Visitor, position: Position, stream: EventStream) -> None:
        """Tell the browser everything after a position until it goes, or this process drains."""
        watch = _Watch(visitor, position)
        self._watches.add(watch)
        try:
            progress = None
            while not self._drain.has_begun:
                known = progress.conversation_id if progress else None
                async with self._hub.listen(*visitor.topics(known)) as queue:
                    watch.queue = queue
                    progress = await self._tell_until_new(watch, stream, known)
        finally:
            self._watches.discard(watch)

    async def look_again_and_again(self) -> None:
        """The shared look; a task of the web process."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with contextlib.suppress(SQLAlchemyError):  # away for now: the next look will tell
                await self._wake_those_behind()

    async def _tell_until_new(
        self, watch: _Watch, stream: EventStream, known: object
    ) -> Progress | None:
        """Tell what there is, then what comes; returns when another conversation began."""
        payload: dict[str, Any] | None = {}
        while not self._drain.has_begun:
            if payload is None:
                await stream.beat()
            elif "typing" in payload:
                await _tell_typing(stream, payload)
            elif watch.has_to_look(payload):
                progress = await self._tell_progress(watch, stream)
                if progress is not None and progress.conversation_id != known:
                    return progress
            payload = await next_payload(watch.queue, HEARTBEAT_SECONDS)
        return None

    async def _tell_progress(self, watch: _Watch, stream: EventStream) -> Progress | None:
        while True:
            try:
                async with self._sessions() as session:
                    progress = await session.run_sync(progress_since, watch.visitor, watch.position)
            except SQLAlchemyError as error:
                log.warning("stream waits for the database error=%s", type(error).__name__)
                await asyncio.sleep(AWAY_SECONDS)
                watch.queue.put_nowait({})
                return None
            told = [compose(one.kind, one.data, str(one.position)) for one in progress.events]
            if not progress.has_more:
                told += _state_told(watch, progress)
            await stream.send_all(told)
            watch.position = progress.position
            if not progress.has_more:
                return progress

    async def _wake_those_behind(self) -> None:
        watches = list(self._watches)
        for start in range(0, len(watches), LOOK_TOGETHER):
            group = watches[start : start + LOOK_TOGETHER]
            hashes = list({watch.visitor.thread_hash for watch in group})
            async with self._sessions() as session:
                newest = await session.run_sync(newest_positions, hashes)
            for watch in group:
                key = (watch.visitor.inbox_id, watch.visitor.thread_hash)
                if newest.get(key, Position()) > watch.position:
                    with contextlib.suppress(asyncio.QueueFull):
                        watch.queue.put_nowait({})


def _state_told(watch: _Watch, progress: Progress) -> list[str]:
    """What has no place in the order of events: whether the bot writes, and who is there."""
    told = []
    if watch.writing != progress.bot_writes:
        watch.writing = progress.bot_writes
        told.append(compose("typing", {"author": "bot", "is_writing": progress.bot_writes}))
    if watch.assignee != progress.assignee:
        watch.assignee = progress.assignee
        told.append(compose("person", {"name": progress.assignee}))
    return told


async def _tell_typing(stream: EventStream, payload: dict[str, Any]) -> None:
    if payload["typing"] == "agent":
        name = payload.get("name")
        await stream.send("typing", {"author": "agent", "author_name": name, "is_writing": True})
