"""`frontdesk inbox`: the staff's terminal."""

from __future__ import annotations

import argparse
import getpass
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import get_args

from bot.commands.failures import UsageError
from bot.commands.sessions import open_sessions
from bot.events import Publisher
from bot.instance import find_settings
from bot.messages import ConversationStatus
from bot.queue import Queue
from bot.staff_terminal import StaffTerminal, parse_pause

STATUSES = get_args(ConversationStatus)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as",
        dest="agent",
        metavar="NAME",
        help="who you are (else FRONTDESK_AGENT, or the log-in name)",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")
    listing = actions.add_parser("list", help="conversations: the open ones, or as asked")
    listing.add_argument("--all", action="store_true", help="whatever their status")
    listing.add_argument("--mine", action="store_true", help="only yours")
    listing.add_argument("--status", choices=STATUSES, action="append", help="may be repeated")
    for name, help_text in _ON_ONE.items():
        actions.add_parser(name, help=help_text).add_argument("number", type=int)
    for name, help_text in _WITH_TEXT.items():
        writing = actions.add_parser(name, help=help_text)
        writing.add_argument("number", type=int)
        writing.add_argument("text", help="what to say; - reads it from standard input")
    assigning = actions.add_parser("assign", help="give it to a colleague")
    assigning.add_argument("number", type=int)
    assigning.add_argument("name")
    snoozing = actions.add_parser("snooze", help="put it aside: 30m, 2h, 3d")
    snoozing.add_argument("number", type=int)
    snoozing.add_argument("pause")
    approving = actions.add_parser("approve", help="send the waiting draft as your reply")
    approving.add_argument("number", type=int)
    approving.add_argument("text", nargs="?", help="other words instead; - reads standard input")
    actions.add_parser("watch", help="what waits, then every change as it happens")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    with open_terminal(arguments.agent, environ) as terminal:
        _ACTIONS[arguments.action](terminal, arguments)
    return 0


@contextmanager
def open_terminal(agent: str | None, environ: Mapping[str, str]) -> Iterator[StaffTerminal]:
    """A terminal on the instance that the environment names."""
    settings = find_settings(environ)
    redis_url = settings.redis_url or ""
    with (
        open_sessions(settings) as sessions,
        closing(Publisher(redis_url)) as publisher,
        closing(Queue(redis_url)) as queue,
    ):
        yield StaffTerminal(
            sessions,
            publisher,
            queue,
            agent or environ.get("FRONTDESK_AGENT", "").strip() or _login_name(),
            sys.stdout,
            shutil.get_terminal_size((100, 24)).columns,
        )


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise UsageError("Who are you? Say --as NAME, or set FRONTDESK_AGENT.") from error


def _statuses(arguments: argparse.Namespace) -> Sequence[ConversationStatus] | None:
    if arguments.all:
        return None
    chosen: Sequence[ConversationStatus] | None = arguments.status
    return chosen or (None if arguments.mine else ("open", "snoozed"))


def _text(given: str) -> str:
    return sys.stdin.read() if given == "-" else given


_ON_ONE = {
    "read": "show all messages and notes",
    "take": "make it yours; the bot writes nothing more",
    "give-back": "return it to the bot",
    "resolve": "close the matter",
    "discard": "set the waiting draft aside",
    "delete": "delete it for good, with everything in it",
}
_WITH_TEXT = {"reply": "answer the customer", "note": "write for the staff alone"}
_ACTIONS: dict[str | None, Callable[[StaffTerminal, argparse.Namespace], None]] = {
    None: lambda terminal, _: terminal.show_waiting(),
    "list": lambda terminal, a: terminal.show_list(_statuses(a), mine=a.mine),
    "read": lambda terminal, a: terminal.show(a.number),
    "take": lambda terminal, a: terminal.take(a.number),
    "give-back": lambda terminal, a: terminal.give_back(a.number),
    "resolve": lambda terminal, a: terminal.resolve(a.number),
    "reply": lambda terminal, a: terminal.reply(a.number, _text(a.text)),
    "note": lambda terminal, a: terminal.note(a.number, _text(a.text)),
    "assign": lambda terminal, a: terminal.assign(a.number, a.name),
    "snooze": lambda terminal, a: terminal.snooze(a.number, parse_pause(a.pause)),
    "approve": lambda terminal, a: terminal.approve(a.number, _text(a.text) if a.text else None),
    "discard": lambda terminal, a: terminal.discard(a.number),
    "delete": lambda terminal, a: terminal.delete(a.number),
    "watch": lambda terminal, _: terminal.watch(),
}
