"""How a worker holds a bell: it is gone once taken, and its end lets the next one be taken."""

from __future__ import annotations

from typing import Any

from celery import Task
from celery.concurrency.thread import ApplyResult, TaskPool
from celery.worker.request import Request
from kombu.asynchronous import get_event_loop


class BellRequest(Request):
    """Celery's record of one task under way."""

    def acknowledge(self) -> None:
        """Nothing to tell Redis: with `no_ack` it keeps no book, and Postgres holds the truth."""
        self.acknowledged = True


class BellTask(Task):
    """The base of all tasks."""

    Request = BellRequest


class BellPool(TaskPool):
    """Celery's threads, whose ends its loop hears.

    A worker whose threads are all busy takes no bell, so that other workers may. By itself the
    loop would look again only after up to a second of silence: the worker would answer as many
    conversations a second as it has threads, however fast it is.
    """

    def on_apply(self, *args: Any, **kwargs: Any) -> ApplyResult:
        """Run a task in a thread; when it has ended and is counted off, wake the loop."""
        result = super().on_apply(*args, **kwargs)
        result.f.add_done_callback(_wake_loop)
        return result


def _wake_loop(_ended: object) -> None:
    loop = get_event_loop()
    if loop is not None:
        loop.call_soon(_look_again)


def _look_again() -> None:
    """Nothing: the loop looks for bells whenever it was called."""
