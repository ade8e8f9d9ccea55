"""Schema migrations by Alembic, under an advisory lock so that two starts never race."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from bot.database import make_engine

SCRIPTS = Path(__file__).resolve().parent.parent / "migrations"
ADVISORY_LOCK = 0x66726F6E74  # "front"


def upgrade(database_url: str) -> None:
    """Bring the schema to this version; harmless when it is there already."""
    engine = make_engine(database_url, pool_size=1)
    try:
        upgrade_engine(engine)
    finally:
        engine.dispose()


def upgrade_engine(engine: Engine) -> None:
    """The same, over an engine."""
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        command.upgrade(config(connection), "head")


def pending(engine: Engine) -> bool:
    """Whether the database stands behind this version's migrations."""
    with engine.connect() as connection:
        return current_revision(connection) != head_revision()


def current_revision(connection: Connection) -> str | None:
    """The revision that the database stands at, or None."""
    return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str | None:
    """The revision that this version's migrations lead to."""
    return ScriptDirectory.from_config(config(None)).get_current_head()


def knows(revision: str) -> bool:
    """Whether this version's migrations lead on from a revision; a newer one's do not."""
    scripts = ScriptDirectory.from_config(config(None))
    return any(script.revision == revision for script in scripts.walk_revisions())


def config(connection: Connection | None) -> Config:
    """Alembic's configuration, for use from code."""
    settings = Config()
    settings.set_main_option("script_location", str(SCRIPTS))
    settings.attributes["connection"] = connection
    return settings
