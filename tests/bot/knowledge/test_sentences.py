"""Passages are cut into sentences that can stand alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.sentences import Sentence, split, split_prose


@pytest.mark.parametrize(
    ("prose", "expected"),
    [
        ("It is free. You pay 3.5 EUR! Why?", ["It is free.", "You pay 3.5 EUR!", "Why?"]),
        ("Ask Dr. Bea, e.g. by mail.", ["Ask Dr. Bea, e.g. by mail."]),
        ("Use v2.1 from www.example.com now.", ["Use v2.1 from www.example.com now."]),
        ("Open until 5 p.m. The shop closes then.", ["Open until 5 p.m.", "The shop closes then."]),
        ("See No. 5. That is no. It ends.", ["See No. 5.", "That is no.", "It ends."]),
        ('He said "No." Then he left.', ['He said "No."', "Then he left."]),
        ("您有60天。可以退吗？可以！", ["您有60天。", "可以退吗？", "可以！"]),
        ("他说“不行。”然后走了。", ["他说“不行。”", "然后走了。"]),
        ("返品できます。いつまでですか？", ["返品できます。", "いつまでですか？"]),
        ("line one\ngoes on here", ["line one goes on here"]),
        ("", []),
    ],
)
def test_prose_is_cut_at_the_ends_of_sentences(prose: str, expected: list[str]) -> None:
    assert split_prose(prose) == expected


def test_a_list_item_keeps_its_lead_in() -> None:
    found = split("You have 30 days to:\n\n- return it\n- exchange it")
    assert found[1] == Sentence("return it", "You have 30 days to:")
    assert found[2].standalone == "You have 30 days to: exchange it"


def test_an_inner_item_leans_on_the_outer_one() -> None:
    found = split("- Gift cards\n  - cannot be returned")
    assert found[1] == Sentence("cannot be returned", "Gift cards")


def test_an_item_without_a_lead_in_leans_on_the_heading() -> None:
    found = split("- gas cartridges", "Returns > What cannot be returned")
    assert found[0].context == "What cannot be returned"


def test_a_table_row_names_its_columns() -> None:
    found = split("| Country | Costs |\n|---|---|\n| Norway | €8.95 |\n| Asia | |")
    assert [one.text for one in found] == ["Country: Norway; Costs: €8.95", "Country: Asia"]


def test_running_text_needs_no_context_but_knows_its_heading() -> None:
    found = split("## Condition\n\nItems must be unused.")
    assert found == [Sentence("Items must be unused.", "", "Condition")]


def test_a_lead_in_belongs_to_the_next_block_only() -> None:
    found = split("Steps:\n\n- one\n\n| A | B |\n|---|---|\n| 1 | 2 |")
    assert [one.context for one in found] == ["", "Steps:", ""]


def test_code_stays_whole_with_its_lead_in() -> None:
    found = split("Type this:\n\n```\nsudo a. b. c\nls\n```\n\nDone.")
    assert found[1] == Sentence("sudo a. b. c\nls", "Type this:")
    assert found[2].text == "Done."


@given(st.text(alphabet=st.sampled_from("ab .!?。|-#`:\n1 ") | st.characters()))
def test_no_text_breaks_the_splitting(text: str) -> None:
    assert all(sentence.text is not None for sentence in split(text))


@given(st.text())
def test_prose_loses_no_character(text: str) -> None:
    assert "".join("".join(split_prose(text)).split()) == "".join(text.split())
