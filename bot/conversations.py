"""The one place that writes in a conversation.

Functions take a sync Session inside the caller's transaction and commit nothing themselves.
Each locks the conversation's row first, so that changes of one conversation form one line.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from bot.events import Advance
from bot.messages import Author, ChannelName, ConversationStatus, IncomingMessage, Turn
from bot.sealing import keyring_of
from bot.tables import (
    AnswerRun,
    Attachment,
    Contact,
    ContactIdentity,
    Conversation,
    Delivery,
    Event,
    Inbox,
    Message,
    new_id,
    now,
)

REOPEN_WITHIN = timedelta(days=7)
MAX_FAILURES = 3
MAX_DEATHS = 5
# Channels whose adapters push; a chat visitor's browser reads the committed events itself.
PUSHED_CHANNELS = frozenset({"email", "slack"})


class ConversationError(Exception):
    """The request does not fit the conversation's state; the message says why."""


class RunStopped(Exception):
    """The run may write no more: a person took over, or another run holds the lease."""


class BatchGrew(RunStopped):
    """New messages came before anything was shown: answer them together."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of an incoming message. `answer_due` asks the caller to ring the bell."""

    conversation_id: UUID
    message_id: UUID
    seq: int
    is_new: bool
    answer_due: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer the unanswered messages of one conversation, for one lease.

    `shown` are the sentences that an earlier run committed before it died; this run goes on
    after them in the same reply.
    """

    run_id: UUID
    conversation_id: UUID
    inbox_id: UUID
    channel: ChannelName
    epoch: int
    token: int
    reply_to: UUID
    message_ids: tuple[UUID, ...]
    turns: tuple[Turn, ...]
    shown: tuple[str, ...]
    failures: int
    received_at: datetime


# -- what comes in ---------------------------------------------------------------------------


def record_incoming(session: Session, message: IncomingMessage) -> Recorded:
    """Store a contact's message, once, in the conversation that its thread names.

    Raises `sqlalchemy.exc.IntegrityError` when a concurrent copy was first: run it again.
    """
    _lock_thread(session, message)
    known = _find_by_external_id(session, message)
    if known is not None:
        conversation = session.get_one(Conversation, known.conversation_id)
        due = known.state == "received" and conversation.status == "pending"
        return Recorded(known.conversation_id, known.id, known.seq, False, due)
    identity = _find_or_create_identity(session, message)
    conversation = _find_or_open_conversation(session, message, identity)
    stored = _append(session, conversation, "contact", message.text, state="received")
    stored.external_id = message.external_id
    stored.client_id = message.client_id
    stored.is_automatic = message.is_automatic
    stored.sent_at = message.sent_at
    _store_attachments(session, stored, message)
    _note_arrival(conversation, message)
    if message.wants_person and conversation.status == "pending":
        _give_to_people(session, conversation, "requested")
    session.flush()
    return Recorded(
        conversation.id,
        stored.id,
        conversation.last_seq,
        is_new=True,
        answer_due=conversation.unanswered_since is not None,
    )


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
    if latest is not None and latest.status != "resolved":
        return latest
    if latest is not None and latest.resolved_at and latest.resolved_at > now() - REOPEN_WITHIN:
        latest.resolved_at = None
        _change_status(session, latest, "pending")
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
    return conversation


def _store_attachments(session: Session, stored: Message, message: IncomingMessage) -> None:
    for attachment in message.attachments:
        row = Attachment(
            id=new_id(),
            message_id=stored.id,
            contact_id=stored.contact_id,
            media_type=attachment.media_type,
            size_bytes=len(attachment.content),
        )
        row.name = attachment.name
        row.content = base64.b64encode(attachment.content).decode()
        session.add(row)


def _note_arrival(conversation: Conversation, message: IncomingMessage) -> None:
    arrived = now()
    if conversation.status == "snoozed":
        conversation.status = "open"
        conversation.snoozed_until = None
    if conversation.status == "open":
        conversation.waiting_since = conversation.waiting_since or arrived
    elif not message.is_automatic:
        conversation.unanswered_since = conversation.unanswered_since or arrived


# -- the bot's run ---------------------------------------------------------------------------


def claim_run(session: Session, conversation_id: UUID, lease: timedelta) -> Claim | None:
    """Claim all unanswered messages; None if there are none, or another run holds them.

    A run that ended without letting go counts as failed: what ends worker after worker must
    end with people.
    """
    conversation = _lock(session, conversation_id)
    current = _database_time(session)
    held = conversation.leased_until is not None and conversation.leased_until > current
    if conversation.status != "pending" or held:
        return None
    batch = _unanswered(session, conversation)
    if not batch:
        conversation.unanswered_since = None
        return None
    if conversation.leased_until is not None:  # its run died and let go of nothing
        conversation.failures += 1
        if conversation.failures >= MAX_DEATHS:
            _give_to_people(session, conversation, "repeated_failure")
            return None
    growing = _growing_reply(session, conversation)
    if growing is not None:
        answered = next((m.seq for m in batch if m.id == growing.reply_to), batch[-1].seq)
        batch = [m for m in batch if m.seq <= answered]
    conversation.lease_token += 1
    conversation.leased_until = current + lease
    run = _begin_run(session, conversation)
    return Claim(
        run_id=run.id,
        conversation_id=conversation.id,
        inbox_id=conversation.inbox_id,
        channel=session.get_one(Inbox, conversation.inbox_id).channel,
        epoch=conversation.epoch,
        token=conversation.lease_token,
        reply_to=batch[-1].id,
        message_ids=tuple(m.id for m in batch),
        turns=_turns_with(session, conversation, batch),
        shown=_shown(session, growing) if growing else (),
        failures=conversation.failures,
        received_at=batch[0].created_at,
    )


def renew_lease(session: Session, claim: Claim, lease: timedelta) -> bool:
    """Prolong the lease; False if the claim is lost."""
    renewed = session.execute(
        update(Conversation)
        .where(
            Conversation.id == claim.conversation_id,
            Conversation.lease_token == claim.token,
            Conversation.epoch == claim.epoch,
            Conversation.leased_until.is_not(None),
        )
        .values(leased_until=func.clock_timestamp() + lease, updated_at=Conversation.updated_at)
        .returning(Conversation.id)
    )
    return renewed.one_or_none() is not None


def commit_sentence(
    session: Session, claim: Claim, sentence: str, *, merge_new: bool = True
) -> Advance:
    """Append one checked sentence to the claim's reply, creating the reply with the first.

    Raises RunStopped if the claim is lost, BatchGrew if unshown work should start anew
    because the customer wrote more (only with `merge_new`).
    """
    conversation = _lock_claimed(session, claim)
    reply = _reply_of(session, claim)
    if reply is None:
        if merge_new and len(_unanswered(session, conversation)) > len(claim.message_ids):
            raise BatchGrew
        reply = _append(session, conversation, "bot", "", state="growing", kind="reply")
        reply.reply_to = claim.reply_to
        session.flush()
    reply.text = _join(reply.text, sentence)
    _record_event(session, conversation, "sentence", reply, text=sentence)
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def reply_id(session: Session, claim: Claim) -> UUID | None:
    """The id of the claim's reply, once there is one."""
    return session.scalar(select(Message.id).where(Message.reply_to == claim.reply_to))


