"""Replies on their way out: claim, compare, send, mark; retried in this one place.

A chat visitor's browser reads the committed events itself and needs no delivery. For channels
that are written to, `conversations` leaves a `delivery` row beside each message. What was sent
and has changed since (a reply that grows, a card) is revised where it stands.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, exists, func, or_, select, tuple_
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, aliased

from bot.channel import Channel, DeliveryError
from bot.conversations import REVISE_EVERY, note_for_staff
from bot.handoff_cards import card_of, read_card
from bot.messages import Attachment, Author, ChannelName, Citation, Reply
from bot.tables import Agent, Contact, Conversation, Delivery, Inbox, Message, now
from bot.tables import Attachment as AttachmentRow
from bot.transcripts_mailed import mailed_transcript

log = logging.getLogger(__name__)

# With the backoff below: for about a day, as a mail server's night may last.
MAX_ATTEMPTS = 32
SEND_TIMEOUT = timedelta(seconds=60)
# A row still `sending` after this belonged to a process that died: the channel reconciles.
CLAIM_EXPIRES = timedelta(seconds=120)
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 5.0, 3600.0


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed delivery. `attempt` counts from 1; above 1 an earlier send may have arrived.

    With an `external_id` it was sent before and is to be revised.
    """

    delivery_id: UUID
    channel: str
    attempt: int
    reply: Reply
    version: int = 1
    external_id: str | None = None


async def deliver_pending(
    sessions: async_sessionmaker[AsyncSession], channels: Mapping[str, Channel], limit: int = 20
) -> int:
    """Send what is due, one claim at a time; returns how many were tried."""
    tried = 0
    while tried < limit:
        async with sessions.begin() as session:
            due = await session.run_sync(claim_delivery, list(channels))
        if due is None:
            break
        await _deliver(sessions, channels[due.channel], due)
        tried += 1
    return tried


def claim_delivery(session: Session, channels: list[str]) -> Due | None:
    """Take one due delivery of these channels for this process, or withdraw it."""
    found = session.execute(_due(channels)).one_or_none()
    if found is None:
        return None
    # Read after the lock was got: what is sent must not be older than the version it is sent as.
    delivery = session.get_one(Delivery, found.id, populate_existing=True)
    message = session.get_one(Message, delivery.message_id, populate_existing=True)
    conversation = session.get_one(Conversation, delivery.conversation_id, populate_existing=True)
    if _is_outdated(session, delivery, message, conversation):
        delivery.state = "withdrawn"
        session.flush()
        return claim_delivery(session, channels)
    delivery.state = "sending"
    delivery.attempts += 1
    delivery.next_attempt_at = now() + CLAIM_EXPIRES
    reply = _reply(session, delivery, message, conversation)
    session.flush()
    return Due(
        delivery.id,
        found.channel,
        delivery.attempts,
        reply,
        version=delivery.version,
        external_id=delivery.external_id,
    )


def mark_sent(session: Session, delivery_id: UUID, external_id: str, version: int = 1) -> None:
    """The channel took it, under this id; what has changed meanwhile is due again."""
    delivery = session.get_one(Delivery, delivery_id, with_for_update=True, populate_existing=True)
    delivery.state = "sent"
    delivery.external_id = external_id
    delivery.error = None
    delivery.sent_at = now()
    delivery.sent_version = version
    if delivery.version > version:
        delivery.state = "pending"
        delivery.attempts = 0
        delivery.next_attempt_at = now() + REVISE_EVERY


