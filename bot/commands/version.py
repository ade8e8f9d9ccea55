"""`frontdesk version`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from bot.version import version


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(_arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    print(f"frontdesk {version()}")
    return 0
