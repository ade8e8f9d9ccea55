"""The blind index: words as keyed hashes, so that sealed text can be searched and not read.

A term is 64 bits of HMAC-SHA-256 under the index key. Words are folded and stemmed as for
articles; scripts without spaces become characters and pairs of characters (`bot.knowledge.terms`).
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.knowledge.terms import MAX_TERMS, query_terms, terms
from bot.sealing import keyring_of
from bot.tables import Contact, ContactIdentity, ContactTerms, Message, MessageTerms

TERM_BYTES = 8


def terms_of_message(session: Session, message: Message) -> MessageTerms:
    """The row that makes a new message findable by its words."""
    return MessageTerms(
        message_id=message.id,
        conversation_id=message.conversation_id,
        terms=hash_terms(session, terms(message.text)),
    )


def index_message(session: Session, message: Message) -> None:
    """Make a message findable by its words, from this transaction on. Twice does no harm."""
    row = terms_of_message(session, message)
    session.execute(
        insert(MessageTerms)
        .values(message_id=row.message_id, conversation_id=row.conversation_id, terms=row.terms)
        .on_conflict_do_update(index_elements=["message_id"], set_={"terms": row.terms})
    )


def index_contact(session: Session, contact: Contact) -> None:
    """Make a contact findable by name and addresses."""
    query = select(ContactIdentity).where(ContactIdentity.contact_id == contact.id)
    said = [contact.name, *(identity.address for identity in session.scalars(query))]
    hashes = hash_terms(session, [term for text in said for term in terms(text)])
    session.execute(
        insert(ContactTerms)
        .values(contact_id=contact.id, terms=hashes)
        .on_conflict_do_update(index_elements=["contact_id"], set_={"terms": hashes})
    )


def index_older_messages(session: Session, limit: int = 500) -> int:
    """Index some of the messages that are not indexed yet; how many. 0 means: all are."""
    is_missing = (
        ~select(MessageTerms.message_id).where(MessageTerms.message_id == Message.id).exists()
    )
    found = session.scalars(
        select(Message).where(is_missing).order_by(Message.id).limit(limit)
    ).all()
    for message in found:
        index_message(session, message)
    return len(found)


def index_older_contacts(session: Session, limit: int = 500) -> int:
    """The same for contacts."""
    is_missing = (
        ~select(ContactTerms.contact_id).where(ContactTerms.contact_id == Contact.id).exists()
    )
    found = session.scalars(
        select(Contact).where(is_missing).order_by(Contact.id).limit(limit)
    ).all()
    for contact in found:
        index_contact(session, contact)
    return len(found)


def messages_with(
    session: Session, asked: str, *, before: UUID | None = None, limit: int = 200
) -> Sequence[UUID]:
    """Ids of messages that hold every word of the question, the newest first.

    Message ids are ordered by time, so `before` is the last id of the page before.
    """
    hashes = hash_terms(session, query_terms(asked))
    if not hashes:
        return []
    query = select(MessageTerms.message_id).where(MessageTerms.terms.contains(hashes))
    if before is not None:
        query = query.where(MessageTerms.message_id < before)
    return session.scalars(query.order_by(MessageTerms.message_id.desc()).limit(limit)).all()


def contacts_with(session: Session, asked: str, limit: int = 50) -> Sequence[UUID]:
    """Ids of contacts whose name or addresses hold every word."""
    hashes = hash_terms(session, terms(asked))
    if not hashes:
        return []
    query = select(ContactTerms.contact_id).where(ContactTerms.terms.contains(hashes))
    return session.scalars(query.order_by(ContactTerms.contact_id.desc()).limit(limit)).all()


def hash_terms(session: Session, found: Sequence[str]) -> list[int]:
    """The different terms as keyed hashes, in order of their value: the words' order is lost."""
    keyring = keyring_of(session)
    different = list(dict.fromkeys(found))[:MAX_TERMS]
    digests = (keyring.keyed_hash(session, "search", term) for term in different)
    return sorted({int.from_bytes(digest[:TERM_BYTES], "big", signed=True) for digest in digests})
