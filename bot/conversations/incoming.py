"""What comes in: a contact's message, recorded once in the conversation that its thread names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, exists, func, select
from sqlalchemy.orm import Session, joinedload

from bot.conversations.deliveries import tell_staff
from bot.conversations.search_index import index_contact
from bot.conversations.steps import (
    append,
    change_status,
    give_to_people,
    keyed_hash,
    policy_of_inbox,
    schedule_delivery,
    store_attachments,
)
from bot.conversations.tagging import close_as_spam
from bot.hours_told import tell_opening
from bot.messages import IncomingMessage
from bot.tables import (
    Contact,
    ContactIdentity,
    Conversation,
    Message,
    Original,
    new_id,
    now,
)

REOPEN_WITHIN = timedelta(days=7)
IGNORED = "ignored"
"""The state of what came as spam, or from a blocked contact: kept, and answered by nobody."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of an incoming message. `answer_due` asks the caller to ring the bell."""

    conversation_id: UUID
    message_id: UUID
    seq: int
    is_new: bool
    answer_due: bool


def record_incoming(session: Session, message: IncomingMessage) -> Recorded:
    """Store a contact's message, once, in the conversation that its thread names.

    Raises `sqlalchemy.exc.IntegrityError` when a concurrent copy was first: run it again.
    """
    running = _lock_running_conversation(session, message)
    if running is not None:
        conversation, identity = running
    else:
        _lock_thread(session, message)
        known = _find_by_external_id(session, message)
        if known is not None:
            conversation = session.get_one(Conversation, known.conversation_id)
            due = known.state == "received" and conversation.status == "pending"
            return Recorded(known.conversation_id, known.id, known.seq, False, due)
        identity = _find_or_create_identity(session, message)
        conversation = _find_or_open_conversation(session, message, identity)
    is_shut = conversation.spam_at is not None
    stored = append(
        session,
        conversation,
        "contact",
        message.text,
        state=IGNORED if is_shut else "received",
        external_id=message.external_id,
        client_id=message.client_id,
        is_automatic=message.is_automatic,
        sent_at=message.sent_at,
    )
    store_attachments(session, stored, message.attachments)
    store_original(session, stored, message)
    if is_shut:
        session.flush()
        return Recorded(conversation.id, stored.id, conversation.last_seq, True, False)
    _note_arrival(conversation, message)
    if not message.is_automatic:  # who writes can be written to
        identity.bounced_at = identity.bounce_status = None
    if message.staff_note:
        append(session, conversation, "system", message.staff_note, private=True)
    session.flush()
    if conversation.status == "open":
        tell_staff(session, conversation, stored)
    _give_where_asked(session, conversation, message)
    session.flush()
    return Recorded(
        conversation.id,
        stored.id,
        conversation.last_seq,
        is_new=True,
        answer_due=conversation.unanswered_since is not None,
    )


_RUNNING = (
    select(Conversation, ContactIdentity)
    .join(ContactIdentity, ContactIdentity.contact_id == Conversation.contact_id)
    .where(
        Conversation.inbox_id == bindparam("inbox_id"),
        Conversation.thread_hash == bindparam("thread_hash"),
        ContactIdentity.inbox_id == bindparam("inbox_id"),
        ContactIdentity.address_hash == bindparam("address_hash"),
        ~exists().where(
            Message.inbox_id == bindparam("inbox_id"),
            Message.external_id == bindparam("external_id"),
        ),
    )
    .order_by(Conversation.number.desc())
    .limit(1)
    .options(joinedload(Conversation.inbox, innerjoin=True))
    .with_for_update(of=Conversation)
    .execution_options(populate_existing=True)
)


def _lock_running_conversation(
    session: Session, message: IncomingMessage
) -> tuple[Conversation, ContactIdentity] | None:
    """The usual case in one statement: a new message to a conversation that goes on.

    A copy that is being stored just now is not seen here; then the insert fails, and whoever
    runs it again finds the copy.
    """
    keys = {
        "inbox_id": message.inbox_id,
        "external_id": message.external_id,
        "thread_hash": keyed_hash(session, "thread", message.thread),
        "address_hash": keyed_hash(session, "address", message.contact),
    }
    found = session.execute(_RUNNING, keys).one_or_none()
    if found is None or found.Conversation.status == "resolved":
        return None
    return found.Conversation, found.ContactIdentity


def _lock_thread(session: Session, message: IncomingMessage) -> None:
    key = f"{message.inbox_id}|{message.thread}"
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))


