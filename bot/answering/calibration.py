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
    "title": 1.0,
    "words": 0.8,
    "passage": 1.0,
    "place": 1.0,
    "subject": 0.5,
    "figure": 0.8,
    "range": 0.5,
    "pointer": -0.4,
    "fragment": -0.3,
    "short": -0.2,
}

# The chance that the evidence answers: logistic regression over `decide.measure`.
# fitted below
INTERCEPT = -2.641
COEFFICIENTS = {
    "cosine": 0.587,
    "passage_cosine": 0.566,
    "search": 0.594,
    "cross": -0.689,
    "margin": 1.593,
    "passage_words": 0.899,
    "names_missing": -0.706,
    "figure": 0.066,
}
# fitted above

# The log odds of an answer from those of the evidence and those that the model gives to `yes`:
# constant, weight of the evidence, weight of the model.
# weighed below
HEARD = (0.347, 1.108, 1.774)
# weighed above
