"""Private notes: what the staff writes to each other, and whom a note calls by `@name`."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.conversations.steps import ConversationError, append, find_by_client_id, lock
from bot.events import Advance
from bot.tables import Agent, Mention, now


def write_note(
    session: Session,
    conversation_id: UUID,
    agent_id: UUID,
    text: str,
    *,
    client_id: str | None = None,
) -> tuple[Advance, list[UUID]]:
    """Write a note for the staff alone; also returns the agents whom it calls.

    The same `client_id` twice writes once. Raises ConversationError for an empty note.
    """
    if not text.strip():
        raise ConversationError("The note is empty.")
    conversation = lock(session, conversation_id)
    if client_id and find_by_client_id(session, conversation, client_id):
        return Advance(conversation.id, conversation.last_seq), []
    note = append(session, conversation, "agent", text, private=True)
    note.agent_id = agent_id
    note.client_id = client_id
    called = [each for each in mentioned(session, text) if each != agent_id]
    session.add_all(
        Mention(message_id=note.id, agent_id=each, conversation_id=conversation.id)
        for each in called
    )
    session.flush()
    return Advance(conversation.id, conversation.last_seq), called


def mentioned(session: Session, text: str) -> list[UUID]:
    """The agents whom a text calls: `@` and their whole name, the longest name that fits."""
    found: list[UUID] = []
    rest = text.casefold()
    names = session.execute(select(Agent.id, Agent.name)).all()
    for agent_id, name in sorted(names, key=lambda row: -len(row.name)):
        call = f"@{name.casefold()}"
        if call in rest:
            found.append(agent_id)
            rest = rest.replace(call, " ")
    return found


def see_mentions(session: Session, conversation_id: UUID, agent_id: UUID) -> None:
    """The agent opened the conversation: nothing in it calls them any more."""
    session.execute(
        update(Mention)
        .where(
            Mention.conversation_id == conversation_id,
            Mention.agent_id == agent_id,
            Mention.seen_at.is_(None),
        )
        .values(seen_at=now())
    )
