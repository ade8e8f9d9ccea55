"""Replies on their way out: claim, compare, send, mark; retried in this one place.

A chat visitor's browser reads the committed events itself and needs no delivery. For channels
that are written to, `conversations` leaves a `delivery` row beside each finished message.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.channel import Channel, DeliveryError
from bot.conversations import note_for_staff
from bot.messages import Author, Citation, Reply
from bot.tables import Agent, Conversation, Delivery, Inbox, Message, now

log = logging.getLogger(__name__)

# With the backoff below: for about a day, as a mail server's night may last.
MAX_ATTEMPTS = 32
SEND_TIMEOUT = timedelta(seconds=60)
# A row still `sending` after this belonged to a process that died: the channel reconciles.
CLAIM_EXPIRES = timedelta(seconds=120)
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 5.0, 3600.0


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed delivery. `attempt` counts from 1; above 1 an earlier send may have arrived."""

    delivery_id: UUID
    channel: str
    attempt: int
    reply: Reply


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
    query = (
        select(Delivery, Message, Conversation, Inbox)
        .join(Message, Message.id == Delivery.message_id)
        .join(Conversation, Conversation.id == Delivery.conversation_id)
        .join(Inbox, Inbox.id == Conversation.inbox_id)
        .where(
            Delivery.next_attempt_at <= now(),
            or_(Delivery.state == "pending", Delivery.state == "sending"),
            Inbox.channel.in_(channels),
        )
        .order_by(Delivery.next_attempt_at)
        .limit(1)
        .with_for_update(of=Delivery, skip_locked=True)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    delivery, message, conversation, inbox = found
    if _is_outdated(delivery, message, conversation):
        delivery.state = "withdrawn"
        session.flush()
        return claim_delivery(session, channels)
    delivery.state = "sending"
    delivery.attempts += 1
    delivery.next_attempt_at = now() + CLAIM_EXPIRES
    reply = _reply(session, delivery, message, conversation)
    session.flush()
    return Due(delivery.id, inbox.channel, delivery.attempts, reply)


def mark_sent(session: Session, delivery_id: UUID, external_id: str) -> None:
    """The channel took it, under this id."""
    delivery = session.get_one(Delivery, delivery_id)
    delivery.state = "sent"
    delivery.external_id = external_id
    delivery.error = None
    delivery.sent_at = now()


def mark_failed(session: Session, delivery_id: UUID, error: DeliveryError) -> None:
    """Try again later, or give up where trying cannot help."""
    delivery = session.get_one(Delivery, delivery_id)
    delivery.error = str(error)[:500]
    if error.permanent or delivery.attempts >= MAX_ATTEMPTS:
        delivery.state = "failed"
        note_for_staff(session, delivery.conversation_id, f"Not delivered: {delivery.error}")
        return
    delivery.state = "pending"
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


def _is_outdated(delivery: Delivery, message: Message, conversation: Conversation) -> bool:
    """A bot's reply that was not sent yet when a person took over."""
    taken = conversation.epoch != delivery.epoch and conversation.status in ("open", "snoozed")
    return message.author == "bot" and taken


async def _deliver(sessions: async_sessionmaker[AsyncSession], channel: Channel, due: Due) -> None:
    try:
        async with asyncio.timeout(SEND_TIMEOUT.total_seconds()):
            external_id = await channel.send(due.reply)
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
            await session.run_sync(mark_sent, due.delivery_id, external_id)
        log.info("delivered delivery=%s attempt=%d", due.delivery_id, due.attempt)


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
    agent = session.get(Agent, message.agent_id) if message.agent_id else None
    return Reply(
        conversation_id=conversation.id,
        message_id=message.id,
        inbox_id=conversation.inbox_id,
        destination=delivery.destination,
        text=message.text,
        author=message.author,
        author_name=agent.name if agent else None,
        citations=tuple(Citation(**citation) for citation in message.citations),
        partial=message.partial,
        attempt=delivery.attempts,
    )