def mark_failed(session: Session, delivery_id: UUID, error: DeliveryError) -> None:
    """Try again later, or give up where trying cannot help."""
    delivery = session.get_one(Delivery, delivery_id)
    told = str(error)[:500]
    # A channel that names the time to come back is well: waiting for it is no failure.
    tried_enough = delivery.attempts >= MAX_ATTEMPTS and error.retry_after_s is None
    if error.permanent or tried_enough:
        # The conversation's lock comes before its delivery's, as wherever else both are written.
        note_for_staff(session, delivery.conversation_id, f"Not delivered: {told}")
        delivery.state, delivery.error = "failed", told
        return
    delivery.error = told
    delivery.state = "pending"
    if error.retry_after_s is not None:
        delivery.attempts = max(delivery.attempts - 1, 1)
    wait_s = error.retry_after_s or backoff_s(delivery.attempts)
    delivery.next_attempt_at = now() + timedelta(seconds=wait_s)


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    """A reply that did not arrive, as the staff's page shows it."""

    id: UUID
    conversation: int
    inbox: str
    channel: str
    author: Author
    attempts: int
    error: str
    created_at: datetime


def failed_deliveries(
    session: Session, limit: int = 100, before: datetime | None = None
) -> list[FailedDelivery]:
    """Replies that were given up, the latest first."""
    query = (
        select(Delivery, Conversation.number, Inbox.name, Inbox.channel, Message.author)
        .join(Message, Message.id == Delivery.message_id)
        .join(Conversation, Conversation.id == Delivery.conversation_id)
        .join(Inbox, Inbox.id == Conversation.inbox_id)
        .where(Delivery.state == "failed")
        .order_by(Delivery.created_at.desc(), Delivery.id)
        .limit(limit)
    )
    if before is not None:
        query = query.where(Delivery.created_at < before)
    return [
        FailedDelivery(
            delivery.id,
            number,
            inbox,
            channel,
            author,
            delivery.attempts,
            delivery.error or "",
            delivery.created_at,
        )
        for delivery, number, inbox, channel, author in session.execute(query)
    ]


def send_again(session: Session, delivery_id: UUID) -> bool:
    """Have a failed delivery tried anew, from the beginning; False if it is none.

    It goes out whoever owns the conversation now: a person asked for it.
    """
    query = select(Delivery).where(Delivery.id == delivery_id, Delivery.state == "failed")
    delivery = session.scalars(query.with_for_update()).one_or_none()
    if delivery is None:
        return False
    delivery.state = "pending"
    delivery.attempts = 0
    delivery.error = None
    delivery.next_attempt_at = now()
    delivery.epoch = session.get_one(Conversation, delivery.conversation_id).epoch
    session.flush()
    return True


def backoff_s(attempts: int) -> float:
    """Seconds until the next attempt: doubling, with up to a fifth of jitter."""
    wait_s = min(FIRST_BACKOFF_S * 2.0 ** (attempts - 1), LONGEST_BACKOFF_S)
    return wait_s * random.uniform(0.8, 1.0)


def _due(channels: list[str]) -> Select[UUID, ChannelName]:
    """The next delivery; to one place a conversation's messages go in their order."""
    earlier = aliased(Delivery)
    waits_for_another = exists().where(
        earlier.conversation_id == Delivery.conversation_id,
        earlier.destination_hash == Delivery.destination_hash,
        earlier.state.in_(("pending", "sending")),
        earlier.external_id.is_(None),
        tuple_(earlier.created_at, earlier.id) < tuple_(Delivery.created_at, Delivery.id),
    )
    return (
        select(Delivery.id, Inbox.channel)
        .join(Conversation, Conversation.id == Delivery.conversation_id)
        .join(Inbox, Inbox.id == func.coalesce(Delivery.via_inbox_id, Conversation.inbox_id))
        .where(
            Delivery.next_attempt_at <= now(),
            or_(Delivery.state == "pending", Delivery.state == "sending"),
            Inbox.channel.in_(channels),
            ~waits_for_another,
        )
        .order_by(Delivery.next_attempt_at)
        .limit(1)
        .with_for_update(of=Delivery, skip_locked=True)
    )


def _is_outdated(
    session: Session, delivery: Delivery, message: Message, conversation: Conversation
) -> bool:
    """What need not be seen any more, if nobody has seen it yet."""
    if delivery.external_id is not None:
        return False
    if delivery.kind == "card":
        return conversation.status not in ("open", "snoozed")
    if delivery.kind == "notice":
        return card_of(session, delivery) is None
    if delivery.kind == "transcript":
        return False
    taken = conversation.epoch != delivery.epoch and conversation.status in ("open", "snoozed")
    return message.author == "bot" and (taken or message.partial)


