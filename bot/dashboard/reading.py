"""One conversation as its page shows it: messages with their files and how their delivery went."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, defer

from bot.conversations import see_mentions
from bot.dashboard import desk_payloads as payloads
from bot.dashboard.rows import read_row
from bot.tables import (
    Agent,
    Attachment,
    Contact,
    Conversation,
    Delivery,
    Event,
    Inbox,
    Message,
    Original,
)

MESSAGES = 100


def read_conversation(
    session: Session, conversation_id: UUID, agent_id: UUID
) -> payloads.Conversation:
    """Its newest messages; whoever opens it has seen the notes that call them."""
    see_mentions(session, conversation_id, agent_id)
    conversation = session.get_one(Conversation, conversation_id)
    seq = conversation.last_seq  # before the messages: what comes between is told again, not lost
    row = read_row(session, conversation_id)
    assert row is not None, "it was found a moment ago"
    inbox = session.get_one(Inbox, conversation.inbox_id)
    contact = session.get_one(Contact, conversation.contact_id)
    page = read_messages(session, conversation_id)
    return payloads.Conversation(
        row=row,
        summary=conversation.summary,
        company=inbox.company or inbox.name,
        created_at=conversation.created_at,
        messages=page.items,
        has_earlier=page.has_earlier,
        seq=seq,
        previous=_number_of(session, conversation.previous_id),
        is_contact_blocked=contact.blocked_at is not None,
    )


def read_messages(
    session: Session, conversation_id: UUID, before: int | None = None
) -> payloads.Messages:
    """A page of messages, oldest first, that ends before a `seq`, or with the newest."""
    query = _messages().where(Message.conversation_id == conversation_id)
    if before is not None:
        query = query.where(Message.seq < before)
    found = session.execute(query.order_by(Message.seq.desc()).limit(MESSAGES + 1)).all()
    newest = [(row[0], row[1]) for row in found[:MESSAGES]]
    return payloads.Messages(items=_view(session, newest[::-1]), has_earlier=len(found) > MESSAGES)


def changed_messages(
    session: Session, conversation_id: UUID, seq: int
) -> tuple[int, list[payloads.Message]]:
    """The messages that events after a `seq` are about, as they stand now, and the last `seq`.

    Whole messages and not their changes: so telling one twice changes nothing.
    """
    query = (
        select(Event.seq, Event.message_id)
        .where(Event.conversation_id == conversation_id, Event.seq > seq)
        .order_by(Event.seq)
    )
    events = session.execute(query).all()
    if not events:
        return seq, []
    ids = {event.message_id for event in events if event.message_id}
    found = session.execute(_messages().where(Message.id.in_(ids)).order_by(Message.seq)).all()
    return events[-1].seq, _view(session, [(row[0], row[1]) for row in found])


def _messages() -> Select[Message, str]:
    return select(Message, Agent.name).outerjoin(Agent, Agent.id == Message.agent_id)


def _view(session: Session, found: Sequence[tuple[Message, str | None]]) -> list[payloads.Message]:
    ids = [message.id for message, _ in found]
    files, originals, deliveries = (
        _files(session, ids),
        _originals(session, ids),
        _sent(session, ids),
    )
    return [
        payloads.Message(
            id=str(message.id),
            seq=message.seq,
            author=message.author,
            author_name=name,
            text=message.text,
            private=message.private,
            partial=message.partial,
            state=message.state,
            client_id=message.client_id,
            citations=message.citations,
            at=message.created_at,
            is_automatic=message.is_automatic,
            has_original=message.id in originals,
            files=files.get(message.id, []),
            delivery=deliveries.get(message.id, (None, None))[0],
            delivery_error=deliveries.get(message.id, (None, None))[1],
        )
        for message, name in found
    ]


def _files(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[payloads.File]]:
    query = (
        select(Attachment)
        .where(Attachment.message_id.in_(ids))
        .order_by(Attachment.id)
        .options(defer(Attachment.content_sealed))
    )
    found: dict[UUID, list[payloads.File]] = {}
    for row in session.scalars(query):
        file = payloads.File(
            id=str(row.id),
            name=row.name,
            media_type=row.media_type,
            size_bytes=row.size_bytes,
            warning=row.warning,
        )
        found.setdefault(row.message_id, []).append(file)
    return found


def _originals(session: Session, ids: Sequence[UUID]) -> set[UUID]:
    return set(session.scalars(select(Original.message_id).where(Original.message_id.in_(ids))))


def _sent(session: Session, ids: Sequence[UUID]) -> dict[UUID, tuple[str, str | None]]:
    query = select(Delivery.message_id, Delivery.state, Delivery.error).where(
        Delivery.message_id.in_(ids), Delivery.kind == "reply"
    )
    return {row.message_id: (row.state, row.error) for row in session.execute(query)}


def _number_of(session: Session, conversation_id: UUID | None) -> int | None:
    if conversation_id is None:
        return None
    return session.scalar(select(Conversation.number).where(Conversation.id == conversation_id))
