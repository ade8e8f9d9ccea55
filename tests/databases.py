"""Databases for tests: made once from a template, then emptied from test to test.

Making one copies a thousand files; emptying one deletes the few rows that a test wrote.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
from psycopg.sql import SQL, Identifier, Literal
from sqlalchemy import make_url

_numbers = itertools.count(1)
_SHAPE = """
    select (select count(*) || ':' || max(oid) from pg_class where relpersistence <> 't'),
        (select count(*) || ':' || max(oid) from pg_constraint),
        (select count(*) || ':' || max(oid) from pg_extension)"""
_OTHERS = """
    select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()"""
_TABLES = """
    select schemaname, tablename from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema')"""
_RESTART = """
    select setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    from pg_sequences where last_value is not null"""
GONE_WITHIN_S = 20.0


class EmptiedDatabase:
    """A database with the newest schema that no test finds anything of another's in.

    `make` makes it from the template, given its name, and returns its URL; `drop` drops it.
    Nobody is connected to it while it is lent but who borrowed it.
    """

    def __init__(self, make: Callable[[str], str], drop: Callable[[str], None]) -> None:
        self._make = make
        self._drop = drop
        self._name = ""
        self._url = ""
        self._rows: _Rows | None = None

    def lend(self) -> str:
        """Its URL; it is empty."""
        if self._rows is None:
            self._name = f"test_{os.getpid()}_{next(_numbers)}"
            self._url = self._make(self._name)
            with self._connected() as connection:
                self._rows = _Rows(connection)
        return self._url

    def take_back(self) -> None:
        """Empty it; one whose schema was changed, or that somebody holds on to, is dropped."""
        if self._rows is not None and not self._empty(self._rows):
            self.close()

    def close(self) -> None:
        if self._rows is not None:
            self._rows = None
            self._drop(self._name)

    def _empty(self, rows: _Rows) -> bool:
        try:
            with self._connected() as connection:
                return _are_gone(connection) and rows.put_back(connection)
        except psycopg.Error:
            return False

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        url = make_url(self._url).set(drivername="postgresql")
        conninfo = url.render_as_string(hide_password=False)
        # Rows go in any order: foreign keys and triggers are for the product.
        options = "-c session_replication_role=replica"
        with psycopg.connect(conninfo, autocommit=True, options=options) as connection:
            yield connection


def _are_gone(connection: psycopg.Connection) -> bool:
    """Whether nobody else is connected any more; they are asked to go."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while connection.execute(_OTHERS).fetchone() != (0,):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


class _Rows:
    """What the migrations left in the tables, and the shape of these."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._tables = [Identifier(*name) for name in connection.execute(_TABLES).fetchall()]
        holds = SQL("select {} as place where exists (select from {})")
        asked = [holds.format(Literal(place), table) for place, table in enumerate(self._tables)]
        self._filled = SQL(" union all ").join(asked)
        self._shape = connection.execute(_SHAPE).fetchone()
        self._seeds = {
            place: _copied(connection, self._tables[place]) for place in self._now(connection)
        }

    def put_back(self, connection: psycopg.Connection) -> bool:
        """False where the tables are not those that were there."""
        if connection.execute(_SHAPE).fetchone() != self._shape:
            return False
        for place in {*self._now(connection), *self._seeds}:
            connection.execute(SQL("delete from {}").format(self._tables[place]))
        connection.execute(_RESTART)
        for place, rows in self._seeds.items():
            with _copying(connection, "copy {} from stdin", self._tables[place]) as copy:
                copy.write(rows)
        return True

    def _now(self, connection: psycopg.Connection) -> list[int]:
        """The tables that hold rows now, by their place."""
        return [place for (place,) in connection.execute(self._filled)]


def _copied(connection: psycopg.Connection, table: Identifier) -> bytes:
    with _copying(connection, "copy {} to stdout", table) as rows:
        return b"".join(map(bytes, rows))


@contextmanager
def _copying(
    connection: psycopg.Connection, statement: LiteralString, table: Identifier
) -> Iterator[psycopg.Copy]:
    with connection.cursor() as cursor, cursor.copy(SQL(statement).format(table)) as copy:
        yield copy
