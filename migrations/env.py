"""Alembic's entry: runs the migrations on the connection it is given, or on DATABASE_URL."""

from __future__ import annotations

import os
from typing import Any

from alembic import context
from sqlalchemy import Connection

from bot.database import make_engine
from bot.settings import Settings
from bot.tables import Base


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Compare our two schemas only."""
    return name in (None, "vault") if kind == "schema" else True


def run(connection: Connection) -> None:
    """Run the migrations in the connection's transaction."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_schemas=True,
        include_name=include_name,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = make_engine(Settings.from_env(os.environ).database_url or "", pool_size=1)
    with engine.begin() as made:
        run(made)
