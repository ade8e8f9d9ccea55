"""`frontdesk channels`: the channels process alone: listeners and delivery."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from bot.app import run_channels
from bot.instance import find_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none: settings come from the environment."""


def run(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    run_channels(find_settings(environ))
    return 0
