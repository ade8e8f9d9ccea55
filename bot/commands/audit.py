"""`frontdesk audit`: who changed what, and whether that log is whole."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot.commands.failures import UsageError
from bot.commands.sessions import open_sessions
from bot.home import write_secret
from bot.instance import find_settings
from bot.privacy.audit import Mark, verify
from bot.tables import AuditEntry
from bot.terminal_text import visible_line

NEEDED = ("database_url", "master_key")
MARK = "audit-seen"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    listing = actions.add_parser("list", help="the latest entries, the oldest of them first")
    listing.add_argument("--limit", type=int, default=50, help="lines at most")
    checking = actions.add_parser("verify", help="read the whole chain; 1 if it was tampered with")
    checking.add_argument(
        "--seen",
        action="append",
        default=[],
        metavar="SEQ:HASH",
        help="an end that an earlier verify printed and that must still be in it",
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = find_settings(environ, NEEDED)
    with open_sessions(settings) as sessions:
        if arguments.action == "list":
            return _list(sessions, arguments.limit)
        marks = [_mark(text) for text in arguments.seen]
        return _verify(sessions, marks, settings.home / "keys" / MARK)


def _list(sessions: sessionmaker[Session], limit: int) -> int:
    with sessions() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(limit))
        for entry in reversed(list(rows)):
            details = json.dumps(entry.details, ensure_ascii=False) if entry.details else ""
            when = f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}"
            told = f"{entry.actor}  {entry.action}  {entry.subject}  {details}"
            print(f"{entry.seq}  {when}  {visible_line(told.rstrip())}")
    return 0


def _verify(sessions: sessionmaker[Session], marks: list[Mark], file: Path) -> int:
    """Compares with the end that the last verify saw, which this machine keeps in a file."""
    known = [_mark(file.read_text(encoding="utf-8"))] if file.exists() else []
    with sessions() as session:
        found = verify(session, [*known, *marks])
    for problem in found.problems:
        print(f"TAMPERED: {problem}")
    if found.problems:
        print(f"{found.entries} entries read; compare with a backup, and ask who had the database")
        return 1
    if found.entries and file.parent.is_dir():
        write_secret(file, found.end.text)
    print(f"{found.entries} entries, none changed and none missing; its end is {found.end.text}")
    return 0


def _mark(text: str) -> Mark:
    try:
        return Mark.parse(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no end of the log: it looks like 42:9f86d0...") from error
