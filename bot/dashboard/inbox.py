"""The inbox: lists of conversations by view and filter, in pages, and how many each list holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from aiohttp import web
from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import desk_payloads as payloads
from bot.dashboard.rows import RowQuery, read_rows, row_query
from bot.dashboard.signed_in import signed_in
from bot.tables import Agent, Conversation, ConversationTag, Inbox, Mention, Tag, now
from bot.web.bodies import answer_with
from bot.web.refusals import Refusal
from bot.web.rules import access

PAGE = 40
MAX_PAGE = 100
LIVE = ("pending", "open")
VIEWS = ("unassigned", "mine", "bot", "all", "snoozed", "resolved", "mentions", "spam")
# In these lists the one that waits longest comes first; in the others the one that moved last.
WAITING_FIRST = frozenset({"unassigned", "mine"})
NEVER = datetime(9999, 1, 1, tzinfo=now().tzinfo)


@dataclass(frozen=True, slots=True)
class Asked:
    """A list that somebody asks for: a view, its filters and the place to go on from."""

    view: str
    channel: str | None
    tag: str | None
    language: str | None
    waiting: timedelta | None
    after: tuple[datetime, int] | None
    limit: int

    @staticmethod
    def of(request: web.Request) -> Asked:
        """Raises a 422 Refusal."""
        query = request.query
        view = query.get("view", "unassigned")
        if view not in VIEWS:
            raise Refusal(422, "invalid", f"view: {', '.join(VIEWS)}.")
        minutes = _whole(query.get("waiting"), "waiting", 60 * 24 * 365)
        return Asked(
            view=view,
            channel=query.get("channel") or None,
            tag=query.get("tag") or None,
            language=query.get("language") or None,
            waiting=timedelta(minutes=minutes) if minutes else None,
            after=_read_cursor(query.get("cursor")),
            limit=min(_whole(query.get("limit"), "limit", 10_000) or PAGE, MAX_PAGE),
        )


class InboxLists:
    """The endpoints."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/desk/api/inbox", self.list),
            web.get("/desk/api/inbox/counts", self.count),
            web.get("/desk/api/inbox/people", self.list_people),
        ]

    @access("staff")
    async def list(self, request: web.Request) -> web.Response:
        """A page of one list."""
        asked, agent_id = Asked.of(request), signed_in(request).agent_id
        async with self._sessions() as session:
            page = await session.run_sync(read_page, asked, agent_id)
        return answer_with(page)

    @access("staff")
    async def count(self, request: web.Request) -> web.Response:
        """How many conversations each list holds."""
        agent_id = signed_in(request).agent_id
        async with self._sessions() as session:
            counts = await session.run_sync(read_counts, agent_id)
        return answer_with(counts)

    @access("staff")
    async def list_people(self, _request: web.Request) -> web.Response:
        """Whom a conversation can be assigned to, and whom a note can call."""
        async with self._sessions() as session:
            rows = (await session.execute(select(Agent.id, Agent.name).order_by(Agent.name))).all()
        people = [payloads.Person(id=str(row.id), name=row.name) for row in rows]
        return answer_with(payloads.People(items=people))


def read_page(session: Session, asked: Asked, agent_id: UUID) -> payloads.Page:
    """One page; its cursor stands for the last row's place in the order."""
    query = row_query().where(_in_view(asked.view, agent_id), *_filters(asked))
    rows = read_rows(session, _ordered(query, asked).limit(asked.limit + 1))
    items = rows[: asked.limit]
    has_more = len(rows) > asked.limit
    return payloads.Page(
        items=items, next_cursor=_cursor(asked.view, items[-1]) if has_more else None
    )


def read_counts(session: Session, agent_id: UUID) -> payloads.Counts:
    """Over what is not resolved, so that it stays quick however much was resolved."""
    query = select(
        func.count().filter(_in_view("unassigned", agent_id)),
        func.count().filter(_in_view("mine", agent_id)),
        func.count().filter(_in_view("bot", agent_id)),
        func.count().filter(_in_view("all", agent_id)),
        func.count().filter(_in_view("snoozed", agent_id)),
    ).where(Conversation.status != "resolved")
    found = session.execute(query).one()
    called = select(func.count(func.distinct(Mention.conversation_id))).where(
        Mention.agent_id == agent_id, Mention.seen_at.is_(None)
    )
    return payloads.Counts(
        unassigned=found[0],
        mine=found[1],
        bot=found[2],
        all=found[3],
        snoozed=found[4],
        mentions=session.scalar(called) or 0,
    )


def _in_view(view: str, agent_id: UUID) -> ColumnElement[bool]:
    status = Conversation.status
    conditions: dict[str, ColumnElement[bool]] = {
        "unassigned": and_(status == "open", Conversation.assignee_id.is_(None)),
        "mine": and_(status == "open", Conversation.assignee_id == agent_id),
        "bot": status == "pending",
        "all": status.in_(LIVE),
        "snoozed": status == "snoozed",
        "resolved": and_(status == "resolved", Conversation.spam_at.is_(None)),
        "spam": Conversation.spam_at.is_not(None),
        "mentions": exists().where(
            Mention.conversation_id == Conversation.id,
            Mention.agent_id == agent_id,
            Mention.seen_at.is_(None),
        ),
    }
    return conditions[view]


def _filters(asked: Asked) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if asked.channel:
        conditions.append(Inbox.channel == asked.channel)
    if asked.language:
        conditions.append(Conversation.language == asked.language)
    if asked.waiting:
        conditions.append(Conversation.waiting_since < now() - asked.waiting)
    if asked.tag:
        conditions.append(
            exists().where(
                ConversationTag.conversation_id == Conversation.id,
                ConversationTag.tag_id == Tag.id,
                Tag.name == asked.tag,
            )
        )
    return conditions


def _ordered(query: RowQuery, asked: Asked) -> RowQuery:
    if asked.view in WAITING_FIRST:
        since = func.coalesce(Conversation.waiting_since, literal(NEVER))
        if asked.after is not None:
            query = query.where(tuple_(since, Conversation.number) > tuple_(*asked.after))
        return query.order_by(since, Conversation.number)
    if asked.after is not None:
        moved, number = asked.after
        query = query.where(
            or_(
                Conversation.updated_at < moved,
                and_(Conversation.updated_at == moved, Conversation.number < number),
            )
        )
    return query.order_by(Conversation.updated_at.desc(), Conversation.number.desc())


def _cursor(view: str, row: payloads.Row) -> str:
    at = (row.waiting_since or NEVER) if view in WAITING_FIRST else row.updated_at
    return f"{at.isoformat()}|{row.number}"


def _read_cursor(text: str | None) -> tuple[datetime, int] | None:
    if not text:
        return None
    at, _, number = text.partition("|")
    try:
        found = datetime.fromisoformat(at), int(number)
    except ValueError as error:
        raise Refusal(422, "invalid", "cursor: not one that this list gave.") from error
    if found[0].tzinfo is None or not 0 <= found[1] < 2**62:
        raise Refusal(422, "invalid", "cursor: not one that this list gave.")
    return found


def _whole(text: str | None, name: str, most: int) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= most):
        raise Refusal(422, "invalid", f"{name}: a whole number up to {most}.")
    return int(text)
