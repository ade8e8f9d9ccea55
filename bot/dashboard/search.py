"""Search over all conversations: the blind index finds messages, which are then opened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.conversations import contacts_with, messages_with
from bot.dashboard import desk_payloads as payloads
from bot.dashboard.rows import names_of, read_rows, row_query
from bot.tables import Contact, Conversation, Message
from bot.web.bodies import answer_with
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_CHARS = 200
HITS = 60
HITS_OF_ONE = 3
SNIPPET_CHARS = 180
_NUMBER = re.compile(r"#?(\d{1,15})")
_WORD = re.compile(r"\w+")


class Search:
    """The endpoint."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [web.get("/desk/api/search", self.search)]

    @access("staff")
    async def search(self, request: web.Request) -> web.Response:
        """Conversations in which every word was said, the latest first."""
        asked = request.query.get("q", "").strip()
        if not asked or len(asked) > MAX_CHARS:
            raise Refusal(422, "invalid", f"Search for 1 to {MAX_CHARS} characters.")
        before = _cursor(request.query.get("cursor"))
        async with self._sessions() as session:
            result = await session.run_sync(find_said, asked, before)
        return answer_with(result)


def find_said(session: Session, asked: str, before: UUID | None = None) -> payloads.SearchResult:
    """A page of what was found, with the places where it stands."""
    ids = messages_with(session, asked, before=before, limit=HITS)
    hits: dict[UUID, list[payloads.Hit]] = {}
    words = _WORD.findall(asked.casefold())
    query = select(Message).where(Message.id.in_(ids)).order_by(Message.id.desc())
    for message in session.scalars(query):
        found = hits.setdefault(message.conversation_id, [])
        if len(found) < HITS_OF_ONE:
            found.append(_hit(message, words))
    people = contacts_with(session, asked) if before is None else ()
    named = [] if before is not None else _named(session, asked, people)
    order = list(dict.fromkeys([*named, *hits]))
    rows = {
        row.number: row for row in read_rows(session, row_query().where(Conversation.id.in_(order)))
    }
    numbers = _numbers(session, order)
    return payloads.SearchResult(
        items=[payloads.Found(row=rows[numbers[each]], hits=hits.get(each, [])) for each in order],
        contacts=_people(session, people),
        words=words,
        next_cursor=str(ids[-1]) if len(ids) == HITS else None,
    )


def _named(session: Session, asked: str, people: Sequence[UUID]) -> list[UUID]:
    """The conversation of that number, then the latest of contacts of that name."""
    found: list[UUID] = []
    number = _NUMBER.fullmatch(asked)
    if number:
        query = select(Conversation.id).where(Conversation.number == int(number[1]))
        found += session.scalars(query)
    if people:
        root = func.coalesce(Contact.merged_into_id, Contact.id)
        roots = select(root).where(Contact.id.in_(people))
        query = (
            select(Conversation.id)
            .join(Contact, Contact.id == Conversation.contact_id)
            .where(root.in_(roots))
            .order_by(Conversation.number.desc())
            .limit(10)
        )
        found += session.scalars(query)
    return found


def _numbers(session: Session, ids: Sequence[UUID]) -> dict[UUID, int]:
    query = select(Conversation.id, Conversation.number).where(Conversation.id.in_(ids))
    return {row.id: row.number for row in session.execute(query)}


def _people(session: Session, ids: Sequence[UUID]) -> list[payloads.Person]:
    root = func.coalesce(Contact.merged_into_id, Contact.id)
    roots = select(root).where(Contact.id.in_(ids))
    contacts = session.scalars(select(Contact).where(Contact.id.in_(roots)).limit(10)).all()
    names = names_of(session, contacts)
    return [payloads.Person(id=str(each.id), name=names[each.id]) for each in contacts]


def _hit(message: Message, words: Sequence[str]) -> payloads.Hit:
    return payloads.Hit(
        seq=message.seq,
        author=message.author,
        private=message.private,
        at=message.created_at,
        snippet=snippet(message.text, words),
    )


def snippet(text: str, words: Sequence[str]) -> str:
    """The part of a text around the first of the words; its beginning where none stands as is."""
    flat = " ".join(text.split())
    folded = flat.casefold()
    places = [at for word in words if (at := folded.find(word)) >= 0]
    start = max(0, min(places, default=0) - SNIPPET_CHARS // 3)
    cut = flat[start : start + SNIPPET_CHARS]
    return f"{'…' if start else ''}{cut}{'…' if start + SNIPPET_CHARS < len(flat) else ''}"


def _cursor(text: str | None) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise Refusal(422, "invalid", "cursor: not one that this search gave.") from error
