"""Whether processes are alive, for tests that kill them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path


def is_alive(pid: int) -> bool:
    """False for a zombie too: it only waits for whoever reaps it."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def wait_until_gone(pids: Sequence[int], within_s: float = 10.0) -> list[int]:
    """Those that are still alive when the time is over."""
    deadline = time.monotonic() + within_s
    while (alive := [pid for pid in pids if is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive
