"""Visitor sessions: made by the server, known by a token of which only a keyed hash is kept."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from bot.conversations import keyed_hash
from bot.tables import Inbox, VisitorSession, new_id, now
from channels.chat.identity import secret_of, verify
from channels.chat.payloads import SignedIdentity
from channels.chat.visitor import Customer, Visitor, thread_of

LIFETIME = timedelta(days=180)
SLIDE_AFTER = timedelta(days=1)


class OriginRefused(Exception):
    """The page may not embed this inbox's chat."""


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session; this is the only time its token is seen."""

    token: str
    expires_at: datetime
    visitor: Visitor


def open_session(
    session: Session, inbox_name: str, origin: str, identity: SignedIdentity | None
) -> OpenedSession | None:
    """A new session in a chat inbox; None if there is no such inbox.

    Raises IdentityRefused, OriginRefused.
    """
    inbox = _chat_inbox(session, inbox_name)
    if inbox is None:
        return None
    _check_origin(inbox.settings, origin)
    customer = verify(secret_of(session, inbox), identity, time.time()) if identity else None
    token = f"fdv_{secrets.token_urlsafe(32)}"
    row = VisitorSession(
        id=new_id(),
        inbox_id=inbox.id,
        token_hash=_token_hash(session, token),
        origin=origin[:200],
        expires_at=now() + LIFETIME,
    )
    row.customer = customer.as_json() if customer else ""
    session.add(row)
    session.flush()
    return OpenedSession(token, row.expires_at, _visitor(session, row, customer))


_BY_TOKEN = (
    select(VisitorSession, Inbox.settings)
    .join(Inbox, Inbox.id == VisitorSession.inbox_id)
    .where(VisitorSession.token_hash == bindparam("token_hash"))
)


def find_visitor(session: Session, token: str, origin: str) -> Visitor | None:
    """Whose token this is; its life begins anew, at most once a day. Raises OriginRefused."""
    keys = {"token_hash": _token_hash(session, token)}
    found = session.execute(_BY_TOKEN, keys).one_or_none()
    if found is None or found[0].expires_at <= now():
        return None
    row, settings = found
    _check_origin(settings, origin)
    if row.expires_at < now() + LIFETIME - SLIDE_AFTER:
        row.expires_at = now() + LIFETIME
    customer = Customer(**json.loads(row.customer)) if row.customer else None
    return _visitor(session, row, customer)


def close_session(session: Session, visitor: Visitor) -> None:
    """The visitor logged out: their token opens nothing any more."""
    session.execute(delete(VisitorSession).where(VisitorSession.id == visitor.session_id))


def _chat_inbox(session: Session, name: str) -> Inbox | None:
    query = select(Inbox).where(Inbox.name == name, Inbox.channel == "chat")
    return session.scalars(query).one_or_none()


def _visitor(session: Session, row: VisitorSession, customer: Customer | None) -> Visitor:
    reference = _reference(session, row.inbox_id, row.id, customer)
    return Visitor(
        session_id=row.id,
        inbox_id=row.inbox_id,
        reference=reference,
        thread_hash=keyed_hash(session, "thread", thread_of(reference)),
        customer=customer,
    )


def _reference(
    session: Session, inbox_id: UUID, session_id: UUID, customer: Customer | None
) -> str:
    if customer is None:
        return session_id.hex
    return "c" + keyed_hash(session, "customer", f"{inbox_id}|{customer.id}").hex()[:40]


def _token_hash(session: Session, token: str) -> bytes:
    return keyed_hash(session, "visitor-token", token)


def _check_origin(settings: dict[str, Any], origin: str) -> None:
    """`allowed_origins` of the inbox; without it any page may embed the chat.

    That is safe because no cookie is involved: only who holds the token speaks for the visitor.
    """
    allowed = settings.get("allowed_origins")
    if allowed and origin and origin not in allowed:
        raise OriginRefused(f"The chat may not be used on {origin[:100]}.")
