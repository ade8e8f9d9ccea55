"""`frontdesk deliveries`: replies that did not arrive, and send them again."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from bot.commands.failures import UsageError
from bot.commands.sessions import open_sessions
from bot.delivery import failed_deliveries, send_again
from bot.instance import find_settings
from bot.privacy.audit import TERMINAL, note
from bot.terminal_text import visible_line

NEEDED = ("database_url", "master_key")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--send-again", metavar="ID", action="append", default=[], help="try this one anew; or: all"
    )
    parser.add_argument("--limit", type=int, default=100, help="lines at most")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    with open_sessions(find_settings(environ, NEEDED)) as sessions:
        if arguments.send_again:
            return _send_again(arguments.send_again, sessions)
        with sessions() as session:
            failed = failed_deliveries(session, arguments.limit)
        for each in failed:
            when = f"{each.created_at.astimezone():%Y-%m-%d %H:%M}"
            place = f"conversation {each.conversation} ({visible_line(each.inbox)})"
            print(f"{each.id}  {when}  {place}  {each.attempts} tries  {visible_line(each.error)}")
        print(f"{len(failed)} failed" + (": `--send-again ID`" if failed else ""))
    return 0


def _send_again(ids: list[str], sessions: sessionmaker[Session]) -> int:
    done = 0
    with sessions.begin() as session:
        wanted = [each.id for each in failed_deliveries(session, 10_000)] if "all" in ids else []
        for delivery_id in [*wanted, *(_uuid(text) for text in ids if text != "all")]:
            if send_again(session, delivery_id):
                done += 1
                note(session, TERMINAL, "delivery.send-again", str(delivery_id))
    print(f"{done} to be sent again")
    return 0 if done else 1


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no id of a delivery; `./frontdesk deliveries`.") from error
