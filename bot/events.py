"""What goes to browsers: a doorbell per conversation over Redis pub/sub, which keeps nothing.

The bell carries the sequence number that was committed; whoever hears it reads Postgres. So a
lost bell loses nothing, and `Last-Event-ID` resumes anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import redis
import redis.asyncio
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from bot.redis_url import redis_py_url

log = logging.getLogger(__name__)

PREFIX = "frontdesk:event:"
RECONNECT_SECONDS = 0.5
PAUSE_SECONDS = 0.5
QUIET_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Advance:
    """A committed step of a conversation: publish `seq`; ring for an answer if `answer_due`.

    `reply_id` names the bot's reply that the step was about.
    """

    conversation_id: UUID
    seq: int
    answer_due: bool = False
    reply_id: UUID | None = None


ANYTHING = "*"
"""The topic of whoever wants to hear every bell; there, each payload also names its `topic`."""

CONVERSATION = "conversation:"


def conversation_topic(conversation_id: UUID) -> str:
    return f"{CONVERSATION}{conversation_id}"


def draft_topic(conversation_id: UUID) -> str:
    """What the model writes, before it is checked: for the staff alone."""
    return f"draft:{conversation_id}"


def presence_topic(conversation_id: UUID) -> str:
    """Who of the staff looks at a conversation."""
    return f"presence:{conversation_id}"


def run_topic(run_id: UUID) -> str:
    return f"run:{run_id}"


class Publisher:
    """Rings browsers' bells from synchronous code; a bell that cannot ring is only logged."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_py_url(redis_url),
            socket_timeout=0.5,
            socket_connect_timeout=0.5,
            health_check_interval=10,
        )
        self._paused_until = 0.0

    def advanced(self, advance: Advance) -> None:
        """Tell watchers of a conversation that `seq` was committed."""
        self.publish(conversation_topic(advance.conversation_id), {"seq": advance.seq})

    def publish(self, topic: str, payload: dict[str, Any]) -> None:
        """Send a JSON payload to whoever listens now; after a failure, to nobody for a moment."""
        if time.monotonic() < self._paused_until:
            return
        try:
            self._redis.publish(PREFIX + topic, json.dumps(payload, ensure_ascii=False))
        except RedisError as error:
            log.warning("bell not rung topic=%s error=%s", topic, type(error).__name__)
            self._paused_until = time.monotonic() + PAUSE_SECONDS

    def close(self) -> None:
        self._redis.close()


class Hub:
    """One Redis subscription per web process, shared by all its event streams.

    After every reconnection all listeners are woken, since bells may have been missed.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(
            redis_py_url(redis_url), socket_connect_timeout=2
        )
        self._listeners: defaultdict[str, set[asyncio.Queue[dict[str, Any]]]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    @property
    def listeners(self) -> int:
        """How many streams listen to something in this process."""
        return len({queue for queues in self._listeners.values() for queue in queues})

    async def start(self) -> None:
        """Begin to listen; returns at once."""
        self._task = asyncio.create_task(self._listen(), name="event hub")

    async def close(self) -> None:
        """Stop listening."""
        while self._task is not None and not self._task.done():
            # redis-py can turn a cancellation while it connects into an error of its own.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=RECONNECT_SECONDS)
        await self._redis.aclose()

    @contextlib.asynccontextmanager
    async def listen(self, *topics: str) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
        """One queue of the topics' payloads; `{}` means only: look again."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=1000)
        for topic in topics:
            self._listeners[topic].add(queue)
        try:
            yield queue
        finally:
            for topic in topics:
                self._listeners[topic].discard(queue)
                if not self._listeners[topic]:
                    del self._listeners[topic]

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.psubscribe(PREFIX + "*")
                    await self._hear(pubsub)
            except (RedisError, OSError, ValueError) as error:
                log.warning("event hub disconnected error=%s", type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _hear(self, pubsub: PubSub) -> None:
        """Pass on what comes; raises when the connection ends or no longer answers."""
        is_asked = False
        while True:
            message = await pubsub.get_message(timeout=QUIET_SECONDS)
            if message is None and is_asked:
                raise RedisConnectionError("no answer to a ping")
            is_asked = message is None
            if message is None:
                await pubsub.ping()
            elif message["type"] == "psubscribe":  # at first, and after redis-py reconnected
                self.wake_all()
            elif message["type"] == "pmessage":
                self._dispatch(message)

    def _dispatch(self, message: dict[str, Any]) -> None:
        topic = message["channel"].decode().removeprefix(PREFIX)
        payload = json.loads(message["data"])
        for queue in self._listeners.get(topic, ()):
            _put(queue, payload)
        for queue in self._listeners.get(ANYTHING, ()):
            _put(queue, {**payload, "topic": topic})

    def wake_all(self) -> None:
        """Make every listener look again."""
        for queue in set().union(*self._listeners.values()):
            _put(queue, {})


def _put(queue: asyncio.Queue[dict[str, Any]], payload: dict[str, Any]) -> None:
    with contextlib.suppress(asyncio.QueueFull):  # a full queue already says: look again
        queue.put_nowait(payload)
