"""A database that is away: its connections cut and new ones refused, until the block ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session, sessionmaker


@contextmanager
def database_away(sessions: sessionmaker[Session]) -> Iterator[None]:
    """The test's own database refuses everybody; the server and its others go on."""
    engine = sessions.kw["bind"]
    assert isinstance(engine, Engine)
    name = engine.url.database
    others = create_engine(engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    try:
        with others.connect() as connection:
            connection.execute(text(f"alter database {name} with allow_connections false"))
            connection.execute(
                text("select pg_terminate_backend(pid) from pg_stat_activity where datname = :it"),
                {"it": name},
            )
        yield
    finally:
        with others.connect() as connection:
            connection.execute(text(f"alter database {name} with allow_connections true"))
        others.dispose()
        engine.dispose()
