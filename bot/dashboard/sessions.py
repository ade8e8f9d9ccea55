"""Sessions of the staff: on the server, known by a cookie's token, rotated, listed, revoked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select, true, update
from sqlalchemy.orm import Session

from bot.conversations import keyed_hash
from bot.dashboard.signed_in import SignedIn
from bot.tables import Account, Agent, Role, StaffSession, new_id, now

LIFETIME = timedelta(days=30)
IDLE = timedelta(days=3)
ROTATE_AFTER = timedelta(hours=12)
# Requests that were under way when the token changed still carry the one before.
OVERLAP = timedelta(seconds=60)
TOUCH_AFTER = timedelta(minutes=1)
# A log-in so fresh needs no second proof before a change of password or codes.
FRESH = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Visit:
    """Where somebody logs in from."""

    browser: str
    address: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session; this is the only time its token is seen."""

    token: str
    session_id: UUID


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as its owner sees it in the list."""

    id: UUID
    browser: str
    address: str
    began_with: str
    created_at: datetime
    seen_at: datetime


def open_session(session: Session, account_id: UUID, began_with: str, visit: Visit) -> Opened:
    """Somebody logged in: a session of their own, never one that a browser brought along."""
    token = secrets.token_urlsafe(32)
    row = StaffSession(
        id=new_id(),
        account_id=account_id,
        token_hash=_hash(session, token),
        began_with=began_with,
        expires_at=now() + LIFETIME,
    )
    row.browser, row.address = visit.browser[:300], visit.address
    session.add(row)
    session.flush()
    return Opened(token, row.id)


def find_signed_in(session: Session, token: str) -> SignedIn | None:
    """Whose session this token names, if it is in force."""
    found = session.execute(_in_force().where(_is_named_by(_hash(session, token)))).one_or_none()
    if found is None:
        return None
    _touch(session, found.id, found.seen_at)
    return _signed_in(found)


def is_in_force(session: Session, session_id: UUID) -> bool:
    """False once it was revoked or ended: a stream that is open for it must close then."""
    return session.execute(_in_force().where(StaffSession.id == session_id)).first() is not None


def rotate(session: Session, session_id: UUID, *, keep_old: bool = False) -> str:
    """A new token for the session; with `keep_old` the one before is good a moment longer."""
    row = session.get_one(StaffSession, session_id, with_for_update=True)
    token = secrets.token_urlsafe(32)
    row.previous_hash = row.token_hash if keep_old else None
    row.token_hash, row.rotated_at = _hash(session, token), now()
    session.flush()
    return token


def rotate_if_old(session: Session, session_id: UUID) -> str | None:
    """A new token when the present one is in use for long, else None."""
    row = session.get_one(StaffSession, session_id)
    if row.rotated_at > now() - ROTATE_AFTER:
        return None
    return rotate(session, session_id, keep_old=True)


def is_fresh(session: Session, session_id: UUID) -> bool:
    """True when they logged in just now."""
    return session.get_one(StaffSession, session_id).created_at > now() - FRESH


def began_with_link(session: Session, session_id: UUID) -> bool:
    """True when it was opened by a link, as whoever forgot their password does."""
    return session.get_one(StaffSession, session_id).began_with != "password"


def list_sessions(session: Session, account_id: UUID) -> list[SessionView]:
    """Sessions in force, the latest used first."""
    query = (
        select(StaffSession)
        .where(StaffSession.account_id == account_id, *_alive())
        .order_by(StaffSession.seen_at.desc())
    )
    return [_view(row) for row in session.scalars(query)]


def revoke(session: Session, account_id: UUID, session_id: UUID) -> bool:
    """End one session of an account; false where there is none in force."""
    return bool(_revoke(session, account_id, StaffSession.id == session_id))


def revoke_all(session: Session, account_id: UUID, except_for: UUID | None = None) -> int:
    """End an account's sessions; how many."""
    others = StaffSession.id != except_for if except_for else true()
    return len(_revoke(session, account_id, others))


def csrf_token(session: Session, session_id: UUID) -> str:
    """What every write of this session carries in a header, which no other site can read."""
    return keyed_hash(session, "staff-csrf", str(session_id)).hex()


def _revoke(session: Session, account_id: UUID, which: ColumnElement[bool]) -> Sequence[UUID]:
    statement = (
        update(StaffSession)
        .where(
            StaffSession.account_id == account_id,
            StaffSession.revoked_at.is_(None),
            which,
        )
        .values(revoked_at=now())
        .returning(StaffSession.id)
    )
    return session.scalars(statement).all()


def _in_force() -> Select[UUID, datetime, UUID, UUID, Role, str]:
    return (
        select(
            StaffSession.id,
            StaffSession.seen_at,
            StaffSession.account_id,
            Account.agent_id,
            Account.role,
            Agent.name,
        )
        .join(Account, Account.id == StaffSession.account_id)
        .join(Agent, Agent.id == Account.agent_id)
        .where(Account.removed_at.is_(None), *_alive())
    )


def _alive() -> tuple[ColumnElement[bool], ...]:
    return (
        StaffSession.revoked_at.is_(None),
        StaffSession.expires_at > now(),
        StaffSession.seen_at > now() - IDLE,
    )


def _is_named_by(token_hash: bytes) -> ColumnElement[bool]:
    return or_(
        StaffSession.token_hash == token_hash,
        and_(
            StaffSession.previous_hash == token_hash,
            StaffSession.rotated_at > now() - OVERLAP,
        ),
    )


def _touch(session: Session, session_id: UUID, seen_at: datetime) -> None:
    if seen_at < now() - TOUCH_AFTER:
        session.execute(
            update(StaffSession).where(StaffSession.id == session_id).values(seen_at=now())
        )


def _signed_in(found: Row[UUID, datetime, UUID, UUID, Role, str]) -> SignedIn:
    return SignedIn(
        agent_id=found.agent_id,
        name=found.name,
        role=found.role,
        session_id=found.id,
        account_id=found.account_id,
    )


def _view(row: StaffSession) -> SessionView:
    return SessionView(
        row.id, row.browser, row.address, row.began_with, row.created_at, row.seen_at
    )


def _hash(session: Session, token: str) -> bytes:
    return keyed_hash(session, "staff-session", token)
