"""The command line: finds a command's module, reads its arguments, and says errors in one line."""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

PROGRAM = "frontdesk"
USAGE_ERROR, FAILURE, INTERRUPTED = 2, 1, 130


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command stands (below `bot.commands`) and what the help says of it."""

    module: str
    summary: str


class CommandModule(Protocol):
    """What a module below `bot.commands` offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""
        ...

    def run(self, arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
        """Do the work and return the exit status."""
        ...


COMMANDS = {
    "up": Command("up", "start everything here and show where the page is"),
    "web": Command("web", "run the web process alone"),
    "channels": Command("channels", "run the channels process alone"),
    "migrate": Command("migrate", "bring the database's schema to this version"),
    "upgrade": Command("migrate", "the same as migrate"),
    "search-index": Command("search_index", "make messages findable that came before the search"),
    "doctor": Command("doctor", "check every part and say how to mend what is wrong"),
    "import": Command("import_articles", "read articles in from files and folders"),
    "ask": Command("ask", "ask a question and see the answer with its sources"),
    "eval": Command("evaluate", "measure answers against a file of questions"),
    "inbox": Command("inbox", "the staff's terminal: what waits, read, reply, take, resolve"),
    "inboxes": Command("inboxes", "how each inbox behaves: mode, hours, holidays, budgets"),
    "mail": Command("mail", "connect mailboxes, test them, and explain what is done with a mail"),
    "deliveries": Command("deliveries", "replies that did not arrive, and send them again"),
    "trace": Command("trace", "show every hop of a conversation's messages"),
    "backup": Command("backup", "save the data and, apart from it, the keys"),
    "restore": Command("restore", "bring a backup back into an empty database"),
    "staff": Command("staff", "who may log in to the dashboard: invite, list, link, remove"),
    "audit": Command("audit", "who changed what, and whether that log is whole"),
    "keys": Command("keys", "make, list and rotate keys"),
    "slack": Command("slack", "the Slack app's manifest; connect an inbox to a workspace"),
    "simulate": Command("simulate", "let simulated customers write by chat, e-mail and Slack"),
    "demo": Command("demo", "fill a fictional shop with forty conversations, to look around in"),
    "version": Command("version", "print the version"),
}


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command; returns its exit status: 2 for wrong usage, 1 for a failure."""
    chosen = _parser().parse_args(arguments)
    if chosen.command is None:
        _parser().print_help()
        return USAGE_ERROR
    try:
        return _run(chosen.command, chosen.arguments, environ)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output (`| head`) has seen enough; there is nothing left to say.
        sys.stderr.close()
        return FAILURE
    except Exception as error:  # an operator reads one line, not a traceback
        return _give_up(error, debug=chosen.debug or "--debug" in chosen.arguments)


def load(name: str) -> CommandModule:
    """Import one command's module.

    Only the named one: SQLAlchemy, Celery and aiohttp together take seconds to import, which
    `--help`, `version` and a mistyped option should not cost.
    """
    return cast(CommandModule, importlib.import_module(f"bot.commands.{COMMANDS[name].module}"))


def _run(name: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    command = load(name)
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {name}", description=f"{COMMANDS[name].summary.capitalize()}."
    )
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments), environ)


def _parser() -> argparse.ArgumentParser:
    width = max(len(name) for name in COMMANDS)
    lines = [f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [--debug] COMMAND [ARGUMENTS]",
        description="A customer-service desk on your own machine.",
        epilog="commands:\n"
        + "\n".join(lines)
        + f"\n\n`{PROGRAM} COMMAND --help` tells a command's arguments; "
        + f"`{PROGRAM} test` runs the tests.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    parser.add_argument("command", nargs="?", choices=COMMANDS, help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _give_up(error: Exception, *, debug: bool) -> int:
    from bot.commands import failures  # lazy like the commands: it knows the libraries' errors

    if debug:
        traceback.print_exception(error)
    print(f"{PROGRAM}: {failures.explain(error)}", file=sys.stderr)
    return USAGE_ERROR if failures.is_usage(error) else FAILURE
