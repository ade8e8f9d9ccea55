"""What a conversation is about, by the names that the titles of what was found share with it.

A desk often holds the same article for many things: who talks of one tent and asks whether *it* is
waterproof must not be told about another.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from bot.answering.words import content_words

FADING = 0.8
"""What a turn counts for beside the one after it."""

_NAMING = re.compile(r"\b(?:[^\W\d_]*\d[\w-]*|[A-Z][\w'’-]*)")
_NUMBERED = re.compile(r"\b[^\W\d_]*\d[\w-]*")


def subject_fit(said: Sequence[str], titles: Sequence[str]) -> list[float]:
    """How much of what the conversation names each title names, 0..1, the best one 1.

    `said` are the turns, newest first. All are 1 where no title names anything that was said.
    """
    naming = [_naming_words(title) for title in titles]
    different = set(map(frozenset, naming))
    held_by = Counter(word for words in different for word in words)
    weights: dict[str, float] = {}
    for age, text in enumerate(said):
        for word in _words(text) & held_by.keys():
            rarity = math.log((len(different) + 1) / (held_by[word] + 0.5))
            weights.setdefault(word, FADING**age * max(0.0, rarity))
    sums = [sum(weights.get(word, 0.0) for word in words) for words in naming]
    best = max(sums, default=0.0)
    return [one / best if best else 1.0 for one in sums]


def _naming_words(title: str) -> set[str]:
    """Words with a capital or a figure; in scripts without capitals all of them."""
    return _words(" ".join(_NAMING.findall(title))) | {
        word for word in content_words(title) if not word.isascii()
    }


def _words(text: str) -> set[str]:
    return {*content_words(text), *(each.lower() for each in _NUMBERED.findall(text))}
