"""Puts the evidence for one question into sentences: the model's where they hold, else its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal

from bot.answering import prompt, texts
from bot.answering.boundaries import sentences_of
from bot.answering.engine import Engine, EngineError, Generation, Limits, Prompt, Usage
from bot.answering.evidence import Evidence, plain
from bot.answering.ground import Asked, Support, check_sentence
from bot.answering.language import same_language
from bot.answering.outcome import CheckedSentence, Rejected
from bot.answering.polarity import opening_answer
from bot.answering.rendering import loss, marked, render
from bot.answering.telling import is_step, write
from bot.answering.words import content_words, is_unsegmented

MAX_SENTENCES = 3
MAX_OUTPUT_TOKENS = 110
SHORTEST_BUDGET = timedelta(milliseconds=300)

Ending = Literal["told", "declined", "engine_failed", "deadline"]


@dataclass(slots=True)
class Phrasing:
    """One question's evidence on its way to the customer; read the rest once it was iterated.

    `evidence` is what is told, in its order, then what is only near. `used` are the indices of
    what was told. `ending` says how the model's part ended: `declined` when the model says that
    the evidence does not answer.
    """

    evidence: Sequence[Evidence]
    asked: Asked
    used: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    usage: Usage | None = None
    ending: Ending = "told"

    def by_model(
        self,
        engine: Engine,
        written: Prompt,
        budget: timedelta,
        priority: Literal["interactive", "batch"],
    ) -> Iterator[CheckedSentence]:
        """Checked sentences while the model writes; what fails its check is replaced."""
        if budget < SHORTEST_BUDGET:
            self.ending = "deadline"
            return
        limits = Limits(MAX_OUTPUT_TOKENS, budget, ("</facts>", "<question>"), priority)
        try:
            generation = engine.generate(written, limits)
        except EngineError:
            self.ending = "engine_failed"
            return
        try:
            yield from self._checked(generation)
            self._close(generation)
        except EngineError:
            self.ending = "engine_failed"
        finally:
            generation.cancel()

    def translated(
        self,
        engine: Engine,
        count: int,
        budget: timedelta,
        priority: Literal["interactive", "batch"],
    ) -> Iterator[CheckedSentence]:
        """The first `count` pieces of evidence in the customer's language, line by line.

        A line stays as it stands where its translation fails its check or comes too late.
        """
        until = time.monotonic() + budget.total_seconds()
        for index, text in enumerate(write(self.evidence[:count])):
            lines = [
                self._rendered(engine, index, line, until, priority) for line in text.split("\n")
            ]
            yield from self._show(index, text, "\n".join(lines))

    def verbatim(self, count: int) -> Iterator[CheckedSentence]:
        """The first `count` pieces of evidence themselves, as far as not told yet; all steps."""
        left = [
            index
            for index in range(count)
            if index not in self.used or is_step(self.evidence[index])
        ]
        told = write([self.evidence[index] for index in left])
        for index, text in zip(left, told, strict=True):
            yield from self._show(index, text)

    def _checked(self, generation: Generation) -> Iterator[CheckedSentence]:
        """Reads to the end even when it wants no more: usage is complete only then."""
        ended = False
        for told, sentence in enumerate(sentences_of(generation)):
            if ended or told >= MAX_SENTENCES or self._declines(sentence):
                ended = True
                generation.cancel()
            else:
                yield from self._check(sentence)

    def _declines(self, sentence: str) -> bool:
        """Whether the model says that the evidence says nothing: that is never an answer."""
        if not any(words in sentence.lower() for words in prompt.DECLINES):
            return False
        self.ending = "told" if self.used else "declined"
        return True

    def _check(self, sentence: str) -> Iterator[CheckedSentence]:
        verdict = check_sentence(sentence, [each.support for each in self.evidence], self.asked)
        if verdict.evidence is None:
            self.rejected.append(Rejected(sentence, verdict.failed))
            return
        if verdict.evidence not in self.used:
            self.used.append(verdict.evidence)
        yield CheckedSentence(verdict.text, verdict.evidence, verbatim=False)

    def _rendered(
        self,
        engine: Engine,
        index: int,
        line: str,
        until: float,
        priority: Literal["interactive", "batch"],
    ) -> str:
        """The line in the customer's language, or as it is."""
        mark, said = marked(line)
        if self.ending != "told" or same_language(said, self.asked.language):
            return line
        budget = timedelta(seconds=until - time.monotonic())
        if budget < SHORTEST_BUDGET:
            self.ending = "deadline"
            return line
        try:
            text, usage = render(engine, said, self.asked.language, budget, priority)
        except EngineError:
            self.ending = "engine_failed"
            return line
        self.usage = self.usage.then(usage) if self.usage else usage
        if usage.finish_reason == "deadline":
            self.ending = "deadline"
            return line
        failed = loss(said, text) or self._untrue(text, said, index)
        if failed:
            self.rejected.append(Rejected(text, failed))
            return line
        return mark + text

    def _untrue(self, text: str, line: str, index: int) -> str:
        """Which check a translation fails; a question may be asked where the article asks it."""
        if opening_answer(text) != opening_answer(line):
            return "yes or no"
        above = self.evidence[index].support.whole
        if line.endswith(("?", "？")):
            text = text.rstrip("?？")
        asked = replace(self.asked, translates=True)
        return check_sentence(text, [Support(plain(line), above)], asked).failed

    def _show(self, index: int, text: str, told: str | None = None) -> Iterator[CheckedSentence]:
        """The piece of evidence as it stands, or as it is told in the customer's language."""
        told = text if told is None else told
        if not self.used and not same_language(told, self.asked.language):
            yield CheckedSentence(texts.say("lead_in", self.asked.language), None, verbatim=False)
        if index not in self.used:
            self.used.append(index)
        yield CheckedSentence(told, index, verbatim=told == text)

    def _close(self, generation: Generation) -> None:
        self.usage = generation.usage
        if self.usage.finish_reason == "deadline":
            self.ending = "deadline"


def translate(
    engine: Engine,
    question: str,
    budget: timedelta,
    priority: Literal["interactive", "batch"],
) -> str:
    """The question in English; empty where the model brings no such thing. Raises EngineError."""
    limits = Limits(MAX_TRANSLATION_TOKENS, budget, ("\n",), priority)
    generation = engine.generate(prompt.compose_translation(question), limits)
    text = "".join(generation).strip()
    is_whole = generation.usage.finish_reason == "stop"
    return text if is_whole and content_words(text) and not is_unsegmented(text) else ""


MAX_TRANSLATION_TOKENS = 80


def hear(
    engine: Engine,
    written: Prompt,
    budget: timedelta,
    priority: Literal["interactive", "batch"],
) -> float | None:
    """The chance, 0..1, that the model gives to `yes`; None where it says neither yes nor no.

    Raises EngineError, also when the deadline passed before it said anything.
    """
    generation = engine.generate(written, Limits(2, budget, (), priority, wants_certainty=True))
    said = "".join(generation).strip().lower()
    if generation.usage.finish_reason == "deadline":
        raise EngineError("the deadline passed before the model said anything")
    yes = next((yes for word, yes in _WORDS if said.startswith(word)), None)
    certainty = generation.usage.certainty or UNTOLD_CERTAINTY
    return None if yes is None else certainty if yes else 1 - certainty


UNTOLD_CERTAINTY = 0.8
"""Where a driver does not tell how sure the model was."""
_WORDS = (("yes", True), ("no", False), ("是", True), ("否", False), ("不", False))
