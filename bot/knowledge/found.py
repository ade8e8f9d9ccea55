"""What the search finds."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that the search returned, with the scores it was ranked by.

    `score` is the fused score; `cosine` of query and passage in -1..1; `lexical` the lexical
    rank score, 0 where nothing matched.
    """

    passage_id: UUID
    article_id: UUID
    external_id: str
    title: str
    heading: str
    text: str
    url: str | None
    language: str
    score: float
    cosine: float
    lexical: float
