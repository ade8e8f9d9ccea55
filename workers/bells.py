"""How a worker holds a bell: it is gone when it is taken, and its end lets the next one be taken.

A worker whose threads are all busy takes no bell, so that other workers may. Celery's loop does
not hear a thread end, though, and would look again only after up to a second of silence: the
worker would then answer as many conversations a second as it has threads, however fast it is.
"""

from __future__ import annotations

from typing import Any

from celery import Task
from celery.worker.request import Request
from kombu.asynchronous import get_event_loop


class BellRequest(Request):
    """Celery's record of one task under way."""

    def acknowledge(self) -> None:
        """Nothing to tell Redis: with `no_ack` it keeps no book, and Postgres holds the truth."""
        self.acknowledged = True

    def on_success(self, *args: Any, **kwargs: Any) -> Any:
        """Called in the task's thread when it ended, well or badly."""
        try:
            return super().on_success(*args, **kwargs)
        finally:
            loop = get_event_loop()
            if loop is not None:
                loop.call_soon(_look_again)


class BellTask(Task):
    """The base of all tasks."""

    Request = BellRequest


def _look_again() -> None:
    """Nothing: the loop looks for bells whenever it was called."""