def _find_by_external_id(session: Session, message: IncomingMessage) -> Message | None:
    query = select(Message).where(
        Message.inbox_id == message.inbox_id, Message.external_id == message.external_id
    )
    return session.scalars(query).one_or_none()


def _find_or_create_identity(session: Session, message: IncomingMessage) -> ContactIdentity:
    address_hash = keyed_hash(session, "address", message.contact)
    query = select(ContactIdentity).where(
        ContactIdentity.inbox_id == message.inbox_id, ContactIdentity.address_hash == address_hash
    )
    identity = session.scalars(query).one_or_none()
    if identity is not None:
        return identity
    contact = Contact(id=new_id())
    if message.contact_name:
        contact.name = message.contact_name
    identity = ContactIdentity(
        id=new_id(),
        contact_id=contact.id,
        inbox_id=message.inbox_id,
        address_hash=address_hash,
    )
    identity.address = message.contact
    session.add(contact)
    session.flush()
    session.add(identity)
    session.flush()
    index_contact(session, contact)
    return identity


def _find_or_open_conversation(
    session: Session, message: IncomingMessage, identity: ContactIdentity
) -> Conversation:
    thread_hash = keyed_hash(session, "thread", message.thread)
    query = (
        select(Conversation)
        .where(
            Conversation.inbox_id == message.inbox_id,
            Conversation.thread_hash == thread_hash,
            Conversation.contact_id == identity.contact_id,
        )
        .order_by(Conversation.number.desc())
        .limit(1)
        .with_for_update()
    )
    latest = session.scalars(query).one_or_none()
    if latest is not None and latest.spam_at is not None:
        return latest
    # A machine's notice, such as an out-of-office, opens no resolved matter again.
    if latest is not None and (latest.status != "resolved" or message.is_automatic):
        return latest
    is_recent = latest and latest.resolved_at and latest.resolved_at > now() - REOPEN_WITHIN
    if latest is not None and is_recent and not _is_blocked(session, identity):
        latest.resolved_at = None
        change_status(session, latest, "pending")
        return latest
    conversation = Conversation(
        id=new_id(),
        inbox_id=message.inbox_id,
        contact_id=identity.contact_id,
        thread_hash=thread_hash,
        previous_id=latest.id if latest else None,
        status="pending",
        epoch=0,
        last_seq=0,
        lease_token=0,
        failures=0,
    )
    conversation.thread = message.thread
    session.add(conversation)
    session.flush()
    if _is_blocked(session, identity):
        close_as_spam(session, conversation)
    return conversation


def _is_blocked(session: Session, identity: ContactIdentity) -> bool:
    query = select(Contact.blocked_at).where(Contact.id == identity.contact_id)
    return session.scalar(query) is not None


def store_original(session: Session, stored: Message, message: IncomingMessage) -> None:
    """Keep what came in whole beside the message, sealed by the contact's key."""
    original = message.original
    if original is None:
        return
    row = Original(
        message_id=stored.id,
        contact_id=stored.contact_id,
        media_type=original.media_type,
        size_bytes=len(original.raw),
        topic_hash=keyed_hash(session, "topic", f"{message.contact}|{original.topic}"),
    )
    row.raw = original.raw
    row.full_text = original.full_text
    row.headers = json.dumps(dict(original.headers), ensure_ascii=False)
    session.add(row)


def _give_where_asked(
    session: Session, conversation: Conversation, message: IncomingMessage
) -> None:
    if conversation.status != "pending":
        return
    if message.wants_person:
        give_to_people(session, conversation, "requested")
        _tell_when_closed(session, conversation)
    elif message.for_people:
        give_to_people(session, conversation, message.for_people)


def _tell_when_closed(session: Session, conversation: Conversation) -> None:
    """Outside business hours, say when somebody is there again (promise 29)."""
    opening = policy_of_inbox(session, conversation.inbox_id).opening_after(now())
    if opening is not None:
        text = tell_opening(opening, conversation.language)
        message = append(session, conversation, "system", text)
        schedule_delivery(session, conversation, message)


def _note_arrival(conversation: Conversation, message: IncomingMessage) -> None:
    arrived = now()
    if conversation.status == "snoozed":
        conversation.status = "open"
        conversation.snoozed_until = None
    if conversation.status == "open":
        conversation.waiting_since = conversation.waiting_since or arrived
    elif not message.is_automatic:
        conversation.unanswered_since = conversation.unanswered_since or arrived
