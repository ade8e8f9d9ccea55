"""`frontdesk migrate`, also `upgrade`: the schema to this version, beside the one that runs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from bot.database import make_engine
from bot.instance import find_settings
from bot.migrate import current_revision, head_revision, pending, upgrade_engine

STILL_TO_DO = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 if there is something to do"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    engine = make_engine(find_settings(environ, ["database_url"]).database_url or "", pool_size=1)
    try:
        if arguments.check:
            behind = pending(engine)
            print("the schema is behind this version" if behind else "the schema is up to date")
            return STILL_TO_DO if behind else 0
        with engine.connect() as connection:
            before = current_revision(connection)
        upgrade_engine(engine)
        print(f"schema: {before or 'empty'} -> {head_revision()}")
        return 0
    finally:
        engine.dispose()
