"""Writes all that a step changed in one statement, where SQLAlchemy's flush takes one for each row.

Most of what a message costs is round trips (decision 30). Inserts and updates that stand together
in `with ... as (insert ...), ... as (update ...)` are one of them; and since Postgres compares
foreign keys at the end of a statement, it does not matter which of its rows comes first.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Column,
    Insert,
    Select,
    Update,
    bindparam,
    insert,
    inspect,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Session, make_transient, make_transient_to_detached

from bot.sealing import seal_pending
from bot.tables import Base


class _Change(NamedTuple):
    """A row without its values. Steps write few different ones, so their SQL is made once."""

    mapped: type[Base]
    is_new: bool
    names: tuple[str, ...]


def write(session: Session) -> None:
    """Write the session's new and changed rows, sealed, as `session.flush` would.

    For rows whose values are all made by us, and of which none is to be deleted. A changed row
    is there still, because it was read behind a lock.
    """
    seal_pending(session)
    changes = [(_change_of_new(row), row) for row in session.new]
    changes += [(change, row) for row in session.dirty if (change := _change_of_known(row)).names]
    if not changes:
        return
    changes.sort(key=lambda found: (found[0].mapped.__name__, *found[0][1:]))
    values = {
        _parameter(number, name): getattr(row, name)
        for number, (change, row) in enumerate(changes)
        for name in {*change.names, *_key_names(change.mapped)}
    }
    statement = _statement(tuple(change for change, _ in changes))
    session.connection().execute(statement, values)
    for _, row in changes:
        _note_written(session, row)


def add_unread(session: Session, row: Base) -> None:
    """Add a row that is known to exist by its key, so that it is changed without being read."""
    make_transient_to_detached(row)
    session.add(row)


def _change_of_new(row: Base) -> _Change:
    for name, column in _columns(type(row)).items():
        if name not in row.__dict__ and column.identity is None:
            setattr(row, name, _value_of(column.default))
    names = (name for name in _columns(type(row)) if row.__dict__.get(name) is not None)
    return _Change(type(row), True, tuple(names))  # what is not named becomes null by itself


def _change_of_known(row: Base) -> _Change:
    state = inspect(row)
    columns = _columns(type(row))
    touched = columns.keys() - state.unmodified
    changed = {name for name in touched if state.attrs[name].history.has_changes()}
    if changed:
        for name in (name for name, column in columns.items() if column.onupdate is not None):
            if name not in touched:
                setattr(row, name, _value_of(columns[name].onupdate))
            changed.add(name)
    return _Change(type(row), False, tuple(sorted(changed)))


@cache
def _columns(mapped: type[Base]) -> dict[str, Column[Any]]:
    return dict(inspect(mapped).columns.items())


@cache
def _key_names(mapped: type[Base]) -> tuple[str, ...]:
    return tuple(str(column.key) for column in inspect(mapped).primary_key)


def _value_of(default: Any) -> Any:
    """What the mapping says of a column that nobody set."""
    found = getattr(default, "arg", None)
    return found(None) if callable(found) else found


@lru_cache(maxsize=256)
def _statement(changes: tuple[_Change, ...]) -> Select[int]:
    steps = [_step(number, change) for number, change in enumerate(changes)]
    named = [step.cte(f"step_{number}") for number, step in enumerate(steps)]
    return select(literal(1)).add_cte(*named)


def _step(number: int, change: _Change) -> Insert | Update:
    columns = _columns(change.mapped)

    def bind(name: str) -> BindParameter[Any]:
        return bindparam(_parameter(number, name), type_=columns[name].type)

    values = {name: bind(name) for name in change.names}
    if change.is_new:
        return insert(change.mapped).values(values)
    keys = [columns[name] == bind(name) for name in _key_names(change.mapped)]
    return update(change.mapped).where(*keys).values(values)


def _parameter(number: int, name: str) -> str:
    return f"{name}_of_{number}"


def _note_written(session: Session, row: Base) -> None:
    """From now on the row is one that was read: nothing of it waits for a flush."""
    make_transient(row)
    add_unread(session, row)
