"""Articles for the staff: list, read, write with a preview, delete; and how far the index is."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Sequence
from uuid import UUID

from aiohttp import web
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import knowledge_payloads as payloads
from bot.dashboard.markdown import render
from bot.dashboard.signed_in import SignedIn, signed_in
from bot.knowledge.articles import (
    Put,
    delete_article,
    ensure_collection,
    index_status,
    put_article,
)
from bot.privacy.audit import note
from bot.queue import Queue
from bot.tables import Article, ArticleDraft, Collection, Inbox, InboxCollection, Passage
from bot.web.addressed import uuid_of
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 2 * 1024 * 1024
PAGE = 50
SOURCE = "dashboard"


class Articles:
    """The endpoints. Everybody reads; supervisors write, since the bot says what stands there."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], queue: Queue) -> None:
        self._sessions = sessions
        self._queue = queue

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/desk/api/knowledge/articles", self.list),
            web.post("/desk/api/knowledge/articles", self.add),
            web.get("/desk/api/knowledge/articles/{article}", self.read),
            web.put("/desk/api/knowledge/articles/{article}", self.change),
            web.delete("/desk/api/knowledge/articles/{article}", self.delete),
            web.post("/desk/api/knowledge/preview", self.preview),
            web.get("/desk/api/knowledge/collections", self.list_collections),
            web.get("/desk/api/knowledge/index", self.tell_index),
        ]

    @access("staff")
    async def list(self, request: web.Request) -> web.Response:
        """A page of articles by title; `q` is a part of the title or of the text."""
        query, offset = request.query, _offset(request)
        async with self._sessions() as session:
            page = await session.run_sync(
                read_page, query.get("q", ""), query.get("collection", ""), offset
            )
        return answer_with(page)

    @access("staff")
    async def read(self, request: web.Request) -> web.Response:
        """One article with its text, and as HTML."""
        article_id = uuid_of(request, "article")
        async with self._sessions() as session:
            found = await session.run_sync(read_article, article_id)
        return answer_with(found)

    @access("supervisor")
    async def add(self, request: web.Request) -> web.Response:
        """A new article; its id is made of its title."""
        asked = await read_json(request, payloads.ArticleIn, MAX_BODY_BYTES)
        async with self._sessions.begin() as session:
            put = await session.run_sync(add_article, asked, signed_in(request))
        return await self._written(put, 201)

    @access("supervisor")
    async def change(self, request: web.Request) -> web.Response:
        """Another text; refused where somebody else changed it since it was opened."""
        asked = await read_json(request, payloads.ArticleIn, MAX_BODY_BYTES)
        article_id = uuid_of(request, "article")
        async with self._sessions.begin() as session:
            put = await session.run_sync(change_article, article_id, asked, signed_in(request))
        return await self._written(put, 200)

    @access("supervisor")
    async def delete(self, request: web.Request) -> web.Response:
        """Gone with its passages; what was cited stays in the conversations."""
        article_id, agent = uuid_of(request, "article"), signed_in(request)
        async with self._sessions.begin() as session:
            await session.run_sync(_delete, article_id, agent)
        return web.Response(status=204)

    @access("staff")
    async def preview(self, request: web.Request) -> web.Response:
        """Markdown as it will be seen."""
        asked = await read_json(request, payloads.PreviewIn, MAX_BODY_BYTES)
        html = await asyncio.to_thread(render, asked.body)
        return answer_with(payloads.Preview(html=html))

    @access("staff")
    async def list_collections(self, _request: web.Request) -> web.Response:
        """Collections, how many articles each holds, and which inboxes answer from it."""
        async with self._sessions() as session:
            found = await session.run_sync(_collections)
        return answer_with(found)

    @access("staff")
    async def tell_index(self, request: web.Request) -> web.Response:
        """How many articles can be found by the bot, wait for it, or failed."""
        collection = request.query.get("collection") or None
        async with self._sessions() as session:
            found = await session.run_sync(index_status, None, collection)
        told = payloads.IndexStatus(
            articles=found.articles,
            indexed=found.indexed,
            waiting=found.waiting,
            failed=found.failed,
        )
        return answer_with(told)

    async def _written(self, put: Put, status: int) -> web.Response:
        if put.is_changed:
            await asyncio.to_thread(self._queue.enqueue_index, put.article_id)
        async with self._sessions() as session:
            article = await session.run_sync(read_article, put.article_id)
        return answer_with(article, status)


def read_page(session: Session, wanted: str, collection: str, offset: int) -> payloads.Articles:
    """Articles whose title or text holds `wanted`, by title."""
    query = _rows()
    if wanted.strip():
        part = f"%{_literal(wanted.strip()[:200])}%"
        query = query.where(Article.title.ilike(part) | Article.body.ilike(part))
    if collection:
        query = query.where(Collection.name == collection)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    ordered = query.order_by(func.lower(Article.title), Article.id)
    rows = session.execute(ordered.offset(offset).limit(PAGE)).all()
    more = offset + len(rows) < total
    return payloads.Articles(
        items=[_row(*row) for row in rows],
        total=total,
        next_offset=offset + len(rows) if more else None,
    )


def read_article(session: Session, article_id: UUID) -> payloads.Article:
    """Raises a 404 Refusal."""
    row = session.execute(_rows().where(Article.id == article_id)).first()
    if row is None:
        raise nothing()
    article, *_ = row
    return payloads.Article(
        **_row(*row).model_dump(),
        body=article.body,
        html=render(article.body),
        content_hash=article.content_hash,
    )


