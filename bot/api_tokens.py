"""Bearer tokens of the API: made by the operator, kept as a keyed hash, revoked by name."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.conversations import keyed_hash
from bot.tables import ApiToken, new_id, now

MIN_CHARS = 32


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """Whose token a request brought."""

    id: UUID
    name: str


def new_token() -> str:
    """A token for an integrator: 256 random bits."""
    return f"fda_{secrets.token_urlsafe(32)}"


def ensure_token(session: Session, name: str, token: str) -> None:
    """Make `token` the one that `name` uses, in force from the commit on."""
    if len(token) < MIN_CHARS:
        raise ValueError(f"An API token has at least {MIN_CHARS} characters.")
    token_hash = _hash(session, token)
    row = {"id": new_id(), "name": name, "token_hash": token_hash, "created_at": now()}
    statement = insert(ApiToken).values(**row)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[ApiToken.name], set_={"token_hash": token_hash, "revoked_at": None}
        )
    )


def revoke_token(session: Session, name: str) -> bool:
    """End a token; false where there was none in force."""
    query = select(ApiToken).where(ApiToken.name == name, ApiToken.revoked_at.is_(None))
    row = session.scalars(query).one_or_none()
    if row is not None:
        row.revoked_at = now()
        session.flush()
    return row is not None


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token in force, as lists show it: what it is cannot be read any more."""

    id: UUID
    name: str
    created_at: datetime


def list_tokens(session: Session) -> list[TokenView]:
    """Tokens in force, by name."""
    query = select(ApiToken).where(ApiToken.revoked_at.is_(None)).order_by(ApiToken.name)
    return [TokenView(row.id, row.name, row.created_at) for row in session.scalars(query)]


def find_holder(session: Session, token: str) -> TokenHolder | None:
    """Whose token this is, if it is in force."""
    query = select(ApiToken.id, ApiToken.name).where(
        ApiToken.token_hash == _hash(session, token), ApiToken.revoked_at.is_(None)
    )
    found = session.execute(query).one_or_none()
    return TokenHolder(found.id, found.name) if found else None


def _hash(session: Session, token: str) -> bytes:
    return keyed_hash(session, "api-token", token)
