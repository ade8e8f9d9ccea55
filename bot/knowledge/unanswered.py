"""What customers asked and the bot could not answer, and what people then answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.sealing import SealingError
from bot.tables import AnswerRun, ArticleDraft, Contact, Conversation, Message, SettledQuestion

REASONS = ("no_evidence", "partly", "failed", "engine")
"""Why a run handed over for want of knowledge; who wants a person lacks no article."""
MOST = 300


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question of a contact; `evidence` is what the search found for it, best first."""

    run_id: UUID
    conversation_id: UUID
    number: int
    text: str
    language: str
    at: datetime
    evidence: Sequence[dict[str, Any]]
    draft_id: UUID | None


@dataclass(frozen=True, slots=True)
class StaffReply:
    """What a person wrote to the contact after the bot had handed over."""

    conversation_id: UUID
    contact_id: UUID
    contact_name: str
    text: str


def read_unanswered(session: Session, since: datetime) -> list[Unanswered]:
    """Newest first. What was dismissed, or closed by a published article, is left out."""
    query = (
        select(AnswerRun, Conversation.number, SettledQuestion.draft_id)
        .join(Conversation, Conversation.id == AnswerRun.conversation_id)
        .outerjoin(SettledQuestion, SettledQuestion.run_id == AnswerRun.id)
        .outerjoin(ArticleDraft, ArticleDraft.id == SettledQuestion.draft_id)
        .where(
            AnswerRun.action == "handoff",
            AnswerRun.reason.in_(REASONS),
            AnswerRun.created_at > since,
            Conversation.spam_at.is_(None),
            or_(SettledQuestion.run_id.is_(None), ArticleDraft.state == "open"),
        )
        .order_by(AnswerRun.created_at.desc())
        .limit(MOST)
    )
    found = []
    for run, number, draft_id in session.execute(query):
        assert run.conversation_id is not None, "it was joined by it"
        if text := _question(run):
            found.append(
                Unanswered(
                    run.id,
                    run.conversation_id,
                    number,
                    text,
                    run.language or "",
                    run.created_at,
                    run.evidence,
                    draft_id,
                )
            )
    return found


def questions_of(session: Session, run_ids: Sequence[UUID]) -> list[str]:
    """The questions of these runs, in their order; none of one whose key is gone."""
    runs = {run.id: run for run in session.scalars(_of(run_ids))}
    return [text for one in run_ids if one in runs and (text := _question(runs[one]))]


def staff_replies(session: Session, run_ids: Sequence[UUID]) -> list[StaffReply]:
    """What people answered where these runs had handed over, oldest first."""
    query = (
        select(Message, Contact)
        .join(AnswerRun, AnswerRun.conversation_id == Message.conversation_id)
        .join(Contact, Contact.id == Message.contact_id)
        .where(
            AnswerRun.id.in_(run_ids),
            Message.author == "agent",
            Message.private.is_(False),
            Message.created_at > AnswerRun.created_at,
        )
        .order_by(Message.created_at)
    )
    found: dict[UUID, StaffReply] = {}
    for message, contact in session.execute(query):
        try:
            found[message.id] = StaffReply(
                message.conversation_id, contact.id, contact.name, message.text
            )
        except SealingError:  # the contact was erased: nothing is mined of them
            continue
    return list(found.values())


def _of(run_ids: Sequence[UUID]) -> Any:
    return select(AnswerRun).where(AnswerRun.id.in_(run_ids))


def _question(run: AnswerRun) -> str:
    try:
        return str(json.loads(run.result or "{}").get("query", "")).strip()
    except SealingError:
        return ""
