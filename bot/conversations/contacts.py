"""Contacts: block them, merge two that are one person, part them again.

A merge rewrites nothing: the merged contact points to the one that is kept. What each of them
wrote stays sealed by its own key, so both keys are kept, and erasing the person erases both.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.conversations.search_index import index_contact
from bot.conversations.steps import ConversationError, lock
from bot.conversations.tagging import close_as_spam
from bot.events import Advance
from bot.tables import Contact, Conversation, now

MAX_NAME_CHARS = 120


def block_contact(session: Session, contact_id: UUID) -> list[Advance]:
    """From now on what they write is kept and neither answered nor shown as work.

    Their conversations that are not resolved are closed as spam.
    """
    family = family_of(session, contact_id)
    for contact in _lock(session, family):
        contact.blocked_at = contact.blocked_at or now()
    query = (
        select(Conversation.id)
        .where(Conversation.contact_id.in_(family), Conversation.status != "resolved")
        .order_by(Conversation.id)
    )
    advances = []
    for conversation_id in session.scalars(query).all():
        conversation = lock(session, conversation_id)
        close_as_spam(session, conversation)
        advances.append(Advance(conversation.id, conversation.last_seq))
    session.flush()
    return advances


def unblock_contact(session: Session, contact_id: UUID) -> None:
    """What they write from now on is answered again."""
    for contact in _lock(session, family_of(session, contact_id)):
        contact.blocked_at = None
    session.flush()


def rename_contact(session: Session, contact_id: UUID, name: str) -> None:
    """Give a contact the name by which the staff knows them. Raises ConversationError."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise ConversationError(f"A name has 1 to {MAX_NAME_CHARS} printable characters.")
    contact = session.get_one(Contact, contact_id)
    contact.name = name
    session.flush()
    index_contact(session, contact)


def merge_contacts(session: Session, kept_id: UUID, other_id: UUID) -> None:
    """Two contacts are one person, known by the kept one's name. Raises ConversationError."""
    kept, other = root_of(session, kept_id), root_of(session, other_id)
    if kept == other:
        raise ConversationError("These are one contact already.")
    family = [*family_of(session, kept), *family_of(session, other)]
    for contact in _lock(session, family):
        contact.merged_into_id = None if contact.id == kept else kept
    session.flush()


def part_contacts(session: Session, contact_id: UUID) -> None:
    """Undo a merge: this contact is a person of their own again."""
    for contact in _lock(session, [contact_id]):
        contact.merged_into_id = None
    session.flush()


def root_of(session: Session, contact_id: UUID) -> UUID:
    """The contact that stands for the whole person. Raises ConversationError."""
    contact = session.get(Contact, contact_id)
    if contact is None:
        raise ConversationError("There is no such contact.")
    return contact.merged_into_id or contact.id


def family_of(session: Session, contact_id: UUID) -> Sequence[UUID]:
    """All contacts that are this person, the one that stands for them first."""
    root = root_of(session, contact_id)
    query = (
        select(Contact.id)
        .where(or_(Contact.id == root, Contact.merged_into_id == root))
        .order_by(Contact.merged_into_id.is_not(None), Contact.id)
    )
    return session.scalars(query).all()


def _lock(session: Session, ids: Sequence[UUID]) -> Sequence[Contact]:
    # In one order, so that two merges at once wait for each other and do not lock each other out.
    query = select(Contact).where(Contact.id.in_(ids)).order_by(Contact.id).with_for_update()
    return session.scalars(query).all()
