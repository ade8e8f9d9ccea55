"""Evidence in another language than the customer's: told in theirs, line by line, or as it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import SimpleNamespace

import pytest

from bot.answering import phrasing, prompt
from bot.answering.answer import answer
from bot.answering.engine import Prompt
from bot.answering.rendering import loss, marked
from bot.answering.resting import rest_of
from tests.bot.answering.fakes import INBOX, Article, FakeEngine, FakeKnowledge, ask, run

LOCK = Article(
    "lock",
    "The lock of the travel safe",
    "Reset the lock of the travel safe:\n\n"
    "1. Open the travel safe.\n"
    "2. Hold the reset button for 5 seconds.\n"
    "3. Wait for 10 seconds.",
)
SAFE = FakeKnowledge([LOCK])
QUESTION = "travel safe 的 lock 怎么 reset？ reset button 在哪？"
RENDERED = {
    "Reset the lock of the travel safe:": "重置 travel safe 的 lock：",
    "Open the travel safe.": "打开 travel safe。",
    "Hold the reset button for 5 seconds.": "按住 reset 按钮 5 秒。",
    "Wait for 10 seconds.": "等待 10 秒。",
}


def speaking(rendered: Mapping[str, str]) -> FakeEngine:
    """A model that translates by a list, says yes to every check and writes nothing itself."""
    system = prompt.compose_rendering("", "zh").system

    def script(written: Prompt) -> str:
        if written.system == system:
            return rendered.get(written.question, "")
        return "yes"

    return FakeEngine(script)


def test_each_line_is_told_in_the_customers_language() -> None:
    sentences, outcome = run(answer(ask(QUESTION), SAFE, speaking(RENDERED)))
    assert outcome.text == (
        "重置 travel safe 的 lock：\n"
        "1. 打开 travel safe。\n2. 按住 reset 按钮 5 秒。\n3. 等待 10 秒。"
    )
    assert not any(sentence.verbatim for sentence in sentences)
    assert [each.external_id for each in outcome.citations if each.used] == ["lock"]
    assert (outcome.reason, outcome.language) == ("evidence", "zh")
    assert outcome.usage is not None
    assert outcome.usage.prompt_tokens == 40  # of four lines, ten each


@pytest.mark.parametrize(
    ("wrong", "failed"),
    [
        ("按住 reset 按钮 50 秒。", "figure"),
        ("不要按住 reset 按钮 5 秒。", "denial"),
        ("按住 reset pulsante 5 秒。", "leftover"),
        ("是的，按住 reset 按钮 5 秒。", "yes or no"),
        ("必须按住 reset 按钮 5 秒。", "claim"),
        ("", "length"),
        ("Hold the reset button for 5 seconds.", "language"),
    ],
)
def test_a_line_whose_translation_fails_its_check_stays_as_it_stands(
    wrong: str, failed: str
) -> None:
    engine = speaking({**RENDERED, "Hold the reset button for 5 seconds.": wrong})
    sentences, outcome = run(answer(ask(QUESTION), SAFE, engine))
    assert "\n2. Hold the reset button for 5 seconds.\n" in outcome.text
    assert [sentence.verbatim for sentence in sentences] == [False, True, False]
    assert [(each.text, each.check) for each in outcome.rejected] == [(wrong, failed)]


def test_an_engine_that_dies_leaves_the_rest_as_it_stands() -> None:
    engine = speaking(RENDERED)
    engine.dies_after = 1
    _, outcome = run(answer(ask(QUESTION), SAFE, engine))
    assert outcome.action == "answer"
    assert "2. Hold the reset button for 5 seconds." in outcome.text
    assert outcome.reason == "evidence, verbatim: engine_failed"


def test_lines_that_come_too_late_stay_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, quick = time.monotonic(), speaking(RENDERED)
    late: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: begun + sum(late))
    monkeypatch.setattr(phrasing, "time", clock)

    def script(written: Prompt) -> str:
        if written.question.startswith("Open"):
            late.append(60.0)
        assert callable(quick.script)
        return quick.script(written)

    _, outcome = run(answer(ask(QUESTION), SAFE, FakeEngine(script)))
    assert "1. 打开 travel safe。\n2. Hold the reset button for 5 seconds." in outcome.text
    assert outcome.reason == "evidence, verbatim: deadline"


def test_an_article_of_the_customers_language_is_not_translated_for_its_names() -> None:
    address = "Utrecht: Vaartkade 18, maandag tot vrijdag 10:00-19:00, donderdag tot 21:00 uur."
    shops = FakeKnowledge([Article("shops", "Utrecht and its address", address)])
    engine = speaking({})
    run(answer(ask("What is the address in Utrecht Vaartkade?"), shops, engine))
    assert not any("translate lines" in each.system for each in engine.prompts)


def test_a_run_that_died_between_two_lines_does_not_begin_again() -> None:
    shown = ("1. 打开 travel safe。", "\n2. 按住 reset 按钮 5 秒。")
    request = ask(QUESTION, shown=shown)
    sentences, outcome = run(answer(request, SAFE, speaking(RENDERED)))
    assert sentences == []
    assert [each.external_id for each in outcome.citations if each.used] == ["lock"]


STUCK = Article(
    "stuck",
    "A travel safe that is stuck",
    "If the travel safe does not open, hold the reset button of the travel safe.",
)
STUCK_ZH = "如果 travel safe 打不开，请按住 travel safe 的 reset 按钮。"


def test_a_line_that_denies_in_one_clause_is_known_again_later() -> None:
    """By a run that follows a dead one, and by who asks why: both check what was shown."""
    stuck = FakeKnowledge([STUCK])
    question = "travel safe 不 open，reset button 怎么用？"
    engine = speaking({STUCK.text: STUCK_ZH})
    _, outcome = run(answer(ask(question), stuck, engine))
    assert outcome.text == STUCK_ZH
    again = speaking({STUCK.text: "如果 travel safe 打不开，按住它的 reset 按钮。"})
    sentences, _ = run(answer(ask(question, shown=(STUCK_ZH,)), stuck, again))
    assert sentences == []
    [passage] = stuck.search(INBOX, "reset", 1)
    rest = rest_of(STUCK_ZH, [passage], "zh")
    assert rest is not None
    assert rest.quote == STUCK.text


def test_a_translated_line_rests_on_the_line_that_it_comes_from() -> None:
    [passage] = SAFE.search(INBOX, "reset", 1)
    rest = rest_of("\n2. 按住 reset 按钮 5 秒。", [passage], "zh")
    assert rest is not None
    assert "Hold the reset button for 5 seconds." in rest.quote
    assert not rest.verbatim


@pytest.mark.parametrize(
    ("line", "said", "lost"),
    [
        ("Click “Use recovery code”.", "点击“Use recovery code”。", ""),
        ("Click 'Use recovery code'.", "点击“使用恢复代码”。", "names"),
        ("You're given a code, and 'My trips' opens.", "您会收到代码，然后打开“My trips”。", ""),
        ("Open Tools > Board > Boards Manager", "打开工具 > 表格 > 表格管理器", "names"),
        ("Open Tools > Board > Boards Manager", "打开 Tools > Board > Boards Manager", ""),
        ("点击“账户 > 安全”。", "Click “账户 > 安全”.", ""),
        ("点击“账户 > 安全”。", "Click “Account > Safety”.", "names"),
        ("The preferred board is free.", "预ferred 的板是免费的。", "leftover"),
        ("The sketch is saved.", "sketch 已保存。", ""),
        ("The Yún is reset.", "Yun 已重置。", ""),
        ("The board is free.", "", "length"),
    ],
)
def test_what_a_translation_loses_is_named(line: str, said: str, lost: str) -> None:
    assert loss(line, said) == lost


@pytest.mark.parametrize(
    ("line", "mark"), [("- One", "- "), ("12. Two", "12. "), ("Three", ""), ("2026 is over", "")]
)
def test_the_sign_of_a_list_is_no_part_of_what_a_line_says(line: str, mark: str) -> None:
    assert marked(line) == (mark, line.removeprefix(mark))
