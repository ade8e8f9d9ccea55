"""Hybrid search in Postgres: a BM25 of our own terms and pgvector's cosine, fused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import Vector as VectorType
from sqlalchemy import ARRAY, Text, Uuid, bindparam, text
from sqlalchemy.orm import Session, sessionmaker

from bot.knowledge import terms
from bot.knowledge.embedder import Embedder
from bot.knowledge.found import FoundPassage
from bot.knowledge.indexing import index_stamp
from bot.knowledge.sentence_vectors import SentenceVectors, unpack
from bot.tables import EMBEDDING_DIMENSION

# Each leg hands this many passages to the fusion.
DEPTH = 50
MAX_QUERY_CHARS = 2_000
MAX_QUERY_TERMS = 64
NAMED = 150
"""Passages found by what their titles name, at most."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How the two legs become one score, 0..1.

    Chosen on the calibration questions of the sample shop and the Arduino articles, in the
    middle of a plateau (share .6-.7, other_script .3-.5). Reciprocal rank fusion was worse: it
    forgets by how much one leg is surer than the other.
    """

    # The part of the words; the rest is the part of the meaning.
    share: float = 0.65
    # Where this embedder's cosines begin to tell something, and where they are as good as sure.
    floor: float = 0.75
    ceiling: float = 0.92
    # A question in Chinese shares no words with an English article that answers it. What the
    # words would have said is then guessed from the meaning, by this factor.
    other_script: float = 0.4

    def score(self, cosine: float, lexical: float, same_script: bool) -> float:
        span = self.ceiling - self.floor
        semantic = min(1.0, max(0.0, (cosine - self.floor) / span))
        if not same_script:
            lexical = max(lexical, self.other_script * semantic)
        return self.share * lexical + (1 - self.share) * semantic


class HybridSearch:
    """The `Knowledge` of the answer's logic. Safe to use from many threads."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        embedder: Embedder,
        fusion: Fusion | None = None,
    ) -> None:
        self._sessions = sessions
        self._embedder = embedder
        self._fusion = fusion or Fusion()
        self._sentences = SentenceVectors(embedder)
        # A question is searched with, and then compared with sentences: embedded once.
        self._embed_query = lru_cache(maxsize=256)(embedder.query)

    def search(
        self, inbox_id: UUID, query: str, limit: int, said: Sequence[str] = ()
    ) -> list[FoundPassage]:
        """The passages of the inbox's collections that fit best, best first.

        After these come those whose titles name most of what was `said`.
        """
        query = query[:MAX_QUERY_CHARS].strip()
        if not query or limit < 1:
            return []
        is_unspaced = terms.is_unspaced(query)
        rows = self._candidates(inbox_id, query, said)
        scored = [(self._score(row, is_unspaced), row) for row in rows]
        scored.sort(key=lambda pair: pair[0], reverse=True)
        best = scored[:limit] + [pair for pair in scored[limit:] if pair[1].is_named]
        self._keep_sentences([row.id for _, row in best])
        return [_found(row, score) for score, row in best]

    def sentence_scores(self, query: str, sentences: Sequence[str]) -> list[float]:
        """Cosine of the query with each sentence; the vectors of found passages are at hand."""
        if not sentences:
            return []
        vectors = self._sentences.of(sentences)
        return [float(score) for score in vectors @ self._embed_query(query[:MAX_QUERY_CHARS])]

    def _candidates(self, inbox_id: UUID, query: str, said: Sequence[str]) -> Sequence[Any]:
        wanted = terms.query_terms(query)[:MAX_QUERY_TERMS]
        values = {
            "inbox": inbox_id,
            "stamp": index_stamp(self._embedder),
            "vector": self._embed_query(query),
            "words": [terms.lexeme(term) for term in wanted],
            "depth": DEPTH,
            "names": [f"{terms.lexeme(term)}:A" for term in _naming(said)],
            "named": NAMED,
        }
        with self._sessions() as session:
            return session.execute(_SEARCH, values).all()

    def _score(self, row: Any, is_unspaced: bool) -> float:
        # A passage of names and figures only, as of shops, still belongs to a Chinese article.
        written_unspaced = terms.is_unspaced(row.title) or terms.is_unspaced(row.text)
        return self._fusion.score(row.cosine, row.lexical, written_unspaced == is_unspaced)

    def _keep_sentences(self, passages: Sequence[UUID]) -> None:
        with self._sessions() as session:
            packed = session.execute(_SENTENCES, {"passages": list(passages)}).scalars()
            for one in packed:
                self._sentences.remember(unpack(one, self._embedder.dimension))


