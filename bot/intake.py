"""What every incoming message goes through: record, commit, ring; then it is acknowledged."""

from __future__ import annotations

import asyncio
import logging
import time
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from bot.conversations import Recorded, record_incoming
from bot.events import Advance, Publisher
from bot.messages import MAX_TEXT_CHARS, ChannelName, IncomingMessage
from bot.queue import BATCH_CHANNELS, Queue

log = logging.getLogger(__name__)


BATCH_RINGS_EVERY_S = 0.5


class MessageRefused(Exception):
    """The message cannot be taken; the text tells the writer why and what to do."""


class Intake:
    """Receives messages for all channels.

    With `threaded` sessions a message is recorded in a thread: half the work of a session on the
    loop, and the loop stays free, for one more switch. It suits mail, of which there may be floods.
    """

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        queue: Queue,
        publisher: Publisher,
        threaded: sessionmaker[Session] | None = None,
    ) -> None:
        self._sessions = sessions
        self._threaded = threaded
        self._queue = queue
        self._publisher = publisher
        self._batch_rung_at = float("-inf")
        self._late_bell: asyncio.Task[bool] | None = None

    async def receive(self, message: IncomingMessage) -> Recorded:
        """Store the message and ring for its answer. When this returns it is committed.

        Redelivery is harmless. Raises MessageRefused for what no adapter should let through.
        """
        _check(message)
        try:
            recorded = await self._record(message)
        except IntegrityError:  # a concurrent copy was first: now it is there to be found
            recorded = await self._record(message)
        rings = recorded.answer_due and self._is_time_to_ring(recorded, message)
        await asyncio.to_thread(self._ring, recorded, message, rings)
        return recorded

    async def _record(self, message: IncomingMessage) -> Recorded:
        if self._threaded is not None:
            return await asyncio.to_thread(_record_with, self._threaded, message)
        async with self._sessions.begin() as session:
            return await session.run_sync(record_incoming, message)

    def _ring(self, recorded: Recorded, message: IncomingMessage, rings: bool) -> None:
        self._publisher.advanced(Advance(recorded.conversation_id, recorded.seq))
        if rings:
            self._queue.enqueue_answer(recorded.conversation_id, message.channel)
        log.info(
            "received conversation=%s message=%s new=%s",
            recorded.conversation_id,
            recorded.message_id,
            recorded.is_new,
        )

    def _is_time_to_ring(self, recorded: Recorded, message: IncomingMessage) -> bool:
        """In a flood of mail a bell now and then is enough: who answers one goes on to the next.

        The last of a burst rings late rather than not at all.
        """
        if message.channel not in BATCH_CHANNELS:
            return True
        wait_s = self._batch_rung_at + BATCH_RINGS_EVERY_S - time.monotonic()
        if wait_s <= 0:
            self._batch_rung_at = time.monotonic()
            return True
        if self._late_bell is None or self._late_bell.done():
            ringing = self._ring_late(wait_s, recorded.conversation_id, message.channel)
            self._late_bell = asyncio.create_task(ringing)
        return False

    async def _ring_late(self, wait_s: float, conversation_id: UUID, channel: ChannelName) -> bool:
        await asyncio.sleep(wait_s)
        self._batch_rung_at = time.monotonic()
        return await asyncio.to_thread(self._queue.enqueue_answer, conversation_id, channel)


def _record_with(sessions: sessionmaker[Session], message: IncomingMessage) -> Recorded:
    with sessions.begin() as session:
        return record_incoming(session, message)


def _check(message: IncomingMessage) -> None:
    if not message.text.strip() and not message.attachments and not message.wants_person:
        raise MessageRefused("The message is empty.")
    if len(message.text) > MAX_TEXT_CHARS:
        raise MessageRefused(
            f"The message has {len(message.text)} characters; {MAX_TEXT_CHARS} fit. "
            "Please send it in parts."
        )
    if "\x00" in message.text:
        raise MessageRefused("The message holds a NUL character, which cannot be stored.")
