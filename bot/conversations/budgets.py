"""Budgets of automatic replies: what stops two machines that write to each other (promise 10).

The ledger stands in Postgres and is written with the claim, so that workers that run at the same
time, crashes and a wiped Redis change nothing. When a budget is spent, people take over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from bot.conversations.steps import policy_of_inbox
from bot.policy import Budgets
from bot.tables import (
    AutomaticReply,
    ContactIdentity,
    Conversation,
    Message,
    Original,
    now,
)

# Machines that answer each other slowly are still one exchange; people come back to a subject.
SAME_TOPIC_WITHIN = timedelta(days=7)


def spend(session: Session, conversation: Conversation, batch: Sequence[Message]) -> str | None:
    """Count one automatic reply to these messages; if a budget forbids it, say which.

    A reply that was begun before and died is not counted again.
    """
    policy = policy_of_inbox(session, conversation.inbox_id)
    if policy.budgets is None or policy.mode == "draft" or _is_counted(session, batch):
        return None
    sender = _sender_hash(session, conversation)
    _lock(session, sender)
    topic = session.scalar(select(Original.topic_hash).where(Original.message_id == batch[-1].id))
    spent = _spent_budget(session, conversation, policy.budgets, sender, topic)
    if spent is None:
        row = AutomaticReply(
            reply_to=batch[-1].id,
            inbox_id=conversation.inbox_id,
            conversation_id=conversation.id,
            sender_hash=sender,
            topic_hash=topic,
            created_at=now(),
        )
        session.add(row)
        session.flush()
    return spent


def _spent_budget(
    session: Session,
    conversation: Conversation,
    budgets: Budgets,
    sender: bytes,
    topic: bytes | None,
) -> str | None:
    current = now()
    if _count(session, _of_thread(session, conversation.id, topic)) >= budgets.per_thread:
        return "budget_thread"
    for window, most in budgets.per_sender:
        if _count(session, AutomaticReply.sender_hash == sender, current - window) >= most:
            return "budget_sender"
    of_inbox = AutomaticReply.inbox_id == conversation.inbox_id
    for window, most in budgets.per_mailbox:
        if _count(session, of_inbox, current - window) >= most:
            return "budget_mailbox"
    return None


def _of_thread(session: Session, conversation_id: UUID, topic: bytes | None) -> ColumnElement[bool]:
    """Replies in this conversation, or to this sender about this subject, since people wrote."""
    person_wrote = session.scalar(
        select(func.max(Message.created_at)).where(
            Message.conversation_id == conversation_id,
            Message.author == "agent",
            Message.private.is_(False),
        )
    )
    here = AutomaticReply.conversation_id == conversation_id
    if person_wrote is not None:
        return here & (AutomaticReply.created_at > person_wrote)
    if topic is None:
        return here
    recent = AutomaticReply.created_at > now() - SAME_TOPIC_WITHIN
    return or_(here, (AutomaticReply.topic_hash == topic) & recent)


def _count(session: Session, which: ColumnElement[bool], since: datetime | None = None) -> int:
    query = select(func.count()).select_from(AutomaticReply).where(which)
    if since is not None:
        query = query.where(AutomaticReply.created_at > since)
    return session.scalar(query) or 0


def _is_counted(session: Session, batch: Sequence[Message]) -> bool:
    ids = [message.id for message in batch]
    query = select(AutomaticReply.reply_to).where(AutomaticReply.reply_to.in_(ids)).limit(1)
    return session.scalar(query) is not None


def _sender_hash(session: Session, conversation: Conversation) -> bytes:
    """The same for one address in all inboxes: the budget is the sender's."""
    query = (
        select(ContactIdentity.address_hash)
        .where(
            ContactIdentity.inbox_id == conversation.inbox_id,
            ContactIdentity.contact_id == conversation.contact_id,
        )
        .order_by(ContactIdentity.created_at.desc())
        .limit(1)
    )
    return session.scalars(query).one()


def _lock(session: Session, sender: bytes) -> None:
    # Two workers that claim two threads of one sender must count one after the other.
    session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(f"budget|{sender.hex()}", 0)))
    )
