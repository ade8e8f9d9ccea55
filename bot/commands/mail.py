"""`frontdesk mail`: what Frontdesk would do with a mail, and why."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot.commands.sessions import open_sessions
from bot.conversations import keyed_hash
from bot.instance import NothingRuns, find_settings
from bot.sealing import SealingError
from bot.settings import SettingsError
from bot.tables import Inbox
from channels.email.explain import explain, explain_unreadable, lines_of
from channels.email.mail import OwnMail
from channels.email.mail_files import read_mail_files
from channels.email.reading import read_mail
from channels.email.threading_tokens import ThreadTokens


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    explaining = actions.add_parser(
        "explain", help="say what would be done with raw mails, and why"
    )
    explaining.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="mails, mbox files, folders"
    )
    explaining.add_argument("--json", action="store_true", help="print one JSON object a line")
    explaining.add_argument(
        "--address", action="append", default=[], help="an address of ours, where no database tells"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    own = find_own_mail(environ)
    has_database = own is not None
    own = own or OwnMail(tuple(arguments.address))
    failed = False
    for told in _explain_all(arguments.files, own, has_database=has_database):
        failed = failed or "error" in told
        _print(told, as_json=arguments.json)
    return 1 if failed else 0


def find_own_mail(environ: Mapping[str, str]) -> OwnMail | None:
    """The addresses and the signing key of the Frontdesk of this environment; None without one."""
    try:
        settings = find_settings(environ, ("database_url", "master_key"))
        with open_sessions(settings, pool_size=1) as sessions, sessions() as session:
            return OwnMail(
                _addresses(session), ThreadTokens(keyed_hash(session, "mail-threads", "key"))
            )
    except (NothingRuns, SettingsError, SealingError, SQLAlchemyError, OSError):
        # Nothing has to run for this command: mails are then judged without our own signatures.
        return None


def _addresses(session: Session) -> tuple[str, ...]:
    """All addresses of all mailboxes, as their settings name them."""
    found: list[str] = []
    for settings in session.scalars(select(Inbox.settings).where(Inbox.channel == "email")):
        mailbox = settings.get("email", {})
        found += [mailbox.get("address", ""), *mailbox.get("aliases", ())]
    return tuple(address for address in found if address)


def _explain_all(
    files: list[Path], own: OwnMail, *, has_database: bool
) -> Iterator[dict[str, Any]]:
    for path in files:
        for found in read_mail_files(path):
            if found.error is not None:
                yield explain_unreadable(found.name, found.error)
                continue
            told = explain(found.name, read_mail(found.raw, own), own)
            if not has_database:
                told["thread"]["by"] = "no-database"
            yield told


def _print(told: dict[str, Any], *, as_json: bool) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    if as_json:
        is_unicode = encoding.lower().replace("-", "").startswith("utf")
        print(json.dumps(told, ensure_ascii=not is_unicode), flush=True)
        return
    text = "\n".join(_without_controls(line) for line in lines_of(told))
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="\n\n")


def _without_controls(line: str) -> str:
    """A mail could move the cursor or worse, were its control characters printed."""
    return "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in line)
