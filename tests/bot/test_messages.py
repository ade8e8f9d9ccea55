"""How sentences become one text."""

from __future__ import annotations

from functools import reduce

import pytest

from bot.messages import append_sentence


@pytest.mark.parametrize(
    ("sentences", "text"),
    [
        (["One.", "Two?", "Three!"], "One. Two? Three!"),
        (["一。", "二！", "Three."], "一。二！Three."),
        (["It is **free**.", "(Not abroad.)", "Really."], "It is **free**. (Not abroad.) Really."),
        (["Price: €6.95", "Ask us."], "Price: €6.95\n\nAsk us."),
        (["运费: 6.95 欧元", "时效: 2 天"], "运费: 6.95 欧元\n\n时效: 2 天"),
        (["Bring:", "\n- boots", "\n- a tent"], "Bring:\n- boots\n- a tent"),
        (["", "One."], "One."),
    ],
)
def test_sentences_follow_each_other_and_rows_stand_on_lines_of_their_own(
    sentences: list[str], text: str
) -> None:
    assert reduce(append_sentence, sentences, "") == text
