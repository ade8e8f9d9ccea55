"""The terms of articles and of questions meet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from bot.knowledge.terms import lexeme, query_terms, stem, terms, tsvector


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("returns", "returning"),
        ("ship", "shipped"),
        ("policies", "policy"),
        ("boxes", "box"),
        ("charge", "charging"),
        ("Café", "cafe"),
        ("１２", "12"),
        ("shop's", "shops"),
    ],
)
def test_forms_of_a_word_become_one_term(one: str, other: str) -> None:
    assert terms(one) == terms(other)


@pytest.mark.parametrize("word", ["com3", "avr", "bus", "this", "glass", "ing", "ss"])
def test_codes_and_short_words_are_left_alone(word: str) -> None:
    assert stem(word) == word


def test_chinese_becomes_characters_and_pairs() -> None:
    assert terms("退货款") == ["退", "货", "款", "退货", "货款"]


def test_a_mixed_line_is_cut_where_the_script_changes() -> None:
    assert terms("用PayPal付款") == ["用", "paypal", "付", "款", "付款"]


def test_numbers_with_points_stay_whole() -> None:
    assert terms("IDE 2.3.5 costs 19.95") == ["ide", "2.3.5", "cost", "19.95"]


def test_stop_words_go_from_a_question_unless_nothing_else_is_left() -> None:
    assert query_terms("how do I return it?") == ["return"]
    assert query_terms("who are you") == ["who", "are", "you"]


def test_a_title_weighs_more_than_the_text() -> None:
    vector, count = tsvector([("Return", "A"), ("return costs", "D")])
    assert vector == "'return':1A,2D 'cost':3D"
    assert count == 3


@given(st.text())
def test_no_text_breaks_the_terms(any_text: str) -> None:
    assert all(term and term == term.lower() for term in terms(any_text) if term.isascii())


@pytest.mark.parametrize("hostile", ["it's 'x' \\ \\' :*|&!()", "😀 ' ::tsquery", "a" * 5000])
def test_postgres_takes_what_we_write(session: Session, hostile: str) -> None:
    vector, _ = tsvector([(hostile, "D")])
    found = session.execute(text("select cast(:v as tsvector)::text"), {"v": vector}).scalar_one()
    assert isinstance(found, str)
    for term in terms(hostile):
        is_there = text("select cast(:v as tsvector) @@ cast(:q as tsquery)")
        assert session.execute(is_there, {"v": vector, "q": lexeme(term)}).scalar_one()
