"""`frontdesk restore`: a backup back into an empty database."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from bot.backup import DATA, KEYS
from bot.home import write_secret
from bot.restore import Restored, restore
from bot.settings import Settings
from bot.stopped_desk import empty_database_of, home_master_key

API_TOKEN = "api-token"  # noqa: S105 - a file's name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="the folder that `frontdesk backup` made")
    parser.add_argument(
        "--keys", type=Path, metavar="FOLDER", help="where the keys lie, if not in FOLDER/keys"
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--data-only", action="store_true", help="leave the keys for later")
    only.add_argument("--keys-only", action="store_true", help="the data is there already")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    folder: Path = arguments.folder.absolute()
    keys: Path = (arguments.keys or folder / KEYS).absolute()
    with empty_database_of(environ) as settings:
        restored = restore(
            settings.database_url or "",
            None if arguments.keys_only else folder / DATA,
            None if arguments.data_only else keys,
            _master_key_file(settings),
        )
        if not arguments.data_only:
            _bring_back_token(keys, settings.home)
    _tell(restored, settings, keys)
    return 0


def _master_key_file(settings: Settings) -> Path | None:
    """Where the backup's master keys go; None where the environment itself holds the key."""
    if settings.master_key and settings.master_key_file is None:
        return None
    return settings.master_key_file or home_master_key(settings.home)


def _bring_back_token(keys: Path, home: Path) -> None:
    source, target = keys / API_TOKEN, home / "keys" / API_TOKEN
    if source.exists() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_secret(target, source.read_text(encoding="utf-8").strip())


def _tell(restored: Restored, settings: Settings, keys: Path) -> None:
    print(f"restored {restored.rows} rows and {restored.data_keys} data keys")
    if restored.missing:
        print(
            f"{len(restored.missing)} data key(s) are missing: what they sealed stays unreadable. "
            "Erased contacts' keys are gone for good; others come with --keys-only. Ids: "
            + _few(restored.missing)
        )
    for key_id in restored.missing_masters:
        print(f"the master key {key_id} is missing: add its line to the master key file")
    if _master_key_file(settings) is None:
        print(f"set FRONTDESK_MASTER_KEY to what {keys / 'master-key'} holds")


def _few(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