def finish_reply(
    session: Session, claim: Claim, citations: Sequence[dict[str, Any]], language: str
) -> Advance:
    """Close the claim's reply and the run's hold; the batch is answered. Raises RunStopped."""
    conversation = _lock_claimed(session, claim)
    reply = _reply_of(session, claim)
    if reply is None:
        raise ConversationError("A reply without a sentence cannot be finished.")
    _close_reply(session, conversation, reply, claim, citations)
    conversation.language = language or conversation.language
    conversation.failures = 0
    _release(session, conversation)
    session.flush()
    return Advance(
        conversation.id, conversation.last_seq, conversation.unanswered_since is not None
    )


def finish_handoff(
    session: Session,
    claim: Claim,
    *,
    reason: str,
    summary: str,
    citations: Sequence[dict[str, Any]],
    language: str,
) -> Advance:
    """Give the conversation to people after the claim's reply told so. Raises RunStopped."""
    advance = finish_reply(session, claim, citations, language)
    conversation = _lock(session, claim.conversation_id)
    conversation.summary = summary
    _give_to_people(session, conversation, reason)
    session.flush()
    # The farewell belongs to the new owner's time: it must not be withdrawn as outdated.
    session.execute(
        update(Delivery)
        .where(Delivery.conversation_id == conversation.id, Delivery.epoch == claim.epoch)
        .values(epoch=conversation.epoch)
    )
    return Advance(advance.conversation_id, conversation.last_seq)


