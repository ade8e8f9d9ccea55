"""Lets the staff watch the model write: what it decodes goes out by pub/sub, and is kept nowhere.

Customers see checked sentences only. Nothing here is stored, and a bell that cannot ring is no
reason to stop.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from bot.answering.engine import Engine, Generation, Limits, Prompt, Usage
from bot.answering.phrasing import MAX_OUTPUT_TOKENS
from bot.events import Publisher, draft_topic

# As often as an eye can follow; each bell costs a tenth of a millisecond.
SAY_SECONDS = 0.08


@dataclass(frozen=True, slots=True)
class Watched:
    """An engine whose drafts of a reply are told to whoever watches the conversation."""

    engine: Engine
    publisher: Publisher
    conversation_id: UUID
    run_id: UUID

    @property
    def remote(self) -> bool:
        return self.engine.remote

    @property
    def model_name(self) -> str:
        return self.engine.model_name

    def generate(self, prompt: Prompt, limits: Limits) -> Generation:
        """What the model is asked besides, yes or no or a translation, is no draft."""
        generation = self.engine.generate(prompt, limits)
        if limits.max_output_tokens < MAX_OUTPUT_TOKENS:
            return generation
        return _Told(generation, self)

    def close(self) -> None:
        self.engine.close()

    def tell(self, text: str, *, is_new: bool) -> None:
        payload = {"raw": text, "run": str(self.run_id), "begins": is_new}
        self.publisher.publish(draft_topic(self.conversation_id), payload)


class _Told:
    """A generation that tells what passes through it."""

    def __init__(self, generation: Generation, watched: Watched) -> None:
        self._generation = generation
        self._watched = watched

    @property
    def usage(self) -> Usage:
        return self._generation.usage

    def __iter__(self) -> Iterator[str]:
        self._watched.tell("", is_new=True)
        untold, told_at = "", 0.0
        try:
            for text in self._generation:
                untold += text
                if time.monotonic() - told_at >= SAY_SECONDS:
                    self._watched.tell(untold, is_new=False)
                    untold, told_at = "", time.monotonic()
                yield text
        finally:
            if untold:
                self._watched.tell(untold, is_new=False)

    def cancel(self) -> None:
        self._generation.cancel()
