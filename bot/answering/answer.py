"""Answers a conversation from the articles, sentence by checked sentence, or hands it over.

History -> language -> questions -> passages -> sentences -> decision -> phrasing -> check. No
sentence leaves here that its evidence does not bear out: what the model writes and the check
refuses is replaced by the evidence itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bot.answering import prompt, texts
from bot.answering.citing import cite, suggest
from bot.answering.decide import Decision, decide
from bot.answering.engine import Engine, EngineError, Usage
from bot.answering.evidence import Evidence, Found, gather, is_verbatim
from bot.answering.ground import Asked, check_sentence
from bot.answering.intent import read_intent
from bot.answering.language import customer_language, same_language
from bot.answering.outcome import (
    Action,
    AnswerRequest,
    AnswerStream,
    CheckedSentence,
    Knowledge,
    Outcome,
    Rejected,
)
from bot.answering.phrasing import SHORTEST_BUDGET, Phrasing, hear, translate
from bot.answering.query import Question, read_questions
from bot.answering.rendering import marked
from bot.answering.summary import summarize
from bot.answering.telling import begins_list, is_step, tell
from bot.answering.words import content_words, is_unsegmented
from bot.hours_told import tell_opening
from bot.messages import Citation, Turn

FACTS = 4
"""Evidence sentences that the model is given for a question."""
RESERVE = timedelta(milliseconds=500)
"""Kept back from the model, so that the evidence can still be sent before the deadline."""

_HANDOFF_PHRASES: dict[str, texts.Phrase] = {
    "no_evidence": "no_evidence", "instructions": "no_evidence",
    "wants_person": "wants_person", "failed": "failed", "engine": "engine",
    "own_order": "own_order", "serious": "serious", "partly": "partly",
}  # fmt: skip
_SUGGESTING = frozenset(("no_evidence", "engine", "partly"))
"""Handoffs that name what may be read meanwhile: who wants a person, or writes of harm, wants none.
"""


def answer(request: AnswerRequest, knowledge: Knowledge, engine: Engine | None) -> AnswerStream:
    """Yield the reply's sentences as they are checked, then exactly one Outcome.

    Blocks on search and engine. Never raises for a failing engine: the evidence itself, or a
    handoff, takes the model's place.
    """
    run = _Run(request, knowledge, engine)
    intent = read_intent(request.turns, request.unanswered, request.failures)
    if intent == "greeting" or intent == "thanks":
        yield from run.close("clarify", texts.say(intent, run.language), intent)
        return
    run.search()
    if intent != "ask":
        yield from run.hand_over(intent)
    elif run.is_vague:
        yield from run.close("clarify", run.asking_back(), "vague")
    else:
        yield from run.reply()


@dataclass(slots=True)
class _Part:
    """One question, what was found for it and what was decided."""

    found: Found
    decision: Decision

    @property
    def is_foreign(self) -> bool:
        """Whether the question shares no words with some of the articles that may answer it."""
        question = self.found.question.text
        return is_unsegmented(question) and any(
            not is_unsegmented(passage.text) for passage in self.found.passages
        )

    @property
    def told(self) -> tuple[Evidence, ...]:
        """What answers by itself where no model words it."""
        return tell(self.found)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What the model is given, and what a reply may lean on: also what it could mistake."""
        told = self.told
        return (*told, *(each for each in self.found.evidence[:FACTS] if each not in told))


