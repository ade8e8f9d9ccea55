"""Tables of the copilot and of what the staff teaches: runs, feedback, drafts of articles."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bot.sealing import Envelope, SealedText, Sealing
from bot.tables.base import Base, new_id, now


class CopilotRun(Sealing, Base):
    """One piece of work that somebody of the staff asked a worker for, and what came of it.

    `request` and `result` are JSON; they are sealed by the contact's key where the run is about
    a conversation. Times are milliseconds.
    """

    __tablename__ = "copilot_run"
    __table_args__ = (Index("ix_copilot_run_kind", "kind", "created_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    inbox_id: Mapped[UUID | None] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    conversation_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), index=True
    )
    contact_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact.id"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id"))
    state: Mapped[str] = mapped_column(default="queued")
    request_sealed: Mapped[bytes] = mapped_column(Envelope)
    result_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    model: Mapped[str | None]
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    output_tokens: Mapped[int] = mapped_column(default=0)
    ttft_ms: Mapped[float | None]
    total_ms: Mapped[float | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    request = SealedText("request_sealed")
    result = SealedText("result_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id) if self.contact_id else super().key_scope


class CopilotFeedback(Sealing, Base):
    """What a person made of a suggestion: sent it as it was, edited it, or put it aside.

    Both texts are kept: the difference is what the suggestion should have said.
    """

    __tablename__ = "copilot_feedback"
    __table_args__ = (
        CheckConstraint("verdict in ('as_is', 'edited', 'discarded')", name="verdict"),
    )

    run_id: Mapped[UUID] = mapped_column(
        ForeignKey("copilot_run.id", ondelete="CASCADE"), primary_key=True
    )
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id"))
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"))
    verdict: Mapped[str]
    offered_sealed: Mapped[bytes] = mapped_column(Envelope)
    sent_sealed: Mapped[bytes] = mapped_column(Envelope)
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    offered = SealedText("offered_sealed")
    sent = SealedText("sent_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)

    @property
    def sealing_id(self) -> str:
        return str(self.run_id)


class ArticleDraft(Sealing, Base):
    """An article to be, or a correction of one, that waits for somebody to review it.

    A draft may hold a customer's words, so it is sealed until somebody publishes it. `article_id`
    is the article that it would change; `note` is what the reviewer should know.
    """

    __tablename__ = "article_draft"
    __table_args__ = (
        CheckConstraint("origin in ('message', 'correction', 'gap', 'editor')", name="origin"),
        CheckConstraint("state in ('open', 'published', 'discarded')", name="state"),
        Index("ix_article_draft_state", "state", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    origin: Mapped[str]
    state: Mapped[str] = mapped_column(default="open")
    collection: Mapped[str]
    article_id: Mapped[UUID | None] = mapped_column(ForeignKey("article.id", ondelete="SET NULL"))
    conversation_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), index=True
    )
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey("message.id", ondelete="SET NULL"))
    contact_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact.id"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id"))
    language: Mapped[str] = mapped_column(default="")
    title_sealed: Mapped[bytes] = mapped_column(Envelope)
    body_sealed: Mapped[bytes] = mapped_column(Envelope)
    note_sealed: Mapped[bytes] = mapped_column(Envelope)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    title = SealedText("title_sealed")
    body = SealedText("body_sealed")
    note = SealedText("note_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id) if self.contact_id else super().key_scope


class SettledQuestion(Base):
    """A question the bot could not answer that somebody took care of.

    With a draft it waits for that draft's review; without one it was dismissed.
    """

    __tablename__ = "settled_question"

    run_id: Mapped[UUID] = mapped_column(
        ForeignKey("answer_run.id", ondelete="CASCADE"), primary_key=True
    )
    draft_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("article_draft.id", ondelete="CASCADE"), index=True
    )
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
