"""Whose article is told: of what the conversation is about, or whose title asks the question."""

from __future__ import annotations

import pytest

from bot.answering.evidence import gather
from bot.answering.query import read_questions
from bot.answering.subject import subject_fit
from tests.bot.answering.fakes import INBOX, Article, FakeKnowledge, ask

TENTS = ("Skarn 3", "Tarn Lite", "Fell 55", "Orrin Dome", "Vale 2", "Brae Tunnel")
QUESTION = "Is the fabric waterproof?"


def catalogue(reverse: bool = False) -> FakeKnowledge:
    """The same article for each tent."""
    names = reversed(TENTS) if reverse else TENTS
    return FakeKnowledge(
        [Article(name, f"{name}: fabric and care", "The fabric is waterproof.") for name in names]
    )


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", TENTS)
def test_a_follow_up_is_answered_from_the_article_of_what_was_talked_about(
    name: str, reverse: bool
) -> None:
    turns = ask(
        "Which tent do you recommend?",
        f"bot: I recommend the {name.lower()}.",
        "Fine.",
        "bot: Good.",
        QUESTION,
    ).turns
    (question,) = read_questions(turns, 1)
    best = gather(question, INBOX, catalogue(reverse)).evidence[0]
    assert best.passage.external_id == name


def test_the_newest_name_counts_most() -> None:
    fits = subject_fit(["and the Tarn?", "the Skarn is full"], ["Skarn tent", "Tarn tent"])
    assert fits[1] == 1.0 > fits[0] > 0


def test_a_word_that_every_title_has_names_nothing() -> None:
    fits = subject_fit(["my tent"], ["Tent Skarn", "Tent Tarn", "Tent Vale", "Tent Orrin"])
    assert fits == [fits[0]] * 4


def test_only_what_is_written_as_a_name_names() -> None:
    assert subject_fit(["can I return it"], ["How to return the Skarn", "The Tarn"]) == [1.0, 1.0]


def test_a_model_number_and_a_chinese_title_are_names() -> None:
    assert subject_fit(["the r4 board"], ["UNO R4 pins", "UNO R3 pins"])[0] == 1.0
    assert subject_fit(["帐篷漏水"], ["帐篷保修", "背包保修"])[1] < 1.0


def test_where_no_title_was_named_all_fit() -> None:
    assert subject_fit(["good morning"], ["Skarn", "Tarn"]) == [1.0, 1.0]
    assert subject_fit([], ["Skarn"]) == [1.0]


def test_a_title_that_asks_the_question_speaks_for_a_short_answer_under_it() -> None:
    faq = FakeKnowledge(
        [
            Article("hours", "When are you open?", "We serve lunch and dinner until midnight."),
            Article("alcohol", "Do you serve alcohol?", "Yes, at every table."),
        ]
    )
    (question,) = read_questions(ask("do you serve alcohol").turns, 1)
    assert gather(question, INBOX, faq).evidence[0].passage.external_id == "alcohol"
