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
INTERCEPT = -2.417
COEFFICIENTS = {
    "cosine": 0.753,
    "passage_cosine": 0.806,
    "search": 0.507,
    "cross": -0.220,
    "margin": 0.930,
    "passage_words": 0.275,
    "names_missing": -0.697,
    "figure": 0.074,
}
ANSWER_AT = 0.48
# fitted above

# What the model's word adds to the log odds: (constant, yes or no), and once it has written its
# sentence (constant, yes or no, accepted by the check or not); each +1 or -1 times its weight.
# weighed below
SAID = (-0.119, 0.816)
PHRASED = (-0.053, 0.799, 0.187)
# weighed above
