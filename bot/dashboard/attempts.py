"""Ten tries to log in per quarter of an hour, for an account and for an address."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bot.conversations import keyed_hash
from bot.tables import LogInAttempt, now

MOST, WINDOW = 10, timedelta(minutes=15)
# A peer that cannot be told (a proxy on this machine that names nobody) counts as one.
UNKNOWN_ADDRESS = "unknown"


def account_key(email: str) -> str:
    """Whose account it is for, whether there is one or not."""
    return f"account|{email}"


def address_key(address: str | None) -> str:
    """Where it came from."""
    return f"address|{address or UNKNOWN_ADDRESS}"


def count_attempt(session: Session, *keys: str) -> float:
    """Count a try before it is made: 0.0 if it may be, else the seconds until one may be.

    The caller commits before it looks at the secret, so that tries sent all at once count, too.
    """
    hashes = sorted(keyed_hash(session, "log-in-attempt", key) for key in keys)
    for each in hashes:  # in one order, so that two requests never wait for each other
        lock = int.from_bytes(each[:8], "big", signed=True)
        session.execute(select(func.pg_advisory_xact_lock(lock)))
    _sweep(session)
    waits = [_wait_s(session, each) for each in hashes]
    if max(waits) <= 0.0:
        session.add_all([LogInAttempt(key_hash=each) for each in hashes])
        session.flush()
    return max(waits)


def forget_attempts(session: Session, account: str, address: str) -> None:
    """Who logged in has all tries again; of the address's only the last is given back.

    So a morning's log-ins from one office are no attack, and one good account behind an address
    does not wipe out what was tried from there on others.
    """
    mine = keyed_hash(session, "log-in-attempt", account)
    session.execute(delete(LogInAttempt).where(LogInAttempt.key_hash == mine))
    give_back(session, address)


def give_back(session: Session, key: str) -> None:
    """The last try of this key was none."""
    last = (
        select(LogInAttempt.id)
        .where(LogInAttempt.key_hash == keyed_hash(session, "log-in-attempt", key))
        .order_by(LogInAttempt.tried_at.desc())
        .limit(1)
    )
    session.execute(delete(LogInAttempt).where(LogInAttempt.id.in_(last)))


def _sweep(session: Session) -> None:
    old = select(LogInAttempt.id).where(LogInAttempt.tried_at < now() - WINDOW).limit(200)
    session.execute(
        delete(LogInAttempt).where(LogInAttempt.id.in_(old.with_for_update(skip_locked=True)))
    )


def _wait_s(session: Session, key_hash: bytes) -> float:
    query = select(LogInAttempt.tried_at).where(LogInAttempt.key_hash == key_hash)
    # The one whose end makes room again.
    found = session.scalars(query.order_by(LogInAttempt.tried_at.desc()).offset(MOST - 1)).first()
    if found is None:
        return 0.0
    return max(1.0, (found + WINDOW - now()).total_seconds())
