"""The table of what customers thought: of one message, or of a whole conversation."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.sealing import Envelope, SealedText, Sealing
from bot.tables.base import Base, new_id, now


class Feedback(Sealing, Base):
    """A customer's judgement; the latest one stands.

    Of a message `score` is 1 (helped) or -1 (did not); of a conversation, where `message_id` is
    null, it is 1 (very bad) to 5 (very good). `reason` is the customer's own words, or "".
    """

    __tablename__ = "feedback"
    __table_args__ = (
        UniqueConstraint("conversation_id", "message_id", postgresql_nulls_not_distinct=True),
        CheckConstraint(
            "case when message_id is null then score between 1 and 5 else score in (-1, 1) end",
            name="score",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"))
    message_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("message.id", ondelete="CASCADE"), index=True
    )
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"), index=True)
    score: Mapped[int]
    reason_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    reason = SealedText("reason_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)
