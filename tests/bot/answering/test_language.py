"""The reply's language is the customer's, even where a message is too short to show it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answering.language import customer_language, same_language
from bot.messages import Turn


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["How much is shipping to Norway?"], "en"),
        (["退款"], "zh"),
        (["Glow 这款炉子有多重？"], "zh"),
        (["How long do I have?", "Heron 2?"], "en"),
        (["寄到香港多少钱？", "OK"], "zh"),
        (["寄到香港多少钱？", "PayPal?"], "zh"),
        (["Wie lange dauert der Versand nach Wien?"], "de"),
        (["Combien coûte la livraison en Belgique ?"], "fr"),
        (["¿Cuánto cuesta el envío a Madrid?"], "es"),
        (["返品したいのですが"], "ja"),
        (["wich feul goes in teh Cinder stove?? is deisel ok"], "en"),
        (["do you ship 电池 to Germany please?"], "en"),
    ],
)
def test_the_last_telling_turn_decides(texts: list[str], language: str) -> None:
    assert customer_language([Turn("contact", text) for text in texts]) == language


def test_the_locale_is_only_a_hint() -> None:
    assert customer_language([Turn("contact", "PayPal?")], "zh-CN") == "zh"
    assert customer_language([Turn("contact", "Can I pay with PayPal?")], "zh-CN") == "en"


def test_the_bots_own_turns_do_not_count() -> None:
    turns = [
        Turn("contact", "可以退货吗？"),
        Turn("bot", "You have 60 days to return it."),
        Turn("contact", "OK"),
    ]
    assert customer_language(turns) == "zh"


def test_a_short_text_may_pass_as_any_language() -> None:
    assert same_language("14:00", "zh")
    assert not same_language("You have 60 days to return it.", "zh")


@given(st.text(max_size=100))
def test_reading_the_language_never_crashes(text: str) -> None:
    assert customer_language([Turn("contact", text)])
