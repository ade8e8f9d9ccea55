"""Conversations as lists show them: one query a page, whatever the number of conversations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Select, exists, false, func, lateral, or_, select, true
from sqlalchemy.orm import Session, aliased

from bot.conversations import tags_of
from bot.dashboard import desk_payloads as payloads
from bot.tables import Agent, Contact, ContactIdentity, Conversation, Inbox, Mention, Message

PREVIEW_CHARS = 160
RowQuery = Select[Conversation, Inbox, Contact, Message, str, bool]

Person = aliased(Contact)
"""The contact that stands for the person, where the conversation's own was merged into it."""
_Said, _Draft = aliased(Message), aliased(Message)
_newest = lateral(
    select(_Said.id)
    .where(
        _Said.conversation_id == Conversation.id,
        _Said.state.not_in(("replaced", "discarded", "approved")),
        # Whoever waits for a person is shown with their own words: not with the bot's farewell or
        # a reminder of ours.
        _Said.author != "system",
        or_(Conversation.waiting_since.is_(None), _Said.author == "contact"),
    )
    .order_by(_Said.seq.desc())
    .limit(1)
).alias("newest")
_has_draft = exists().where(_Draft.conversation_id == Conversation.id, _Draft.state == "draft")


def row_query() -> RowQuery:
    """What a row is made of; whoever asks adds where, order and limit."""
    return (
        select(Conversation, Inbox, Person, Message, Agent.name, _has_draft)
        .join(Inbox, Inbox.id == Conversation.inbox_id)
        .join(Contact, Contact.id == Conversation.contact_id)
        .join(Person, Person.id == func.coalesce(Contact.merged_into_id, Contact.id))
        .outerjoin(Agent, Agent.id == Conversation.assignee_id)
        .outerjoin(_newest, true())
        .outerjoin(Message, Message.id == _newest.c.id)
    )


def read_rows(session: Session, query: RowQuery) -> list[payloads.Row]:
    """The rows of a query, in its order."""
    found = session.execute(query).all()
    ids = [conversation.id for conversation, *_ in found]
    tags, calls = tags_of(session, ids), _calls(session, ids)
    names = names_of(session, [person for _, _, person, *_ in found])
    return [
        payloads.Row(
            number=conversation.number,
            seq=conversation.last_seq,
            inbox=inbox.name,
            channel=inbox.channel,
            contact=payloads.Person(id=str(person.id), name=names[person.id]),
            status=conversation.status,
            assignee=_assignee(conversation, agent),
            tags=tags.get(conversation.id, []),
            language=conversation.language,
            waiting_since=conversation.waiting_since,
            snoozed_until=conversation.snoozed_until,
            updated_at=conversation.updated_at,
            is_spam=conversation.spam_at is not None,
            is_reminded=_is_reminded(conversation),
            handoff_reason=conversation.handoff_reason,
            has_draft=has_draft,
            calls=calls.get(conversation.id, []),
            preview=_preview(message),
        )
        for conversation, inbox, person, message, agent, has_draft in found
    ]


def read_row(session: Session, conversation_id: UUID) -> payloads.Row | None:
    """One conversation's row, or None."""
    rows = read_rows(session, row_query().where(Conversation.id == conversation_id))
    return rows[0] if rows else None


def names_of(session: Session, contacts: Iterable[Contact]) -> dict[UUID, str]:
    """What to call each contact: their name, else their address, else that they are a visitor."""
    unnamed = {contact.id: contact for contact in contacts}
    names = {each.id: each.name for each in unnamed.values() if each.name}
    for contact_id in names:
        del unnamed[contact_id]
    query = (
        select(ContactIdentity, Inbox.channel)
        .join(Inbox, Inbox.id == ContactIdentity.inbox_id)
        .where(ContactIdentity.contact_id.in_(list(unnamed)) if unnamed else false())
        .order_by(ContactIdentity.created_at)
    )
    for identity, channel in session.execute(query) if unnamed else ():
        if channel == "email":
            names.setdefault(identity.contact_id, identity.address)
    return names | {each: f"Visitor {each.hex[-4:]}" for each in unnamed if each not in names}


def _calls(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    query = (
        select(Mention.conversation_id, Mention.agent_id)
        .where(Mention.conversation_id.in_(ids), Mention.seen_at.is_(None))
        .distinct()
    )
    found: dict[UUID, list[str]] = {}
    for row in session.execute(query):
        found.setdefault(row.conversation_id, []).append(str(row.agent_id))
    return found


def _assignee(conversation: Conversation, name: str | None) -> payloads.Person | None:
    if conversation.assignee_id is None:
        return None
    return payloads.Person(id=str(conversation.assignee_id), name=name or "")


def _is_reminded(conversation: Conversation) -> bool:
    since, reminded = conversation.waiting_since, conversation.reminded_at
    return since is not None and reminded is not None and reminded >= since


def _preview(message: Message | None) -> payloads.Preview | None:
    if message is None:
        return None
    return payloads.Preview(
        author=message.author,
        text=" ".join(message.text.split())[:PREVIEW_CHARS],
        private=message.private,
        at=message.created_at,
    )