def abandon_run(session: Session, claim: Claim, *, failed: bool) -> Advance:
    """Let go of a claim without an answer, so that the next run can begin at once.

    After `failed` MAX_FAILURES times in a row the conversation goes to people.
    """
    conversation = _lock(session, claim.conversation_id)
    if conversation.lease_token == claim.token and conversation.epoch == claim.epoch:
        conversation.lease_token += 1  # whatever the run still tries to write is refused
        conversation.leased_until = None
        conversation.failures += int(failed)
        if conversation.failures >= MAX_FAILURES and conversation.status == "pending":
            _give_to_people(session, conversation, "repeated_failure")
    session.flush()
    due = conversation.status == "pending" and conversation.unanswered_since is not None
    return Advance(conversation.id, conversation.last_seq, due)


def overdue(
    session: Session,
    older_than: timedelta,
    *,
    channels: Collection[ChannelName] | None = None,
    limit: int = 500,
) -> list[tuple[UUID, ChannelName]]:
    """Conversations whose answer is due and that no run holds, with their channel: ring again."""
    current = func.clock_timestamp()
    query = (
        select(Conversation.id, Inbox.channel)
        .join(Inbox, Inbox.id == Conversation.inbox_id)
        .where(
            Conversation.unanswered_since < current - older_than,
            Conversation.status == "pending",
            (Conversation.leased_until.is_(None)) | (Conversation.leased_until < current),
        )
        .order_by(Conversation.unanswered_since)
        .limit(limit)
    )
    if channels is not None:
        query = query.where(Inbox.channel.in_(channels))
    return [(row.id, row.channel) for row in session.execute(query)]


def channel_of(session: Session, conversation_id: UUID) -> ChannelName | None:
    """The channel that a conversation came in by, or None if there is no such conversation."""
    query = (
        select(Inbox.channel)
        .join(Conversation, Conversation.inbox_id == Inbox.id)
        .where(Conversation.id == conversation_id)
    )
    return session.scalar(query)


# -- what people do --------------------------------------------------------------------------


def take_over(session: Session, conversation_id: UUID, agent_id: UUID) -> Advance:
    """Make the agent the owner. From this commit on no run of the bot writes anything."""
    conversation = _lock(session, conversation_id)
    if conversation.status == "resolved":
        raise ConversationError("The conversation is resolved; reply to it to open it again.")
    conversation.assignee_id = agent_id
    if conversation.status == "pending":
        _give_to_people(session, conversation, "taken_over")
    else:
        _record_event(session, conversation, "assigned", None)
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def assign(session: Session, conversation_id: UUID, agent_id: UUID | None) -> Advance:
    """Change the assignee; a conversation of the bot's goes to people with it."""
    if agent_id is not None:
        return take_over(session, conversation_id, agent_id)
    conversation = _lock(session, conversation_id)
    conversation.assignee_id = None
    _record_event(session, conversation, "assigned", None)
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def hand_off(session: Session, conversation_id: UUID, reason: str) -> Advance:
    """Give a conversation of the bot's to people; harmless when they have it already."""
    conversation = _lock(session, conversation_id)
    if conversation.status == "pending":
        _give_to_people(session, conversation, reason)
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def give_back(session: Session, conversation_id: UUID) -> Advance:
    """Return the conversation to the bot, which then answers what is still unanswered."""
    conversation = _lock(session, conversation_id)
    if conversation.status not in ("open", "snoozed"):
        raise ConversationError(f"The conversation is {conversation.status}, not a person's.")
    conversation.assignee_id = None
    conversation.waiting_since = None
    conversation.failures = 0
    _change_status(session, conversation, "pending")
    left = _unanswered(session, conversation)
    conversation.unanswered_since = left[0].created_at if left else None
    session.flush()
    return Advance(conversation.id, conversation.last_seq, bool(left))


def resolve(session: Session, conversation_id: UUID) -> Advance:
    """Close the matter; a later message opens it again or begins a new conversation."""
    conversation = _lock(session, conversation_id)
    if conversation.status != "resolved":
        _finish_growing(session, conversation)
        _mark_answered(session, conversation, None)
        conversation.resolved_at = now()
        conversation.waiting_since = None
        conversation.unanswered_since = None
        _change_status(session, conversation, "resolved")
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def snooze(session: Session, conversation_id: UUID, until: datetime) -> Advance:
    """Put a person's conversation aside until a time or the contact's next message."""
    conversation = _lock(session, conversation_id)
    if conversation.status not in ("open", "snoozed"):
        raise ConversationError(f"The conversation is {conversation.status}, not a person's.")
    conversation.snoozed_until = until
    _change_status(session, conversation, "snoozed")
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def wake_snoozed(session: Session) -> list[Advance]:
    """Open the conversations whose snooze is over."""
    query = (
        select(Conversation)
        .where(Conversation.status == "snoozed", Conversation.snoozed_until < now())
        .with_for_update(skip_locked=True)
        .limit(100)
    )
    advances = []
    for conversation in session.scalars(query):
        conversation.snoozed_until = None
        conversation.waiting_since = conversation.waiting_since or now()
        _change_status(session, conversation, "open")
        advances.append(Advance(conversation.id, conversation.last_seq))
    session.flush()
    return advances


