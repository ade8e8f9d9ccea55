"""Articles are cut along their headings into passages that read well."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.passages import MAX, make_passages, word_count

LONG = " ".join(f"This is sentence number {number} of the paragraph." for number in range(60))


def test_each_heading_has_its_own_passage_with_its_path() -> None:
    text = " ".join(["Items must be unused."] * 12)
    found = make_passages(f"# Returns\n\n{text}\n\n## Costs\n\n{text}\n", "Help")
    assert [one.heading for one in found] == ["Returns", "Returns > Costs"]


def test_a_heading_that_repeats_the_title_is_left_out() -> None:
    assert make_passages("# Returns\n\nYou have 60 days.", "Returns")[0].heading == ""


def test_small_sections_are_joined_and_keep_their_headings() -> None:
    found = make_passages("## Size\n\nSmall.\n\n## Weight\n\nLight.")
    assert len(found) == 1
    assert "## Size\n\nSmall." in found[0].text
    assert "## Weight\n\nLight." in found[0].text


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    found = make_passages(LONG)
    assert len(found) > 1
    assert all(word_count(one.text) <= MAX for one in found)
    assert all(one.text.endswith("paragraph.") for one in found)
    assert " ".join(one.text for one in found) == LONG


def test_a_long_chinese_paragraph_is_cut_between_sentences() -> None:
    sentence = "退货包裹到达仓库后，我们会在五个工作日内验收并退款。"
    found = make_passages(sentence * 60)
    assert len(found) > 1
    assert all(len(one.text) <= 450 and one.text.endswith("。") for one in found)


def test_a_long_list_repeats_its_lead_in_and_splits_between_items() -> None:
    items = "\n".join(f"- item {n} has quite a few words to fill the passage" for n in range(60))
    found = make_passages(f"You cannot return:\n\n{items}")
    assert len(found) > 1
    assert all(one.text.startswith("You cannot return:") for one in found)
    assert sum(one.text.count("- item ") for one in found) == 60


def test_a_long_table_repeats_its_header() -> None:
    rows = "\n".join(f"| country number {n} | {n} euros and some cents |" for n in range(80))
    found = make_passages(f"| Country | Price |\n|---|---|\n{rows}")
    assert len(found) > 1
    assert all(one.text.startswith("| Country | Price |\n|---|---|") for one in found)


def test_links_become_their_text_and_images_comments_and_anchors_go() -> None:
    body = "## Costs {#costs}\n\n<!-- secret -->See [the **list**](https://x.test/y) ![img](a.png)."
    found = make_passages(body)
    assert found[0].heading == "Costs"
    assert found[0].text == "See the list ."


def test_a_table_of_contents_is_no_passage() -> None:
    found = make_passages("In this article:\n\n- [Costs](#costs)\n\n## Costs\n\nIt is free.")
    assert [one.text for one in found] == ["It is free."]


def test_raw_html_becomes_text() -> None:
    body = (
        "<div><script>alert(1)</script><p>Parcel <b>lost</b>?</p></div>\n\nPress <kbd>Ctrl</kbd>."
    )
    text = make_passages(body)[0].text
    assert text == "Parcel lost?\n\nPress Ctrl."


def test_code_is_kept() -> None:
    text = make_passages("Run:\n\n```bash\nsudo ls  # list\n```")[0].text
    assert text == "Run:\n\n```\nsudo ls  # list\n```"


def test_nested_lists_stay_nested() -> None:
    text = make_passages("1. First\n   - inner\n2. Second")[0].text
    assert text == "1. First\n  - inner\n2. Second"


@given(st.text(alphabet=st.sampled_from("ab <>#|-*`[](){}\n:1.!\t") | st.characters()))
def test_no_text_breaks_the_passages(body: str) -> None:
    for passage in make_passages(body):
        assert passage.text
