"""The tables of the staff: who they are, how they log in, and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from bot.sealing import Envelope, SealedText, Sealing
from bot.tables.base import Base, new_id, now

Role = Literal["agent", "supervisor", "admin"]
ROLES: tuple[Role, ...] = ("agent", "supervisor", "admin")  # by rank
LetterState = Literal["pending", "sending", "sent", "failed", "withdrawn"]
_ROLE_CHECK = "role in ('agent', 'supervisor', 'admin')"


class Agent(Base):
    """A person of the staff."""

    __tablename__ = "agent"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class AgentIdentity(Base):
    """How a channel knows a person of the staff: a Slack user.

    `is_named` is false while the agent bears a stand-in name, because the channel was not asked.
    """

    __tablename__ = "agent_identity"
    __table_args__ = (UniqueConstraint("inbox_id", "external_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id", ondelete="CASCADE"), index=True)
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    external_id: Mapped[str]
    is_named: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Account(Sealing, Base):
    """How an agent logs in. An agent without one still answers in the terminal and in Slack.

    `totp_step` is the last time step whose code was taken (RFC 6238 section 5.2: each once).
    """

    __tablename__ = "account"
    __table_args__ = (CheckConstraint(_ROLE_CHECK, name="role"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id", ondelete="CASCADE"), unique=True)
    role: Mapped[Role] = mapped_column(Text)
    email_hash: Mapped[bytes] = mapped_column(unique=True)
    email_sealed: Mapped[bytes] = mapped_column(Envelope)
    password_hash: Mapped[str | None]
    totp_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    totp_since: Mapped[datetime | None]
    totp_step: Mapped[int] = mapped_column(BigInteger, default=0)
    removed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    email = SealedText("email_sealed")
    totp_secret = SealedText("totp_sealed")


class RecoveryCode(Base):
    """A code that stands in for the authenticator once; only its keyed hash is stored."""

    __tablename__ = "recovery_code"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), index=True
    )
    code_hash: Mapped[bytes]
    used_at: Mapped[datetime | None]


class StaffSession(Sealing, Base):
    """A browser where somebody of the staff is signed in. Its token is stored as a keyed hash.

    `previous_hash` is good for a moment after `rotated_at`, for requests already under way.
    `began_with` is password, link or invitation.
    """

    __tablename__ = "staff_session"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), index=True
    )
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    previous_hash: Mapped[bytes | None] = mapped_column(unique=True)
    rotated_at: Mapped[datetime] = mapped_column(default=now)
    began_with: Mapped[str]
    browser_sealed: Mapped[bytes] = mapped_column(Envelope)
    address_sealed: Mapped[bytes] = mapped_column(Envelope)
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    browser = SealedText("browser_sealed")
    address = SealedText("address_sealed")


class LogInLink(Base):
    """A secret that is good once and for a short time: a link, or the step before the code.

    A step's kind tells what came before it: a password or a link.
    """

    __tablename__ = "log_in_link"
    __table_args__ = (
        CheckConstraint("kind in ('link', 'password_code', 'link_code')", name="kind"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Invitation(Sealing, Base):
    """Somebody who may become a member of the staff, once."""

    __tablename__ = "invitation"
    __table_args__ = (CheckConstraint(_ROLE_CHECK, name="role"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(Text)
    email_hash: Mapped[bytes] = mapped_column(index=True)
    email_sealed: Mapped[bytes] = mapped_column(Envelope)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    invited_by: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    email = SealedText("email_sealed")


class StaffLetter(Sealing, Base):
    """A link to somebody of the staff, on its way by mail through an e-mail inbox.

    The link is sealed while it waits, and the row of a letter that is sent or given up holds none.
    """

    __tablename__ = "staff_letter"
    __table_args__ = (
        CheckConstraint("num_nonnulls(invitation_id, log_in_link_id) = 1", name="about_one"),
        CheckConstraint(
            "state in ('pending', 'sending', 'sent', 'failed', 'withdrawn')", name="state"
        ),
        CheckConstraint(
            "state in ('pending', 'sending') or link_sealed is null", name="secret_ends"
        ),
        Index(
            "ix_staff_letter_due",
            "next_attempt_at",
            postgresql_where=text("state in ('pending', 'sending')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    invitation_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("invitation.id", ondelete="CASCADE"), index=True
    )
    log_in_link_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("log_in_link.id", ondelete="CASCADE"), index=True
    )
    link_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    state: Mapped[LetterState] = mapped_column(Text, default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=now)
    external_id: Mapped[str | None] = mapped_column(index=True)
    error: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    link = SealedText("link_sealed")


class LogInAttempt(Base):
    """A try to log in, by the keyed hash of whom it was for or where it came from."""

    __tablename__ = "log_in_attempt"
    __table_args__ = (Index("ix_log_in_attempt_key", "key_hash", "tried_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    key_hash: Mapped[bytes]
    tried_at: Mapped[datetime] = mapped_column(default=now)


class AuditEntry(Base):
    """What somebody did, chained to the entry before by `hash` (`bot.privacy.audit`)."""

    __tablename__ = "audit_entry"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_id: Mapped[UUID | None]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    hash: Mapped[bytes]


class AuditHead(Base):
    """The last entry of the audit log, kept apart from it so that a cut is seen; one row."""

    __tablename__ = "audit_head"
    __table_args__ = ({"schema": "vault"},)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    mac: Mapped[bytes]