@dataclass(slots=True)
class _Run:
    """One run: what was found, what was shown, what it cost."""

    request: AnswerRequest
    knowledge: Knowledge
    engine: Engine | None
    started: float = field(default_factory=time.monotonic)
    language: str = ""
    parts: list[_Part] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    used: list[Evidence] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    usage: Usage | None = None
    endings: list[str] = field(default_factory=list)
    retrieval_ms: float = 0.0
    first_sentence_ms: float | None = None

    def __post_init__(self) -> None:
        self.language = customer_language(self.request.turns, self.request.locale)
        self.shown = list(self.request.shown)

    def search(self) -> None:
        for question in read_questions(self.request.turns, self.request.unanswered):
            part = self._look(question)
            if self.engine is not None and part.is_foreign:
                part = self._look_in_english(self.engine, part)
            self.parts.append(part)
        self.retrieval_ms = self._elapsed_ms()

    def _look(self, question: Question) -> _Part:
        found = gather(question, self.request.inbox_id, self.knowledge)
        return _Part(found, decide(found, self.request.answer_at))

    def _look_in_english(self, engine: Engine, part: _Part) -> _Part:
        """Search again for the translated question; the better found of the two."""
        if self._budget() < SHORTEST_BUDGET:
            return part
        question = part.found.question
        try:
            text = translate(engine, question.text, self._budget(), self.request.priority)
        except EngineError:
            return part
        if not text:
            return part
        other = self._look(replace(question, text=text))
        return max(part, other, key=lambda each: each.decision.chance)

    def _hear(self, part: _Part) -> None:
        """Ask the model whether the evidence answers, where that could turn the decision."""
        if self.engine is None or not part.decision.is_open:
            return
        if self._budget() < SHORTEST_BUDGET:
            self.endings.append("deadline")
            return
        written = prompt.compose_check(part.found.question, part.told)
        try:
            heard = hear(self.engine, written, self._budget(), self.request.priority)
        except EngineError:
            self.endings.append("engine_failed")
        else:
            part.decision = replace(part.decision, heard=heard)

    @property
    def _history(self) -> tuple[Turn, ...]:
        return self.request.turns[: -self.request.unanswered]

    def _budget(self) -> timedelta:
        return self.request.timeout - timedelta(milliseconds=self._elapsed_ms()) - RESERVE

    @property
    def is_vague(self) -> bool:
        """Whether there is too little to answer: at most one word, and nothing before it."""
        first = self.parts[0]
        words = content_words(first.found.question.text)
        bare = len(self.parts) == 1 and not first.found.question.context
        return bare and (not words or (len(words) == 1 and not first.decision.answers))

    def asking_back(self) -> str:
        """A question back; it names the topics where the search found some."""
        found = self.parts[0].found
        titles = list(dict.fromkeys(each.passage.title for each in found.evidence[:4]))[:3]
        if not titles or not content_words(found.question.text):
            return texts.say("clarify", self.language)
        return texts.say("clarify_between", self.language, topics=", ".join(titles))

    def reply(self) -> AnswerStream:
        """Answer the questions that can be answered; hand over when that is not all of them."""
        told = 0
        for part in self.parts:
            before = len(self.used)
            if not self._was_told(part):
                self._hear(part)
                if part.decision.answers:
                    yield from self._tell(part)
            told += len(self.used) > before
        if told == len(self.parts):
            yield self._outcome("answer", self._how_told())
        else:
            yield from self.hand_over("partly" if told else self._why_nothing())

    def hand_over(self, reason: str) -> AnswerStream:
        phrase = _HANDOFF_PHRASES.get(reason, "no_evidence")
        told = [texts.say(phrase, self.language)]
        if self.request.opening is not None:
            told.append(tell_opening(self.request.opening, self.language))
        if titles := [each.title for each in self._citations(reason) if each.suggested]:
            told.append(texts.suggest(titles, self.language))
        yield from self.close("handoff", texts.joined(told), reason)

    def close(self, action: Action, text: str, reason: str) -> AnswerStream:
        """End with a fixed sentence."""
        yield from self._emit(CheckedSentence(text, None, verbatim=False, is_last=True))
        yield self._outcome(action, reason)

    def _tell(self, part: _Part) -> Iterator[CheckedSentence]:
        """What answers, in the model's words where they hold, and all of it."""
        evidence = part.evidence
        phrasing = Phrasing(evidence, self._asked(part))
        for sentence in self._worded(part, phrasing):
            yield from self._emit(sentence)
        self.endings.append(phrasing.ending if self.engine else "no_engine")
        self.used += [evidence[index] for index in phrasing.used]
        self.rejected += phrasing.rejected
        self.usage = phrasing.usage or self.usage

    def _worded(self, part: _Part, phrasing: Phrasing) -> Iterator[CheckedSentence]:
        """The evidence line by line in the customer's language where it is in another; else the
        model's sentences that pass their check, then the evidence that they left out.
        """
        best, count = part.found.evidence[0], len(part.told)
        is_foreign = best.passage.language != self.language
        # A shop's addresses look like Dutch to whoever reads nothing else.
        if self.engine and is_foreign and not same_language(best.shown, self.language):
            yield from phrasing.translated(
                self.engine, count, self._budget(), self.request.priority
            )
            return
        if self.engine is not None and not is_step(best):  # no wording is better than the steps
            yield from self._phrased(self.engine, part, phrasing)
        yield from phrasing.verbatim(count)

    def _phrased(
        self, engine: Engine, part: _Part, phrasing: Phrasing
    ) -> Iterator[CheckedSentence]:
        written = prompt.compose(
            self.request.company,
            self._history,
            part.found.question.text,
            part.evidence,
            self.language,
        )
        yield from phrasing.by_model(engine, written, self._budget(), self.request.priority)

    def _asked(self, part: _Part) -> Asked:
        company = self.request.company
        question = part.found.question.text
        return Asked(question, self.language, company, prompt.system_prompt(company))

    def _was_told(self, part: _Part) -> bool:
        """Whether a run that died already showed an answer to this question."""
        evidence = part.evidence
        supports = [each.support for each in evidence]
        asked = replace(self._asked(part), translates=True)
        for text in self.request.shown:
            lines = [marked(line)[1] for line in text.split("\n") if line.strip()]
            verdicts = [check_sentence(line, supports, asked) for line in lines]
            borne_out = [evidence[one.evidence] for one in verdicts if one.evidence is not None]
            verbatim = [each for each in evidence if is_verbatim(text, each.sentence)]
            self.used += verbatim or borne_out
        return any(each in self.used for each in evidence)

    def _emit(self, sentence: CheckedSentence) -> Iterator[CheckedSentence]:
        """Yield a sentence unless it was shown before; an item on a line of its own."""
        if self.shown and begins_list(sentence.text) and not sentence.text.startswith("\n"):
            sentence = replace(sentence, text=f"\n{sentence.text}")
        if sentence.text in self.shown:
            return
        if self.first_sentence_ms is None:
            self.first_sentence_ms = self._elapsed_ms()
        self.shown.append(sentence.text)
        yield sentence

    def _how_told(self) -> str:
        for ending in ("engine_failed", "deadline", "declined"):
            if ending in self.endings:
                return f"evidence, verbatim: {ending}"
        return "evidence, verbatim: no engine" if "no_engine" in self.endings else "evidence"

    def _why_nothing(self) -> str:
        return "engine" if {"engine_failed", "deadline"} & set(self.endings) else "no_evidence"

    def _outcome(self, action: Action, reason: str) -> Outcome:
        text = texts.joined(self.shown)
        asked = "\n".join(turn.text for turn in self.request.turns[-self.request.unanswered :])
        found = [part.found for part in self.parts]
        told = text if self.used and action == "handoff" else ""
        return Outcome(
            action=action,
            text=text,
            reason=reason,
            confidence=min((part.decision.probability for part in self.parts), default=0.0),
            language=self.language,
            citations=self._citations(reason),
            summary=summarize(reason, asked, found, told) if action == "handoff" else "",
            model=self.engine.model_name if self.engine and self.usage else None,
            usage=self.usage,
            retrieval_ms=self.retrieval_ms,
            first_sentence_ms=self.first_sentence_ms,
            total_ms=self._elapsed_ms(),
            passages=tuple(passage for each in found for passage in each.passages),
            rejected=tuple(self.rejected),
            query="\n".join(each.question.text for each in found),
        )

    def _citations(self, reason: str) -> tuple[Citation, ...]:
        citations = cite([part.found for part in self.parts], self.used)
        return suggest(citations) if reason in _SUGGESTING else citations

    def _elapsed_ms(self) -> float:
        return 1000 * (time.monotonic() - self.started)
