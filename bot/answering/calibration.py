"""The fitted numbers behind ranking and decision; `tests/bench/answers.py fit` writes the latter.

Fitted on calibration questions only: the sample shop's and the Arduino set's `calibration` lines,
the same with their articles withheld, DSTC11 turns outside the reported draw, and questions of
other trades from clinc150. docs/answering.md says how, and how good it is.
"""

from __future__ import annotations

# How sentences are ranked. Set by hand from a fit on 50 calibration questions; the fit itself is
# no better on questions it did not see (first sentence right 25-27 of 50, these 26).
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

# The chance that the evidence answers: logistic regression over `decide.measure`.
# fitted below
INTERCEPT = -2.430
COEFFICIENTS = {
    "cosine": 0.664,
    "passage_cosine": 0.657,
    "search": 0.547,
    "cross": -0.707,
    "margin": 0.927,
    "passage_words": 0.866,
    "names_missing": -1.019,
    "figure": 0.239,
}
# fitted above

# The log odds of an answer from those of the evidence and those that the model gives to `yes`:
# constant, weight of the evidence, weight of the model.
# weighed below
HEARD = (0.469, 1.108, 1.624)
# weighed above
