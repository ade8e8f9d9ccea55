"""Tables of the staff's desk: tags, macros, mentions, and the blind index of what was said."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from bot.tables.base import Base, new_id, now


class Tag(Base):
    """A word of the company's own by which conversations are grouped."""

    __tablename__ = "tag"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class ConversationTag(Base):
    """Which conversation bears which tag."""

    __tablename__ = "conversation_tag"

    conversation_id: Mapped[UUID] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True
    )
    tag_id: Mapped[UUID] = mapped_column(
        ForeignKey("tag.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    created_at: Mapped[datetime] = mapped_column(default=now)


class Macro(Base):
    """A text that the staff writes often; `{contact}` and the like are filled in when used."""

    __tablename__ = "macro"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    text: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Mention(Base):
    """A note that calls a person of the staff; `seen_at` once they opened it."""

    __tablename__ = "mention"
    __table_args__ = (Index("ix_mention_agent", "agent_id", "seen_at"),)

    message_id: Mapped[UUID] = mapped_column(
        ForeignKey("message.id", ondelete="CASCADE"), primary_key=True
    )
    agent_id: Mapped[UUID] = mapped_column(
        ForeignKey("agent.id", ondelete="CASCADE"), primary_key=True
    )
    conversation_id: Mapped[UUID] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), index=True
    )
    seen_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class MessageTerms(Base):
    """A message's words as keyed hashes: what the search compares, and nothing can be read of."""

    __tablename__ = "message_terms"
    __table_args__ = (Index("ix_message_terms_terms", "terms", postgresql_using="gin"),)

    message_id: Mapped[UUID] = mapped_column(
        ForeignKey("message.id", ondelete="CASCADE"), primary_key=True
    )
    conversation_id: Mapped[UUID] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), index=True
    )
    terms: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class ContactTerms(Base):
    """The same of a contact's name and addresses."""

    __tablename__ = "contact_terms"
    __table_args__ = (Index("ix_contact_terms_terms", "terms", postgresql_using="gin"),)

    contact_id: Mapped[UUID] = mapped_column(
        ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True
    )
    terms: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
