"""The database of a command, opened for as long as it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session, sessionmaker

from bot.database import keyring_of_settings, make_engine, make_sessions
from bot.settings import Settings


@contextmanager
def open_sessions(settings: Settings, pool_size: int = 2) -> Iterator[sessionmaker[Session]]:
    """Sessions that seal, on the settings' database."""
    engine = make_engine(settings.database_url or "", pool_size)
    try:
        yield make_sessions(engine, keyring_of_settings(settings))
    finally:
        engine.dispose()
