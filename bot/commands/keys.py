"""`frontdesk keys`: make, list and rotate keys."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from bot import keys
from bot.commands.failures import UsageError
from bot.commands.sessions import open_sessions
from bot.instance import find_settings
from bot.keys import KeysError
from bot.privacy.audit import TERMINAL, note
from bot.sealing import SYSTEM_SCOPE, MasterKey
from bot.settings import Settings
from bot.tables import Conversation
from bot.transcripts import find_by_number

NEEDED = ("database_url", "master_key")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    actions.add_parser("new", help="print a new master key, for a FRONTDESK_MASTER_KEY_FILE")
    actions.add_parser("list", help="the master keys by their ids, and what each still wraps")
    actions.add_parser("rotate", help="make a new active master key and wrap all data keys by it")
    actions.add_parser("rewrap", help="go on with an interrupted rotate; harmless otherwise")
    actions.add_parser("retire", help="take out the master keys that are no longer active")
    renew = actions.add_parser("renew", help="a new data key for one contact, or the system")
    renew.add_argument("whose", metavar="CONVERSATION|system", help="a number of the contact's")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    if arguments.action == "new":
        print(MasterKey.generate())
        return 0
    settings = find_settings(environ, NEEDED)
    with open_sessions(settings) as sessions:
        _act(arguments, settings, sessions)
    return 0


def _act(
    arguments: argparse.Namespace, settings: Settings, sessions: sessionmaker[Session]
) -> None:
    if arguments.action == "list":
        _list(settings, sessions)
    elif arguments.action == "renew":
        _renew(sessions, arguments.whose)
    elif arguments.action == "retire":
        retired = keys.retire_master_keys(sessions, _file(settings))
        _note(sessions, "keys.retire", {"retired": retired})
        print(f"{retired} old master key(s) retired; backups hold the keys they need themselves")
    else:
        _rotate(sessions, _file(settings), add=arguments.action == "rotate")


def _list(settings: Settings, sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        for use in keys.list_master_keys(session, MasterKey.parse_all(settings.master_key or "")):
            state = "active" if use.is_active else "old" if use.is_present else "MISSING"
            print(f"{use.id}  {state:7}  wraps {use.data_keys} data key(s)")


def _rotate(sessions: sessionmaker[Session], file: Path, *, add: bool) -> None:
    if add:
        print(f"new active master key {keys.add_master_key(file).id} in {file}")
    done = keys.rewrap_data_keys(sessions, file, _progress)
    _note(sessions, "keys.rotate" if add else "keys.rewrap", {"wrapped": done})
    print(f"{done} data key(s) wrapped anew, nothing was stopped")
    print("when all is well, `./frontdesk keys retire` takes the old master key out of the file")


def _note(sessions: sessionmaker[Session], action: str, details: Mapping[str, int]) -> None:
    with sessions.begin() as session:
        note(session, TERMINAL, action, "", details)


def _progress(done: int, total: int) -> None:
    print(f"wrapping data keys anew: {done}/{total}", file=sys.stderr)


def _renew(sessions: sessionmaker[Session], whose: str) -> None:
    with sessions.begin() as session:
        scope = SYSTEM_SCOPE if whose == SYSTEM_SCOPE else _scope_of(session, whose)
        generation = keys.renew_data_key(session, scope)
        note(session, TERMINAL, "keys.renew", scope, {"generation": generation})
    print(f"data key generation {generation}: what is written from now on is sealed by it")


def _scope_of(session: Session, number: str) -> str:
    found = find_by_number(session, int(number)) if number.isdecimal() else None
    if found is None:
        raise KeysError(f"There is no conversation {number}.")
    return session.get_one(Conversation, found).key_scope


def _file(settings: Settings) -> Path:
    if settings.master_key_file is None:
        raise UsageError(
            "The master key stands in FRONTDESK_MASTER_KEY, which running processes cannot read "
            "anew. Write it into a file, set FRONTDESK_MASTER_KEY_FILE instead, and restart once."
        )
    return settings.master_key_file
