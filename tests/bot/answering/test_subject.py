"""Whose article is told: of what the conversation is about, or whose title asks the question."""

from __future__ import annotations

import pytest

from bot.answering.evidence import SEARCH_LIMIT, gather
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


def test_a_word_of_a_long_name_is_not_its_name() -> None:
    titles = ["The Good Luck Chinese Takeaway", "La Mimosa"]
    assert subject_fit(["is the beer good?", "la mimosa is open"], titles)[1] == 1.0
    titles = ["Pizza Hut City Centre", "Bangkok City"]
    assert subject_fit(["any beer?", "bangkok city is in the centre"], titles)[1] == 1.0


def test_a_name_may_stand_before_what_is_told_of_it() -> None:
    titles = ["La Mimosa: Vegan and Gluten-free Dishes", "La Mimosa: opening", "Curry King"]
    fits = subject_fit(["is it open?", "la mimosa is nice"], titles)
    assert fits[:2] == [1.0, 1.0]
    assert fits[2] < 1.0


def test_an_article_of_the_subject_is_found_where_many_others_fit_the_question_better() -> None:
    others = [
        Article(str(n), f"House {n}: wine", "We have a large selection of beer and wine.")
        for n in range(2 * SEARCH_LIMIT)
    ]
    faq = FakeKnowledge([*others, Article("mimosa", "La Mimosa: drinks", "There is wine.")])
    said = ("a table at la mimosa", "bot: For how many?", "For two.", "bot: You have it.")
    turns = ask(*said, "Is there a selection of wine?").turns
    (question,) = read_questions(turns, 1)
    assert gather(question, INBOX, faq).passages[0].external_id == "mimosa"


def test_where_two_sentences_fit_alike_the_subject_decides() -> None:
    turns = ask("a Tarn tent", "bot: Yes, the Tarn Lite.", "ok", "bot: Good.", "How heavy?").turns
    (question,) = read_questions(turns, 1)
    fake = FakeKnowledge(
        [
            Article("skarn", "Skarn 3: weight", "How heavy: 2 kg."),
            Article("tarn", "Tarn Lite: weight", "How heavy it is: 1 kg."),
        ]
    )
    found = gather(question, INBOX, fake)
    assert found.evidence[0].passage.external_id == "tarn"
    assert found.evidence[0].subject == 1.0 > found.evidence[-1].subject


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
