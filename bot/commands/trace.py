"""`frontdesk trace`: every hop of a conversation's messages, and why each answer."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from uuid import UUID

from sqlalchemy.orm import Session

from bot.commands.sessions import open_sessions
from bot.instance import find_settings
from bot.tracing import (
    ConversationTrace,
    RunTrace,
    TraceError,
    conversation_lines,
    run_lines,
    trace,
    trace_run,
)
from bot.transcripts import find_by_number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "conversation", help="a conversation's number or id, or the run_id that `ask` returned"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = find_settings(environ, ("database_url", "master_key"))
    with open_sessions(settings) as sessions, sessions() as session:
        traced = find_trace(session, arguments.conversation)
    if arguments.json:
        print(json.dumps(asdict(traced), ensure_ascii=False, default=str))
        return 0
    print("\n".join(_lines(traced)))
    return 0


def _lines(traced: ConversationTrace | RunTrace) -> list[str]:
    if isinstance(traced, RunTrace):
        return run_lines(traced)
    return conversation_lines(traced, shutil.get_terminal_size((120, 24)).columns)


def find_trace(session: Session, name: str) -> ConversationTrace | RunTrace:
    """The trace of a conversation by number or id, or of a run by id. Raises TraceError."""
    if name.isdecimal():
        found = find_by_number(session, int(name))
        if found is None:
            raise TraceError(f"There is no conversation {name}.")
        return trace(session, found)
    try:
        identifier = UUID(name)
    except ValueError as error:
        raise TraceError(f"{name!r} is neither a number nor an id.") from error
    return trace_run(session, identifier) or trace(session, identifier)
