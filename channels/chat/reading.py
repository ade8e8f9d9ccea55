"""What a visitor may read: the conversations of their own thread, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from sqlalchemy import and_, bindparam, exists, or_, select
from sqlalchemy.orm import Session, aliased

from bot.tables import Agent, Attachment, Conversation, Event, Feedback, Message, now
from bot.transcripts import (
    AttachmentView,
    EventView,
    MessageView,
    files_of,
    messages_of,
    view_event,
)
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
    assignee: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The thread's latest messages, and the position from which the stream goes on."""

    messages: tuple[dict[str, Any], ...]
    position: Position
    status: str
    bot_writes: bool
    assignee: str | None = None
    rating: int | None = None


def progress_since(session: Session, visitor: Visitor, position: Position) -> Progress:
    """Committed events of the visitor's thread after a position, oldest first."""
    keys = {"inbox_id": visitor.inbox_id, "thread_hash": visitor.thread_hash}
    rows = session.execute(_NEWS, keys | {"number": position.number, "seq": position.seq}).all()
    if position.number and position.number not in [row.number for row in rows]:
        return progress_since(session, visitor, Position())  # an id of another thread is no id
    if not rows:
        return Progress((), position, None, bot_writes=False, has_more=False)
    views = [
        (row.number, view_event(row.Event, row.Message, row.author_name))
        for row in rows
        if row.Event is not None
    ]
    latest, is_page = rows[-1], len(rows) == PAGE
    files = files_of(session, [row.Message.id for row in rows if row.has_files])
    return Progress(
        events=tuple(
            _told(number, view, files) for number, view in views if view.kind in TOLD_KINDS
        ),
        position=Position(latest.number, latest.Event.seq if is_page else latest.last_seq),
        conversation_id=latest.id,
        bot_writes=_bot_writes(latest.status, latest.unanswered_since, latest.leased_until),
        has_more=is_page,
        assignee=_shown_assignee(latest.status, latest.assignee_name),
    )


def _shown_assignee(status: str, name: str | None) -> str | None:
    """Who is there for the visitor, while it is people's turn."""
    return name if status in ("open", "snoozed") else None


_Assignee = aliased(Agent)

# One statement, so one moment: a thread's conversations from the position's on, with the events
# after it. A full page may end in the middle of a conversation, and it ends with an event.
_NEWS = (
    select(
        Conversation.id,
        Conversation.number,
        Conversation.last_seq,
        Conversation.status,
        Conversation.unanswered_since,
        Conversation.leased_until,
        Event,
        Message,
        exists().where(Attachment.message_id == Message.id).label("has_files"),
        Agent.name.label("author_name"),
        _Assignee.name.label("assignee_name"),
    )
    .outerjoin(
        Event,
        and_(
            Event.conversation_id == Conversation.id,
            Event.private.is_(False),
            or_(Conversation.number > bindparam("number"), Event.seq > bindparam("seq")),
        ),
    )
    .outerjoin(Message, Message.id == Event.message_id)
    .outerjoin(Agent, Agent.id == Message.agent_id)
    .outerjoin(_Assignee, _Assignee.id == Conversation.assignee_id)
    .where(
        Conversation.inbox_id == bindparam("inbox_id"),
        Conversation.thread_hash == bindparam("thread_hash"),
        Conversation.number >= bindparam("number"),
    )
    .order_by(Conversation.number, Event.seq)
    .limit(PAGE)
)


def read_history(session: Session, visitor: Visitor) -> History:
    """What was said. The caller's transaction must be REPEATABLE READ, so that the messages
    and the position agree even while a reply grows."""
    conversations = _conversations(session, visitor)[-HISTORY_CONVERSATIONS:]
    judged = _feedback(session, [row.id for row in conversations])
    messages = [
        compose_message(row.number, message, judged.get((row.id, message.id)))
        for row in conversations
        for message in messages_of(session, row.id)
    ]
    latest = conversations[-1] if conversations else None
    return History(
        messages=tuple(messages),
        position=latest.end if latest else Position(),
        status=public_status(latest.status) if latest else "none",
        bot_writes=bool(latest and latest.bot_writes),
        assignee=_shown_assignee(latest.status, latest.assignee) if latest else None,
        rating=judged.get((latest.id, None)) if latest else None,
    )


def find_reply(session: Session, visitor: Visitor, message_id: UUID) -> UUID | None:
    """The conversation of a message, if both are the visitor's own."""
    query = (
        select(Conversation.id)
        .join(Message, Message.conversation_id == Conversation.id)
        .where(
            Message.id == message_id,
            Conversation.inbox_id == visitor.inbox_id,
            Conversation.thread_hash == visitor.thread_hash,
        )
    )
    return session.scalar(query)


def _feedback(
    session: Session, conversation_ids: Sequence[UUID]
) -> dict[tuple[UUID, UUID | None], int]:
    query = select(Feedback.conversation_id, Feedback.message_id, Feedback.score).where(
        Feedback.conversation_id.in_(conversation_ids)
    )
    return {(row.conversation_id, row.message_id): row.score for row in session.execute(query)}


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


def compose_message(
    number: int, message: MessageView, feedback: int | None = None
) -> dict[str, Any]:
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
        "files": compose_files(message.attachments),
        "feedback": feedback,
    }


def compose_files(files: Sequence[AttachmentView]) -> list[dict[str, Any]]:
    """A message's files; what they hold is fetched one by one."""
    return [
        {
            "id": str(file.id),
            "name": file.name,
            "media_type": file.media_type,
            "size_bytes": file.size_bytes,
        }
        for file in files
    ]


def compose_citations(citations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The articles that carry the reply or may help; scores and the rest are the staff's matter."""
    return [
        {"title": found.get("title", ""), "quote": found.get("quote", ""), "url": found.get("url")}
        for found in citations
        if found.get("used") or found.get("suggested")
    ]


def public_status(status: str) -> str:
    """What a visitor is told: whose turn it is, not how the staff plans its day."""
    return "open" if status == "snoozed" else status


def _told(number: int, view: EventView, files: dict[UUID, list[AttachmentView]]) -> ToldEvent:
    found = files.get(UUID(view.data["message_id"]), ()) if view.kind == "message" else ()
    return ToldEvent(Position(number, view.seq), view.kind, compose_event(view, found))


def compose_event(view: EventView, files: Sequence[AttachmentView] = ()) -> dict[str, Any]:
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
        told = {"text": view.data["text"], "client_id": client_id}
        return {**data, **told, "files": compose_files(files)}
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
    assignee: str | None

    @property
    def end(self) -> Position:
        return Position(self.number, self.last_seq)


def _conversations(session: Session, visitor: Visitor) -> list[_Row]:
    query = (
        select(
            Conversation.id,
            Conversation.number,
            Conversation.last_seq,
            Conversation.status,
            Conversation.unanswered_since,
            Conversation.leased_until,
            Agent.name.label("assignee"),
        )
        .outerjoin(Agent, Agent.id == Conversation.assignee_id)
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
            _bot_writes(row.status, row.unanswered_since, row.leased_until),
            row.assignee,
        )
        for row in session.execute(query)
    ]


def _bot_writes(
    status: str, unanswered_since: datetime | None, leased_until: datetime | None
) -> bool:
    """True while a run holds the conversation, or is due to begin."""
    if status != "pending":
        return False
    current = now()
    if leased_until is not None and leased_until > current:
        return True
    return unanswered_since is not None and unanswered_since > current - WRITING_AT_MOST
