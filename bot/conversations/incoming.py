"""What comes in: a contact's message, recorded once in the conversation that its thread names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import and_, bindparam, exists, func, literal, select
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
from bot.scripts import language_of_script
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
    running = None
    if not message.begins_thread:
        running = _lock_running_conversation(session, message)
    if running is not None:
        conversation, identity = running
    else:
        _lock_thread(session, message)
        known, found = _find_message_and_identity(session, message)
        if known is not None:
            conversation = session.get_one(Conversation, known.conversation_id)
            due = known.state == "received" and conversation.status == "pending"
            return Recorded(known.conversation_id, known.id, known.seq, False, due)
        latest = None
        if found is not None and not message.begins_thread:
            latest = _lock_latest(session, message, found)
        identity = found or _create_identity(session, message)
        conversation = _reopen_or_open(session, message, identity, latest)
    is_shut = conversation.spam_at is not None
    if not is_shut:
        _note_arrival(conversation, message)
        if not message.is_automatic:  # who writes can be written to
            identity.bounced_at = identity.bounce_status = None
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
    if message.staff_note:
        append(session, conversation, "system", message.staff_note, private=True)
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


_LOCK_THREAD = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("key"), 0)))
# After the lock, what there is of a message: itself, if it is known, and who writes, if they are.
_KNOWN = (
    select(Message, ContactIdentity)
    .select_from(select(literal(1)).subquery("one"))
    .outerjoin(
        Message,
        and_(
            Message.inbox_id == bindparam("inbox_id"),
            Message.external_id == bindparam("external_id"),
        ),
    )
    .outerjoin(
        ContactIdentity,
        and_(
            ContactIdentity.inbox_id == bindparam("inbox_id"),
            ContactIdentity.address_hash == bindparam("address_hash"),
        ),
    )
)
_LATEST = (
    select(Conversation)
    .where(
        Conversation.inbox_id == bindparam("inbox_id"),
        Conversation.thread_hash == bindparam("thread_hash"),
        Conversation.contact_id == bindparam("contact_id"),
    )
    .order_by(Conversation.number.desc())
    .limit(1)
    .with_for_update()
)


def _lock_thread(session: Session, message: IncomingMessage) -> None:
    session.execute(_LOCK_THREAD, {"key": f"{message.inbox_id}|{message.thread}"})


def _find_message_and_identity(
    session: Session, message: IncomingMessage
) -> tuple[Message | None, ContactIdentity | None]:
    keys = {
        "inbox_id": message.inbox_id,
        "external_id": message.external_id,
        "address_hash": keyed_hash(session, "address", message.contact),
    }
    known, identity = session.execute(_KNOWN, keys).one()
    return known, identity


def _lock_latest(
    session: Session, message: IncomingMessage, identity: ContactIdentity
) -> Conversation | None:
    keys = {
        "inbox_id": message.inbox_id,
        "thread_hash": keyed_hash(session, "thread", message.thread),
        "contact_id": identity.contact_id,
    }
    return session.scalars(_LATEST, keys).one_or_none()


def _create_identity(session: Session, message: IncomingMessage) -> ContactIdentity:
    contact = Contact(id=new_id())
    if message.contact_name:
        contact.name = message.contact_name
    identity = ContactIdentity(
        id=new_id(),
        contact_id=contact.id,
        inbox_id=message.inbox_id,
        address_hash=keyed_hash(session, "address", message.contact),
    )
    identity.address = message.contact
    session.add(contact)
    session.flush()
    session.add(identity)
    session.flush()
    index_contact(session, contact)
    return identity


def _reopen_or_open(
    session: Session,
    message: IncomingMessage,
    identity: ContactIdentity,
    latest: Conversation | None,
) -> Conversation:
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
        thread_hash=keyed_hash(session, "thread", message.thread),
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
    # No run reads what goes to people at once, and they too are told something by us.
    conversation.language = conversation.language or language_of_script(message.text)
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