def add_article(session: Session, asked: payloads.ArticleIn, agent: SignedIn) -> Put:
    """Write a new article under an id that is free."""
    # Who adds another one at this instant waits here, and then sees that this id is taken. No key
    # update: an import's new articles, which hold their collection, go on.
    session.get_one(
        Collection,
        ensure_collection(session, asked.collection),
        with_for_update={"key_share": True},
    )
    external_id = _free_id(session, asked.collection, slug(asked.title))
    return _put(session, asked, asked.collection, external_id, agent)


def change_article(
    session: Session, article_id: UUID, asked: payloads.ArticleIn, agent: SignedIn
) -> Put:
    """Write over an article. Raises a 409 Refusal if it is not what the writer saw."""
    article = session.get(Article, article_id, with_for_update=True)
    if article is None:
        raise nothing()
    if asked.content_hash is not None and article.content_hash != asked.content_hash:
        raise Refusal(
            409,
            "conflict",
            "Somebody else changed this article meanwhile. Your text is still here: open the"
            " article in another tab and bring the two together.",
        )
    collection = session.get_one(Collection, article.collection_id).name
    return _put(session, asked, collection, article.external_id, agent)


def slug(title: str) -> str:
    """An id of letters, digits and hyphens; Chinese letters are letters."""
    plain = unicodedata.normalize("NFKC", title).lower()
    return re.sub(r"[^\w]+", "-", plain).strip("-_")[:80] or "article"


def _put(
    session: Session, asked: payloads.ArticleIn, collection: str, external_id: str, agent: SignedIn
) -> Put:
    key = (Article.external_id == external_id, Collection.name == collection)
    before = session.scalar(select(Article).join(Collection).where(*key))
    put = put_article(
        session,
        collection,
        external_id,
        asked.title.strip(),
        asked.body,
        asked.language,
        asked.url,
        before.source if before else SOURCE,
        before.tags if before else (),
    )
    if asked.draft_id is not None:
        draft = session.get(ArticleDraft, asked.draft_id, with_for_update=True)
        if draft is not None:
            draft.state, draft.article_id = "published", put.article_id
    action = "article.added" if put.is_new else "article.changed"
    note(session, agent.actor, action, str(put.article_id))
    return put


def _delete(session: Session, article_id: UUID, agent: SignedIn) -> None:
    article = session.get(Article, article_id)
    if article is None:
        raise nothing()
    collection = session.get_one(Collection, article.collection_id).name
    delete_article(session, collection, article.external_id)
    note(session, agent.actor, "article.deleted", str(article_id), {"id": article.external_id})


def _free_id(session: Session, collection: str, wanted: str) -> str:
    query = (
        select(Article.external_id)
        .join(Collection)
        .where(Collection.name == collection, Article.external_id.startswith(wanted))
    )
    taken = set(session.scalars(query))
    number = next(n for n in range(1, len(taken) + 2) if _numbered(wanted, n) not in taken)
    return _numbered(wanted, number)


def _numbered(wanted: str, number: int) -> str:
    return wanted if number == 1 else f"{wanted}-{number}"


def _rows() -> Select[Article, str, int]:
    passages = select(func.count()).where(Passage.article_id == Article.id).scalar_subquery()
    return select(Article, Collection.name, passages).join(
        Collection, Collection.id == Article.collection_id
    )


def _row(article: Article, collection: str, passages: int) -> payloads.ArticleRow:
    return payloads.ArticleRow(
        id=str(article.id),
        collection=collection,
        external_id=article.external_id,
        title=article.title,
        language=article.language,
        url=article.url,
        is_indexed=article.indexed_hash == article.content_hash,
        index_error=article.index_error,
        passages=passages,
        updated_at=article.updated_at,
    )


def _collections(session: Session) -> payloads.Collections:
    given = (
        select(InboxCollection.collection_id, Inbox.name)
        .join(Inbox, Inbox.id == InboxCollection.inbox_id)
        .order_by(Inbox.name)
    )
    inboxes: dict[UUID, list[str]] = {}
    for collection_id, name in session.execute(given):
        inboxes.setdefault(collection_id, []).append(name)
    counted = (
        select(Collection.id, Collection.name, func.count(Article.id))
        .outerjoin(Article, Article.collection_id == Collection.id)
        .group_by(Collection.id, Collection.name)
        .order_by(Collection.name)
    )
    return payloads.Collections(
        items=[
            payloads.Collection(name=name, articles=count, inboxes=inboxes.get(id_, []))
            for id_, name, count in session.execute(counted)
        ],
        inboxes=[
            payloads.KnowledgeInbox(id=str(id_), name=name)
            for id_, name in session.execute(select(Inbox.id, Inbox.name).order_by(Inbox.name))
        ],
    )


def _offset(request: web.Request) -> int:
    text = request.query.get("offset", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise Refusal(422, "invalid", "offset: a whole number.")
    return int(text)


def _literal(text: str) -> str:
    """Nothing in it is a pattern to LIKE; Postgres stores no zero character."""
    return re.sub(r"([\\%_])", r"\\\1", text.replace("\x00", ""))


def nothing() -> Refusal:
    return Refusal(404, "not_found", "There is no such article; it may have been deleted.")
