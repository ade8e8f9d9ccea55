"""`frontdesk demo`: forty conversations for a look at a desk that has something to show."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Mapping

from bot.commands.sessions import open_sessions
from bot.instance import find_api, find_settings
from bot.simulation.demo import fill_demo
from bot.simulation.stage import DeskDoors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = find_settings(environ, ("database_url", "master_key"))
    api = find_api(environ)
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's own deprecations
    with open_sessions(settings, pool_size=4) as sessions:
        doors = DeskDoors(api.url, api.token)
        summary = asyncio.run(
            fill_demo(sessions, doors, lambda line: print(f"· {line}", flush=True))
        )
    for line in summary.lines():
        print(line)
    return 0
