"""Who writes to the company, and how its channels know them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ForeignKey,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from bot.sealing import Envelope, SealedText, Sealing
from bot.tables.base import Base, new_id, now


class Contact(Sealing, Base):
    """A person who writes to the company.

    `merged_into_id` is the contact that stands for the person, where two were found to be one.
    What a contact with `blocked_at` writes is kept and answered by nobody.
    """

    __tablename__ = "contact"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    blocked_at: Mapped[datetime | None]
    merged_into_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    name = SealedText("name_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.id)


class ContactIdentity(Sealing, Base):
    """How a channel knows a contact: a chat visitor, an address, a Slack user."""

    __tablename__ = "contact_identity"
    __table_args__ = (UniqueConstraint("inbox_id", "address_hash"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    contact_id: Mapped[UUID] = mapped_column(
        ForeignKey("contact.id", ondelete="CASCADE"), index=True
    )
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    address_hash: Mapped[bytes]
    address_sealed: Mapped[bytes] = mapped_column(Envelope)
    bounced_at: Mapped[datetime | None]
    bounce_status: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    address = SealedText("address_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)


class VisitorSession(Sealing, Base):
    """A browser on the web chat. Only the keyed hash of its token is stored.

    `customer` is the identity that the shop signed, as JSON; "" for an anonymous visitor.
    """

    __tablename__ = "visitor_session"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    origin: Mapped[str] = mapped_column(default="")
    customer_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    customer = SealedText("customer_sealed")
