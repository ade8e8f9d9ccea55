"""Places in a program where a test may let a process die: armed by a file, taken once."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

WEB_POINTS = ("web.in_transaction", "web.after_record", "web.before_ack")
WORKER_POINTS = (
    "worker.after_claim",
    "worker.in_transaction",
    "worker.between_sentences",
    "worker.before_finish",
    "worker.after_finish",
    "worker.in_sweep",
)


class Points:
    """The armed points of one desk, as files in a folder that all its processes see."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def arm(self, name: str, victim: int = 0) -> None:
        """Whoever passes the point next kills the victim; 0 means itself."""
        self._folder.mkdir(exist_ok=True)
        unfinished = self._folder / f".{name}"
        unfinished.write_text(str(victim), encoding="ascii")
        unfinished.rename(self._folder / name)

    def disarm(self, name: str) -> bool:
        """False if somebody passed the point already."""
        try:
            (self._folder / name).unlink()
        except FileNotFoundError:
            return False
        return True

    def is_armed(self, name: str) -> bool:
        return (self._folder / name).exists()

    def reach(self, name: str) -> None:
        """Die here, or let the armed victim die, if somebody armed this point."""
        taken = self._folder / f"{name}.{os.getpid()}"
        with suppress(FileNotFoundError, ProcessLookupError):
            (self._folder / name).rename(taken)
            victim = int(taken.read_text(encoding="ascii"))
            taken.unlink()
            os.kill(victim or os.getpid(), signal.SIGKILL)
