"""What a conversation is about, by the names that the titles of what was found share with it.

A desk often holds the same article for many things: who talks of one tent and asks whether *it* is
waterproof must not be told about another.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from bot.answering.words import content_words

FADING = 0.8
"""What a turn counts for beside the one after it."""

_NAMING = re.compile(r"\b(?:[^\W\d_]*\d[\w-]*|[A-Z][\w'’-]*)")
_PARTS = re.compile(r"[:：|–—]|\s-\s")
_NUMBERED = re.compile(r"\b[^\W\d_]*\d[\w-]*")


def subject_fit(said: Sequence[str], titles: Sequence[str]) -> list[float]:
    """How fully each title's names were said in one turn, and how lately, 0..1, the best one 1.

    `said` are the turns, newest first. All are 1 where no title names anything that was said, and
    near 1 where but a small part of any name was.
    """
    naming = [[_naming_words(part) for part in _PARTS.split(title)] for title in titles]
    different = {words for parts in naming for words in parts}
    held_by = Counter(word for words in different for word in words)
    rarity = {
        word: max(0.0, math.log((len(different) + 1) / (held + 0.5)))
        for word, held in held_by.items()
    }
    turns = [_words(text) & rarity.keys() for text in said]
    fit_of = {words: _fit(words, turns, rarity) for words in different}
    fits = [max(fit_of[words] for words in parts) for parts in naming]
    best, share = max(fits, default=(0.0, 0.0))
    return [1.0 - share * (1.0 - fit / best) if best else 1.0 for fit, _ in fits]


def _fit(
    words: frozenset[str], turns: Sequence[set[str]], rarity: Mapping[str, float]
) -> tuple[float, float]:
    """Of the turn that says most of the name: what it says, by rarity, times its share of all.

    "The Good Luck Takeaway" is not what is talked of because the beer is good. The second is the
    share alone, 0..1.
    """
    whole = sum(rarity[word] for word in words)
    if not whole:
        return 0.0, 0.0
    shares = [sum(rarity[word] for word in words & turn) / whole for turn in turns]
    fits = ((FADING**age * whole * share**2, share) for age, share in enumerate(shares))
    return max(fits, default=(0.0, 0.0))


def _naming_words(title: str) -> frozenset[str]:
    """Words with a capital or a figure; in scripts without capitals all of them."""
    unspaced = (word for word in content_words(title) if not word.isascii())
    return frozenset((*_words(" ".join(_NAMING.findall(title))), *unspaced))


def _words(text: str) -> set[str]:
    return {*content_words(text), *(each.lower() for each in _NUMBERED.findall(text))}
