"""The citations of a reply: the five best articles, what they say, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.answering.decide import likelihood, measure
from bot.answering.evidence import Evidence, Found
from bot.messages import Citation

MAX_CITATIONS = 5
MAX_QUOTE_CHARS = 500
MAX_SUGGESTED = 2
SUGGEST_AT = 0.22
"""Of 79 answerable calibration questions that go to a person, 58 are offered an article at this
score, and for 47 of these it is the right one; of 59 questions of other trades, 10 are offered one.
"""


def cite(found: Sequence[Found], used: Sequence[Evidence]) -> tuple[Citation, ...]:
    """Articles in the order of how likely they answer; what was told comes before the rest."""
    told = {evidence.passage.external_id for evidence in used}
    best: dict[str, Citation] = {}
    for each in found:
        for evidence in [*_of(used, each), *each.evidence]:
            best.setdefault(evidence.passage.external_id, _citation(each, evidence, told))
    ranked = sorted(best.values(), key=lambda citation: not citation.used)
    return tuple(ranked[:MAX_CITATIONS])


def suggest(citations: Sequence[Citation]) -> tuple[Citation, ...]:
    """The citations of a reply that knows no sure answer, with those worth reading marked."""
    near = [each for each in citations if not each.used and each.score >= SUGGEST_AT]
    offered = near[:MAX_SUGGESTED]
    return tuple(replace(each, suggested=each in offered) for each in citations)


def _of(used: Sequence[Evidence], found: Found) -> Iterable[Evidence]:
    """What was told of this, best first."""
    return [evidence for evidence in found.evidence if evidence in used]


def _citation(found: Found, evidence: Evidence, told: set[str]) -> Citation:
    passage = evidence.passage
    return Citation(
        external_id=passage.external_id,
        title=passage.title,
        quote=evidence.shown[:MAX_QUOTE_CHARS],
        score=round(likelihood(measure(found, evidence)), 4),
        used=passage.external_id in told,
        url=passage.url,
    )
