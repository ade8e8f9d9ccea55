"""What the bot did to answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ForeignKey,
)
from sqlalchemy.orm import Mapped, mapped_column

from bot.sealing import Envelope, SealedText, Sealing
from bot.tables.base import Base, new_id, now


class AnswerRun(Sealing, Base):
    """One run of the answer's logic: what it read, decided, cost and why.

    A run of `ask` has no conversation; its request stands sealed in `request`. Times are
    milliseconds from `created_at`.
    """

    __tablename__ = "answer_run"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id"))
    conversation_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), index=True
    )
    contact_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact.id"))
    reply_id: Mapped[UUID | None] = mapped_column(ForeignKey("message.id", ondelete="SET NULL"))
    state: Mapped[str] = mapped_column(default="queued")
    request_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    result_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    action: Mapped[str | None]
    reason: Mapped[str | None]
    confidence: Mapped[float | None]
    language: Mapped[str | None]
    model: Mapped[str | None]
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    cached_tokens: Mapped[int] = mapped_column(default=0)
    output_tokens: Mapped[int] = mapped_column(default=0)
    queue_ms: Mapped[float | None]
    retrieval_ms: Mapped[float | None]
    ttft_ms: Mapped[float | None]
    first_sentence_ms: Mapped[float | None]
    total_ms: Mapped[float | None]
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    request = SealedText("request_sealed")
    result = SealedText("result_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id) if self.contact_id else super().key_scope
