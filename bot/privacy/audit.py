"""The audit log: who changed what, as a chain of keyed hashes in which a gap or a change shows.

Each entry's hash is an HMAC over its own words and the hash before it, under a key that the
database does not hold in the clear: whoever can write in Postgres alone cannot make a chain that
fits. Its end is noted in the vault, which is backed up apart, and by `frontdesk audit verify` in
the home, so that entries cut from the end are missed as well.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.sealing import keyring_of
from bot.tables import AuditEntry, AuditHead, now

HEAD_ID = 1
FIRST = b"\x00" * 32


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a person of the staff, or the operator's terminal (no id)."""

    id: UUID | None
    name: str


TERMINAL = Actor(None, "terminal")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the chain, as it was once seen: `text` is `SEQ:HASH`."""

    seq: int
    hash: bytes

    @property
    def text(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"

    @staticmethod
    def parse(text: str) -> Mark:
        """Raises ValueError."""
        seq, _, digest = text.strip().partition(":")
        return Mark(int(seq), bytes.fromhex(digest))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look through the whole log found; `problems` is empty when it is whole."""

    entries: int
    end: Mark
    problems: tuple[str, ...] = field(default=())


def note(
    session: Session,
    actor: Actor,
    action: str,
    subject: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write an entry in the caller's transaction, which so holds the log until it commits.

    `details` holds ids, names of settings and numbers: no text of customers, no address, no
    secret. Call it last: two transactions that write in the log wait for each other here.
    """
    session.flush()
    head = _lock_head(session)
    previous = FIRST if head.seq == 0 else session.get_one(AuditEntry, head.seq).hash
    entry = AuditEntry(
        seq=head.seq + 1,
        at=now(),
        actor_id=actor.id,
        actor=actor.name,
        action=action,
        subject=subject,
        details=json.loads(json.dumps(details or {}, default=str)),
    )
    entry.hash = _hash(session, entry, previous)
    session.add(entry)
    head.seq, head.mac = entry.seq, _head_mac(session, entry.seq, entry.hash)
    session.flush()


def verify(session: Session, seen: Sequence[Mark] = ()) -> Verdict:
    """Read the log from its first entry to its end; `seen` are places that must still be there."""
    expected = {mark.seq: mark.hash for mark in seen}
    problems: list[str] = []
    previous, last = FIRST, 0
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.seq)).yield_per(500):
        if entry.seq != last + 1:
            problems.append(_missing(last + 1, entry.seq - 1))
        elif not hmac.compare_digest(entry.hash, _hash(session, entry, previous)):
            problems.append(f"entry {entry.seq} was changed")
        if expected.pop(entry.seq, entry.hash) != entry.hash:
            problems.append(f"entry {entry.seq} is not the one that was seen before")
        previous, last = entry.hash, entry.seq
    problems += [f"entry {seq}, seen before, is gone" for seq in sorted(expected)]
    problems += _judge_end(session, last, previous)
    return Verdict(last, Mark(last, previous), tuple(problems))


def _judge_end(session: Session, last: int, last_hash: bytes) -> list[str]:
    head = session.get(AuditHead, HEAD_ID)
    if head is None:
        return [] if last == 0 else ["the note of the log's end is gone"]
    if head.seq > last:
        return [_missing(last + 1, head.seq)]
    if head.seq < last or not hmac.compare_digest(head.mac, _head_mac(session, last, last_hash)):
        return ["the note of the log's end was changed"]
    return []


def _missing(first: int, last: int) -> str:
    return (
        f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"
    )


def _lock_head(session: Session) -> AuditHead:
    row = {"id": HEAD_ID, "seq": 0, "mac": b""}
    session.execute(insert(AuditHead).values(**row).on_conflict_do_nothing())
    query = select(AuditHead).where(AuditHead.id == HEAD_ID).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def _hash(session: Session, entry: AuditEntry, previous: bytes) -> bytes:
    told = [
        entry.seq,
        _stamp(entry.at),
        str(entry.actor_id or ""),
        entry.actor,
        entry.action,
        entry.subject,
        entry.details,
        previous.hex(),
    ]
    line = json.dumps(told, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return keyring_of(session).keyed_hash(session, "audit-entry", line)


def _head_mac(session: Session, seq: int, entry_hash: bytes) -> bytes:
    return keyring_of(session).keyed_hash(session, "audit-head", f"{seq}:{entry_hash.hex()}")


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
