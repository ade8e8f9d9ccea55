"""What the answer's logic takes and gives: a request in, checked sentences and an outcome out."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Protocol
from uuid import UUID

from bot.answering.engine import Usage
from bot.hours import Opening
from bot.knowledge.found import FoundPassage
from bot.messages import Citation, Turn
from bot.policy import ANSWER_AT

Action = Literal["answer", "clarify", "handoff"]


class Knowledge(Protocol):
    """What the answer's logic asks of the knowledge room; it opens its own short transactions."""

    def search(
        self, inbox_id: UUID, query: str, limit: int, said: Sequence[str] = ()
    ) -> Sequence[FoundPassage]:
        """The passages of the inbox's collections that fit best, best first.

        After these come those whose titles name most of what was `said`.
        """
        ...

    def sentence_scores(self, query: str, sentences: Sequence[str]) -> Sequence[float]:
        """Cosine of the query with each sentence, in -1..1; sentence vectors are cached."""
        ...


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """The whole conversation, oldest turn first; the last turns are the contact's.

    `unanswered` is how many of the last turns this reply answers; `timeout` bounds the run;
    `shown` are sentences an earlier run of this reply already showed; `opening` is set while
    nobody is there, and says when somebody will be; `answer_at` is how sure an answer must be.
    """

    inbox_id: UUID
    company: str
    turns: tuple[Turn, ...]
    timeout: timedelta
    unanswered: int = 1
    locale: str | None = None
    failures: int = 0
    shown: tuple[str, ...] = ()
    priority: Literal["interactive", "batch"] = "interactive"
    opening: Opening | None = None
    acknowledgement: str = ""
    answer_at: float = ANSWER_AT


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence that may be shown; `verbatim` if it is the evidence itself.

    `is_last` says that the outcome follows at once, so that both can be stored together.
    """

    text: str
    evidence: int | None
    verbatim: bool
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """A sentence of the model that failed a check and was not shown (kept for the trace)."""

    text: str
    check: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the run ended. `text` is all shown sentences joined; times are milliseconds."""

    action: Action
    text: str
    reason: str
    confidence: float
    language: str
    citations: tuple[Citation, ...]
    summary: str
    model: str | None
    usage: Usage | None
    retrieval_ms: float
    first_sentence_ms: float | None
    total_ms: float
    passages: tuple[FoundPassage, ...] = ()
    rejected: tuple[Rejected, ...] = field(default=())
    query: str = ""


AnswerStream = Generator[CheckedSentence | Outcome, None, None]
"""Checked sentences as they are found, then exactly one Outcome, last."""
