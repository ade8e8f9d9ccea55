"""`frontdesk up`: everything on this machine, with the sample shop on the first start."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from bot.first_start import first_link, index_progress, prepare_desk
from bot.terminal import Terminal
from bot.up import run_up


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none: settings come from the environment."""


def run(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    return run_up(
        environ, Terminal.on(sys.stdout, environ), prepare_desk, index_progress, first_link
    )
