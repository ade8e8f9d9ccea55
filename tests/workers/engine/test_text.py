"""Whole characters only, and nothing past a stop string."""

from __future__ import annotations

from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests.workers.engine import tiny
from workers.engine.text import CharacterStream, StopStrings, TextStream

CHINESE = "退款会在五个工作日内到账，请放心。Thank you 🙂!"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tiny.train_tokenizer()


def test_the_tokenizer_of_these_tests_splits_characters(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("账").ids
    assert len(ids) > 1
    assert tokenizer.decode(ids[:1]) == "\ufffd"


def test_chinese_characters_split_across_tokens_arrive_whole(tokenizer: Tokenizer) -> None:
    stream = CharacterStream(tokenizer.decode)
    pieces = [stream.push(token) for token in tokenizer.encode(CHINESE).ids]
    assert "".join(pieces) == CHINESE
    assert "" in pieces
    assert not any("\ufffd" in piece for piece in pieces)
    assert stream.flush() == ""


def test_a_character_cut_by_the_limit_is_left_out(tokenizer: Tokenizer) -> None:
    ids = [*tokenizer.encode("ok ").ids, *tokenizer.encode("账").ids[:-1]]
    stream = TextStream(tokenizer.decode)
    assert stream.push(ids) + stream.flush() == "ok "


@given(text=st.text(max_size=40))
def test_any_text_arrives_as_it_is(text: str) -> None:
    stream = TextStream(_shared().decode)
    ids = _shared().encode(text, add_special_tokens=False).ids
    arrived = "".join(stream.push([token]) for token in ids) + stream.flush()
    decoded = _shared().decode(ids)
    assert arrived == decoded or arrived == decoded.rstrip("\ufffd")


@given(
    text=st.text(alphabet="abc", max_size=30),
    stop=st.lists(st.text(alphabet="abc", max_size=4), max_size=3),
    cuts=st.lists(st.integers(1, 4), max_size=30),
)
def test_a_stop_string_ends_the_text_however_it_is_cut(
    text: str, stop: list[str], cuts: list[int]
) -> None:
    stops = StopStrings(stop)
    got = "".join(stops.push(piece) for piece in _cut(text, cuts)) + stops.flush()
    found = [text.find(one) for one in stop if one and one in text]
    assert stops.met == bool(found)
    assert text.startswith(got)
    if not found:
        assert got == text
    else:
        assert not any(one in got for one in stop if one)


def test_the_start_of_a_stop_string_is_held_until_it_is_none() -> None:
    stops = StopStrings(["\nCustomer:"])
    assert [stops.push(piece) for piece in ("Hi\n", "Cust", "ard")] == ["Hi", "", "\nCustard"]
    assert stops.flush() == ""


@lru_cache(maxsize=1)
def _shared() -> Tokenizer:
    return tiny.train_tokenizer()


def _cut(text: str, cuts: list[int]) -> list[str]:
    pieces = []
    for length in cuts:
        pieces.append(text[:length])
        text = text[length:]
    return [*pieces, text]
