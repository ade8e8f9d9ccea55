"""What people do: take over, answer, assign, give back, snooze, resolve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversations.deliveries import refresh_cards, tell_staff
from bot.conversations.steps import (
    ConversationError,
    append,
    change_status,
    find_by_client_id,
    finish_growing,
    give_to_people,
    lock,
    mark_answered,
    note_reply,
    record_event,
    store_attachments,
    unanswered,
)
from bot.events import Advance
from bot.messages import Attachment
from bot.tables import Conversation, now


def take_over(session: Session, conversation_id: UUID, agent_id: UUID) -> Advance:
    """Make the agent the owner. From this commit on no run of the bot writes anything."""
    conversation = lock(session, conversation_id)
    if conversation.status == "resolved":
        raise ConversationError("The conversation is resolved; reply to it to open it again.")
    conversation.assignee_id = agent_id
    if conversation.status == "pending":
        give_to_people(session, conversation, "taken_over")
    else:
        record_event(session, conversation, "assigned", None)
        refresh_cards(session, conversation)
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def assign(session: Session, conversation_id: UUID, agent_id: UUID | None) -> Advance:
    """Change the assignee; a conversation of the bot's goes to people with it."""
    if agent_id is not None:
        return take_over(session, conversation_id, agent_id)
    conversation = lock(session, conversation_id)
    conversation.assignee_id = None
    record_event(session, conversation, "assigned", None)
    refresh_cards(session, conversation)
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def hand_off(session: Session, conversation_id: UUID, reason: str) -> Advance:
    """Give a conversation of the bot's to people; harmless when they have it already."""
    conversation = lock(session, conversation_id)
    if conversation.status == "pending":
        give_to_people(session, conversation, reason)
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def give_back(session: Session, conversation_id: UUID) -> Advance:
    """Return the conversation to the bot, which then answers what is still unanswered."""
    conversation = lock(session, conversation_id)
    if conversation.status not in ("open", "snoozed"):
        raise ConversationError(f"The conversation is {conversation.status}, not a person's.")
    conversation.assignee_id = None
    conversation.waiting_since = None
    conversation.failures = 0
    change_status(session, conversation, "pending")
    left = unanswered(session, conversation)
    conversation.unanswered_since = left[0].created_at if left else None
    session.flush()
    return Advance(conversation.id, conversation.last_seq, bool(left))


def resolve(session: Session, conversation_id: UUID) -> Advance:
    """Close the matter; a later message opens it again or begins a new conversation."""
    conversation = lock(session, conversation_id)
    if conversation.status != "resolved":
        finish_growing(session, conversation)
        mark_answered(session, conversation, None)
        conversation.resolved_at = now()
        conversation.waiting_since = None
        conversation.unanswered_since = None
        change_status(session, conversation, "resolved")
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def reopen(session: Session, conversation_id: UUID, agent_id: UUID) -> Advance:
    """The agent goes on with what was resolved, put aside or taken for spam."""
    conversation = lock(session, conversation_id)
    if conversation.status in ("resolved", "snoozed"):
        conversation.resolved_at = conversation.snoozed_until = conversation.spam_at = None
        conversation.assignee_id = agent_id
        change_status(session, conversation, "open")
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def snooze(session: Session, conversation_id: UUID, until: datetime) -> Advance:
    """Put a person's conversation aside until a time or the contact's next message."""
    conversation = lock(session, conversation_id)
    if conversation.status not in ("open", "snoozed"):
        raise ConversationError(f"The conversation is {conversation.status}, not a person's.")
    conversation.snoozed_until = until
    change_status(session, conversation, "snoozed")
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def wake_snoozed(session: Session) -> list[Advance]:
    """Open the conversations whose snooze is over."""
    query = (
        select(Conversation)
        .where(Conversation.status == "snoozed", Conversation.snoozed_until < now())
        .with_for_update(skip_locked=True)
        .limit(100)
    )
    advances = []
    for conversation in session.scalars(query):
        conversation.snoozed_until = None
        conversation.waiting_since = conversation.waiting_since or now()
        change_status(session, conversation, "open")
        advances.append(Advance(conversation.id, conversation.last_seq))
    session.flush()
    return advances


def reply_as_agent(
    session: Session,
    conversation_id: UUID,
    agent_id: UUID,
    text: str,
    *,
    private: bool = False,
    client_id: str | None = None,
    attachments: Sequence[Attachment] = (),
) -> Advance:
    """Write as a person; a note if `private`, else a reply, which also takes the conversation.

    The same `client_id` twice writes once.
    """
    if not text.strip():
        raise ConversationError("The message is empty.")
    conversation = lock(session, conversation_id)
    if client_id and find_by_client_id(session, conversation, client_id):
        return Advance(conversation.id, conversation.last_seq)
    if not private:
        conversation.assignee_id = conversation.assignee_id or agent_id
        if conversation.status == "pending":
            give_to_people(session, conversation, "taken_over")
        elif conversation.status != "open":
            conversation.resolved_at = conversation.snoozed_until = conversation.spam_at = None
            change_status(session, conversation, "open")
    message = append(session, conversation, "agent", text, private=private)
    message.agent_id = agent_id
    message.client_id = client_id
    store_attachments(session, message, attachments)
    session.flush()
    if not private:
        conversation.waiting_since = None
        mark_answered(session, conversation, message.id)
        note_reply(session, conversation, message)
        tell_staff(session, conversation, message)
        refresh_cards(session, conversation)
    session.flush()
    return Advance(conversation.id, conversation.last_seq)
