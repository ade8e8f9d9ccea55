"""An article's passages into the index: cut, embedded, and swapped for the old ones at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
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
PASSAGES_A_STEP = 8


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
    texts = [embedded_text(article.title, draft.heading, draft.text) for draft in drafts]
    vectors = _in_batches(embedder, texts)
    rows = [
        _row(article, ordinal, draft, vector) | {"embedder": index_stamp(embedder)}
        for ordinal, (draft, vector) in enumerate(zip(drafts, vectors, strict=True))
    ]
    with sessions.begin() as session:
        return _replace(session, article, rows)


def embed_sentences(sessions: sessionmaker[Session], embedder: Embedder) -> int:
    """Store the sentences' vectors of some passages that have none yet; how many passages.

    Nobody waits for them: until they are there, a question embeds the sentences that it needs.
    Workers call this when no article waits, until it returns 0.
    """
    missing = select(Passage.id, Passage.heading, Passage.text).where(
        Passage.sentence_vectors.is_(None), Passage.embedder == index_stamp(embedder)
    )
    with sessions() as session:
        passages = session.execute(missing.limit(PASSAGES_A_STEP)).all()
    for passage_id, heading, text in passages:
        texts = passage_sentences(heading, text)
        packed = sentence_vectors.pack(texts, _in_batches(embedder, texts))
        with sessions.begin() as session:
            session.execute(
                update(Passage).where(Passage.id == passage_id).values(sentence_vectors=packed)
            )
    return len(passages)


def passage_sentences(heading: str, text: str) -> list[str]:
    """What is embedded of a passage's sentences, each once."""
    found = (one.standalone for one in sentences.split(text, heading))
    return list(dict.fromkeys(found))[:MAX_SENTENCES]


def index_stamp(embedder: Embedder) -> str:
    """What made a passage's vectors and terms; only passages with the same stamp are compared."""
    return f"{embedder.name}/{INDEX_VERSION}"


def embedded_text(title: str, heading: str, text: str) -> str:
    """What is embedded for a passage."""
    return "\n".join(part for part in (title, heading, text) if part)


def _is_current(session: Session, article: Article, embedder: Embedder) -> bool:
    stale = exists().where(
        Passage.article_id == article.id,
        Passage.embedder.is_distinct_from(index_stamp(embedder)),
    )
    return article.indexed_hash == article.content_hash and not session.scalar(select(stale))


def _in_batches(embedder: Embedder, texts: Sequence[str]) -> Vector:
    parts = [embedder.passages(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, embedder.dimension), np.float32)


def _row(article: Article, ordinal: int, draft: Draft, embedding: Vector) -> dict[str, Any]:
    weighted = [
        (article.title, "A"),
        (draft.heading, "B"),
        (" ".join(article.tags), "C"),
        (draft.text, "D"),
    ]
    vector, count = terms.tsvector(weighted)
    return {
        "id": new_id(),
        "article_id": article.id,
        "ordinal": ordinal,
        "heading": draft.heading,
        "text": draft.text,
        "terms": vector,
        "term_count": count,
        "embedding": embedding,
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
