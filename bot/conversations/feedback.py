"""What the customer thinks, and the transcript that they ask for."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from bot.conversations.deliveries import deliver_transcript
from bot.conversations.steps import ConversationError, keyed_hash, lock, record_event
from bot.events import Advance
from bot.tables import Conversation, Delivery, Feedback, Message, new_id, now

# Whoever is mailed to may not have asked: so many a day at most, whoever asks.
TRANSCRIPTS_TO_ADDRESS = 5
TRANSCRIPTS_OF_CONVERSATION = 5
ONE_DAY = timedelta(days=1)


def judge_message(
    session: Session, conversation_id: UUID, message_id: UUID, score: int, reason: str
) -> Advance:
    """Keep what the customer thinks of a reply: 1 or -1, and why; the latest stands."""
    conversation = lock(session, conversation_id)
    message = session.get(Message, message_id)
    is_reply = message is not None and message.author in ("bot", "agent") and not message.private
    if message is None or not is_reply or message.conversation_id != conversation_id:
        raise ConversationError("There is no such reply in this conversation.")
    return _keep(session, conversation, message, score, reason)


def rate_conversation(session: Session, conversation_id: UUID, score: int, reason: str) -> Advance:
    """Keep the customer's rating of the conversation, 1 to 5; the latest stands."""
    return _keep(session, lock(session, conversation_id), None, score, reason)


def send_transcript(
    session: Session, conversation_id: UUID, address: str, inbox_id: UUID
) -> Advance:
    """Mail the conversation to an address through an e-mail inbox. Raises ConversationError."""
    conversation = lock(session, conversation_id)
    sent_there = _count(
        session, Delivery.destination_hash == keyed_hash(session, "thread", address)
    )
    sent_of_it = _count(session, Delivery.conversation_id == conversation_id)
    if sent_there >= TRANSCRIPTS_TO_ADDRESS or sent_of_it >= TRANSCRIPTS_OF_CONVERSATION:
        raise ConversationError("Enough transcripts were sent today; try again tomorrow.")
    if not deliver_transcript(session, conversation, address, inbox_id):
        raise ConversationError("There is nothing to send yet.")
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def _keep(
    session: Session, conversation: Conversation, message: Message | None, score: int, reason: str
) -> Advance:
    message_id = message.id if message else None
    query = select(Feedback).where(
        Feedback.conversation_id == conversation.id,
        Feedback.message_id.is_not_distinct_from(message_id),
    )
    row = session.scalars(query).one_or_none()
    if row is None:
        row = Feedback(
            id=new_id(),
            conversation_id=conversation.id,
            message_id=message_id,
            contact_id=conversation.contact_id,
        )
    row.score = score
    row.reason = reason
    session.add(row)
    # The staff's pages hear of it; the words stand in the table alone.
    record_event(session, conversation, "feedback", message, data={"score": score})
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def _count(session: Session, which: ColumnElement[bool]) -> int:
    query = select(func.count()).where(
        Delivery.kind == "transcript", Delivery.created_at > now() - ONE_DAY, which
    )
    return session.scalar(query) or 0
