"""Measures answers against a file of questions: how many are right, wrong and handed off."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

Ask = Callable[[Sequence[Mapping[str, str]]], Mapping[str, Any]]
"""Messages of a conversation, `{"role", "text"}`, to the object that `POST /api/v1/ask` gives."""

Verdict = Literal["correct", "wrong", "handed_off", "missed"]
WORST = 10
Z95 = 1.959964


class QuestionsError(Exception):
    """The file of questions cannot be read; the message says which line and why."""


class PastTurn(BaseModel):
    """One message before the question."""

    model_config = ConfigDict(frozen=True)
    role: Literal["contact", "user", "bot", "assistant", "agent"]
    text: str


class Question(BaseModel):
    """One line of the file. `expected_text`: a right answer holds at least one of the phrases."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    question: str
    answerable: bool
    id: str = ""
    history: tuple[PastTurn, ...] = ()
    expected: tuple[str, ...] = ()
    expected_text: tuple[str, ...] = ()
    language: str = "en"
    kind: str = "question"
    split: str = ""

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": turn.role, "text": turn.text} for turn in self.history] + [
            {"role": "contact", "text": self.question}
        ]


@dataclass(frozen=True, slots=True)
class Case:
    """One question, what came back, and what that is worth.

    `correct`: answered with a used citation among the expected and one of the expected phrases.
    `wrong`: answered otherwise, or answered where no answer may be given. `handed_off`: a handoff
    or a question back where no answer may be given. `missed`: the same where one could be given;
    `pointed` if it then names an expected article for reading.
    """

    question: Question
    reply: Mapping[str, Any]
    verdict: Verdict
    hit_at_1: bool
    hit_at_5: bool
    pointed: bool


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `total`, with a 95 % Wilson score interval (Wilson 1927), 0..1."""

    count: int
    total: int
    low: float
    high: float

    @classmethod
    def of(cls, flags: Iterable[bool]) -> Share:
        known = list(flags)
        return cls(sum(known), len(known), *wilson(sum(known), len(known)))


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one group of questions."""

    group: str
    questions: int
    answered: Share
    correct: Share
    wrong: Share
    handed_off: Share
    pointed: Share
    hit_at_1: Share
    hit_at_5: Share


