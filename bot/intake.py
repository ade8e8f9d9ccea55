"""What every incoming message goes through: record, commit, ring; then it is acknowledged."""

from __future__ import annotations

import asyncio
import logging
import time

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bot.conversations import Recorded, record_incoming
from bot.events import Advance, Publisher
from bot.messages import MAX_TEXT_CHARS, IncomingMessage
from bot.queue import BATCH_CHANNELS, Queue

log = logging.getLogger(__name__)


BATCH_RINGS_EVERY_S = 0.05


class MessageRefused(Exception):
    """The message cannot be taken; the text tells the writer why and what to do."""


class Intake:
    """Receives messages for all channels."""

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], queue: Queue, publisher: Publisher
    ) -> None:
        self._sessions = sessions
        self._queue = queue
        self._publisher = publisher
        self._batch_rung_at = float("-inf")

    async def receive(self, message: IncomingMessage) -> Recorded:
        """Store the message and ring for its answer. When this returns it is committed.

        Redelivery is harmless. Raises MessageRefused for what no adapter should let through.
        """
        _check(message)
        try:
            recorded = await self._record(message)
        except IntegrityError:  # a concurrent copy was first: now it is there to be found
            recorded = await self._record(message)
        await asyncio.to_thread(self._ring, recorded, message)
        return recorded

    async def _record(self, message: IncomingMessage) -> Recorded:
        async with self._sessions.begin() as session:
            return await session.run_sync(record_incoming, message)

    def _ring(self, recorded: Recorded, message: IncomingMessage) -> None:
        self._publisher.advanced(Advance(recorded.conversation_id, recorded.seq))
        if recorded.answer_due and self._is_time_to_ring(message):
            self._queue.enqueue_answer(recorded.conversation_id, message.channel)
        log.info(
            "received conversation=%s message=%s new=%s",
            recorded.conversation_id,
            recorded.message_id,
            recorded.is_new,
        )

    def _is_time_to_ring(self, message: IncomingMessage) -> bool:
        """In a flood of mail a bell now and then is enough: who answers one goes on to the next."""
        if message.channel not in BATCH_CHANNELS:
            return True
        current = time.monotonic()
        if current < self._batch_rung_at + BATCH_RINGS_EVERY_S:
            return False
        self._batch_rung_at = current
        return True


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
