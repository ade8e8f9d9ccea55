"""What a handoff card shows: how a conversation stands, read afresh whenever it is sent."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.messages import Citation, HandoffCard, Turn
from bot.tables import Agent, AnswerRun, Contact, Conversation, Delivery, Inbox, Message

SHOWN_TURNS = 4
DRAFT_QUOTES, LEAST_DRAFT_SCORE = 2, 0.3


def read_card(session: Session, conversation: Conversation) -> HandoffCard:
    """The conversation as the staff is shown it."""
    inbox = session.get_one(Inbox, conversation.inbox_id)
    assignee = session.get(Agent, conversation.assignee_id) if conversation.assignee_id else None
    run, found = _last_run(session, conversation.id)
    citations = tuple(Citation(**one) for one in found.get("citations", ()))
    draft, draft_id = _draft(citations), run
    if waiting := waiting_draft(session, conversation.id):
        draft, draft_id = waiting.text, waiting.id
    return HandoffCard(
        conversation_id=conversation.id,
        number=conversation.number,
        inbox=inbox.name,
        channel=inbox.channel,
        contact_name=session.get_one(Contact, conversation.contact_id).name,
        status=conversation.status,
        assignee=assignee.name if assignee else None,
        reason=conversation.handoff_reason or "",
        summary=conversation.summary,
        turns=_last_turns(session, conversation.id),
        citations=citations,
        draft=draft,
        draft_id=draft_id if draft else None,
    )


def draft_of(session: Session, conversation_id: UUID, run_id: UUID) -> str:
    """The draft that a card showed of a run, or "" where the run is not the conversation's."""
    run = session.get(AnswerRun, run_id)
    if run is None or run.conversation_id != conversation_id:
        return ""
    return _draft(tuple(Citation(**one) for one in _result(run).get("citations", ())))


def waiting_draft(session: Session, conversation_id: UUID) -> Message | None:
    """The bot's reply that waits for a person's approval."""
    query = (
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.state == "draft")
        .order_by(Message.seq.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def card_of(session: Session, delivery: Delivery) -> str | None:
    """The external id of the newest card of a notice's conversation in the same place."""
    query = (
        select(Delivery.external_id)
        .where(
            Delivery.conversation_id == delivery.conversation_id,
            Delivery.kind == "card",
            Delivery.destination_hash == delivery.destination_hash,
            Delivery.external_id.is_not(None),
        )
        .order_by(Delivery.created_at.desc())
        .limit(1)
    )
    return session.scalar(query)


def _last_run(session: Session, conversation_id: UUID) -> tuple[UUID | None, dict[str, Any]]:
    query = (
        select(AnswerRun)
        .where(AnswerRun.conversation_id == conversation_id, AnswerRun.state == "done")
        .order_by(AnswerRun.created_at.desc())
        .limit(1)
    )
    run = session.scalars(query).one_or_none()
    return (run.id, _result(run)) if run else (None, {})


def _result(run: AnswerRun) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run.result) if run.result else {}
    return found


def _draft(citations: tuple[Citation, ...]) -> str:
    """What the articles say that comes nearest: the company's own words, never the model's."""
    near = [one for one in citations if one.used or one.score >= LEAST_DRAFT_SCORE]
    quotes = [one.quote.strip() for one in near if one.quote.strip()]
    return "\n\n".join(dict.fromkeys(quotes[:DRAFT_QUOTES]))


def _last_turns(session: Session, conversation_id: UUID) -> tuple[Turn, ...]:
    query = (
        select(Message)
        .where(
            Message.conversation_id == conversation_id,
            Message.private.is_(False),
            Message.author.in_(("contact", "bot", "agent")),
        )
        .order_by(Message.seq.desc())
        .limit(SHOWN_TURNS)
    )
    return tuple(Turn(m.author, m.text) for m in reversed(list(session.scalars(query))))
