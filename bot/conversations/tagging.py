"""Tags of a conversation, and whether it is spam."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.conversations.steps import (
    ConversationError,
    change_status,
    finish_growing,
    lock,
    mark_answered,
    record_event,
)
from bot.events import Advance
from bot.tables import Conversation, ConversationTag, Tag, new_id, now

MAX_TAG_CHARS = 40
MAX_TAGS = 20


def tag(
    session: Session,
    conversation_id: UUID,
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
) -> Advance:
    """Change a conversation's tags; a new word becomes a tag. Raises ConversationError."""
    conversation = lock(session, conversation_id)
    for name in add:
        row = {"conversation_id": conversation.id, "tag_id": _find_or_add(session, name)}
        session.execute(
            insert(ConversationTag).values(**row, created_at=now()).on_conflict_do_nothing()
        )
    if remove:
        ids = select(Tag.id).where(Tag.name.in_([_normal(name) for name in remove]))
        session.execute(
            delete(ConversationTag).where(
                ConversationTag.conversation_id == conversation.id,
                ConversationTag.tag_id.in_(ids),
            )
        )
    names = tags_of(session, [conversation.id]).get(conversation.id, [])
    if len(names) > MAX_TAGS:
        raise ConversationError(f"A conversation bears {MAX_TAGS} tags at most.")
    record_event(session, conversation, "tags", None, data={"tags": names})
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def tags_of(session: Session, conversation_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Tags by conversation, in the alphabet's order."""
    query = (
        select(ConversationTag.conversation_id, Tag.name)
        .join(Tag, Tag.id == ConversationTag.tag_id)
        .where(ConversationTag.conversation_id.in_(conversation_ids))
        .order_by(Tag.name)
    )
    found: dict[UUID, list[str]] = {}
    for row in session.execute(query):
        found.setdefault(row.conversation_id, []).append(row.name)
    return found


def mark_spam(session: Session, conversation_id: UUID) -> Advance:
    """Put a conversation away: nobody is called for it, and what still comes stays with it."""
    conversation = lock(session, conversation_id)
    close_as_spam(session, conversation)
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def unmark_spam(session: Session, conversation_id: UUID) -> Advance:
    """It was no spam: a person has it before them again."""
    conversation = lock(session, conversation_id)
    if conversation.spam_at is not None:
        conversation.spam_at = None
        conversation.resolved_at = None
        conversation.waiting_since = now()
        change_status(session, conversation, "open")
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def close_as_spam(session: Session, conversation: Conversation) -> None:
    if conversation.spam_at is not None:
        return
    finish_growing(session, conversation)
    mark_answered(session, conversation, None)
    conversation.spam_at = conversation.resolved_at = now()
    conversation.waiting_since = conversation.unanswered_since = None
    conversation.snoozed_until = None
    change_status(session, conversation, "resolved")


def _find_or_add(session: Session, name: str) -> UUID:
    name = _normal(name)
    session.execute(
        insert(Tag).values(id=new_id(), name=name, created_at=now()).on_conflict_do_nothing()
    )
    return session.scalars(select(Tag.id).where(Tag.name == name)).one()


def _normal(name: str) -> str:
    name = " ".join(name.split()).casefold()
    if not name or len(name) > MAX_TAG_CHARS or not name.isprintable():
        raise ConversationError(f"A tag has 1 to {MAX_TAG_CHARS} printable characters.")
    return name
