"""What a visitor may read: the conversations of their own thread, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.tables import Conversation, now
from bot.transcripts import EventView, MessageView, events_after, messages_of
from channels.chat.visitor import Visitor

HISTORY_CONVERSATIONS = 5
WRITING_AT_MOST = timedelta(seconds=90)
PAGE = 500
TOLD_KINDS = frozenset({"message", "reply", "sentence", "done", "status"})


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """How far a browser has read: a conversation's number and the `seq` in it."""

    number: int = 0
    seq: int = 0

    def __str__(self) -> str:
        return f"{self.number}.{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the id of an event; anything else is the beginning."""
        number, _, seq = text.strip().partition(".")
        if all(part.isascii() and part.isdigit() and len(part) < 18 for part in (number, seq)):
            return cls(int(number), int(seq))
        return cls()


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """An event as the browser is told it."""

    position: Position
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a stream has to tell now, and where it stands then."""

    events: tuple[ToldEvent, ...]
    position: Position
    conversation_id: UUID | None
    bot_writes: bool
    has_more: bool


@dataclass(frozen=True, slots=True)
class History:
    """The thread's latest messages, and the position from which the stream goes on."""

    messages: tuple[dict[str, Any], ...]
    position: Position
    status: str
    bot_writes: bool


def progress_since(session: Session, visitor: Visitor, position: Position) -> Progress:
    """Committed events of the visitor's thread after a position, oldest first."""
    conversations = _conversations(session, visitor)
    if position.number not in [row.number for row in conversations]:
        position = Position()  # an id of another thread tells nothing here
    for row in conversations:
        after = row.seq_after(position)
        if row.number < position.number or row.last_seq <= after:
            continue
        views = events_after(session, row.id, after, limit=PAGE)
        # Between the two reads more may have been committed: trust what was really read.
        last_read = views[-1].seq if views else after
        is_whole = len(views) < PAGE
        reached = Position(row.number, max(last_read, row.last_seq) if is_whole else last_read)
        return Progress(
            events=tuple(_told(row.number, v) for v in views if v.kind in TOLD_KINDS),
            position=reached,
            conversation_id=conversations[-1].id,
            bot_writes=conversations[-1].bot_writes,
            has_more=reached < conversations[-1].end,
        )
    latest = conversations[-1] if conversations else None
    return Progress(
        (), position, latest.id if latest else None, bool(latest and latest.bot_writes), False
    )


def read_history(session: Session, visitor: Visitor) -> History:
    """What was said. The caller's transaction must be REPEATABLE READ, so that the messages
    and the position agree even while a reply grows."""
    conversations = _conversations(session, visitor)[-HISTORY_CONVERSATIONS:]
    messages = [
        compose_message(row.number, message)
        for row in conversations
        for message in messages_of(session, row.id)
    ]
    latest = conversations[-1] if conversations else None
    return History(
        messages=tuple(messages),
        position=latest.end if latest else Position(),
        status=public_status(latest.status) if latest else "none",
        bot_writes=bool(latest and latest.bot_writes),
    )


def latest_conversation(session: Session, visitor: Visitor) -> UUID | None:
    """The visitor's newest conversation."""
    conversations = _conversations(session, visitor)
    return conversations[-1].id if conversations else None


def newest_positions(
    session: Session, thread_hashes: Sequence[bytes]
) -> dict[tuple[UUID, bytes], Position]:
    """Where the threads stand, by inbox and thread hash: one query for all open streams."""
    query = select(
        Conversation.inbox_id, Conversation.thread_hash, Conversation.number, Conversation.last_seq
    ).where(Conversation.thread_hash.in_(thread_hashes))
    newest: dict[tuple[UUID, bytes], Position] = {}
    for row in session.execute(query):
        key = (row.inbox_id, row.thread_hash)
        newest[key] = max(newest.get(key, Position()), Position(row.number, row.last_seq))
    return newest


def compose_message(number: int, message: MessageView) -> dict[str, Any]:
    """A message as the browser is told it, from history."""
    return {
        "id": str(message.id),
        "position": f"{number}.{message.seq}",
        "author": message.author,
        "author_name": message.author_name,
        "text": message.text,
        "client_id": message.client_id if message.author == "contact" else None,
        "is_growing": message.state == "growing",
        "partial": message.partial,
        "citations": compose_citations(message.citations),
        "at": message.created_at.isoformat(),
    }


def compose_citations(citations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sources that carry the reply; scores and unused passages are the staff's matter."""
    return [
        {"title": found.get("title", ""), "quote": found.get("quote", ""), "url": found.get("url")}
        for found in citations
        if found.get("used")
    ]


def public_status(status: str) -> str:
    """What a visitor is told: whose turn it is, not how the staff plans its day."""
    return "open" if status == "snoozed" else status


def _told(number: int, view: EventView) -> ToldEvent:
    return ToldEvent(Position(number, view.seq), view.kind, compose_event(view))


def compose_event(view: EventView) -> dict[str, Any]:
    """A committed event as the browser is told it."""
    data = {"id": view.data.get("message_id"), "at": view.data.get("at")}
    if view.kind == "status":
        return {"status": public_status(view.data["status"]), "at": data["at"]}
    if view.kind == "sentence":
        return {**data, "text": view.data["text"]}
    data |= {"author": view.data["author"], "author_name": view.data["author_name"]}
    if view.kind == "message":
        is_own = view.data["author"] == "contact"
        client_id = view.data.get("client_id") if is_own else None
        return {**data, "text": view.data["text"], "client_id": client_id}
    if view.kind == "done":
        citations = compose_citations(view.data["citations"])
        return {**data, "partial": view.data["partial"], "citations": citations}
    return data


@dataclass(frozen=True, slots=True)
class _Row:
    id: UUID
    number: int
    last_seq: int
    status: str
    bot_writes: bool

    @property
    def end(self) -> Position:
        return Position(self.number, self.last_seq)

    def seq_after(self, position: Position) -> int:
        return position.seq if position.number == self.number else 0


def _conversations(session: Session, visitor: Visitor) -> list[_Row]:
    query = (
        select(
            Conversation.id,
            Conversation.number,
            Conversation.last_seq,
            Conversation.status,
            Conversation.unanswered_since,
            Conversation.leased_until,
        )
        .where(
            Conversation.inbox_id == visitor.inbox_id,
            Conversation.thread_hash == visitor.thread_hash,
        )
        .order_by(Conversation.number)
    )
    return [
        _Row(
            row.id,
            row.number,
            row.last_seq,
            row.status,
            row.status == "pending" and _bot_writes(row.unanswered_since, row.leased_until),
        )
        for row in session.execute(query)
    ]


def _bot_writes(unanswered_since: datetime | None, leased_until: datetime | None) -> bool:
    """True while a run holds the conversation, or is due to begin."""
    current = now()
    if leased_until is not None and leased_until > current:
        return True
    return unanswered_since is not None and unanswered_since > current - WRITING_AT_MOST