def wilson(count: int, total: int) -> tuple[float, float]:
    """The 95 % score interval of a share; (0, 1) where nothing was counted."""
    if total == 0:
        return 0.0, 1.0
    share, z2 = count / total, Z95 * Z95
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = (
        Z95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total)) / (1 + z2 / total)
    )
    # The share itself is inside, whatever the last bit of the arithmetic says.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def read_questions(path: Path, split: str | None = None) -> list[Question]:
    """The questions of a JSON-lines file. Raises QuestionsError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionsError(f"{path} cannot be read: {error}") from error
    questions = [_question(path, n, line) for n, line in enumerate(lines, start=1) if line.strip()]
    chosen = [each for each in questions if split is None or each.split == split]
    if not chosen:
        raise QuestionsError(
            f"{path} holds no question" + (f" of split {split}." if split else ".")
        )
    return chosen


def _question(path: Path, number: int, line: str) -> Question:
    try:
        return Question.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the line"
        raise QuestionsError(f"{path}, line {number}: {where}: {first['msg']}") from error


def evaluate(questions: Iterable[Question], ask: Ask) -> Iterator[Case]:
    """Ask each question and judge what comes back."""
    for question in questions:
        yield judge(question, ask(question.messages))


def judge(question: Question, reply: Mapping[str, Any]) -> Case:
    """What a reply is worth, by the rules of `Case`."""
    ids = [citation["external_id"] for citation in reply["citations"]]
    verdict = _verdict(question, reply)
    suggested = {each["external_id"] for each in reply["citations"] if each.get("suggested")}
    return Case(
        question,
        reply,
        verdict,
        hit_at_1=bool(ids) and ids[0] in question.expected,
        hit_at_5=any(each in question.expected for each in ids[:5]),
        pointed=verdict == "missed" and bool(suggested & set(question.expected)),
    )


def _verdict(question: Question, reply: Mapping[str, Any]) -> Verdict:
    if reply["action"] != "answer":
        return "missed" if question.answerable else "handed_off"
    return "correct" if question.answerable and is_right(question, reply) else "wrong"


def is_right(question: Question, reply: Mapping[str, Any]) -> bool:
    """Whether an answer uses an expected article and holds one of the expected phrases."""
    used = {citation["external_id"] for citation in reply["citations"] if citation["used"]}
    cites = not question.expected or bool(used & set(question.expected))
    return cites and (
        not question.expected_text
        or any(holds(str(reply["text"]), phrase) for phrase in question.expected_text)
    )


def holds(text: str, phrase: str) -> bool:
    """Whether the phrase stands in the text: not inside a longer word or number.

    Chinese has no such ends, and a version may be written with a v.
    """
    wanted = _plain(phrase)
    begin = r"(?<![a-z0-9])v?" if wanted[:1].isascii() else ""
    end = r"(?![a-z0-9])" if wanted[-1:].isascii() else ""
    return re.search(begin + re.escape(wanted) + end, _plain(text)) is not None


def _plain(text: str) -> str:
    """Without case, emphasis marks, runs of blanks, and blanks beside Chinese characters."""
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    text = " ".join(re.sub(r"[*`]|(?<![a-z0-9])_|_(?![a-z0-9])", "", text).split())
    return re.sub(r"(?<=[\u3000-\u9fff]) | (?=[\u3000-\u9fff])", "", text)


def tabulate(cases: Sequence[Case]) -> list[Row]:
    """All questions, then by answerability, language and kind."""
    groups: dict[str, list[Case]] = {"all": list(cases)}
    for case in cases:
        question = case.question
        kind = "answerable" if question.answerable else "not answerable"
        for name in (kind, f"{kind}, {question.language}", f"{kind}, {question.kind}"):
            groups.setdefault(name, []).append(case)
    return [_row(name, groups[name]) for name in sorted(groups, key=_group_order)]


def _group_order(name: str) -> tuple[bool, bool, str]:
    return name != "all", name.startswith("not"), name


def _row(group: str, cases: Sequence[Case]) -> Row:
    findable = [case for case in cases if case.question.expected]
    return Row(
        group,
        len(cases),
        answered=Share.of(case.reply["action"] == "answer" for case in cases),
        correct=Share.of(case.verdict == "correct" for case in cases),
        wrong=Share.of(case.verdict == "wrong" for case in cases),
        handed_off=Share.of(case.verdict in ("handed_off", "missed") for case in cases),
        pointed=Share.of(case.pointed for case in cases),
        hit_at_1=Share.of(case.hit_at_1 for case in findable),
        hit_at_5=Share.of(case.hit_at_5 for case in findable),
    )


def worst_cases(cases: Sequence[Case], count: int = WORST) -> list[Case]:
    """Wrong answers first, the most confident at the top; then what was handed off in vain."""
    bad = [case for case in cases if case.verdict in ("wrong", "missed")]
    return sorted(bad, key=lambda case: (case.verdict != "wrong", -_confidence(case)))[:count]


def _confidence(case: Case) -> float:
    return float(case.reply.get("confidence", 0.0))


def as_object(cases: Sequence[Case]) -> dict[str, Any]:
    """Everything as plain data, for `--json`."""
    return {
        "rows": [asdict(row) for row in tabulate(cases)],
        "cases": [
            {
                "id": case.question.id,
                "question": case.question.question,
                "verdict": case.verdict,
                "hit_at_1": case.hit_at_1,
                "hit_at_5": case.hit_at_5,
                "pointed": case.pointed,
                "reply": dict(case.reply),
            }
            for case in cases
        ],
    }


def render(cases: Sequence[Case]) -> Iterator[str]:
    """The table with its intervals, then the worst cases with their transcripts."""
    heads = ("answered", "correct", "wrong", "handed off", "pointed to", "hit@1", "hit@5")
    yield f"{'':34}{'n':>5}" + "".join(f"{head:>18}" for head in heads)
    for row in tabulate(cases):
        shares = (row.answered, row.correct, row.wrong, row.handed_off, row.pointed)
        cells = (*shares, row.hit_at_1, row.hit_at_5)
        yield f"{row.group:34}{row.questions:>5}" + "".join(map(_cell, cells))
    for case in worst_cases(cases):
        yield ""
        yield from _transcript(case)


def _cell(share: Share) -> str:
    if share.total == 0:
        return f"{'-':>18}"
    parts = (100 * each for each in (share.count / share.total, share.low, share.high))
    return "{:.0f}% [{:.0f}-{:.0f}]".format(*parts).rjust(18)


def _transcript(case: Case) -> Iterator[str]:
    question, reply = case.question, case.reply
    yield f"{case.verdict.upper()} {question.id} ({question.language}, {question.kind})"
    yield from (f"  {turn.role}: {turn.text}" for turn in question.history)
    yield f"  contact: {question.question}"
    yield f"  bot, {reply['action']}, confidence {_confidence(case):.2f}: {reply['text']}"
    yield f"  expected: {', '.join(question.expected) or 'no answer'}" + (
        f"; one of {list(question.expected_text)}" if question.expected_text else ""
    )
    for citation in reply["citations"][:2]:
        mark = "used" if citation["used"] else "named" if citation.get("suggested") else "not used"
        yield f"  cited ({mark}): {citation['external_id']}: {citation['quote'][:160]}"
