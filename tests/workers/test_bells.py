"""A task's end wakes Celery's loop, so that a worker at its limit takes the next bell at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from celery.concurrency import get_implementation
from kombu.asynchronous import Hub, get_event_loop, set_event_loop

from workers.bells import BellPool, BellRequest, BellTask
from workers.celery import app, worker_settings


class Loop:
    """Notes what was so when it was called."""

    def __init__(self) -> None:
        self.is_counted_off = False
        self.found: list[bool] = []
        self.called = threading.Event()

    def count_off(self, _result: object) -> None:
        self.is_counted_off = True

    def call_soon(self, callback: Callable[[], None]) -> None:
        callback()
        self.found.append(self.is_counted_off)
        self.called.set()


@pytest.fixture
def loop() -> Iterator[Loop]:
    before, made = get_event_loop(), Loop()
    set_event_loop(cast(Hub, made))
    yield made
    set_event_loop(before)


def run_in_pool(loop: Loop, work: Callable[[], object]) -> None:
    pool = BellPool(limit=1)
    pool.on_apply(work, (), {}, callback=loop.count_off, accept_callback=lambda *_: None)
    assert loop.called.wait(5)
    pool.on_stop()


def test_the_loop_is_woken_after_the_task_was_counted_off(loop: Loop) -> None:
    run_in_pool(loop, lambda: "answered")
    assert loop.found == [True]


def test_the_loop_is_woken_by_a_task_that_broke_the_thread_too(loop: Loop) -> None:
    def breaks() -> None:
        raise ValueError("broken")

    run_in_pool(loop, breaks)
    assert len(loop.found) == 1


def test_workers_use_this_pool_and_this_request(
    monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert get_implementation(worker_settings()["worker_pool"]) is BellPool
    assert issubclass(app.Task, BellTask)
    assert app.Task.Request is BellRequest
