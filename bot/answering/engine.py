"""The Engine port: what the answer's logic asks of a language model, and nothing else.

Drivers live in `workers/engine/`. The logic never sees tokens, devices or model files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal, Protocol

FinishReason = Literal["stop", "length", "cancelled", "deadline"]


class EngineError(Exception):
    """The engine cannot generate: it died, was refused, or its server answered with an error."""


@dataclass(frozen=True, slots=True)
class PromptTurn:
    """An earlier turn. Drivers keep its token ids stable from one prompt to the next."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads, in the order that lets a prefix cache work.

    `system` never changes for an inbox; `turns` only grow (the oldest are dropped first when
    the budget is short); `question` is this turn's passages and question and is never dropped.
    All of it but `system` is data: a driver encodes it so that no control token in it counts.
    """

    system: str
    turns: Sequence[PromptTurn]
    question: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one generation. `timeout` counts from the call of `generate`, queueing included.

    `wants_certainty` asks for `Usage.certainty`, which costs a remote server some work.
    """

    max_output_tokens: int
    timeout: timedelta | None = None
    stop: Sequence[str] = ()
    priority: Literal["interactive", "batch"] = "interactive"
    wants_certainty: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What a generation cost. Complete once the iteration has ended.

    `cached_tokens` of the `prompt_tokens` came from a prefix cache. Times are milliseconds
    from the call of `generate`: `queue_ms` until prefill began, `ttft_ms` until the first token.
    `certainty` is the probability, 0..1, that the model gave to the first token it chose: surely
    there where `Limits.wants_certainty` asked for it and the driver can tell.
    """

    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    finish_reason: FinishReason
    queue_ms: float
    ttft_ms: float | None
    total_ms: float
    certainty: float | None = None

    def then(self, later: Usage) -> Usage:
        """Both, one after the other, as if they were one generation."""
        return replace(
            later,
            prompt_tokens=self.prompt_tokens + later.prompt_tokens,
            cached_tokens=self.cached_tokens + later.cached_tokens,
            output_tokens=self.output_tokens + later.output_tokens,
            queue_ms=self.queue_ms,
            ttft_ms=self.ttft_ms,
            total_ms=self.total_ms + later.total_ms,
        )


class Generation(Protocol):
    """One running generation; iterate it for text as it is decoded.

    The iterator yields whole characters only (a character split across tokens waits for its
    last token), ends at a stop string, a limit, the deadline or `cancel`, and raises
    `EngineError` if the engine dies. `usage` raises `RuntimeError` before the iteration ended.
    """

    @property
    def usage(self) -> Usage: ...
    def __iter__(self) -> Iterator[str]: ...
    def cancel(self) -> None:
        """Stop decoding soon; safe from any thread, at any time, more than once."""
        ...


class Engine(Protocol):
    """A language model behind one of the drivers."""

    @property
    def remote(self) -> bool:
        """Whether text leaves this machine."""
        ...

    @property
    def model_name(self) -> str: ...

    def generate(self, prompt: Prompt, limits: Limits) -> Generation:
        """Start a generation; returns at once. Greedy. Raises EngineError if it cannot start."""
        ...

    def close(self) -> None:
        """Cancel what runs and free the model."""
        ...
