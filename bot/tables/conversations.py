"""What contacts and the company say to each other."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bot.messages import Author, ConversationStatus
from bot.sealing import Envelope, SealedBytes, SealedText, Sealing
from bot.tables.base import Base, new_id, now
from bot.tables.inboxes import Inbox


class Conversation(Sealing, Base):
    """What a contact and the company said to each other about one matter.

    `epoch` counts changes of the owner (take-over, give-back, resolve, handoff): a run that
    began in another epoch writes nothing. `lease_token` fences runs of the same epoch.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        CheckConstraint("status in ('pending', 'open', 'snoozed', 'resolved')", name="status"),
        Index(
            "ix_conversation_unanswered",
            "unanswered_since",
            postgresql_where=text("unanswered_since is not null"),
        ),
        Index("ix_conversation_thread", "inbox_id", "thread_hash"),
        Index("ix_conversation_status", "status"),
        Index("ix_conversation_updated", "updated_at"),
        Index(
            "ix_conversation_waiting",
            "waiting_since",
            postgresql_where=text("status = 'open'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id"), index=True)
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"), index=True)
    thread_hash: Mapped[bytes]
    thread_sealed: Mapped[bytes] = mapped_column(Envelope)
    previous_id: Mapped[UUID | None] = mapped_column(ForeignKey("conversation.id"))
    status: Mapped[ConversationStatus] = mapped_column(default="pending")
    epoch: Mapped[int] = mapped_column(default=0)
    assignee_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id"))
    language: Mapped[str] = mapped_column(default="")
    summary_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    handoff_reason: Mapped[str | None]
    failures: Mapped[int] = mapped_column(default=0)
    last_seq: Mapped[int] = mapped_column(default=0)
    lease_token: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[datetime | None]
    unanswered_since: Mapped[datetime | None]
    waiting_since: Mapped[datetime | None]
    first_reply_at: Mapped[datetime | None]
    snoozed_until: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    spam_at: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    told_waiting_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    # Comes along where a conversation is locked; whoever then asks the session for it, has it.
    inbox: Mapped[Inbox] = relationship(lazy="raise", viewonly=True)
    thread = SealedText("thread_sealed")
    summary = SealedText("summary_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)


class Message(Sealing, Base):
    """One message. `reply_to` is unique: a message has at most one reply by the bot."""

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("inbox_id", "external_id"),
        UniqueConstraint("conversation_id", "client_id"),
        UniqueConstraint("conversation_id", "seq"),
        UniqueConstraint("reply_to"),
        CheckConstraint("author in ('contact', 'bot', 'agent', 'system')", name="author"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"))
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id"))
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"), index=True)
    seq: Mapped[int]
    author: Mapped[Author]
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id"))
    private: Mapped[bool] = mapped_column(default=False)
    is_automatic: Mapped[bool] = mapped_column(default=False)
    external_id: Mapped[str | None]
    client_id: Mapped[str | None]
    text_sealed: Mapped[bytes] = mapped_column(Envelope)
    state: Mapped[str] = mapped_column(default="sent")
    partial: Mapped[bool] = mapped_column(default=False)
    reply_to: Mapped[UUID | None] = mapped_column(ForeignKey("message.id"))
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("message.id"))
    citations: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    sent_at: Mapped[datetime] = mapped_column(default=now)
    created_at: Mapped[datetime] = mapped_column(default=now)
    text = SealedText("text_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)


class Event(Sealing, Base):
    """A committed change of a conversation that somebody watches, in the order of `seq`.

    Its `seq` is the id of the server-sent event; a sentence's text stands here so that what
    was missed can be told again exactly.
    """

    __tablename__ = "event"

    conversation_id: Mapped[UUID] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"))
    kind: Mapped[str]
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"))
    private: Mapped[bool] = mapped_column(default=False)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    text_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    created_at: Mapped[datetime] = mapped_column(default=now)
    text = SealedText("text_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)

    @property
    def sealing_id(self) -> str:
        return f"{self.conversation_id}:{self.seq}"


class Attachment(Sealing, Base):
    """A file of a message; content is base64 inside the envelope.

    `warning` says why staff should not open it without thought.
    """

    __tablename__ = "attachment"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    message_id: Mapped[UUID] = mapped_column(
        ForeignKey("message.id", ondelete="CASCADE"), index=True
    )
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"))
    media_type: Mapped[str]
    size_bytes: Mapped[int]
    warning: Mapped[str | None]
    name_sealed: Mapped[bytes] = mapped_column(Envelope)
    content_sealed: Mapped[bytes] = mapped_column(Envelope)
    name = SealedText("name_sealed")
    content = SealedText("content_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)


class Original(Sealing, Base):
    """A message as it came, before it was read: `raw`, its `full_text`, `headers` as JSON.

    `topic_hash` names sender and subject, for budgets alone; it joins nothing.
    """

    __tablename__ = "original"

    message_id: Mapped[UUID] = mapped_column(
        ForeignKey("message.id", ondelete="CASCADE"), primary_key=True
    )
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"), index=True)
    media_type: Mapped[str]
    size_bytes: Mapped[int]
    topic_hash: Mapped[bytes | None]
    raw_sealed: Mapped[bytes] = mapped_column(Envelope)
    full_text_sealed: Mapped[bytes] = mapped_column(Envelope)
    headers_sealed: Mapped[bytes] = mapped_column(Envelope)
    created_at: Mapped[datetime] = mapped_column(default=now)
    raw = SealedBytes("raw_sealed")
    full_text = SealedText("full_text_sealed")
    headers = SealedText("headers_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)

    @property
    def sealing_id(self) -> str:
        return str(self.message_id)
