"""Decides from the evidence whether to answer: a small calibrated model over readable features."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from bot.answering import calibration
from bot.answering.evidence import Evidence, Found, crosses, figure_fit, level_cosine
from bot.answering.figures import without_figures
from bot.answering.words import content_words, is_unsegmented
from bot.policy import ANSWER_AT


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the articles answer the question.

    `chance` is the evidence's alone; `heard` is what the model, once it was asked, gave for the
    evidence answering. Both are 0..1. `answer_at` is how probable an answer must be.
    """

    chance: float
    features: Mapping[str, float]
    heard: float | None = None
    answer_at: float = ANSWER_AT

    @property
    def probability(self) -> float:
        """Both together, calibrated, 0..1."""
        if self.heard is None:
            return self.chance
        constant, evidence, model = calibration.HEARD
        return _logistic(constant + evidence * log_odds(self.chance) + model * log_odds(self.heard))

    @property
    def answers(self) -> bool:
        return self.probability >= self.answer_at

    @property
    def is_open(self) -> bool:
        """Whether the model's word could turn the decision."""
        return replace(self, heard=1.0).answers != replace(self, heard=0.0).answers


MOST_SURE = 0.98
"""A model that gives more than this is overconfident, not better informed."""


def log_odds(chance: float) -> float:
    """Log odds, bounded."""
    bounded = max(1 - MOST_SURE, min(MOST_SURE, chance))
    return math.log(bounded / (1 - bounded))


def _logistic(odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, odds))))


def decide(found: Found, answer_at: float = ANSWER_AT) -> Decision:
    """Whether the best evidence is good enough to be shown as an answer."""
    if not found.evidence:
        return Decision(0.0, {}, answer_at=answer_at)
    features = measure(found, found.evidence[0])
    return Decision(likelihood(features), features, answer_at=answer_at)


def likelihood(features: Mapping[str, float]) -> float:
    """Logistic regression: the probability, 0..1, that evidence with these features answers."""
    total = calibration.INTERCEPT + sum(
        weight * features[name] for name, weight in calibration.COEFFICIENTS.items()
    )
    return _logistic(total)


def measure(found: Found, best: Evidence) -> dict[str, float]:
    """The features of one evidence sentence, each about 0..1 or -1..1.

    Words compare only within one script: across two, `cross` is 1 and the word features are at
    their usual value, so that they say nothing.
    """
    question, passage = found.question, best.passage
    is_foreign = crosses(question.text, best.sentence.text)
    whole = f"{passage.title} {passage.heading} {passage.text}"
    support = best.support
    return {
        "cosine": (best.cosine - 0.85) / 0.05,
        "passage_cosine": (level_cosine(question, passage) - 0.85) / 0.05,
        "search": passage.score,
        "cross": float(is_foreign),
        "margin": _margin(
            found, best, lambda other: other.passage.external_id != passage.external_id
        ),
        "lead": _margin(found, best, lambda other: other is not best),
        "agree": _agreement(found, best),
        "words": USUAL_WORDS
        if is_foreign
        else held_share(question.text, f"{support.context} {support.text}"),
        "passage_words": USUAL_PASSAGE_WORDS if is_foreign else held_share(question.text, whole),
        "names_missing": _names_missing(question.text, whole),
        "figure": figure_fit(question.text, support.text),
        "leans": float(question.leans),
    }


USUAL_WORDS, USUAL_PASSAGE_WORDS = 0.4, 0.5
AGREEING = 5


def _margin(found: Found, best: Evidence, is_rival: Callable[[Evidence], bool]) -> float:
    """How far the sentence's score is above the best rival's, -1..1."""
    rival = next((each for each in found.evidence if is_rival(each)), None)
    return max(-1.0, min(1.0, best.score - rival.score)) if rival else 1.0


def _agreement(found: Found, best: Evidence) -> float:
    """The share of the best sentences that stand in the same article."""
    article = best.passage.external_id
    same = [each.passage.external_id == article for each in found.evidence[:AGREEING]]
    return sum(same) / AGREEING


def held_share(question: str, text: str) -> float:
    """The share of the question's content words that the text holds, misspelt ones nearly, 0..1."""
    wanted = content_words(without_figures(question))
    held = frozenset(content_words(text))
    return sum(_held(word, held) for word in wanted) / len(wanted) if wanted else 0.0


def _held(word: str, held: frozenset[str]) -> float:
    if word in held:
        return 1.0
    if not word.isascii() or len(word) < 4:
        return 0.0
    return max((_likeness(word, other) for other in held if other.isascii()), default=0.0)


def _likeness(word: str, other: str) -> float:
    """.8 for words of one family, .7 for a slip of the keyboard, else 0."""
    if len(other) >= 4 and word[:5] == other[:5]:
        return 0.8
    close = len(word) >= 5 and abs(len(word) - len(other)) <= 1
    return 0.7 if close and SequenceMatcher(None, word, other).ratio() >= 0.8 else 0.0


def _names_missing(question: str, whole: str) -> float:
    """The share of the question's names, model numbers too, that the passage never mentions."""
    pattern = _LATIN_NAME if is_unsegmented(question) else _NAME
    names = [name.lower() for name in pattern.findall(question)]
    text = whole.lower()
    return sum(name not in text for name in names) / len(names) if names else 0.0


_NAME = re.compile(r"(?<!^)(?<![.?!]\s)\b[A-Z][A-Za-z0-9-]*|\b[A-Z]{2,}\b|\b\w*\d\w*\b")
_LATIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]+")
