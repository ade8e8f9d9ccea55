"""`frontdesk import`: articles from files and folders."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import closing

from bot.commands.sessions import open_sessions
from bot.instance import find_settings
from bot.knowledge import import_command
from bot.knowledge.articles import DEFAULT_COLLECTION, DEFAULT_INBOX
from bot.queue import Queue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="Markdown, HTML, text, PDF, DOCX, CSV, JSONL"
    )
    parser.add_argument(
        "--inbox", default=DEFAULT_INBOX, help="who may answer from them (%(default)s)"
    )
    parser.add_argument(
        "--collection", default=DEFAULT_COLLECTION, help="the group they go into (%(default)s)"
    )
    parser.add_argument(
        "--prune", action="store_true", help="remove the collection's other articles"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = find_settings(environ)
    with open_sessions(settings) as sessions, closing(Queue(settings.redis_url or "")) as queue:
        return import_command.run(
            sessions,
            queue,
            arguments.paths,
            arguments.inbox,
            arguments.collection,
            arguments.prune,
            arguments.json,
            sys.stdout,
            sys.stderr,
        )
