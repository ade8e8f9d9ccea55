"""Invitations: a link by which somebody becomes a member of the staff, once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from bot.agents import checked_name
from bot.conversations import keyed_hash
from bot.dashboard.accounts import (
    AccountError,
    email_hash,
    find_account,
    has_admin,
    normal_email,
    open_account,
)
from bot.tables import Account, Invitation, Role, new_id, now

LIFETIME = timedelta(days=7)
# The first admin's names nobody, so that it is worth more to a stranger: it lives shorter.
FIRST_LIFETIME = timedelta(minutes=60)


@dataclass(frozen=True, slots=True)
class InvitationView:
    """An open invitation; name and address are empty in the first admin's."""

    id: UUID
    name: str
    email: str
    role: Role
    expires_at: datetime


def invite(
    session: Session, name: str, email: str, role: Role, invited_by: UUID | None
) -> tuple[str, InvitationView]:
    """A secret for somebody with this name and address; an earlier one of theirs is void.

    Raises AccountError, AgentError.
    """
    name, email = checked_name(name), normal_email(email)
    if find_account(session, email) is not None:
        raise AccountError("That e-mail address belongs to an account already.")
    _withdraw(session, Invitation.email_hash == email_hash(session, email))
    return _add(session, name, email, role, invited_by, LIFETIME)


def invite_first_admin(session: Session) -> str | None:
    """The secret with which the first admin makes their account; None once there is one."""
    if has_admin(session):
        return None
    _withdraw(session, Invitation.email_hash == email_hash(session, ""))
    token, _ = _add(session, "", "", "admin", None, FIRST_LIFETIME)
    return token


def find_invitation(session: Session, token: str) -> InvitationView | None:
    """What the invited person is shown, while it can be accepted."""
    row = session.scalars(select(Invitation).where(*_open(session, token))).one_or_none()
    return _view(row) if row is not None and _still_holds(session, row) else None


def accept(session: Session, token: str, name: str, email: str) -> Account | None:
    """Use it up and open the account; None if it cannot be used (any more).

    `name` and `email` count where the invitation names nobody. Raises AccountError, AgentError;
    the caller then rolls back, and the invitation is as good as before.
    """
    statement = (
        update(Invitation)
        .where(*_open(session, token))
        .values(used_at=now())
        .returning(Invitation.id)
    )
    invitation_id = session.scalar(statement)
    if invitation_id is None:
        return None
    row = session.get_one(Invitation, invitation_id, populate_existing=True)
    if not _still_holds(session, row):
        return None
    if row.email:
        name, email = row.name, row.email
    return open_account(session, name, email, row.role)


def renew(session: Session, invitation_id: UUID) -> tuple[str, InvitationView] | None:
    """A new secret for an open invitation, from now on; the one before opens nothing any more."""
    query = select(Invitation).where(Invitation.id == invitation_id, *_unused())
    row = session.scalars(query.with_for_update()).one_or_none()
    if row is None or not row.email:
        return None
    token = secrets.token_urlsafe(32)
    row.token_hash = _hash(session, token)
    row.expires_at = now() + LIFETIME
    session.flush()
    return token, _view(row)


def list_invitations(session: Session) -> list[InvitationView]:
    """Open ones that name somebody, the latest first."""
    query = select(Invitation).where(*_unused()).order_by(Invitation.created_at.desc())
    return [_view(row) for row in session.scalars(query) if row.email]


def withdraw(session: Session, invitation_id: UUID) -> bool:
    """It opens nothing any more; false where none is open."""
    return _withdraw(session, Invitation.id == invitation_id)


def _add(
    session: Session, name: str, email: str, role: Role, invited_by: UUID | None, life: timedelta
) -> tuple[str, InvitationView]:
    token = secrets.token_urlsafe(32)
    row = Invitation(
        id=new_id(),
        name=name,
        role=role,
        email_hash=email_hash(session, email),
        token_hash=_hash(session, token),
        invited_by=invited_by,
        expires_at=now() + life,
    )
    row.email = email
    session.add(row)
    session.flush()
    return token, _view(row)


def _withdraw(session: Session, which: ColumnElement[bool]) -> bool:
    statement = (
        update(Invitation)
        .where(which, *_unused())
        .values(withdrawn_at=now())
        .returning(Invitation.id)
    )
    return session.scalars(statement).first() is not None


def _still_holds(session: Session, row: Invitation) -> bool:
    return bool(row.email) or not has_admin(session)


def _open(session: Session, token: str) -> tuple[ColumnElement[bool], ...]:
    return (Invitation.token_hash == _hash(session, token), *_unused())


def _unused() -> tuple[ColumnElement[bool], ...]:
    return (
        Invitation.used_at.is_(None),
        Invitation.withdrawn_at.is_(None),
        Invitation.expires_at > now(),
    )


def _view(row: Invitation) -> InvitationView:
    return InvitationView(row.id, row.name, row.email, row.role, row.expires_at)


def _hash(session: Session, token: str) -> bytes:
    return keyed_hash(session, "staff-invitation", token)
