"""The queue: interactive before batch, and slots that batch never takes."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import pytest

from bot.answering.engine import Limits
from workers.engine.requests import Request
from workers.engine.scheduler import WaitingLine
from workers.engine.text import TextStream


def request(
    priority: Literal["interactive", "batch"] = "interactive", timeout: timedelta | None = None
) -> Request:
    return Request([1], Limits(1, timeout=timeout, priority=priority), TextStream(lambda ids: ""))


def test_interactive_requests_leave_first_and_in_their_order() -> None:
    line = WaitingLine(slots=4, reserved=1)
    mail, one, two = request("batch"), request(), request()
    for waiting in (mail, one, two):
        line.add(waiting)
    assert [line.next([]), line.next([]), line.next([]), line.next([])] == [one, two, mail, None]


def test_batch_requests_leave_the_reserved_slots_free() -> None:
    line = WaitingLine(slots=4, reserved=2)
    for _ in range(3):
        line.add(request("batch"))
    running: list[Request] = []
    while (started := line.next(running)) is not None:
        running.append(started)
    assert len(running) == 2
    line.add(request())
    assert line.next(running) is not None


def test_nothing_starts_when_every_slot_is_taken() -> None:
    line = WaitingLine(slots=2, reserved=1)
    line.add(request())
    assert line.next([request(), request()]) is None
    assert len(line) == 1


def test_requests_that_nobody_waits_for_leave_the_line() -> None:
    line = WaitingLine(slots=2, reserved=1)
    kept, cancelled, late = request(), request("batch"), request(timeout=timedelta(0))
    for waiting in (kept, cancelled, late):
        line.add(waiting)
    cancelled.end_by_reader("cancelled")
    line.remove_ended()
    assert list(line) == [kept]
    assert late.usage is not None
    assert late.usage.finish_reason == "deadline"


def test_a_line_without_a_slot_for_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one slot"):
        WaitingLine(slots=2, reserved=2)
