"""A task's end wakes Celery's loop, so that a worker at its limit takes the next bell at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from celery.worker.request import Request
from kombu.asynchronous import Hub, get_event_loop, set_event_loop

from workers.bells import BellRequest, BellTask
from workers.celery import app


class Loop:
    """Counts who calls it."""

    def __init__(self) -> None:
        self.calls = 0

    def call_soon(self, callback: Callable[[], None]) -> None:
        callback()
        self.calls += 1


@pytest.fixture
def loop() -> Iterator[Loop]:
    before, made = get_event_loop(), Loop()
    set_event_loop(cast(Hub, made))
    yield made
    set_event_loop(before)


def test_every_task_wakes_the_loop_at_its_end() -> None:
    assert issubclass(app.Task, BellTask)
    assert app.Task.Request is BellRequest


@pytest.mark.parametrize("breaks", [False, True])
def test_the_loop_is_woken_after_the_task_was_counted_off(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, breaks: bool
) -> None:
    woken_before = []

    def count_off(_request: Any, *_: Any) -> None:
        woken_before.append(loop.calls)
        if breaks:
            raise ValueError("no result")

    monkeypatch.setattr(Request, "on_success", count_off)
    request = BellRequest.__new__(BellRequest)
    if breaks:
        with pytest.raises(ValueError, match="no result"):
            request.on_success((False, None, 0.1))
    else:
        request.on_success((False, None, 0.1))
    assert woken_before == [0]
    assert loop.calls == 1
