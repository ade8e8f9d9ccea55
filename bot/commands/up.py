"""`frontdesk up`: everything on this machine, with the sample shop on the first start."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from bot.api.tokens import ensure_token, new_token
from bot.database import keyring_of_settings, make_engine, make_sessions
from bot.home import write_secret
from bot.settings import Settings
from bot.terminal import Terminal
from bot.up import run_up

OWN_TOKEN = "operator"  # noqa: S105 - the name of a token, not one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none: settings come from the environment."""


def run(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    return run_up(environ, Terminal.on(sys.stdout, environ), prepare_desk)


def prepare_desk(settings: Settings, token_file: Path, _terminal: Terminal) -> None:
    """On every start: the API token in its file is the one in force."""
    if not token_file.exists():
        write_secret(token_file, new_token())
    engine = make_engine(settings.database_url or "", pool_size=1)
    try:
        with make_sessions(engine, keyring_of_settings(settings)).begin() as session:
            ensure_token(session, OWN_TOKEN, token_file.read_text(encoding="utf-8").strip())
    finally:
        engine.dispose()
