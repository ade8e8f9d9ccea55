"""`frontdesk up`: everything on this machine, with the sample shop on the first start."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from bot.first_start import first_link, index_progress, prepare_desk
from bot.terminal import Terminal
from bot.up import run_up


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Settings come from the environment."""
    parser.add_argument(
        "--demo",
        action="store_true",
        help="also fill a fictional shop with forty conversations, once, to look around in",
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    terminal = Terminal.on(sys.stdout, environ)
    return run_up(
        environ,
        terminal,
        prepare_desk,
        index_progress,
        first_link,
        fills_demo=arguments.demo,
    )
