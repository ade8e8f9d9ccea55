"""Decides from the evidence whether to answer: a small calibrated model over readable features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bot.answering import calibration
from bot.answering.evidence import Evidence, Found, coverage, figure_fit
from bot.answering.words import content_words, is_unsegmented


@dataclass(frozen=True, slots=True)
class Decision:
    """`probability` that the articles answer the question, and what to do about it."""

    probability: float
    answers: bool
    is_sure: bool
    features: Mapping[str, float]


def decide(found: Found) -> Decision:
    """Whether the best evidence is good enough to be shown as an answer."""
    if not found.evidence:
        return Decision(0.0, answers=False, is_sure=False, features={})
    features = measure(found, found.evidence[0])
    probability = likelihood(features)
    return Decision(
        probability,
        answers=probability >= calibration.ANSWER_AT,
        is_sure=probability >= calibration.SURE_AT,
        features=features,
    )


def likelihood(features: Mapping[str, float]) -> float:
    """Logistic regression: the probability, 0..1, that evidence with these features answers."""
    total = calibration.INTERCEPT + sum(
        weight * features[name] for name, weight in calibration.COEFFICIENTS.items()
    )
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


def measure(found: Found, best: Evidence) -> dict[str, float]:
    """The features of one evidence sentence, each about 0..1 or -1..1.

    Words compare only within one script; across two, `cross` is 1 and the word features are 0.
    """
    question = found.question
    crosses = is_unsegmented(question.text) != is_unsegmented(best.sentence.text)
    rival = next(
        (e for e in found.evidence if e.passage.external_id != best.passage.external_id), None
    )
    whole = f"{best.passage.title} {best.passage.heading} {best.passage.text}"
    return {
        "cosine": (best.cosine - 0.85) / 0.05,
        "passage_cosine": (best.passage.cosine - 0.85) / 0.05,
        "margin": min(1.0, best.score - rival.score) if rival else 1.0,
        "coverage": 0.0 if crosses else best.coverage,
        "passage_coverage": 0.0 if crosses else coverage(whole, found.weights),
        "missing": 0.0 if crosses else _rarest_missing(whole, found.weights),
        "cross": float(crosses),
        "figure": figure_fit(question.text, best.support.text),
        "rank": min(best.rank, 5) / 5,
        "length": min(len(content_words(question.text)), 12) / 12,
        "leans": float(question.leans),
    }


def _rarest_missing(text: str, weights: Mapping[str, float]) -> float:
    """The weight of the most telling word of the question that the passage lacks, 0..1."""
    held = set(content_words(text))
    missing = [weight for word, weight in weights.items() if word not in held]
    return max(missing, default=0.0) / max(weights.values(), default=1.0) if missing else 0.0
