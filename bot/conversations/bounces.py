"""Delivery reports: they mark the delivery and the address, and are shown to the staff alone."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversations.incoming import Recorded, store_original
from bot.conversations.steps import append, lock
from bot.messages import IncomingMessage
from bot.tables import ContactIdentity, Conversation, Delivery, Message, now


@dataclass(frozen=True, slots=True)
class BounceNotice:
    """What a report says of one of our mails; `status` is an enhanced code (RFC 3463)."""

    status: str | None
    is_permanent: bool
    sent_id: str | None


def record_bounce(
    session: Session, message: IncomingMessage, conversation_id: UUID, notice: BounceNotice
) -> Recorded:
    """Store a report as a note in the conversation whose mail it is about, once."""
    conversation = lock(session, conversation_id)
    known = session.scalars(
        select(Message).where(
            Message.inbox_id == message.inbox_id, Message.external_id == message.external_id
        )
    ).one_or_none()
    if known is not None:
        return Recorded(known.conversation_id, known.id, known.seq, False, False)
    stored = append(session, conversation, "system", message.text, private=True)
    stored.external_id = message.external_id
    stored.is_automatic = True
    stored.sent_at = message.sent_at
    store_original(session, stored, message)
    if notice.is_permanent:
        _mark_delivery(session, conversation, notice)
        _mark_address(session, conversation, notice)
        if conversation.status in ("pending", "open"):
            conversation.waiting_since = conversation.waiting_since or now()
    session.flush()
    return Recorded(conversation.id, stored.id, conversation.last_seq, True, False)


def _mark_delivery(session: Session, conversation: Conversation, notice: BounceNotice) -> None:
    query = select(Delivery).where(Delivery.conversation_id == conversation.id)
    if notice.sent_id:
        query = query.where(Delivery.external_id == notice.sent_id)
    delivery = session.scalars(query.order_by(Delivery.created_at.desc()).limit(1)).first()
    if delivery is not None and delivery.state == "sent":
        delivery.state = "failed"
        delivery.error = f"The mail came back: {notice.status or 'no reason given'}"


def _mark_address(session: Session, conversation: Conversation, notice: BounceNotice) -> None:
    query = select(ContactIdentity).where(
        ContactIdentity.inbox_id == conversation.inbox_id,
        ContactIdentity.contact_id == conversation.contact_id,
    )
    for identity in session.scalars(query):
        identity.bounced_at = now()
        identity.bounce_status = notice.status
