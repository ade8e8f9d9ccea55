"""Who decodes next: interactive before batch, and some slots that batch never takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator

from workers.engine.requests import Request


class WaitingLine:
    """The queue in front of an engine with a fixed number of slots.

    Interactive requests leave it first, in the order they came. Batch requests may hold all
    but the `reserved` slots, so that a chat always finds one free however much mail waits.
    """

    def __init__(self, slots: int, reserved: int) -> None:
        if not 0 <= reserved < slots:
            raise ValueError("an engine needs at least one slot that batch requests may use")
        self._slots = slots
        self._batch_slots = slots - reserved
        self._interactive: deque[Request] = deque()
        self._batch: deque[Request] = deque()

    def __len__(self) -> int:
        return len(self._interactive) + len(self._batch)

    def __iter__(self) -> Iterator[Request]:
        yield from self._interactive
        yield from self._batch

    def add(self, request: Request) -> None:
        (self._interactive if request.is_interactive else self._batch).append(request)

    def next(self, running: Collection[Request]) -> Request | None:
        """Take the request that may start now beside those that run, or None."""
        if len(running) >= self._slots:
            return None
        if self._interactive:
            return self._interactive.popleft()
        if self._batch and sum(not one.is_interactive for one in running) < self._batch_slots:
            return self._batch.popleft()
        return None

    def remove_ended(self) -> None:
        """Forget requests whose reader has gone or whose deadline has passed."""
        for line in (self._interactive, self._batch):
            for request in line:
                request.end_if_unwanted()
            kept = [request for request in line if not request.has_ended]
            line.clear()
            line.extend(kept)

    def clear(self) -> list[Request]:
        waiting = list(self)
        self._interactive.clear()
        self._batch.clear()
        return waiting