def _naming(said: Sequence[str]) -> list[str]:
    """The different terms of the turns, those of the first turn first."""
    found = [term for text in said for term in terms.query_terms(text[:MAX_QUERY_CHARS])]
    return list(dict.fromkeys(found))[:MAX_QUERY_TERMS]


def _found(row: Any, score: float) -> FoundPassage:
    return FoundPassage(
        passage_id=row.id,
        article_id=row.article_id,
        external_id=row.external_id,
        title=row.title,
        heading=row.heading,
        text=row.text,
        url=row.url,
        language=row.language,
        score=score,
        cosine=row.cosine,
        lexical=row.lexical,
    )


# One round trip. `matches` is an inverted index at work: for each word the passages that GIN
# finds, so that counting them gives the word's document frequency. ts_rank of a single word
# is sum(weight / j^2) over its places: a term frequency that saturates, as BM25 wants it, with
# a weight for title and heading. The rest is BM25 (Robertson and Zaragoza 2009, eq. 3.15):
# idf = ln(1 + (N - n + .5) / (n + .5)), length normalised with b = .6. Dividing by what a
# passage would get that has every word at full weight brings the score to 0..1, one scale
# for short and long questions. `named` are passages of articles whose titles (weight A) hold the
# rarest words of what was said before: the question itself may say only "it".
_SEARCH = text(
    """
    with visible as materialized (
        select id from article where collection_id in (
            select collection_id from inbox_collection where inbox_id = :inbox)
    ), size as materialized (
        select count(*)::float as passages, greatest(avg(term_count), 1)::float as length
        from passage where article_id in (select id from visible) and embedder = :stamp
    ), wanted as (
        select number, word::tsquery as word
        from unnest(:words) with ordinality as given(word, number)
    ), matches as materialized (
        select wanted.number, passage.id,
            ts_rank('{0.5, 0.6, 0.8, 1.0}', passage.terms, wanted.word)
                / (0.4 + 0.6 * passage.term_count / size.length) as frequency
        from wanted
        join passage on passage.terms @@ wanted.word
        cross join size
        where passage.article_id in (select id from visible) and passage.embedder = :stamp
    ), rarity as materialized (
        select wanted.number,
            ln(1 + (size.passages - count(matches.id) + 0.5) / (count(matches.id) + 0.5)) as idf
        from wanted cross join size left join matches on matches.number = wanted.number
        group by wanted.number, size.passages
    ), lexical as materialized (
        select matches.id,
            sum(rarity.idf * frequency / (frequency + 0.5))
                / (select nullif(sum(idf), 0) from rarity) as score
        from matches join rarity on rarity.number = matches.number
        group by matches.id
    ), semantic as materialized (
        select id from passage
        where article_id in (select id from visible) and embedder = :stamp
        order by embedding <=> :vector limit :depth
    ), titled as materialized (
        select name, passage.id
        from unnest(:names) as name
        join passage on passage.terms @@ name::tsquery
        where article_id in (select id from visible) and embedder = :stamp
    ), named as materialized (
        select titled.id from titled
        join (select name, ln(1 + (select passages from size) / count(*)) as idf
              from titled group by name) as rare on rare.name = titled.name
        group by titled.id
        order by sum(idf) desc, titled.id limit :named
    ), candidates as (
        select id from semantic
        union (select id from lexical order by score desc limit :depth)
        union select id from named
    )
    select passage.id, passage.article_id, passage.heading, passage.text,
        article.external_id, article.title, article.url, article.language,
        1 - (passage.embedding <=> :vector) as cosine,
        coalesce(lexical.score, 0)::float as lexical,
        passage.id in (select id from named) as is_named
    from candidates
    join passage on passage.id = candidates.id
    join article on article.id = passage.article_id
    left join lexical on lexical.id = passage.id
    """
).bindparams(
    bindparam("inbox", type_=Uuid()),
    bindparam("stamp", type_=Text()),
    bindparam("words", type_=ARRAY(Text())),
    bindparam("names", type_=ARRAY(Text())),
    bindparam("vector", type_=VectorType(EMBEDDING_DIMENSION)),
)

_SENTENCES = text(
    "select sentence_vectors from passage"
    " where id = any(:passages) and sentence_vectors is not null"
).bindparams(bindparam("passages", type_=ARRAY(Uuid())))
