"""What people and browsers read of a conversation: events, messages, lists. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, defer

from bot.messages import Author, ChannelName, ConversationStatus
from bot.tables import (
    Agent,
    Attachment,
    Contact,
    Conversation,
    Event,
    Inbox,
    Message,
    Original,
)


@dataclass(frozen=True, slots=True)
class EventView:
    """A committed event as a browser is told it: `data` is JSON-ready."""

    seq: int
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AttachmentView:
    """A file of a message; `warning` says why to open it with care."""

    id: UUID
    name: str
    media_type: str
    size_bytes: int
    warning: str | None


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message as people read it."""

    id: UUID
    seq: int
    author: Author
    author_name: str | None
    text: str
    private: bool
    partial: bool
    state: str
    client_id: str | None
    citations: tuple[dict[str, Any], ...]
    created_at: datetime
    is_automatic: bool = False
    has_original: bool = False
    attachments: tuple[AttachmentView, ...] = ()


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation as a list of the staff shows it."""

    id: UUID
    number: int
    inbox: str
    channel: ChannelName
    contact_id: UUID
    contact_name: str
    status: ConversationStatus
    assignee: str | None
    language: str
    summary: str
    handoff_reason: str | None
    waiting_since: datetime | None
    unanswered_since: datetime | None
    last_seq: int
    created_at: datetime
    updated_at: datetime


def events_after(
    session: Session, conversation_id: UUID, seq: int, *, staff: bool = False, limit: int = 500
) -> list[EventView]:
    """Committed events with a greater `seq`, oldest first; a visitor never sees private ones."""
    query = (
        select(Event, Message, Agent.name)
        .outerjoin(Message, Message.id == Event.message_id)
        .outerjoin(Agent, Agent.id == Message.agent_id)
        .where(Event.conversation_id == conversation_id, Event.seq > seq)
        .order_by(Event.seq)
        .limit(limit)
    )
    if not staff:
        query = query.where(Event.private.is_(False))
    return [view_event(*row) for row in session.execute(query)]


def messages_of(
    session: Session, conversation_id: UUID, *, staff: bool = False
) -> list[MessageView]:
    """All messages, oldest first; a visitor never sees private ones."""
    query = (
        select(Message, Agent.name)
        .outerjoin(Agent, Agent.id == Message.agent_id)
        .where(Message.conversation_id == conversation_id)
        .order_by(Message.seq)
    )
    if not staff:
        query = query.where(Message.private.is_(False))
    originals = _with_originals(session, conversation_id)
    files = _attachments(session, conversation_id)
    return [
        replace(
            _view_message(message, name),
            has_original=message.id in originals,
            attachments=tuple(files.get(message.id, ())),
        )
        for message, name in session.execute(query)
    ]


def view(session: Session, conversation_id: UUID) -> ConversationView | None:
    """One conversation, or None."""
    found = list_conversations(session, ids=[conversation_id])
    return found[0] if found else None


def find_by_number(session: Session, number: int) -> UUID | None:
    """The id of the conversation that people call by this number."""
    return session.scalar(select(Conversation.id).where(Conversation.number == number))


def list_conversations(
    session: Session,
    *,
    status: Sequence[ConversationStatus] | None = None,
    assignee_id: UUID | None = None,
    ids: Sequence[UUID] | None = None,
    before_number: int | None = None,
    newest_first: bool = False,
    limit: int = 50,
) -> list[ConversationView]:
    """Conversations, those that wait longest first, then the latest.

    `newest_first` orders by number alone, as pages by `before_number` need it.
    """
    query = (
        select(Conversation, Inbox, Contact)
        .join(Inbox, Inbox.id == Conversation.inbox_id)
        .join(Contact, Contact.id == Conversation.contact_id)
        .order_by(
            *([] if newest_first else [Conversation.waiting_since.asc().nulls_last()]),
            Conversation.number.desc(),
        )
        .limit(limit)
    )
    if status is not None:
        query = query.where(Conversation.status.in_(status))
    if assignee_id is not None:
        query = query.where(Conversation.assignee_id == assignee_id)
    if ids is not None:
        query = query.where(Conversation.id.in_(ids))
    if before_number is not None:
        query = query.where(Conversation.number < before_number)
    names = _agent_names(session)
    return [
        _view_conversation(conversation, inbox, contact, names)
        for conversation, inbox, contact in session.execute(query)
    ]


def _with_originals(session: Session, conversation_id: UUID) -> set[UUID]:
    query = (
        select(Original.message_id)
        .join(Message, Message.id == Original.message_id)
        .where(Message.conversation_id == conversation_id)
    )
    return set(session.scalars(query))


def _attachments(session: Session, conversation_id: UUID) -> dict[UUID, list[AttachmentView]]:
    of_it = select(Message.id).where(Message.conversation_id == conversation_id)
    return _files(session, Attachment.message_id.in_(of_it))


def files_of(session: Session, message_ids: Sequence[UUID]) -> dict[UUID, list[AttachmentView]]:
    """The files of these messages, without what they hold."""
    if not message_ids:
        return {}
    return _files(session, Attachment.message_id.in_(message_ids))


def _files(session: Session, which: ColumnElement[bool]) -> dict[UUID, list[AttachmentView]]:
    query = (
        select(Attachment)
        .where(which)
        .order_by(Attachment.id)
        .options(defer(Attachment.content_sealed))
    )
    found: dict[UUID, list[AttachmentView]] = {}
    for row in session.scalars(query):
        view = AttachmentView(row.id, row.name, row.media_type, row.size_bytes, row.warning)
        found.setdefault(row.message_id, []).append(view)
    return found


def _agent_names(session: Session) -> dict[UUID, str]:
    return {row.id: row.name for row in session.execute(select(Agent.id, Agent.name))}


def view_event(event: Event, message: Message | None, author_name: str | None) -> EventView:
    """An event with its message and the name of the agent who wrote it, if one did."""
    data: dict[str, Any] = {"at": event.created_at.isoformat(), **event.data}
    if message is not None:
        data["message_id"] = str(message.id)
    if event.kind == "sentence":
        data["text"] = event.text
    if message is not None and event.kind in ("message", "done", "reply"):
        data["author"] = message.author
        data["author_name"] = author_name
        data["private"] = message.private
    if message is not None and event.kind == "message":
        data["text"] = message.text
        data["client_id"] = message.client_id
    if message is not None and event.kind == "done":
        data["partial"] = message.partial
        data["citations"] = message.citations
    return EventView(event.seq, event.kind, data)


def _view_message(message: Message, author_name: str | None) -> MessageView:
    return MessageView(
        id=message.id,
        seq=message.seq,
        author=message.author,
        author_name=author_name,
        text=message.text,
        private=message.private,
        partial=message.partial,
        state=message.state,
        client_id=message.client_id,
        citations=tuple(message.citations),
        created_at=message.created_at,
        is_automatic=message.is_automatic,
    )


def _view_conversation(
    conversation: Conversation, inbox: Inbox, contact: Contact, names: dict[UUID, str]
) -> ConversationView:
    return ConversationView(
        id=conversation.id,
        number=conversation.number,
        inbox=inbox.name,
        channel=inbox.channel,
        contact_id=contact.id,
        contact_name=contact.name,
        status=conversation.status,
        assignee=names.get(conversation.assignee_id) if conversation.assignee_id else None,
        language=conversation.language,
        summary=conversation.summary,
        handoff_reason=conversation.handoff_reason,
        waiting_since=conversation.waiting_since,
        unanswered_since=conversation.unanswered_since,
        last_seq=conversation.last_seq,
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
    )
