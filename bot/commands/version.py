"""`frontdesk version`."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from pathlib import Path

# Frontdesk runs from its folder and is not installed as a package, so the project file tells.
PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(_arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    print(f"frontdesk {version()}")
    return 0


def version() -> str:
    """This Frontdesk's version."""
    number: str = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"]
    return number
