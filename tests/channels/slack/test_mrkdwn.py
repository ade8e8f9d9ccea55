"""Slack's formatting both ways: what was meant is read, and nothing that is written does more."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.slack.emoji import EMOJI
from channels.slack.mrkdwn import PART_CHARS, decode, encode, split

PINGS = re.compile(r"<[!@#][^>]*>")


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("plain", "plain"),
        ("<@U0BOT> hello", "hello"),
        ("hello <@U0BOT>", "hello"),
        ("ask <@U123|bea> or <@W456>", "ask @bea or @W456"),
        ("in <#C1|general> or <#C2>", "in #general or #C2"),
        ("<!here> <!channel> <!everyone>", "@here @channel @everyone"),
        ("<!subteam^S1|@support> <!subteam^S2>", "@support @S2"),
        ("<!date^1392734382^{date}|18 Feb 2014>", "18 Feb 2014"),
        ("<https://a.example/x?y=1&amp;z=2>", "https://a.example/x?y=1&z=2"),
        ("<https://a.example|the shop>", "[the shop](https://a.example)"),
        ("<http://a.example|a.example>", "a.example"),
        ("<mailto:ada@a.example|ada@a.example>", "ada@a.example"),
        ("<tel:+4930123|+49 30 123>", "[+49 30 123](tel:+4930123)"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&amp;lt;", "&lt;"),
        (":wave: :+1: :thumbsup::skin-tone-3: :our_own:", "👋 👍 👍 :our_own:"),
        ("`:wave:` and ```<b>:x:```", "`:wave:` and ```b:x:```"),
        ("*bold* _italic_ ~gone~", "*bold* _italic_ ~gone~"),
        ("12:30:45", "12:30:45"),
        ("unclosed <@U1", "unclosed <@U1"),
        ("<>", ""),
    ],
)
def test_it_is_read_as_it_was_meant(sent: str, told: str) -> None:
    assert decode(sent, "U0BOT") == told


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("<!channel> <@U1> <!subteam^S1>", "&lt;!channel&gt; &lt;@U1&gt; &lt;!subteam^S1&gt;"),
        ("see https://a.example/x?y=1&z=2.", "see <https://a.example/x?y=1&amp;z=2>."),
        ("[the shop](https://a.example)", "<https://a.example|the shop>"),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("[<!here>](https://a.example)", "[&lt;!here&gt;](<https://a.example>)"),
        ("[a|b](https://a.example)", "[a|b](<https://a.example>)"),
        ("[a](https://a.example|<!here>)", "[a](<https://a.example>|&lt;!here&gt;)"),
        ("`https://a.example`", "`https://a.example`"),
        ("https://", "https://"),
    ],
)
def test_it_is_written_so_that_it_does_nothing(text: str, sent: str) -> None:
    assert encode(text) == sent


FRAGMENTS = (
    "<!channel>",
    "<@U1>",
    "<#C1|x>",
    "<!subteam^S1|@x>",
    "&lt;",
    "&amp;",
    "https://a.example/",
    "mailto:",
    "[a](",
    ")",
    "```",
    "`",
    "|",
    "@here",
    "@everyone",
    " ",
    "\n",
    "<",
    ">",
)
CHARACTERS = st.one_of(
    st.sampled_from("<>&|!@#^*_~`[]()/:. \n\"'"),
    st.characters(codec="utf-8", exclude_characters="\x00"),
)
HOSTILE = st.text(CHARACTERS, max_size=300) | st.lists(st.sampled_from(FRAGMENTS), max_size=30).map(
    "".join
)


@given(HOSTILE)
def test_whatever_is_written_pings_nobody(text: str) -> None:
    assert PINGS.search(encode(text)) is None


@given(HOSTILE)
def test_every_angle_bracket_that_is_sent_is_one_of_a_link(text: str) -> None:
    without_links = re.sub(r"<(?:https?://|mailto:)[^<>|\s]+(?:\|[^<>|\n]+)?>", "", encode(text))
    assert not set(without_links) & {"<", ">"}


@example("https://``0`")
@given(HOSTILE.filter(lambda text: not any(f":{name}:" in text for name in EMOJI)))
def test_what_is_written_is_read_back_word_for_word(text: str) -> None:
    assert decode(encode(text)) == text.strip()


@given(st.text(), st.none() | st.text(max_size=12))
def test_reading_never_crashes(text: str, bot: str | None) -> None:
    assert isinstance(decode(text, bot), str)


@given(HOSTILE, st.integers(min_value=40, max_value=400))
def test_parts_are_short_enough_and_miss_nothing(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(len(part) <= limit for part in parts)
    assert "".join(encode(text).split()) or not text.strip()


@given(st.lists(st.text(alphabet="abcdefg&<>", min_size=1, max_size=9), max_size=400))
def test_split_text_has_all_its_words_in_their_order(words: list[str]) -> None:
    parts = split(" ".join(words), 120)
    assert " ".join(decode(part) for part in parts).split() == " ".join(words).split()


def test_a_part_fits_in_what_slack_can_update() -> None:
    assert PART_CHARS < 4000
    assert all(len(part) <= PART_CHARS for part in split("& " * 20_000))
