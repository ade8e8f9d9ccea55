"""`frontdesk backup`: the data and, apart from it, the keys."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from bot.backup import save
from bot.stopped_desk import database_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="a new folder; gets data/ and keys/")
    parser.add_argument(
        "--keys", type=Path, metavar="FOLDER", help="a new folder elsewhere for the keys"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    keys: Path | None = arguments.keys.absolute() if arguments.keys else None
    with database_of(environ) as settings:
        saved = save(settings, arguments.folder.absolute(), keys)
    print(f"data  {saved.data}  {saved.rows} rows")
    print(f"keys  {saved.keys}  {saved.data_keys} data keys and the master key")
    print(f"{saved.size_bytes / 1024**2:.1f} MB. Keep the keys in another place than the data:")
    print("who has both can read everything, and who has the data alone reads no customer's text.")
    return 0
