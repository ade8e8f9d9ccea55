"""Articles over the API: put, list, delete, how far the index is; and inboxes' collections."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from uuid import UUID

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.api.endpoints import (
    CURSOR,
    HOLDER,
    LIMIT,
    Endpoint,
    QueryParameter,
    answer_with,
    read_limit,
)
from bot.api.models import (
    Article,
    ArticleIn,
    ArticlePage,
    ArticleWritten,
    InboxIn,
    InboxWritten,
    IndexStatus,
)
from bot.knowledge.articles import (
    ArticleRow,
    delete_article,
    ensure_inbox,
    give_collection,
    index_status,
    list_articles,
    put_article,
)
from bot.policy import PolicyError, PolicySetting, make_policy, with_policy
from bot.privacy.audit import Actor, note
from bot.queue import Queue
from bot.tables import Inbox
from bot.web.bodies import read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 8 * 1024 * 1024
INBOX = QueryParameter("inbox", "Only what this inbox sees.")
COLLECTION = QueryParameter("collection", "Only this collection.")


class Articles:
    """The endpoints."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], queue: Queue) -> None:
        self._sessions = sessions
        self._queue = queue

    def endpoints(self) -> Sequence[Endpoint]:
        path = "/articles/{collection}/{external_id}"
        return [
            Endpoint(
                "GET",
                "/articles",
                self.list,
                "List articles.",
                ArticlePage,
                query=[INBOX, COLLECTION, CURSOR, LIMIT],
            ),
            Endpoint(
                "PUT",
                path,
                self.put,
                "Write an article; it is indexed soon after.",
                ArticleWritten,
                body=ArticleIn,
            ),
            Endpoint("DELETE", path, self.delete, "Delete an article.", None, status=204),
            Endpoint(
                "GET",
                "/index",
                self.tell_index,
                "How far the index is.",
                IndexStatus,
                query=[INBOX, COLLECTION],
            ),
            Endpoint(
                "PUT",
                "/inboxes/{inbox}",
                self.put_inbox,
                "Make an inbox, name its company, give it collections.",
                InboxWritten,
                body=InboxIn,
            ),
        ]

    @access("token")
    async def list(self, request: web.Request) -> web.Response:
        """A page of articles, by collection and external id."""
        limit = read_limit(request)
        async with self._sessions() as session:
            rows = await session.run_sync(_list, *_scope(request))
        after = _read_cursor(request)
        rest = [row for row in rows if _key(row) > after]
        more = len(rest) > limit
        return answer_with(
            ArticlePage(
                items=[_article(row) for row in rest[:limit]],
                next_cursor=_cursor(rest[limit - 1]) if more else None,
            )
        )

    @access("token")
    async def put(self, request: web.Request) -> web.Response:
        """Write, commit, then ring for the index."""
        article = await read_json(request, ArticleIn, MAX_BODY_BYTES)
        external_id = _segment(request, "external_id")
        async with self._sessions.begin() as session:
            put = await session.run_sync(
                put_article,
                _segment(request, "collection"),
                external_id,
                article.title,
                article.body,
                article.language,
                article.url,
                "api",
            )
        if put.is_changed:
            await asyncio.to_thread(self._queue.enqueue_index, put.article_id)
        written = ArticleWritten(
            external_id=external_id, is_new=put.is_new, is_changed=put.is_changed
        )
        return answer_with(written, 201 if put.is_new else 200)

    @access("token")
    async def delete(self, request: web.Request) -> web.Response:
        """Delete with its passages; what was cited before stays in the conversations."""
        collection, external_id = _segment(request, "collection"), _segment(request, "external_id")
        async with self._sessions.begin() as session:
            was_there = await session.run_sync(delete_article, collection, external_id)
        if not was_there:
            raise Refusal(404, "not_found", "There is no such article.")
        return web.Response(status=204)

    @access("token")
    async def tell_index(self, request: web.Request) -> web.Response:
        """Counts of indexed, waiting and failed articles."""
        async with self._sessions() as session:
            found = await session.run_sync(_index_status, *_scope(request))
        return answer_with(found)

    @access("token")
    async def put_inbox(self, request: web.Request) -> web.Response:
        """A chat inbox of this name, made where it does not exist."""
        asked = await read_json(request, InboxIn, 64 * 1024)
        name = _segment(request, "inbox")
        async with self._sessions.begin() as session:
            await session.run_sync(_put_inbox, name, asked)
            actor = Actor(None, f"API key {request[HOLDER].name}")
            await session.run_sync(note, actor, "inbox.change", name)
        return answer_with(InboxWritten(inbox=name))


def _scope(request: web.Request) -> tuple[str | None, str | None]:
    return request.query.get("inbox"), request.query.get("collection")


def _list(session: Session, inbox: str | None, collection: str | None) -> Sequence[ArticleRow]:
    return list_articles(session, _inbox_id(session, inbox), collection)


def _index_status(session: Session, inbox: str | None, collection: str | None) -> IndexStatus:
    found = index_status(session, _inbox_id(session, inbox), collection)
    return IndexStatus(
        articles=found.articles,
        indexed=found.indexed,
        waiting=found.waiting,
        failed=found.failed,
        passages=found.passages,
    )


def _put_inbox(session: Session, name: str, asked: InboxIn) -> None:
    inbox_id = ensure_inbox(session, name)
    if asked.company is not None:
        session.get_one(Inbox, inbox_id).company = asked.company
    for collection in asked.collections:
        give_collection(session, inbox_id, collection)
    if asked.policy is not None:
        _set_policy(session.get_one(Inbox, inbox_id), asked.policy)


def _set_policy(inbox: Inbox, policy: PolicySetting) -> None:
    try:
        make_policy(policy, inbox.channel)
    except PolicyError as error:
        raise Refusal(422, "invalid", f"policy: {error}") from error
    inbox.settings = with_policy(inbox.settings, policy)


def _inbox_id(session: Session, name: str | None) -> UUID | None:
    if name is None:
        return None
    found = session.scalar(select(Inbox.id).where(Inbox.name == name))
    if found is None:
        raise Refusal(404, "no_such_inbox", f"There is no inbox named {name[:100]!r}.")
    return found


def _segment(request: web.Request, name: str) -> str:
    text = request.match_info[name]
    if not text.isprintable() or not text.strip() or len(text) > 300:
        raise Refusal(422, "invalid", f"{name}: 1 to 300 printable characters.")
    return text


def _key(row: ArticleRow) -> tuple[str, str]:
    return row.collection, row.external_id


def _cursor(row: ArticleRow) -> str:
    return base64.urlsafe_b64encode(json.dumps(_key(row)).encode()).decode()


def _read_cursor(request: web.Request) -> tuple[str, str]:
    text = request.query.get("cursor")
    if text is None:
        return "", ""
    try:
        collection, external_id = json.loads(base64.urlsafe_b64decode(text.encode()))
        return str(collection), str(external_id)
    except ValueError as error:
        raise Refusal(422, "invalid", "cursor: not one that this API gave.") from error


def _article(row: ArticleRow) -> Article:
    return Article(
        collection=row.collection,
        external_id=row.external_id,
        title=row.title,
        language=row.language,
        url=row.url,
        is_indexed=row.is_indexed,
        index_error=row.index_error,
        passages=row.passages,
        updated_at=row.updated_at,
    )
