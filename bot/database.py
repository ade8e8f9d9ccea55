"""How processes reach Postgres: engines and session factories whose sessions can seal and open."""

from __future__ import annotations

import select
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from bot.sealing import Keyring, MasterKey, SealingError, install
from bot.settings import Settings, SettingsError
from bot.tables import VaultKeys

CONNECT_TIMEOUT_S = 5
# A process that freezes inside a transaction must not keep its locks from all the others.
IDLE_LIMIT = "-c idle_in_transaction_session_timeout=15s"


class SealingSession(Session):
    """A Session that seals pending text at its flush."""


install(SealingSession)


def keyring_from(master_key: str, file: Path | None = None) -> Keyring:
    """A keyring of one master key a line, the active one first; `file` is read again as needed."""
    reload = None if file is None else lambda: read_master_keys(file)
    return Keyring(MasterKey.parse_all(master_key), VaultKeys(), reload=reload)


def read_master_keys(file: Path) -> list[MasterKey]:
    """The master keys of a file. Raises SealingError: better no new key than a retired one."""
    try:
        return MasterKey.parse_all(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SealingError(f"The master key file {file} cannot be read: {error}") from error


def keyring_of_settings(settings: Settings) -> Keyring:
    """The keyring of the master key that the settings name. Raises SettingsError."""
    if not settings.master_key:
        raise SettingsError(
            "FRONTDESK_MASTER_KEY_FILE is not set. `./frontdesk up` makes a key by itself; "
            "by hand: `./frontdesk keys new > FILE`."
        )
    return keyring_from(settings.master_key, settings.master_key_file)


def make_engine(database_url: str, pool_size: int = 5) -> Engine:
    """A sync engine: workers, commands, migrations."""
    engine = create_engine(database_url, **_options(pool_size))
    event.listen(engine, "checkout", _refuse_ended)
    return engine


def make_sessions(engine: Engine, keyring: Keyring) -> sessionmaker[Session]:
    """Sync sessions that seal."""
    return sessionmaker(
        engine, class_=SealingSession, expire_on_commit=False, info={"keyring": keyring}
    )


def make_async_engine(database_url: str, pool_size: int = 10) -> AsyncEngine:
    """An async engine: the web and channels processes."""
    engine = create_async_engine(database_url, **_options(pool_size))
    event.listen(engine.sync_engine, "checkout", _refuse_ended)
    return engine


def make_async_sessions(engine: AsyncEngine, keyring: Keyring) -> async_sessionmaker[AsyncSession]:
    """Async sessions whose sync sessions seal; write `await session.run_sync(function, ...)`."""
    return async_sessionmaker(
        engine,
        sync_session_class=SealingSession,
        expire_on_commit=False,
        info={"keyring": keyring},
    )


def without_transactions(
    sessions: async_sessionmaker[AsyncSession],
) -> async_sessionmaker[AsyncSession]:
    """Sessions whose statements stand alone: one read costs one round trip and not three."""
    engine = sessions.kw["bind"].execution_options(isolation_level="AUTOCOMMIT")
    return async_sessionmaker(**(sessions.kw | {"bind": engine}))


def _refuse_ended(_connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Before use, notice a connection that the server has ended; the pool then makes another.

    An idle connection has nothing to say, so one that can be read from brings the end or a
    notice of it. That is one system call, where a ping would be a round trip.
    """
    connection: Any = record.driver_connection
    said = select.poll()
    if not connection.closed:
        said.register(connection.fileno(), select.POLLIN)
    if connection.closed or said.poll(0):
        raise DisconnectionError("the server ended this connection")


def _options(pool_size: int) -> dict[str, Any]:
    return {
        # All are kept: one that is opened for a single use costs more than ten messages.
        "pool_size": 2 * pool_size,
        "max_overflow": 0,
        # The last one used is used next: its statements are prepared and planned, its caches warm.
        "pool_use_lifo": True,
        "pool_timeout": 15,
        "hide_parameters": True,  # errors reach the log, and parameters hold text
        "connect_args": {"connect_timeout": CONNECT_TIMEOUT_S, "options": IDLE_LIMIT},
    }
