"""The steps that the other modules of this room are made of; nobody outside calls them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, select, update
from sqlalchemy.orm import Session, joinedload

from bot.conversations.deliveries import call_staff, deliver_reply, refresh_cards
from bot.conversations.search_index import index_message, terms_of_message
from bot.conversations.writing import write
from bot.events import Advance
from bot.messages import Attachment, Author, ChannelName, ConversationStatus
from bot.policy import Policy, policy_of
from bot.sealing import keyring_of
from bot.tables import Attachment as AttachmentRow
from bot.tables import Conversation, Event, Inbox, Message, new_id, now


class ConversationError(Exception):
    """The request does not fit the conversation's state; the message says why."""


def channel_of(session: Session, conversation_id: UUID) -> ChannelName | None:
    """The channel that a conversation came in by, or None if there is no such conversation."""
    query = (
        select(Inbox.channel)
        .join(Conversation, Conversation.inbox_id == Inbox.id)
        .where(Conversation.id == conversation_id)
    )
    return session.scalar(query)


def keyed_hash(session: Session, purpose: str, value: str) -> bytes:
    """The keyed hash under which a value is looked up."""
    return keyring_of(session).keyed_hash(session, purpose, value)


# A statement of its own: what else is read after it, is read as the last owner of the lock left it.
_LOCK = (
    select(Conversation)
    .where(Conversation.id == bindparam("id"))
    .options(joinedload(Conversation.inbox, innerjoin=True))
    .with_for_update(of=Conversation)
    .execution_options(populate_existing=True)
)


def policy_of_inbox(session: Session, inbox_id: UUID) -> Policy:
    """How the inbox behaves. Raises PolicyError where its settings cannot be used."""
    inbox = session.get_one(Inbox, inbox_id)
    return policy_of(inbox.settings, inbox.channel)


def lock(session: Session, conversation_id: UUID) -> Conversation:
    conversation = session.scalars(_LOCK, {"id": conversation_id}).one_or_none()
    if conversation is None:
        raise ConversationError("There is no such conversation.")
    return conversation


IS_UNANSWERED = and_(
    Message.author == "contact", Message.state == "received", Message.is_automatic.is_(False)
)


def is_unanswered(message: Message) -> bool:
    """The same as IS_UNANSWERED, of a row that was read."""
    return message.author == "contact" and message.state == "received" and not message.is_automatic


def unanswered(session: Session, conversation: Conversation) -> list[Message]:
    query = (
        select(Message)
        .where(Message.conversation_id == conversation.id, IS_UNANSWERED)
        .order_by(Message.seq)
    )
    return list(session.scalars(query))


def growing_reply(session: Session, conversation: Conversation) -> Message | None:
    query = select(Message).where(
        Message.conversation_id == conversation.id, Message.state == "growing"
    )
    return session.scalars(query).one_or_none()


def append(
    session: Session,
    conversation: Conversation,
    author: Author,
    text: str,
    *,
    state: str = "sent",
    private: bool = False,
    **columns: Any,
) -> Message:
    """Store a message, tell of it and make it findable.

    What was changed of the session's other rows is written in the same statement.
    """
    message = add_message(
        session, conversation, author, text, state=state, private=private, **columns
    )
    session.add(terms_of_message(session, message))
    write(session)
    return message


def add_message(
    session: Session,
    conversation: Conversation,
    author: Author,
    text: str,
    *,
    kinds: Sequence[str] = ("message",),
    **columns: Any,
) -> Message:
    """A message and the events of these kinds that tell of it; the caller writes them."""
    message = Message(
        id=new_id(),
        conversation_id=conversation.id,
        inbox_id=conversation.inbox_id,
        contact_id=conversation.contact_id,
        seq=conversation.last_seq + 1,
        author=author,
        **columns,
    )
    message.text = text
    session.add(message)
    for kind in kinds:
        said = text if kind == "sentence" else None
        record_event(session, conversation, kind, message, text=said)
    return message


def find_by_client_id(
    session: Session, conversation: Conversation, client_id: str
) -> Message | None:
    query = select(Message).where(
        Message.conversation_id == conversation.id, Message.client_id == client_id
    )
    return session.scalars(query).one_or_none()


def note_for_staff(session: Session, conversation_id: UUID, text: str) -> Advance:
    """A note that the system writes for the staff alone."""
    conversation = lock(session, conversation_id)
    append(session, conversation, "system", text, private=True)
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def record_event(
    session: Session,
    conversation: Conversation,
    kind: str,
    message: Message | None,
    *,
    text: str | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    conversation.last_seq += 1
    event = Event(
        conversation_id=conversation.id,
        seq=conversation.last_seq,
        contact_id=conversation.contact_id,
        kind=kind,
        message_id=message.id if message else None,
        private=bool(message and message.private),
        data=data or {},
    )
    if text is not None:
        event.text = text
    session.add(event)


def store_attachments(
    session: Session, message: Message, attachments: Sequence[Attachment]
) -> None:
    """Keep a message's files beside it, sealed."""
    # Ids of one millisecond are not in order by themselves, and by id files are read.
    ids = sorted(new_id() for _ in attachments)
    for row_id, attachment in zip(ids, attachments, strict=True):
        row = AttachmentRow(
            id=row_id,
            message_id=message.id,
            contact_id=message.contact_id,
            media_type=attachment.media_type,
            size_bytes=len(attachment.content),
            warning=attachment.warning,
        )
        row.name = attachment.name
        row.content = base64.b64encode(attachment.content).decode()
        session.add(row)


def change_status(session: Session, conversation: Conversation, status: ConversationStatus) -> None:
    conversation.status = status
    conversation.epoch += 1
    conversation.leased_until = None
    record_event(session, conversation, "status", None, data={"status": status})
    refresh_cards(session, conversation)


def give_to_people(session: Session, conversation: Conversation, reason: str) -> None:
    finish_growing(session, conversation)
    conversation.handoff_reason = reason
    conversation.unanswered_since = None
    conversation.waiting_since = conversation.waiting_since or now()
    change_status(session, conversation, "open")
    call_staff(session, conversation)


def finish_growing(session: Session, conversation: Conversation) -> None:
    reply = growing_reply(session, conversation)
    if reply is not None:
        reply.state = "sent"
        reply.partial = True
        index_message(session, reply)
        record_event(session, conversation, "done", reply)
        note_reply(session, conversation, reply)


def note_reply(session: Session, conversation: Conversation, message: Message) -> None:
    """Note the first reply's time and, where the channel is written to, what to deliver."""
    if not message.private:
        conversation.first_reply_at = conversation.first_reply_at or now()
        schedule_delivery(session, conversation, message)


def schedule_delivery(session: Session, conversation: Conversation, message: Message) -> None:
    """Where the channel is written to, leave a delivery beside the message."""
    deliver_reply(session, conversation, message)


def mark_answered(session: Session, conversation: Conversation, answered_by: UUID | None) -> None:
    session.execute(
        update(Message)
        .where(Message.conversation_id == conversation.id, Message.state == "received")
        .values(state="answered", answered_by=answered_by)
    )
