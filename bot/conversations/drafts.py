"""Drafts of the bot that wait for a person: approved, as they are or edited, or discarded."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.conversations.claims import DRAFTED
from bot.conversations.deliveries import refresh_cards, tell_staff
from bot.conversations.steps import (
    ConversationError,
    append,
    change_status,
    lock,
    note_reply,
    record_event,
    unanswered,
)
from bot.events import Advance
from bot.tables import Conversation, Message


def approve_draft(
    session: Session, conversation_id: UUID, agent_id: UUID, text: str | None = None
) -> Advance:
    """Send the waiting draft as this person's reply, with `text` instead of it if given.

    A conversation that nobody had taken goes back to the bot, which drafts the next reply.
    """
    conversation = lock(session, conversation_id)
    draft = _waiting_draft(session, conversation)
    if text is not None and not text.strip():
        raise ConversationError("The message is empty.")
    message = append(session, conversation, "agent", text or draft.text)
    message.agent_id = agent_id
    message.citations = list(draft.citations)
    session.flush()
    _mark_answered(session, conversation, draft, message)
    _close(session, conversation, draft, "approved")
    note_reply(session, conversation, message)
    tell_staff(session, conversation, message)
    refresh_cards(session, conversation)
    left = unanswered(session, conversation)
    if conversation.status == "open":
        conversation.waiting_since = left[0].created_at if left else None
    if conversation.handoff_reason == DRAFTED and conversation.assignee_id is None:
        _give_to_bot(session, conversation, left)
    session.flush()
    due = conversation.status == "pending" and bool(left)
    return Advance(conversation.id, conversation.last_seq, due)


def discard_draft(session: Session, conversation_id: UUID, agent_id: UUID) -> Advance:
    """Set the waiting draft aside: the person answers in their own words."""
    conversation = lock(session, conversation_id)
    draft = _waiting_draft(session, conversation)
    _close(session, conversation, draft, "discarded")
    conversation.assignee_id = conversation.assignee_id or agent_id
    session.flush()
    return Advance(conversation.id, conversation.last_seq)


def _waiting_draft(session: Session, conversation: Conversation) -> Message:
    query = (
        select(Message)
        .where(Message.conversation_id == conversation.id, Message.state == "draft")
        .order_by(Message.seq.desc())
        .limit(1)
    )
    draft = session.scalars(query).one_or_none()
    if draft is None:
        raise ConversationError("No draft waits in this conversation.")
    return draft


def _close(session: Session, conversation: Conversation, draft: Message, state: str) -> None:
    draft.state = state
    draft.reply_to = None  # so that the bot may reply to the same message again
    record_event(session, conversation, "draft", draft, data={"state": state})


def _mark_answered(
    session: Session, conversation: Conversation, draft: Message, answer: Message
) -> None:
    """What the draft answered is answered; what came after it is not."""
    session.execute(
        update(Message)
        .where(
            Message.conversation_id == conversation.id,
            Message.state == "received",
            Message.seq < draft.seq,
        )
        .values(state="answered", answered_by=answer.id)
    )


def _give_to_bot(session: Session, conversation: Conversation, left: list[Message]) -> None:
    conversation.waiting_since = None
    change_status(session, conversation, "pending")
    conversation.unanswered_since = left[0].created_at if left else None
