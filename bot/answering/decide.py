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


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the articles answer the question.

    `chance` is the evidence's alone; `says_yes` and `is_grounded` are the model's word, once it
    was heard: that the evidence answers, and that its own sentence passed the check.
    """

    chance: float
    features: Mapping[str, float]
    says_yes: bool | None = None
    is_grounded: bool | None = None

    @property
    def probability(self) -> float:
        """All of it together, calibrated, 0..1."""
        odds = math.log(max(self.chance, 1e-6) / max(1 - self.chance, 1e-6))
        if self.says_yes is None:
            return _logistic(odds)
        if self.is_grounded is None:
            constant, said = calibration.SAID
            return _logistic(odds + constant + said * _sign(self.says_yes))
        constant, said, grounded = calibration.PHRASED
        heard = said * _sign(self.says_yes) + grounded * _sign(self.is_grounded)
        return _logistic(odds + constant + heard)

    @property
    def answers(self) -> bool:
        return self.probability >= calibration.ANSWER_AT

    @property
    def is_open(self) -> bool:
        """Whether the model's word could turn the decision."""
        best = replace(self, says_yes=True, is_grounded=True)
        worst = replace(self, says_yes=False, is_grounded=False)
        return best.answers != worst.answers

    @property
    def answers_anyway(self) -> bool:
        """Whether it answers even if the model's sentence fails the check."""
        return self.answers and (self.says_yes is None or replace(self, is_grounded=False).answers)

    @property
    def can_answer(self) -> bool:
        """Whether it answers if the model's sentence passes the check."""
        return self.answers or (
            self.says_yes is not None and replace(self, is_grounded=True).answers
        )


def _sign(claim: bool) -> float:
    return 1.0 if claim else -1.0


def _logistic(odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, odds))))


def decide(found: Found) -> Decision:
    """Whether the best evidence is good enough to be shown as an answer."""
    if not found.evidence:
        return Decision(0.0, {})
    features = measure(found, found.evidence[0])
    return Decision(likelihood(features), features)


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
