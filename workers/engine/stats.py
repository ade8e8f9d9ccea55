"""What an engine counts, for whoever shows metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.answering.engine import Engine


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counters since the start, and what is going on now."""

    running: int
    waiting: int
    requests: int
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    deaths: int


class CountingEngine(Engine, Protocol):
    """An Engine that says what it counts; every driver's does."""

    def stats(self) -> EngineStats:
        """Counters for the metrics page; may be called from any thread."""
        ...


@dataclass(slots=True)
class Totals:
    """The counters that only grow; their owner's lock guards them."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    deaths: int = 0

    def snapshot(self, running: int, waiting: int) -> EngineStats:
        return EngineStats(
            running=running,
            waiting=waiting,
            requests=self.requests,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            output_tokens=self.output_tokens,
            deaths=self.deaths,
        )
