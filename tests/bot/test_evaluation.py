"""What an answer is worth: right, wrong, handed off; and how sure the figures are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.evaluation import (
    Question,
    QuestionsError,
    evaluate,
    holds,
    judge,
    read_questions,
    render,
    tabulate,
    wilson,
    worst_cases,
)

ASKED = Question(
    question="How long?", answerable=True, expected=("returns",), expected_text=("60 days", "60 天")
)
UNANSWERABLE = Question(question="Bitcoin?", answerable=False, kind="near_miss")


def reply(
    action: str, text: str, *cited: str, used: bool = True, suggested: bool = False
) -> Mapping[str, Any]:
    citations = [
        {"external_id": one, "used": used, "suggested": suggested, "quote": "", "title": ""}
        for one in cited
    ]
    return {"action": action, "text": text, "confidence": 0.5, "citations": citations}


@pytest.mark.parametrize(
    ("question", "given_reply", "verdict"),
    [
        (ASKED, reply("answer", "You have 60 days.", "returns"), "correct"),
        (ASKED, reply("answer", "您有 60 天。", "returns"), "correct"),
        (ASKED, reply("answer", "You have 30 days.", "returns"), "wrong"),
        (ASKED, reply("answer", "You have 60 days.", "refunds"), "wrong"),
        (ASKED, reply("answer", "You have 60 days.", "returns", used=False), "wrong"),
        (ASKED, reply("handoff", "A colleague replies.", "returns"), "missed"),
        (ASKED, reply("clarify", "Which one?"), "missed"),
        (UNANSWERABLE, reply("answer", "Yes.", "payment"), "wrong"),
        (UNANSWERABLE, reply("handoff", "A colleague replies."), "handed_off"),
        (UNANSWERABLE, reply("clarify", "Hello!"), "handed_off"),
    ],
)
def test_a_reply_is_judged(
    question: Question, given_reply: Mapping[str, Any], verdict: str
) -> None:
    assert judge(question, given_reply).verdict == verdict


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("It costs €12.", "12", True),
        ("It costs €120.", "12", False),
        ("**Closed** on\nSunday", "closed on sunday", True),
        ("最多 21 天", "21天", True),
        ("We don’t sell it", "don't sell", True),
        ("enclosed", "closed", False),
        ("use Arduino_HS300X now", "HS300X", True),
        ("it is _not_ sold", "is not sold", True),
        ("versions before v0.4.0.", "0.4.0", True),
        ("接到顶部 silk 的终端", "顶部", True),
    ],
)
def test_a_phrase_is_never_found_inside_another(text: str, phrase: str, found: bool) -> None:
    assert holds(text, phrase) is found


def test_hits_count_the_ranked_citations() -> None:
    case = judge(ASKED, reply("handoff", "", "a", "b", "c", "d", "returns"))
    assert (case.hit_at_1, case.hit_at_5) == (False, True)


@pytest.mark.parametrize(
    ("question", "given_reply", "pointed"),
    [
        (ASKED, reply("handoff", "", "returns", used=False, suggested=True), True),
        (ASKED, reply("handoff", "", "returns", used=False), False),
        (ASKED, reply("handoff", "", "sizes", used=False, suggested=True), False),
        (UNANSWERABLE, reply("handoff", "", "returns", used=False, suggested=True), False),
    ],
)
def test_a_handoff_may_point_to_the_right_article(
    question: Question, given_reply: Mapping[str, Any], pointed: bool
) -> None:
    case = judge(question, given_reply)
    assert (case.pointed, tabulate([case])[0].pointed.count) == (pointed, int(pointed))


def test_history_goes_along_with_the_question(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(
        '{"question": "and Norway?", "answerable": true, "split": "report",'
        ' "history": [{"role": "contact", "text": "Germany?"}, {"role": "bot", "text": "6.95"}]}\n'
        '{"question": "x", "answerable": false, "split": "calibration"}\n'
    )
    asked: list[Sequence[Mapping[str, str]]] = []

    def ask(messages: Sequence[Mapping[str, str]]) -> Mapping[str, Any]:
        asked.append(messages)
        return reply("handoff", "")

    cases = list(evaluate(read_questions(file, "report"), ask))
    assert len(cases) == 1
    assert [message["text"] for message in asked[0]] == ["Germany?", "6.95", "and Norway?"]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "x", "answerable": true}\n{"question": 1}\n')
    with pytest.raises(QuestionsError, match="line 2"):
        read_questions(file)


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)


@given(st.integers(min_value=0, max_value=500), st.integers(min_value=1, max_value=500))
def test_the_interval_holds_the_share(count: int, more: int) -> None:
    total = count + more
    low, high = wilson(count, total)
    assert 0 <= low <= count / total <= high <= 1


def test_the_report_counts_every_group_and_shows_the_worst_first() -> None:
    cases = [
        judge(ASKED, reply("answer", "You have 60 days.", "returns")),
        judge(ASKED, reply("handoff", "")),
        judge(UNANSWERABLE, reply("answer", "Yes.", "payment")),
    ]
    rows = {row.group: row for row in tabulate(cases)}
    assert rows["all"].correct.count == 1
    assert rows["not answerable, near_miss"].wrong.count == 1
    assert rows["answerable"].hit_at_1.total == 2
    assert [case.verdict for case in worst_cases(cases)] == ["wrong", "missed"]
    assert any("WRONG" in line for line in render(cases))
