"""Which Frontdesk this is."""

from __future__ import annotations

import tomllib
from pathlib import Path

# Frontdesk runs from its folder and is not installed as a package, so the project file tells.
PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def version() -> str:
    """This Frontdesk's version."""
    number: str = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"]
    return number
