"""Master keys and data keys: list, rotate without downtime, retire what nothing needs any more.

A rotation has two steps. `rotate` writes a new first line into the master key file and wraps
every data key anew; running processes read the file again when they meet the new key, and before
they make a data key. `retire` takes the old lines out, once no data key needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, sessionmaker

from bot.database import keyring_from, read_master_keys
from bot.home import write_secret
from bot.sealing import Keyring, MasterKey, WrappedKey, keyring_of
from bot.tables import MASTER_KEYS_LOCK, DataKey

BATCH = 500

Progress = Callable[[int, int], None]
"""Called with the number of data keys done and to do."""


class KeysError(Exception):
    """The keys cannot be changed as asked; the message says why and what is safe."""


@dataclass(frozen=True, slots=True)
class MasterKeyUse:
    """One master key: whether it is the active one, in the file, and how many it wraps."""

    id: str
    is_active: bool
    is_present: bool
    data_keys: int


def list_master_keys(session: Session, master_keys: Sequence[MasterKey]) -> list[MasterKeyUse]:
    """The given keys, the active one first, then those that data keys need and nobody has."""
    query = select(DataKey.master_id, func.count()).group_by(DataKey.master_id)
    counts = {row[0]: row[1] for row in session.execute(query)}
    present = [
        MasterKeyUse(key.id, place == 0, True, counts.pop(key.id, 0))
        for place, key in enumerate(master_keys)
    ]
    return present + [MasterKeyUse(key_id, False, False, n) for key_id, n in counts.items()]


def add_master_key(file: Path) -> MasterKey:
    """Put a new key before the others in the file, whole or not at all; it is active from then."""
    old = read_master_keys(file)
    new = MasterKey.generate()
    write_secret(file, "\n".join([new, *_lines(file)]))
    added = read_master_keys(file)
    if added[1:] != old:
        raise KeysError(f"{file} was changed by somebody else at the same time: look at it.")
    return added[0]


def hold_master_keys(file: Path, text: str) -> None:
    """Make sure that a file holds these keys; what it lacks goes before what it has.

    A key that the file has stays, whatever `text` says: data keys may need it.
    """
    present = _lines(file) if file.exists() else []
    missing = [line for line in text.split() if line not in present]
    if missing:
        write_secret(file, "\n".join([*missing, *present]))


def rewrap_data_keys(sessions: sessionmaker[Session], file: Path, progress: Progress) -> int:
    """Wrap every data key by the file's first key, in short transactions; returns how many.

    Interrupted, it goes on where it stopped. Contacts' texts are not touched.
    """
    keyring = keyring_from("\n".join(_lines(file)))
    active = read_master_keys(file)[0].id
    with sessions() as session:
        total = session.scalars(
            select(func.count()).select_from(DataKey).where(DataKey.master_id != active)
        ).one()
    done = 0
    while batch := _rewrap_batch(sessions, keyring, active):
        done += batch
        progress(done, max(total, done))
    return done


def retire_master_keys(sessions: sessionmaker[Session], file: Path) -> int:
    """Take all lines but the first out of the file; returns how many.

    No data key is made meanwhile: whoever makes one waits, then reads the file again. Raises
    KeysError if a data key cannot be wrapped anew, and changes nothing then.
    """
    with _no_new_data_keys(sessions):
        rewrap_data_keys(sessions, file, lambda _done, _total: None)
        lines, active = _lines(file), read_master_keys(file)[0].id
        with sessions() as session:
            left = session.scalar(select(DataKey.id).where(DataKey.master_id != active).limit(1))
        if left is not None:
            raise KeysError(f"Data key {left} still needs an old master key: nothing was retired.")
        write_secret(file, lines[0])
        return len(lines) - 1


def renew_data_key(session: Session, scope: str) -> int:
    """Give a contact (or `system`) a new data key for what is written from now on.

    Returns its generation. What was sealed before stays readable by the older keys. Running
    processes change over within the keyring's cache time.
    """
    query = select(DataKey).where(DataKey.scope == scope).order_by(DataKey.generation.desc())
    newest = session.scalars(query.limit(1).with_for_update()).first()
    if newest is None:
        raise KeysError(f"There is no data key for {scope!r}: it was erased, or never made.")
    made = keyring_of(session).new_data_key(session)
    generation = newest.generation + 1
    session.add(
        DataKey(
            id=made.id,
            scope=scope,
            generation=generation,
            master_id=made.master_id,
            wrapped=made.wrapped,
        )
    )
    session.flush()
    return generation


# -- below: the steps ------------------------------------------------------------------------


def _rewrap_batch(sessions: sessionmaker[Session], keyring: Keyring, active: str) -> int:
    with sessions.begin() as session:
        rows = session.scalars(
            select(DataKey).where(DataKey.master_id != active).limit(BATCH).with_for_update()
        ).all()
        for row in rows:
            again = keyring.rewrap(WrappedKey(row.id, row.wrapped, row.master_id))
            row.wrapped, row.master_id = again.wrapped, again.master_id
    return len(rows)


@contextmanager
def _no_new_data_keys(sessions: sessionmaker[Session]) -> Iterator[None]:
    with sessions() as session:
        session.execute(text("select pg_advisory_lock(:key)"), {"key": MASTER_KEYS_LOCK})
        try:
            yield
        finally:
            session.execute(text("select pg_advisory_unlock(:key)"), {"key": MASTER_KEYS_LOCK})


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").split()
