"""Deletes a conversation for good, and remembers by keyed hashes alone not to take it in again."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.conversations.steps import keyed_hash, lock
from bot.tables import Conversation, ForgottenMail, Message, now


def delete_conversation(session: Session, conversation_id: UUID) -> None:
    """Delete messages, originals, files and deliveries. Raises ConversationError."""
    conversation = lock(session, conversation_id)
    query = select(Message.external_id).where(
        Message.conversation_id == conversation_id, Message.external_id.is_not(None)
    )
    for external_id in session.scalars(query):
        row = {
            "inbox_id": conversation.inbox_id,
            "mail_hash": keyed_hash(session, "forgotten", str(external_id)),
            "created_at": now(),
        }
        session.execute(insert(ForgottenMail).values(**row).on_conflict_do_nothing())
    session.execute(
        update(Conversation)
        .where(Conversation.previous_id == conversation_id)
        .values(previous_id=None)
    )
    # Messages point at each other; the pointers go first, then all that hangs on the row.
    session.execute(
        update(Message)
        .where(Message.conversation_id == conversation_id)
        .values(reply_to=None, answered_by=None)
    )
    session.execute(delete(Conversation).where(Conversation.id == conversation_id))
    session.expire_all()


_FORGOTTEN = select(ForgottenMail.created_at).where(
    ForgottenMail.inbox_id == bindparam("inbox_id"),
    ForgottenMail.mail_hash == bindparam("mail_hash"),
)


def is_forgotten(session: Session, inbox_id: UUID, external_id: str) -> bool:
    """Whether this message belonged to a conversation that was deleted."""
    mail_hash = keyed_hash(session, "forgotten", external_id)
    return session.scalar(_FORGOTTEN, {"inbox_id": inbox_id, "mail_hash": mail_hash}) is not None
