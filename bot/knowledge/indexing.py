"""An article's passages into the index: cut, embedded, and swapped for the old ones at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.orm import Session, sessionmaker

from bot.knowledge import sentence_vectors, sentences, terms
from bot.knowledge.embedder import Embedder, Vector
from bot.knowledge.passages import Draft, make_passages
from bot.tables import Article, Passage, new_id

log = logging.getLogger(__name__)

# Raise it when passages, terms or what is embedded change: everything is indexed again.
INDEX_VERSION = 1
# Texts a call, so that a question never waits long for the embedder.
BATCH = 16
MAX_SENTENCES = 60


def index_article(sessions: sessionmaker[Session], embedder: Embedder, article_id: UUID) -> bool:
    """Bring the passages of an article up to date; true if there was something to do.

    Safe to run twice and at the same time: nothing is locked while embedding, and what was
    made from an older text of the article is thrown away.
    """
    with sessions() as session:
        article = session.get(Article, article_id)
        if article is None or _is_current(session, article, embedder):
            return False
    drafts = make_passages(article.body, article.title)
    rows = [_row(article, *one) for one in enumerate(_embedded(article, drafts, embedder))]
    for row in rows:
        row["embedder"] = index_stamp(embedder)
    with sessions.begin() as session:
        return _replace(session, article, rows)


def index_stamp(embedder: Embedder) -> str:
    """What made a passage's vectors and terms; only passages with the same stamp are compared."""
    return f"{embedder.name}/{INDEX_VERSION}"


def embedded_text(title: str, heading: str, text: str) -> str:
    """What is embedded for a passage."""
    return "\n".join(part for part in (title, heading, text) if part)


@dataclass(frozen=True, slots=True)
class _Embedded:
    draft: Draft
    vector: Vector
    sentence_vectors: bytes


def _is_current(session: Session, article: Article, embedder: Embedder) -> bool:
    stale = exists().where(
        Passage.article_id == article.id,
        Passage.embedder.is_distinct_from(index_stamp(embedder)),
    )
    return article.indexed_hash == article.content_hash and not session.scalar(select(stale))


def _embedded(article: Article, drafts: Sequence[Draft], embedder: Embedder) -> list[_Embedded]:
    texts = [embedded_text(article.title, draft.heading, draft.text) for draft in drafts]
    vectors = _in_batches(embedder, texts)
    split = [
        list(dict.fromkeys(one.standalone for one in sentences.split(draft.text, draft.heading)))
        for draft in drafts
    ]
    split = [some[:MAX_SENTENCES] for some in split]
    flat = _in_batches(embedder, [one for some in split for one in some])
    packed, at = [], 0
    for some in split:
        packed.append(sentence_vectors.pack(some, flat[at : at + len(some)]))
        at += len(some)
    return [_Embedded(*one) for one in zip(drafts, vectors, packed, strict=True)]


def _in_batches(embedder: Embedder, texts: Sequence[str]) -> Vector:
    parts = [embedder.passages(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, embedder.dimension), np.float32)


def _row(article: Article, ordinal: int, made: _Embedded) -> dict[str, Any]:
    weighted = [(article.title, "A"), (made.draft.heading, "B"), (made.draft.text, "D")]
    vector, count = terms.tsvector(weighted)
    return {
        "id": new_id(),
        "article_id": article.id,
        "ordinal": ordinal,
        "heading": made.draft.heading,
        "text": made.draft.text,
        "terms": vector,
        "term_count": count,
        "embedding": made.vector,
        "sentence_vectors": made.sentence_vectors,
    }


def _replace(session: Session, article: Article, rows: list[dict[str, Any]]) -> bool:
    """The new passages for the old ones, if the article still says what they were made from."""
    current = session.execute(
        select(Article.content_hash).where(Article.id == article.id).with_for_update()
    ).scalar_one_or_none()
    if current != article.content_hash:
        return False
    session.execute(delete(Passage).where(Passage.article_id == article.id))
    if rows:
        session.execute(insert(Passage), rows)
    session.execute(
        update(Article)
        .where(Article.id == article.id)
        .values(
            indexed_hash=article.content_hash if rows else None,
            index_error=None if rows else "there is no text in it",
            updated_at=Article.updated_at,
        )
    )
    log.info("indexed article=%s passages=%d", article.id, len(rows))
    return True
