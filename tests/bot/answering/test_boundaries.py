"""Sentences are cut from a stream as soon as they are complete, and never inside a figure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answering.boundaries import sentences_of


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It costs €14.95. It takes 4 days.", ["It costs €14.95.", "It takes 4 days."]),
        ("运费是 14.95 欧元。4 天送达。", ["运费是 14.95 欧元。", "4 天送达。"]),
        ("We close at 2 p.m. on Saturday.", ["We close at 2 p.m. on Saturday."]),
        ("- One thing.\n- Another thing.", ["One thing.", "Another thing."]),
        ("You have **60 days** [1].", ["You have 60 days."]),
        ("", []),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_stream_is_cut_the_same_in_pieces_of_any_size(
    text: str, sentences: list[str], size: int
) -> None:
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert list(sentences_of(pieces)) == sentences


def test_a_sentence_is_given_out_before_the_next_one_ends() -> None:
    stream = iter(["It takes 4 days. ", "It costs ", "a lot"])
    assert next(sentences_of(stream)) == "It takes 4 days."


@given(st.lists(st.text(max_size=20), max_size=20))
def test_cutting_never_crashes_and_loses_no_letters(pieces: list[str]) -> None:
    letters = [c for c in "".join(pieces) if c.isalpha()]
    kept = [c for sentence in sentences_of(pieces) for c in sentence if c.isalpha()]
    assert len(kept) <= len(letters)
