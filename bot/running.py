"""How other commands find the `up` that runs in a home."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Running:
    """What `up` tells of itself. Secrets stand in the files that it names, never here.

    `page_url` is what customers open; `api_url` is the web process as this machine reaches it.
    Neither has a path: the API is below `/api/v1`. `lmtp` is where mail servers hand mail over.
    """

    pid: int
    page_url: str
    api_url: str
    database_url_file: str
    redis_url_file: str
    master_key_file: str
    api_token_file: str
    lmtp: str | None = None


def read_running(home: Path) -> Running | None:
    """What the last `up` of a home wrote; None when it wrote nothing readable."""
    try:
        return Running(**json.loads(_file(home).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_running(home: Path, running: Running) -> None:
    """Tell others about this `up`, whole or not at all."""
    unfinished = _file(home).with_suffix(".new")
    unfinished.write_text(json.dumps(asdict(running), indent=2), encoding="utf-8")
    os.chmod(unfinished, 0o600)
    unfinished.rename(_file(home))


def forget_running(home: Path) -> None:
    _file(home).unlink(missing_ok=True)


def _file(home: Path) -> Path:
    return home / "run" / "up.json"
