"""What every incoming message goes through: record, commit, ring; then it is acknowledged."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from bot.conversations import Recorded, record_incoming
from bot.events import Advance, Publisher
from bot.messages import MAX_TEXT_CHARS, ChannelName, IncomingMessage
from bot.queue import BATCH_CHANNELS, Queue

log = logging.getLogger(__name__)
T = TypeVar("T")

THREADS = 8
BATCH_RINGS_EVERY_S = 0.5


class MessageRefused(Exception):
    """The message cannot be taken; the text tells the writer why and what to do."""


class Intake:
    """Receives messages for all channels.

    Each is recorded and rung for in one of THREADS threads: a session costs a fifth less there
    than on the loop, and the loop stays free. They are the intake's own, so that a database that
    hangs takes no thread from anything else.
    """

    def __init__(self, sessions: sessionmaker[Session], queue: Queue, publisher: Publisher) -> None:
        self._sessions = sessions
        self._queue = queue
        self._publisher = publisher
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="intake")
        self._batch_rung_at = float("-inf")
        self._late_bell: asyncio.Task[bool] | None = None

    def close(self) -> None:
        """End the threads, once what they do is done."""
        self._threads.shutdown()

    async def receive(self, message: IncomingMessage) -> Recorded:
        """Store the message and ring for its answer. When this returns it is committed.

        Redelivery is harmless. Raises MessageRefused for what no adapter should let through.
        """
        _check(message)
        recorded = await self._run(self._take, message)
        if recorded.answer_due and message.channel in BATCH_CHANNELS:
            await self._ring_in_time(recorded.conversation_id, message.channel)
        return recorded

    def _take(self, message: IncomingMessage) -> Recorded:
        try:
            recorded = self._record(message)
        except IntegrityError:  # a concurrent copy was first: now it is there to be found
            recorded = self._record(message)
        self._ring(recorded, message)
        return recorded

    def _record(self, message: IncomingMessage) -> Recorded:
        with self._sessions.begin() as session:
            return record_incoming(session, message)

    def _ring(self, recorded: Recorded, message: IncomingMessage) -> None:
        self._publisher.advanced(Advance(recorded.conversation_id, recorded.seq))
        if recorded.answer_due and message.channel not in BATCH_CHANNELS:
            self._queue.enqueue_answer(recorded.conversation_id, message.channel)
        log.info(
            "received conversation=%s message=%s new=%s",
            recorded.conversation_id,
            recorded.message_id,
            recorded.is_new,
        )

    async def _ring_in_time(self, conversation_id: UUID, channel: ChannelName) -> None:
        """In a flood of mail a bell now and then is enough: who answers one goes on to the next.

        The last of a burst rings late rather than not at all.
        """
        wait_s = self._batch_rung_at + BATCH_RINGS_EVERY_S - time.monotonic()
        if wait_s <= 0:
            self._batch_rung_at = time.monotonic()
            await self._run(self._queue.enqueue_answer, conversation_id, channel)
        elif self._late_bell is None or self._late_bell.done():
            self._late_bell = asyncio.create_task(self._ring_late(wait_s, conversation_id, channel))

    async def _ring_late(self, wait_s: float, conversation_id: UUID, channel: ChannelName) -> bool:
        await asyncio.sleep(wait_s)
        self._batch_rung_at = time.monotonic()
        return await self._run(self._queue.enqueue_answer, conversation_id, channel)

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)


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
