"""Wakes Celery's loop when a task ends.

A worker whose threads are all busy takes no bell, so that other workers may. Its loop does not
hear a thread end, though, and would look again only after up to a second of silence: the worker
would then answer as many conversations a second as it has threads, however fast it is.
"""

from __future__ import annotations

from typing import Any

from celery import Task
from celery.worker.request import Request
from kombu.asynchronous import get_event_loop


class WakingRequest(Request):
    """Celery's record of one task under way; its end wakes the loop."""

    def on_success(self, *args: Any, **kwargs: Any) -> Any:
        """Called in the task's thread when it ended, well or badly."""
        try:
            return super().on_success(*args, **kwargs)
        finally:
            loop = get_event_loop()
            if loop is not None:
                loop.call_soon(_look_again)


class WakingTask(Task):
    """The base of all tasks."""

    Request = WakingRequest


def _look_again() -> None:
    """Nothing: the loop looks for bells whenever it was called."""