def reply_as_agent(
    session: Session,
    conversation_id: UUID,
    agent_id: UUID,
    text: str,
    *,
    private: bool = False,
    client_id: str | None = None,
) -> Advance:
    """Write as a person; a note if `private`, else a reply, which also takes the conversation.

    The same `client_id` twice writes once.
    """
    if not text.strip():
        raise ConversationError("The message is empty.")
    conversation = _lock(session, conversation_id)
    if client_id and _find_by_client_id(session, conversation, client_id):
        return Advance(conversation.id, conversation.last_seq)
    if not private:
        conversation.assignee_id = conversation.assignee_id or agent_id
        if conversation.status == "pending":
            _give_to_people(session, conversation, "taken_over")
        elif conversation.status != "open":
            conversation.resolved_at = conversation.snoozed_until = None
            _change_status(session, conversation, "open")
    message = _append(session, conversation, "agent", text, private=private)
    message.agent_id = agent_id
    message.client_id = client_id
    session.flush()
    if not private:
        conversation.waiting_since = None
        _mark_answered(session, conversation, message.id)
        _note_reply(session, conversation, message)
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def keyed_hash(session: Session, purpose: str, value: str) -> bytes:
    """The keyed hash under which a value is looked up."""
    return keyring_of(session).keyed_hash(session, purpose, value)


# -- below: the steps ------------------------------------------------------------------------


