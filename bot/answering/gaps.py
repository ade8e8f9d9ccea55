"""Groups the questions that the bot could not answer, so that one article can close each gap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bot.answering.evidence import LANGUAGE_GAP, crosses
from bot.answering.words import content_words

JOIN_AT = 0.9
"""How alike a question must be to one of a group. Chosen by eye on 22 questions of our own, and
high: two small groups are the lesser evil, since a wrong question in a group hides a gap."""
KEEP_AT = 0.85
"""How alike it must be to the group on the whole, so that groups do not grow into chains."""
WORDS = 0.1
"""What sharing all words adds to the cosine."""


def group(questions: Sequence[str], vectors: NDArray[np.float32]) -> list[list[int]]:
    """Indices of the questions by matter: largest group first, the most typical question first.

    `vectors` has the shape (questions, dimension), of unit length.
    """
    alike = likeness(questions, vectors)
    groups: list[list[int]] = []
    for index in range(len(questions)):
        fitting = [each for each in groups if _fits(alike[index, each])]
        if fitting:
            max(fitting, key=lambda each: float(alike[index, each].mean())).append(index)
        else:
            groups.append([index])
    typical = [sorted(each, key=lambda i: -float(alike[i, each].mean())) for each in groups]
    return sorted(typical, key=len, reverse=True)


def likeness(questions: Sequence[str], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """How alike each two questions are, about 0.7..1.1, on one scale for all languages."""
    alike = np.array(vectors @ vectors.T, np.float32)
    words = [frozenset(content_words(question)) for question in questions]
    for one in range(len(questions)):
        for other in range(one):
            more = _overlap(words[one], words[other]) * WORDS
            more += LANGUAGE_GAP if crosses(questions[one], questions[other]) else 0.0
            alike[one, other] += more
            alike[other, one] += more
    return alike


def _fits(alike: NDArray[np.float32]) -> bool:
    return float(alike.max()) >= JOIN_AT and float(alike.mean()) >= KEEP_AT


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / min(len(one), len(other)) if one and other else 0.0
