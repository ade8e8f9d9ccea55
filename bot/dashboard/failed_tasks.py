"""Work that failed and that a person may have done again: answers, articles, files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversations import give_back
from bot.events import Advance
from bot.messages import ChannelName
from bot.tables import AnswerRun, Article, Conversation, Inbox, RemoteFile, now

Kind = Literal["answer", "article", "file"]
KINDS: dict[str, Kind] = {"answer": "answer", "article": "article", "file": "file"}
GIVEN_UP = "repeated_failure"


@dataclass(frozen=True, slots=True)
class FailedTask:
    """One of them; `about` is an article's title or an inbox's name, never a customer's text."""

    kind: Kind
    id: UUID
    about: str
    conversation: int | None
    error: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TaskAgain:
    """What to ring for, once the caller has committed."""

    advance: Advance | None = None
    conversation_id: UUID | None = None
    channel: ChannelName | None = None
    article_id: UUID | None = None


def failed_tasks(session: Session, limit: int) -> list[FailedTask]:
    """The latest of each kind, the latest first."""
    found = [*_answers(session, limit), *_articles(session, limit), *_files(session, limit)]
    return sorted(found, key=lambda task: task.at, reverse=True)[:limit]


def run_again(session: Session, kind: Kind, wanted: UUID) -> TaskAgain | None:
    """Have it done anew; None where nothing of that id failed."""
    if kind == "answer":
        return _answer_again(session, wanted)
    if kind == "article":
        return _index_again(session, wanted)
    return _fetch_again(session, wanted)


def _answers(session: Session, limit: int) -> list[FailedTask]:
    """Conversations that went to people because the bot broke down, while nobody took them.

    What the bot still tries by itself is no failure yet.
    """
    why = (
        select(AnswerRun.error)
        .where(AnswerRun.conversation_id == Conversation.id, AnswerRun.error.is_not(None))
        .order_by(AnswerRun.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(Conversation, Inbox.name, why)
        .join(Inbox, Inbox.id == Conversation.inbox_id)
        .where(
            Conversation.handoff_reason == GIVEN_UP,
            Conversation.status.in_(("open", "snoozed")),
            Conversation.assignee_id.is_(None),
        )
        .order_by(Conversation.updated_at.desc())
        .limit(limit)
    )
    return [
        FailedTask(
            "answer",
            conversation.id,
            inbox,
            conversation.number,
            error or "The bot's runs broke off, so the conversation went to people.",
            conversation.waiting_since or conversation.updated_at,
        )
        for conversation, inbox, error in session.execute(query)
    ]


def _articles(session: Session, limit: int) -> list[FailedTask]:
    query = select(Article).where(Article.index_error.is_not(None))
    rows = session.scalars(query.order_by(Article.updated_at.desc()).limit(limit))
    return [
        FailedTask("article", row.id, row.title, None, row.index_error or "", row.updated_at)
        for row in rows
    ]


def _files(session: Session, limit: int) -> list[FailedTask]:
    query = (
        select(RemoteFile, Inbox.name, Conversation.number)
        .join(Inbox, Inbox.id == RemoteFile.inbox_id)
        .join(Conversation, Conversation.id == RemoteFile.conversation_id)
        .where(RemoteFile.state == "failed")
        .order_by(RemoteFile.created_at.desc())
        .limit(limit)
    )
    return [
        FailedTask("file", row.id, inbox, number, row.error or "", row.created_at)
        for row, inbox, number in session.execute(query)
    ]


def _answer_again(session: Session, conversation_id: UUID) -> TaskAgain | None:
    """Back to the bot, which answers what is still unanswered; not if a person took it."""
    query = (
        select(Conversation.handoff_reason, Conversation.status, Conversation.assignee_id)
        .where(Conversation.id == conversation_id)
        .with_for_update()
    )
    found = session.execute(query).one_or_none()
    if found is None or found.handoff_reason != GIVEN_UP or found.assignee_id is not None:
        return None
    if found.status not in ("open", "snoozed"):
        return None
    advance = give_back(session, conversation_id)
    if not advance.answer_due:
        return TaskAgain(advance)
    channel = session.scalar(
        select(Inbox.channel)
        .join(Conversation, Conversation.inbox_id == Inbox.id)
        .where(Conversation.id == conversation_id)
    )
    return TaskAgain(advance, conversation_id, channel)


def _index_again(session: Session, article_id: UUID) -> TaskAgain | None:
    row = session.get(Article, article_id, with_for_update=True)
    if row is None or row.index_error is None:
        return None
    row.index_error = None
    session.flush()
    return TaskAgain(article_id=article_id)


def _fetch_again(session: Session, file_id: UUID) -> TaskAgain | None:
    row = session.get(RemoteFile, file_id, with_for_update=True)
    if row is None or row.state != "failed":
        return None
    row.state, row.attempts, row.next_attempt_at = "pending", 0, now()
    session.flush()
    return TaskAgain()
