"""One-time log-in links, and the step between password and code: secrets good once, for minutes."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Literal, cast
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.conversations import keyed_hash
from bot.tables import Account, LogInLink, new_id, now

Kind = Literal["link", "password_code", "link_code"]
LIFETIMES: dict[Kind, timedelta] = {
    "link": timedelta(minutes=15),
    "password_code": timedelta(minutes=5),
    "link_code": timedelta(minutes=5),
}


# A mail may be greylisted for a quarter of an hour, and is not read at once.
MAILED_LIFETIME = timedelta(minutes=60)


def make_link(session: Session, account_id: UUID, kind: Kind = "link") -> str:
    """A new secret; links that were made before for this account open nothing any more."""
    if kind == "link":
        end_links(session, account_id)
    return _add(session, account_id, kind, LIFETIMES[kind])[0]


def make_mailed_link(session: Session, account_id: UUID) -> tuple[str, UUID]:
    """The same for a link that goes by mail, with its row's id."""
    end_links(session, account_id)
    return _add(session, account_id, "link", MAILED_LIFETIME)


def _add(session: Session, account_id: UUID, kind: Kind, life: timedelta) -> tuple[str, UUID]:
    token = secrets.token_urlsafe(32)
    row = LogInLink(
        id=new_id(),
        account_id=account_id,
        kind=kind,
        token_hash=_hash(session, token),
        expires_at=now() + life,
    )
    session.add(row)
    session.flush()
    return token, row.id


def end_links(session: Session, account_id: UUID) -> None:
    """What was handed out for this account and not used is void."""
    session.execute(
        update(LogInLink)
        .where(LogInLink.account_id == account_id, LogInLink.used_at.is_(None))
        .values(used_at=now())
    )


def find_step(session: Session, token: str) -> tuple[Account, Kind] | None:
    """Whose step it is, and after what; still unused, for a mistyped code is tried again."""
    query = (
        select(Account, LogInLink.kind)
        .join(LogInLink, LogInLink.account_id == Account.id)
        .where(
            LogInLink.token_hash == _hash(session, token),
            LogInLink.kind != "link",
            LogInLink.used_at.is_(None),
            LogInLink.expires_at > now(),
            Account.removed_at.is_(None),
        )
    )
    found = session.execute(query).one_or_none()
    return (found[0], cast("Kind", found[1])) if found else None


def use_link(session: Session, token: str, kind: Kind) -> Account | None:
    """Use it up; None if it was used, is too old or never was. Of two at once one gets it."""
    statement = (
        update(LogInLink)
        .where(
            LogInLink.token_hash == _hash(session, token),
            LogInLink.kind == kind,
            LogInLink.used_at.is_(None),
            LogInLink.expires_at > now(),
        )
        .values(used_at=now())
        .returning(LogInLink.account_id)
    )
    account_id = session.scalar(statement)
    account = session.get(Account, account_id) if account_id else None
    return account if account is not None and account.removed_at is None else None


def link_url(public_url: str, page: str, token: str) -> str:
    """The address of a page that reads the secret behind the #, which no server's log ever sees."""
    return f"{public_url}/desk/{page}#{token}"


def _hash(session: Session, token: str) -> bytes:
    return keyed_hash(session, "staff-link", token)
