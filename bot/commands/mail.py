"""`frontdesk mail`: connect mailboxes, and say what Frontdesk would do with a mail, and why."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot.commands import mailboxes
from bot.commands.sessions import open_sessions
from bot.instance import NothingRuns, find_settings
from bot.sealing import SealingError
from bot.settings import SettingsError
from bot.tables import Inbox
from channels.email.explain import explain, explain_unreadable, lines_of
from channels.email.mail import OwnMail
from channels.email.mail_files import read_mail_files
from channels.email.mailboxes import Mailbox, load_mailboxes, thread_tokens
from channels.email.placing import SENDER_MISMATCH, explain_thread
from channels.email.reading import read_mail


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    mailboxes.add_actions(actions)
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
    if arguments.action != "explain":
        return mailboxes.run(arguments, environ)
    failed = False
    with open_known(environ, tuple(arguments.address)) as known:
        for told in _explain_all(arguments.files, known):
            failed = failed or "error" in told
            _print(told, as_json=arguments.json)
    return 1 if failed else 0


@dataclass(frozen=True, slots=True)
class Known:
    """What mails are judged by: our addresses and, with a database, its conversations too."""

    own: OwnMail
    session: Session | None = None
    mailboxes: Sequence[Mailbox] = ()


@contextmanager
def open_known(environ: Mapping[str, str], addresses: tuple[str, ...] = ()) -> Iterator[Known]:
    """What the Frontdesk of this environment knows, while the block lasts.

    Without one, mails are judged by these addresses and without our own signatures.
    """
    with ExitStack() as stack:
        try:
            settings = find_settings(environ, ("database_url", "master_key"))
            sessions = stack.enter_context(open_sessions(settings, pool_size=1))
            session = stack.enter_context(sessions())
            own = OwnMail(_addresses(session), thread_tokens(session))
            known = Known(own, session, load_mailboxes(session))
        except (NothingRuns, SettingsError, SealingError, SQLAlchemyError, OSError):
            # Nothing has to run for this command.
            known = Known(OwnMail(addresses))
        yield known


def _addresses(session: Session) -> tuple[str, ...]:
    """All addresses of all mailboxes, as their settings name them."""
    found: list[str] = []
    for settings in session.scalars(select(Inbox.settings).where(Inbox.channel == "email")):
        mailbox = settings.get("email", {})
        found += [mailbox.get("address", ""), *mailbox.get("aliases", ())]
    return tuple(address for address in found if address)


def _explain_all(files: list[Path], known: Known) -> Iterator[dict[str, Any]]:
    for path in files:
        for found in read_mail_files(path):
            if found.error is not None:
                yield explain_unreadable(found.name, found.error)
            else:
                yield _explain(found.name, found.raw, known)


def _explain(name: str, raw: bytes, known: Known) -> dict[str, Any]:
    """A mail's object; the database says whether the sender fits what our signature names."""
    mail = read_mail(raw, known.own)
    told = explain(name, mail, known.own)
    told["thread"]["by"] = "no-database"
    if known.session is None:
        return told
    try:
        match, by = explain_thread(known.session, known.mailboxes, mail)
    except (SQLAlchemyError, SealingError):
        known.session.rollback()
        return told  # the signature alone, as without a database
    told["thread"] = {"match": match, "by": by}
    if by == SENDER_MISMATCH and told["would"] == "answer":
        told["would"], told["why"] = "draft", "somebody else began the conversation that it answers"
    return told


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
