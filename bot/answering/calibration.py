"""The fitted numbers behind the decision. Written by `tests/bench/answers.py fit`: do not tune by hand."""

from __future__ import annotations

PROVENANCE = "hand-set start, replaced by the first fit"
INTERCEPT = -1.2
COEFFICIENTS = {
    "cosine": 1.5,
    "coverage": 2.5,
}
ANSWER_AT = 0.5
SURE_AT = 0.7

RANKING = {
    "cosine": 1.5,
    "words": 0.8,
    "passage": 1.0,
    "place": 1.0,
    "figure": 0.8,
    "range": 0.5,
    "pointer": -0.4,
    "fragment": -0.3,
    "short": -0.2,
}
