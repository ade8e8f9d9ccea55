"""One generation from its call to its end, shared by who decodes and who reads."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from bot.answering.engine import EngineError, FinishReason, Limits, Usage


class Text(Protocol):
    """Turns what a model decodes into text that is certain."""

    @property
    def stopped(self) -> bool: ...
    def push(self, tokens: Sequence[Any], /) -> str: ...
    def flush(self) -> str: ...


class Request:
    """The state of one generation. Every method may be called from any thread.

    It ends exactly once: whoever comes first (the engine, the deadline, a cancellation, an error)
    decides how, and what comes later changes nothing.
    """

    def __init__(self, prompt_ids: Sequence[int], limits: Limits, text: Text) -> None:
        self.prompt_ids = prompt_ids
        self.limits = limits
        self._text = text
        self._called = time.monotonic()
        self._changed = threading.Condition()
        self._pieces: deque[str] = deque()
        self._error: EngineError | None = None
        self._usage: Usage | None = None
        self._prompt_tokens = len(prompt_ids)
        self._cached_tokens = 0
        self._output_tokens = 0
        self._queue_ms: float | None = None
        self._ttft_ms: float | None = None
        self._certainty: float | None = None
        self._abandoned = False
        self._wake: Callable[[], None] | None = None

    @property
    def is_interactive(self) -> bool:
        return self.limits.priority == "interactive"

    @property
    def has_ended(self) -> bool:
        return self._usage is not None or self._error is not None

    @property
    def usage(self) -> Usage | None:
        return self._usage

    def when_ended_by_reader(self, wake: Callable[[], None]) -> None:
        """Call `wake` when a reader ends it, so that a sleeping engine lets it go."""
        self._wake = wake

    def begin(self) -> None:
        """It left the queue: prefill begins now."""
        self._queue_ms = self._elapsed_ms()

    def count_cached(self, tokens: int) -> None:
        self._cached_tokens = tokens

    def count(self, prompt_tokens: int, cached_tokens: int, output_tokens: int) -> None:
        """Replace our counts by those of the server that decoded."""
        self._prompt_tokens, self._cached_tokens = prompt_tokens, cached_tokens
        self._output_tokens = output_tokens

    def accept(self, tokens: Sequence[Any], certainty: float | None = None) -> None:
        """Take decoded tokens; ends the request when they complete a stop string.

        `certainty` is the probability of the first of them.
        """
        with self._changed:
            if self.has_ended or not tokens:
                return
            if self._ttft_ms is None:
                self._ttft_ms = self._elapsed_ms()
                self._certainty = certainty
            self._output_tokens += len(tokens)
            self._give(self._text.push(tokens))
            if self._text.stopped:
                self._end("stop")

    def end(self, reason: FinishReason) -> None:
        """End it; text that is certain by now is still read."""
        with self._changed:
            if not self.has_ended:
                self._give(self._text.flush())
                self._end(reason)

    def fail(self, error: EngineError) -> None:
        """End it with an error, which its reader gets after the text that came before."""
        with self._changed:
            if not self.has_ended:
                self._error = error
                self._changed.notify_all()

    def end_if_unwanted(self) -> None:
        """End it if its deadline has passed or its reader has gone."""
        if self._abandoned:
            self.end("cancelled")
        elif self._is_overdue():
            self.end("deadline")

    def abandon(self) -> None:
        """Nobody will read it. Takes no lock: the garbage collector calls it at any point."""
        self._abandoned = True

    def end_by_reader(self, reason: FinishReason) -> None:
        if not self.has_ended:
            self.end(reason)
            if self._wake:
                self._wake()

    def next_piece(self) -> str | None:
        """Wait for the next text; None at the end. Raises EngineError if the engine died."""
        while True:
            with self._changed:
                if self._pieces:
                    return self._pieces.popleft()
                if self._error:
                    raise self._error
                if self._usage:
                    return None
                self._changed.wait(self._remaining_s())
            if self._is_overdue():
                self.end_by_reader("deadline")

    def _give(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            self._changed.notify_all()

    def _end(self, reason: FinishReason) -> None:
        total_ms = self._elapsed_ms()
        self._usage = Usage(
            prompt_tokens=self._prompt_tokens,
            cached_tokens=self._cached_tokens,
            output_tokens=self._output_tokens,
            finish_reason=reason,
            queue_ms=total_ms if self._queue_ms is None else self._queue_ms,
            ttft_ms=self._ttft_ms,
            total_ms=total_ms,
            certainty=self._certainty,
        )
        self._changed.notify_all()

    def _elapsed_ms(self) -> float:
        return (time.monotonic() - self._called) * 1000

    def _remaining_s(self) -> float | None:
        if self.limits.timeout is None:
            return None
        left = self.limits.timeout.total_seconds() - (time.monotonic() - self._called)
        return max(0.0, left)

    def _is_overdue(self) -> bool:
        return self._remaining_s() == 0.0


class RunningGeneration:
    """What `generate` returns. Dropping it, or leaving its loop early, cancels the request."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._was_read = False
        weakref.finalize(self, request.abandon).atexit = False

    @property
    def usage(self) -> Usage:
        """Tokens, times and finish reason. Raises RuntimeError before the iteration ended."""
        usage = self._request.usage
        if usage is None or not self._was_read:
            raise RuntimeError("usage is complete only once the iteration has ended")
        return usage

    def __iter__(self) -> Iterator[str]:
        try:
            while (piece := self._request.next_piece()) is not None:
                yield piece
        finally:
            self._was_read = True
            self._request.end_by_reader("cancelled")

    def cancel(self) -> None:
        """Stop decoding soon; safe from any thread, at any time, more than once."""
        self._request.end_by_reader("cancelled")
