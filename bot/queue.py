"""What goes to Celery, by name: bells that carry ids only. Postgres holds the truth."""

from __future__ import annotations

import logging
import time
from typing import Any, Literal
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from bot.messages import ChannelName
from bot.redis_url import celery_url

log = logging.getLogger(__name__)

# Redis is not there, in kombu's words or, from some of its calls, in redis-py's own.
AWAY = (OperationalError, RedisError, OSError)
INTERACTIVE, BATCH, KNOWLEDGE = "interactive", "batch", "knowledge"
BATCH_CHANNELS: frozenset[ChannelName] = frozenset({"email"})
ANSWER_TASK = "frontdesk.answer"
ASK_TASK = "frontdesk.ask"
COPILOT_TASK = "frontdesk.copilot"
INDEX_TASK = "frontdesk.index_article"
SWEEP_TASK = "frontdesk.sweep"
ROLL_UP_TASK = "frontdesk.roll_up"
MODEL_STATE_COMMAND = "frontdesk_model_state"
ModelState = Literal["loading", "ready", "none", "failed"]


def celery_settings(redis_url: str) -> dict[str, Any]:
    """The Celery configuration that client and workers share."""
    return {
        "broker_url": celery_url(redis_url),
        "task_ignore_result": True,
        "task_default_queue": INTERACTIVE,
        "task_serializer": "json",
        "accept_content": ["json"],
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "socket_timeout": 10,
            "socket_connect_timeout": 2,
            "health_check_interval": 10,
            "visibility_timeout": 3600,
            "priority_steps": [0],  # one list for a queue, not four to look into
            "global_keyprefix": "frontdesk:",
        },
        # A bell is acknowledged when taken: if its worker dies, the sweep rings again.
        "task_acks_late": False,
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "enable_utc": True,
    }


# Who rings has something better to do than to wait for Redis: one try, and after a failure none
# for a moment, so that a Redis that hangs does not hold up every acknowledgement.
ONE_QUICK_TRY = {"socket_timeout": 1, "max_retries": 0, "interval_start": 0, "interval_step": 0}
PAUSE_SECONDS = 0.5


class Queue:
    """Rings the workers. A bell that cannot be rung is logged and rung later by the sweep."""

    def __init__(self, redis_url: str) -> None:
        self._celery = Celery("frontdesk-client", set_as_current=False)
        shared = celery_settings(redis_url)
        options = shared["broker_transport_options"] | ONE_QUICK_TRY
        self._celery.conf.update(shared | {"broker_transport_options": options})
        self._paused_until = 0.0

    def enqueue_answer(self, conversation_id: UUID, channel: ChannelName) -> bool:
        """Ask for an answer to the conversation's unanswered messages."""
        queue = BATCH if channel in BATCH_CHANNELS else INTERACTIVE
        return self._ring(ANSWER_TASK, str(conversation_id), queue)

    def enqueue_ask(self, run_id: UUID) -> bool:
        """Ask for the answer of an answer_run that has no conversation."""
        return self._ring(ASK_TASK, str(run_id), INTERACTIVE)

    def enqueue_copilot(self, run_id: UUID) -> bool:
        """Ask for the work of a copilot_run, for which somebody of the staff waits."""
        return self._ring(COPILOT_TASK, str(run_id), INTERACTIVE)

    def enqueue_index(self, article_id: UUID) -> bool:
        """Ask for an article's passages to be made and embedded."""
        return self._ring(INDEX_TASK, str(article_id), KNOWLEDGE)

    def ping_workers(self, timeout_s: float = 1.0) -> list[str]:
        """Names of the workers that answer within the time."""
        try:
            replies = self._celery.control.ping(timeout=timeout_s)
        except AWAY:
            return []
        return [name for reply in replies for name in reply]

    def model_states(self, timeout_s: float = 0.5) -> list[ModelState]:
        """How far each worker's model is; of the workers that answer within the time."""
        try:
            replies = self._celery.control.broadcast(
                MODEL_STATE_COMMAND, reply=True, timeout=timeout_s
            )
        except (OperationalError, RedisError, OSError):
            return []
        return [state["model"] for reply in replies or () for state in reply.values()]

    def lengths(self) -> dict[str, int]:
        """Bells waiting in each queue."""
        with self._celery.connection_for_read() as connection:
            client = connection.default_channel.client
            return {name: int(client.llen(name)) for name in (INTERACTIVE, BATCH, KNOWLEDGE)}

    def close(self) -> None:
        """Let go of the broker's connections."""
        self._celery.close()

    def _ring(self, task: str, identifier: str, queue: str) -> bool:
        if time.monotonic() < self._paused_until:
            return False
        try:
            self._celery.send_task(task, args=[identifier], queue=queue, retry=False)
        except AWAY as error:
            log.warning(
                "bell not rung task=%s id=%s error=%s", task, identifier, type(error).__name__
            )
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            return False
        return True
