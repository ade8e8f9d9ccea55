"""`frontdesk search-index`: make findable what was said before the desk had its search."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from sqlalchemy.orm import Session, sessionmaker

from bot.commands.sessions import open_sessions
from bot.conversations import index_older_contacts, index_older_messages
from bot.instance import find_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none: it goes on where it stopped, and does nothing twice."""


def run(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    with open_sessions(find_settings(environ, ["database_url", "master_key"])) as sessions:
        messages, contacts = index_older(sessions)
    print(f"indexed {messages} messages and {contacts} contacts; all can be found now")
    return 0


def index_older(sessions: sessionmaker[Session]) -> tuple[int, int]:
    """Index what is not yet, in transactions of a few hundred; how many messages and contacts."""
    done = []
    for index in (index_older_messages, index_older_contacts):
        total = 0
        while True:
            with sessions.begin() as session:
                count = index(session)
            if not count:
                break
            total += count
        done.append(total)
    return done[0], done[1]
