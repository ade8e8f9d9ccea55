"""The data folder of one Frontdesk: made for its owner alone, and used by one `up` at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.running import read_running
from bot.spawn import Account, StartError, find_account


class LocalError(Exception):
    """Frontdesk cannot run here; the message is one line and says how to mend it."""


def make_home(home: Path) -> None:
    """Make the data folder, open to nobody else. Raises LocalError.

    Root's Postgres runs as another account, which may pass through the folder but not list it.
    """
    account = server_account()
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if account is None:
            home.chmod(0o700)
        else:
            os.chown(home, 0, account.gid)
            home.chmod(0o710)
        for name in ("run", "logs", "keys"):
            (home / name).mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise LocalError(
            f"The data folder {home} cannot be used ({error.strerror}): set FRONTDESK_HOME to a "
            "folder of your own."
        ) from error


def require_free_space(folder: Path, needed_bytes: int) -> None:
    """Raises LocalError when the disk of a folder has less than that left."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise LocalError(
            f"The disk of {folder} has {free / 1024**2:.0f} MB left and "
            f"{needed_bytes / 1024**2:.0f} MB are needed: free some, or set FRONTDESK_HOME to a "
            "folder on another disk."
        )


@dataclass(frozen=True, slots=True)
class HomeLock:
    """The right to run in a home; the kernel gives it back when its holder dies."""

    descriptor: int

    @staticmethod
    def claim(home: Path) -> HomeLock:
        """Raises LocalError when another process runs there, and says where its page is."""
        descriptor = os.open(home / "run" / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        for _ in range(10):
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return HomeLock(descriptor)
            # Whoever asks `is_held` holds it for a moment.
            time.sleep(0.05)
        os.close(descriptor)
        raise LocalError(_already_running(home))

    @staticmethod
    def is_held(home: Path) -> bool:
        """True while some process holds the home."""
        try:
            descriptor = os.open(home / "run" / "lock", os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def release(self) -> None:
        os.close(self.descriptor)


def server_account() -> Account | None:
    """The account of the servers; None for an ordinary user. Raises LocalError."""
    try:
        return find_account()
    except StartError as error:
        raise LocalError(str(error)) from error


def write_secret(path: Path, text: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)


def _already_running(home: Path) -> str:
    running = read_running(home)
    page = "" if running is None else f" (pid {running.pid}): its page is at {running.page_url}"
    return (
        f"Frontdesk is already running in {home}{page}. Stop that one first, or set FRONTDESK_HOME "
        "to another folder."
    )
