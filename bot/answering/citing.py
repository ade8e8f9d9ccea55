"""The citations of a reply: the five best articles, what they say, and whether it was told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.answering.decide import likelihood, measure
from bot.answering.evidence import Evidence, Found
from bot.messages import Citation

MAX_CITATIONS = 5
MAX_QUOTE_CHARS = 500


def cite(found: Sequence[Found], used: Sequence[Evidence]) -> tuple[Citation, ...]:
    """Articles in the order of how likely they answer; what was told comes before the rest."""
    told = {evidence.passage.external_id for evidence in used}
    best: dict[str, Citation] = {}
    for each in found:
        for evidence in [*_of(used, each), *each.evidence]:
            best.setdefault(evidence.passage.external_id, _citation(each, evidence, told))
    ranked = sorted(best.values(), key=lambda citation: not citation.used)
    return tuple(ranked[:MAX_CITATIONS])


def _of(used: Sequence[Evidence], found: Found) -> Iterable[Evidence]:
    return [evidence for evidence in used if evidence in found.evidence]


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
