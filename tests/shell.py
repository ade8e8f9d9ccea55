"""Runs `./frontdesk` commands in the test's own process, on the test's own servers."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.cli import main
from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Shell:
    """An operator's shell with this environment."""

    environ: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str = "") -> Finished:
        out, err = io.StringIO(), io.StringIO()
        before, sys.stdin = sys.stdin, io.StringIO(stdin)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = self._status(arguments)
        finally:
            sys.stdin = before
        return Finished(status, out.getvalue(), err.getvalue())

    def _status(self, arguments: tuple[str, ...]) -> int:
        try:
            return main(arguments, self.environ)
        except SystemExit as ended:  # argparse's way to end
            return ended.code if isinstance(ended.code, int) else 1


def shell_on(settings: Settings, **more: str) -> Shell:
    """A shell whose environment names the servers of these settings."""
    return Shell(
        {
            "FRONTDESK_HOME": str(settings.home),
            "DATABASE_URL": settings.database_url or "",
            "REDIS_URL": settings.redis_url or "",
            "FRONTDESK_MASTER_KEY": settings.master_key or "",
            **more,
        }
    )
