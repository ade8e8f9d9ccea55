"""Articles, collections and what an inbox may answer from: written here and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.tables import Article, Collection, Inbox, InboxCollection, Passage, new_id, now

DEFAULT_COLLECTION = "articles"
DEFAULT_INBOX = "website"


@dataclass(frozen=True, slots=True)
class ArticleRow:
    """An article in a list. `is_indexed` is true once what it says now can be found."""

    id: UUID
    collection: str
    external_id: str
    title: str
    language: str
    url: str | None
    source: str
    is_indexed: bool
    index_error: str | None
    passages: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """How far the index is: every article is `indexed`, `waiting` or `failed`."""

    articles: int
    indexed: int
    waiting: int
    failed: int
    passages: int


@dataclass(frozen=True, slots=True)
class Put:
    """An article as it was written; `is_changed` is false where it was there already, the same."""

    article_id: UUID
    is_new: bool
    is_changed: bool


def put_article(
    session: Session,
    collection: str,
    external_id: str,
    title: str,
    body: str,
    language: str = "",
    url: str | None = None,
    source: str = "",
    tags: Sequence[str] = (),
) -> Put:
    """Write an article, in Markdown. Commit, then ring `queue.enqueue_index` if it changed.

    The collection is made where it does not exist. An article that is the same as before is
    left alone. Two writers of the same article do not collide: the last one stays.
    """
    values: dict[str, Any] = {
        "title": _storable(title),
        "body": _storable(body),
        "language": _storable(language),
        "url": _storable(url) if url else None,
        "source": _storable(source),
        "tags": [_storable(tag) for tag in tags],
    }
    values["content_hash"] = hash_content(values["title"], values["body"], values["tags"])
    key = {
        "collection_id": ensure_collection(session, collection),
        "external_id": _storable(external_id),
    }
    before = session.scalar(select(Article).filter_by(**key).with_for_update())
    if before is not None and all(getattr(before, name) == value for name, value in values.items()):
        return Put(before.id, is_new=False, is_changed=False)
    is_changed = before is None or before.content_hash != values["content_hash"]
    article_id = session.execute(_upsert(key, values)).scalar_one()
    return Put(article_id, is_new=before is None, is_changed=is_changed)


def list_articles(
    session: Session, inbox_id: UUID | None = None, collection: str | None = None
) -> list[ArticleRow]:
    """All articles, or those that an inbox sees or a collection holds, by external id."""
    passages = select(func.count()).where(Passage.article_id == Article.id).scalar_subquery()
    query = (
        select(Article, Collection.name, passages)
        .join(Collection, Collection.id == Article.collection_id)
        .where(*_scope(inbox_id, collection))
        .order_by(Collection.name, Article.external_id)
    )
    return [_article_row(*row) for row in session.execute(query)]


def delete_article(session: Session, collection: str, external_id: str) -> bool:
    """Remove an article with its passages; false where there was none."""
    owner = select(Collection.id).where(Collection.name == collection).scalar_subquery()
    gone = session.execute(
        delete(Article)
        .where(Article.collection_id == owner, Article.external_id == external_id)
        .returning(Article.id)
    )
    return gone.first() is not None


def index_status(
    session: Session, inbox_id: UUID | None = None, collection: str | None = None
) -> IndexStatus:
    """How far the index of an inbox, of a collection or of everything is."""
    is_failed = ~_IS_INDEXED & Article.index_error.is_not(None)
    scope = _scope(inbox_id, collection)
    articles, indexed, failed = session.execute(
        select(
            func.count(),
            func.count().filter(_IS_INDEXED),
            func.count().filter(is_failed),
        )
        .select_from(Article)
        .join(Collection, Collection.id == Article.collection_id)
        .where(*scope)
    ).one()
    passages = session.execute(
        select(func.count())
        .select_from(Passage)
        .join(Article, Article.id == Passage.article_id)
        .join(Collection, Collection.id == Article.collection_id)
        .where(*scope)
    ).scalar_one()
    return IndexStatus(articles, indexed, articles - indexed - failed, failed, passages)


def unindexed(session: Session, limit: int = 1000) -> Sequence[UUID]:
    """Articles that wait for the index, oldest first: what the sweep rings for again."""
    waiting = select(Article.id).where(~_IS_INDEXED, Article.index_error.is_(None))
    return session.scalars(waiting.order_by(Article.updated_at).limit(limit)).all()


def ensure_collection(session: Session, name: str) -> UUID:
    """The collection of a name, made where it does not exist."""
    session.execute(
        insert(Collection).values(id=new_id(), name=_storable(name)).on_conflict_do_nothing()
    )
    return session.execute(
        select(Collection.id).where(Collection.name == _storable(name))
    ).scalar_one()


def ensure_inbox(session: Session, name: str) -> UUID:
    """The inbox of a name; one that is named for the first time is a web chat."""
    session.execute(
        insert(Inbox)
        .values(
            id=new_id(),
            name=name,
            channel="chat",
            company="",
            settings={},
            created_at=now(),
        )
        .on_conflict_do_nothing()
    )
    return session.execute(select(Inbox.id).where(Inbox.name == name)).scalar_one()


def give_collection(session: Session, inbox_id: UUID, collection: str) -> None:
    """Let an inbox answer from a collection, made where it does not exist."""
    row = {"inbox_id": inbox_id, "collection_id": ensure_collection(session, collection)}
    session.execute(insert(InboxCollection).values(**row).on_conflict_do_nothing())


def take_collection(session: Session, inbox_id: UUID, collection: str) -> None:
    """Stop an inbox from answering from a collection."""
    named = select(Collection.id).where(Collection.name == collection).scalar_subquery()
    session.execute(
        delete(InboxCollection).where(
            InboxCollection.inbox_id == inbox_id, InboxCollection.collection_id == named
        )
    )


def hash_content(title: str, body: str, tags: Sequence[str] = ()) -> str:
    """What an article says, in 64 hexadecimal digits: if it changes, passages are made again."""
    return hashlib.sha256("\0".join([title, body, *tags]).encode()).hexdigest()


_IS_INDEXED: ColumnElement[bool] = func.coalesce(Article.indexed_hash, "") == Article.content_hash


def _upsert(key: dict[str, Any], values: dict[str, Any]) -> Any:
    made = insert(Article).values(id=new_id(), created_at=now(), updated_at=now(), **key, **values)
    changes = {**values, "updated_at": now(), "index_error": None}
    return made.on_conflict_do_update(
        index_elements=[Article.collection_id, Article.external_id], set_=changes
    ).returning(Article.id)


def _scope(inbox_id: UUID | None, collection: str | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if inbox_id is not None:
        given = select(InboxCollection.collection_id).where(InboxCollection.inbox_id == inbox_id)
        conditions.append(Article.collection_id.in_(given))
    if collection is not None:
        conditions.append(Collection.name == collection)
    return conditions


def _article_row(article: Article, collection: str, passages: int) -> ArticleRow:
    return ArticleRow(
        id=article.id,
        collection=collection,
        external_id=article.external_id,
        title=article.title,
        language=article.language,
        url=article.url,
        source=article.source,
        is_indexed=article.indexed_hash == article.content_hash,
        index_error=article.index_error,
        passages=passages,
        updated_at=article.updated_at,
    )


def _storable(text: str) -> str:
    """Postgres stores no zero character and no half of a surrogate pair."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
