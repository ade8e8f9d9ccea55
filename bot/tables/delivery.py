"""What is on its way: messages going out, files and mails coming in, budgets of replies."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from bot.messages import DeliveryKind
from bot.sealing import Envelope, SealedText, Sealing
from bot.tables.base import Base, new_id, now


class Delivery(Sealing, Base):
    """One message on its way to one destination of a channel that is written to.

    `kind` is `reply` (to the customer), `card` (a handoff, to the staff), `notice` (what came
    after, under the card) or `transcript` (all of it, to where the customer asked for it).
    `version` counts the changes of what is to be seen there and `sent_version` is the one that
    is seen; what has an `external_id` is revised, not sent. `via_inbox_id` is the inbox it goes
    out through, where that is not the conversation's.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("message_id", "destination_hash", "kind"),
        CheckConstraint("kind in ('reply', 'card', 'notice', 'transcript')", name="kind"),
        Index("ix_delivery_card", "external_id", postgresql_where=text("kind = 'card'")),
        Index(
            "ix_delivery_due",
            "next_attempt_at",
            postgresql_where=text("state in ('pending', 'sending')"),
        ),
        Index("ix_delivery_external_id", "external_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    message_id: Mapped[UUID] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"))
    conversation_id: Mapped[UUID] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), index=True
    )
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"))
    epoch: Mapped[int]
    destination_hash: Mapped[bytes]
    destination_sealed: Mapped[bytes] = mapped_column(Envelope)
    state: Mapped[str] = mapped_column(default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=now)
    external_id: Mapped[str | None]
    error: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    kind: Mapped[DeliveryKind] = mapped_column(default="reply", server_default="reply")
    via_inbox_id: Mapped[UUID | None] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    sent_version: Mapped[int] = mapped_column(default=0, server_default="0")
    destination = SealedText("destination_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)


class RemoteFile(Sealing, Base):
    """A file that a message named and that is still to be fetched from its channel.

    `source` is sealed JSON of the channel's own: where it is and what it is called. What a
    contact sent is stored beside `message_id`; what an agent sent becomes a message of theirs.
    """

    __tablename__ = "remote_file"
    __table_args__ = (
        UniqueConstraint("conversation_id", "external_id"),
        Index(
            "ix_remote_file_due",
            "next_attempt_at",
            postgresql_where=text("state = 'pending'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"))
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"))
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"))
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id", ondelete="CASCADE"))
    external_id: Mapped[str]
    source_sealed: Mapped[bytes] = mapped_column(Envelope)
    state: Mapped[str] = mapped_column(default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=now)
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    source = SealedText("source_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)


class AutomaticReply(Base):
    """The ledger of the budgets: one row for each message that the bot answered, or began to."""

    __tablename__ = "automatic_reply"
    __table_args__ = (
        Index("ix_automatic_reply_sender", "sender_hash", "created_at"),
        Index("ix_automatic_reply_inbox", "inbox_id", "created_at"),
        Index("ix_automatic_reply_topic", "topic_hash", "created_at"),
    )

    reply_to: Mapped[UUID] = mapped_column(
        ForeignKey("message.id", ondelete="CASCADE"), primary_key=True
    )
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id"))
    conversation_id: Mapped[UUID] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), index=True
    )
    sender_hash: Mapped[bytes]
    topic_hash: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class MailboxWatermark(Base):
    """How far a mailbox was read (RFC 9051 section 2.3.1.1), and which process reads it now.

    Mails that the server received before `since` are older than the connection and are not read.
    """

    __tablename__ = "mailbox_watermark"

    inbox_id: Mapped[UUID] = mapped_column(
        ForeignKey("inbox.id", ondelete="CASCADE"), primary_key=True
    )
    folder: Mapped[str] = mapped_column(primary_key=True)
    uid_validity: Mapped[int] = mapped_column(BigInteger, default=0)
    last_uid: Mapped[int] = mapped_column(BigInteger, default=0)
    since: Mapped[datetime] = mapped_column(default=now)
    holder: Mapped[str | None]
    leased_until: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    error: Mapped[str | None]
    error_since: Mapped[datetime | None]


class ForgottenMail(Base):
    """The keyed hash of a mail whose conversation was deleted: it is not taken in again."""

    __tablename__ = "forgotten_mail"

    inbox_id: Mapped[UUID] = mapped_column(
        ForeignKey("inbox.id", ondelete="CASCADE"), primary_key=True
    )
    mail_hash: Mapped[bytes] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