def _lock(session: Session, conversation_id: UUID) -> Conversation:
    query = (
        select(Conversation)
        .where(Conversation.id == conversation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    conversation = session.scalars(query).one_or_none()
    if conversation is None:
        raise ConversationError("There is no such conversation.")
    return conversation


def _lock_claimed(session: Session, claim: Claim) -> Conversation:
    conversation = _lock(session, claim.conversation_id)
    if conversation.epoch != claim.epoch or conversation.status != "pending":
        raise RunStopped("owner changed")
    if conversation.lease_token != claim.token:
        raise RunStopped("lease lost")
    return conversation


def _database_time(session: Session) -> datetime:
    current: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return current


def _unanswered(session: Session, conversation: Conversation) -> list[Message]:
    query = (
        select(Message)
        .where(
            Message.conversation_id == conversation.id,
            Message.author == "contact",
            Message.state == "received",
            Message.is_automatic.is_(False),
        )
        .order_by(Message.seq)
    )
    return list(session.scalars(query))


def _growing_reply(session: Session, conversation: Conversation) -> Message | None:
    query = select(Message).where(
        Message.conversation_id == conversation.id, Message.state == "growing"
    )
    return session.scalars(query).one_or_none()


def _reply_of(session: Session, claim: Claim) -> Message | None:
    query = (
        select(Message)
        .where(Message.reply_to == claim.reply_to)
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).one_or_none()


def _shown(session: Session, reply: Message) -> tuple[str, ...]:
    query = (
        select(Event)
        .where(Event.message_id == reply.id, Event.kind == "sentence")
        .order_by(Event.seq)
    )
    return tuple(event.text for event in session.scalars(query))


def _turns_with(
    session: Session, conversation: Conversation, batch: Sequence[Message]
) -> tuple[Turn, ...]:
    """What was said before, then the batch: its last turns, even where a reply came between."""
    query = (
        select(Message)
        .where(
            Message.conversation_id == conversation.id,
            Message.private.is_(False),
            Message.state != "growing",
            (Message.seq <= batch[-1].seq) | (Message.author != "contact"),
        )
        .order_by(Message.id.in_([m.id for m in batch]), Message.seq)
    )
    return tuple(Turn(m.author, m.text) for m in session.scalars(query))


def _begin_run(session: Session, conversation: Conversation) -> AnswerRun:
    session.execute(
        update(AnswerRun)
        .where(AnswerRun.conversation_id == conversation.id, AnswerRun.state == "running")
        .values(state="abandoned", finished_at=now())
    )
    run = AnswerRun(
        id=new_id(),
        inbox_id=conversation.inbox_id,
        conversation_id=conversation.id,
        contact_id=conversation.contact_id,
        state="running",
        started_at=now(),
    )
    session.add(run)
    session.flush()
    return run


def _append(
    session: Session,
    conversation: Conversation,
    author: Author,
    text: str,
    *,
    state: str = "sent",
    private: bool = False,
    kind: str = "message",
) -> Message:
    message = Message(
        id=new_id(),
        conversation_id=conversation.id,
        inbox_id=conversation.inbox_id,
        contact_id=conversation.contact_id,
        seq=conversation.last_seq + 1,
        author=author,
        private=private,
        state=state,
        partial=False,
        citations=[],
    )
    message.text = text
    session.add(message)
    session.flush()
    _record_event(session, conversation, kind, message)
    return message


def _record_event(
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


def _change_status(
    session: Session, conversation: Conversation, status: ConversationStatus
) -> None:
    conversation.status = status
    conversation.epoch += 1
    conversation.leased_until = None
    _record_event(session, conversation, "status", None, data={"status": status})


def _give_to_people(session: Session, conversation: Conversation, reason: str) -> None:
    _finish_growing(session, conversation)
    conversation.handoff_reason = reason
    conversation.unanswered_since = None
    conversation.waiting_since = conversation.waiting_since or now()
    _change_status(session, conversation, "open")


def _finish_growing(session: Session, conversation: Conversation) -> None:
    reply = _growing_reply(session, conversation)
    if reply is not None:
        reply.state = "sent"
        reply.partial = True
        _record_event(session, conversation, "done", reply)
        _note_reply(session, conversation, reply)


def _close_reply(
    session: Session,
    conversation: Conversation,
    reply: Message,
    claim: Claim,
    citations: Sequence[dict[str, Any]],
) -> None:
    reply.state = "sent"
    reply.citations = list(citations)
    _record_event(session, conversation, "done", reply)
    session.execute(
        update(Message)
        .where(Message.id.in_(claim.message_ids))
        .values(state="answered", answered_by=reply.id)
    )
    _note_reply(session, conversation, reply)


def _note_reply(session: Session, conversation: Conversation, message: Message) -> None:
    """Note the first reply's time and, where the channel is written to, what to deliver.

    What a take-over cut off was never sent there, so it is not sent now.
    """
    conversation.first_reply_at = conversation.first_reply_at or now()
    inbox = session.get_one(Inbox, conversation.inbox_id)
    if inbox.channel in PUSHED_CHANNELS and not message.partial:
        delivery = Delivery(
            id=new_id(),
            message_id=message.id,
            conversation_id=conversation.id,
            contact_id=conversation.contact_id,
            epoch=conversation.epoch,
            destination_hash=conversation.thread_hash,
            state="pending",
            attempts=0,
        )
        delivery.destination = conversation.thread
        session.add(delivery)


def _mark_answered(session: Session, conversation: Conversation, answered_by: UUID | None) -> None:
    session.execute(
        update(Message)
        .where(Message.conversation_id == conversation.id, Message.state == "received")
        .values(state="answered", answered_by=answered_by)
    )


def _release(session: Session, conversation: Conversation) -> None:
    conversation.leased_until = None
    left = _unanswered(session, conversation)
    conversation.unanswered_since = left[0].created_at if left else None


def _find_by_client_id(
    session: Session, conversation: Conversation, client_id: str
) -> Message | None:
    query = select(Message).where(
        Message.conversation_id == conversation.id, Message.client_id == client_id
    )
    return session.scalars(query).one_or_none()


def _join(text: str, sentence: str) -> str:
    """Chinese and Japanese sentences follow each other without a space; a line break stays."""
    if not text or text.endswith("\n") or sentence.startswith("\n"):
        return text + sentence
    return text + sentence if ord(text[-1]) > 0x2E80 else f"{text} {sentence}"


def store_result(session: Session, run_id: UUID, result: dict[str, Any], **columns: Any) -> None:
    """Complete an answer_run; `result` is sealed, `columns` are its plain measurements."""
    run = session.get_one(AnswerRun, run_id)
    run.result = json.dumps(result, ensure_ascii=False)
    run.finished_at = now()
    for name, value in columns.items():
        setattr(run, name, value)