async def _deliver(sessions: async_sessionmaker[AsyncSession], channel: Channel, due: Due) -> None:
    try:
        async with asyncio.timeout(SEND_TIMEOUT.total_seconds()):
            external_id = await _hand_over(channel, due)
    except TimeoutError:
        await _fail(sessions, due, DeliveryError("The channel did not answer.", permanent=False))
    except DeliveryError as error:
        await _fail(sessions, due, error)
    except SQLAlchemyError:
        raise  # the database's failure, not the delivery's: its claim runs out and is taken again
    except Exception as error:  # one reply that cannot be sent must not keep back the others
        log.exception("unforeseen error delivery=%s", due.delivery_id)
        told = f"Something broke on our side ({type(error).__name__})."
        await _fail(sessions, due, DeliveryError(told, permanent=False))
    else:
        async with sessions.begin() as session:
            await session.run_sync(mark_sent, due.delivery_id, external_id, due.version)
        log.info("delivered delivery=%s attempt=%d", due.delivery_id, due.attempt)


async def _hand_over(channel: Channel, due: Due) -> str:
    if due.external_id is None:
        return await channel.send(due.reply)
    await channel.revise(due.external_id, due.reply)
    return due.external_id


async def _fail(sessions: async_sessionmaker[AsyncSession], due: Due, error: DeliveryError) -> None:
    async with sessions.begin() as session:
        await session.run_sync(mark_failed, due.delivery_id, error)
    log.warning(
        "not delivered delivery=%s attempt=%d permanent=%s",
        due.delivery_id,
        due.attempt,
        error.permanent,
    )


def _reply(
    session: Session, delivery: Delivery, message: Message, conversation: Conversation
) -> Reply:
    return Reply(
        conversation_id=conversation.id,
        message_id=message.id,
        inbox_id=delivery.via_inbox_id or conversation.inbox_id,
        destination=delivery.destination,
        text=_text(session, delivery, message),
        author=message.author,
        author_name=_author_name(session, message),
        citations=tuple(Citation(**citation) for citation in message.citations),
        partial=message.partial,
        attachments=_attachments(session, message) if delivery.kind == "reply" else (),
        attempt=delivery.attempts,
        kind=delivery.kind,
        delivery_id=delivery.id,
        queued_at=delivery.created_at,
        in_reply_to=_answered(session, message),
        thread=card_of(session, delivery) if delivery.kind == "notice" else None,
        is_growing=message.state == "growing",
        card=read_card(session, conversation) if delivery.kind == "card" else None,
    )


def _text(session: Session, delivery: Delivery, message: Message) -> str:
    if delivery.kind == "transcript":
        return mailed_transcript(session, delivery.conversation_id)
    return message.text


def _author_name(session: Session, message: Message) -> str | None:
    if message.agent_id:
        return session.get_one(Agent, message.agent_id).name
    if message.author == "contact":
        return session.get_one(Contact, message.contact_id).name or None
    return None


def _attachments(session: Session, message: Message) -> tuple[Attachment, ...]:
    query = select(AttachmentRow).where(AttachmentRow.message_id == message.id)
    return tuple(
        Attachment(row.name, row.media_type, base64.b64decode(row.content))
        for row in session.scalars(query.order_by(AttachmentRow.id))
    )


def _answered(session: Session, message: Message) -> str | None:
    """The external id of the message that this one answers: the contact's last one before it."""
    if message.reply_to is not None:
        return session.get_one(Message, message.reply_to).external_id
    query = (
        select(Message.external_id)
        .where(
            Message.conversation_id == message.conversation_id,
            Message.author == "contact",
            Message.seq < message.seq,
        )
        .order_by(Message.seq.desc())
        .limit(1)
    )
    return session.scalar(query)
