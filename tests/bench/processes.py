"""What processes cost: CPU seconds and memory, of each component with all its children."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
KIB = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: resident, and the proportional share, in which shared pages count once."""

    rss_bytes: int
    pss_bytes: int

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.rss_bytes + other.rss_bytes, self.pss_bytes + other.pss_bytes)


def pid_of(home: Path, name: str) -> int:
    """The pid that the supervisor of a home wrote for a component."""
    return int((home / "run" / f"{name}.pid").read_text(encoding="ascii"))


def with_children(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                found += with_children(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children, ended ones included."""
    return sum(_cpu_of(one) for one in with_children(pid))


def memory_of(pid: int) -> Memory:
    """What a process and its children hold now."""
    total = Memory(0, 0)
    for one in with_children(pid):
        total += _memory_of_one(one)
    return total


def _cpu_of(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:15])) / TICKS
    return 0.0


def _memory_of_one(pid: int) -> Memory:
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        return Memory(_kib(lines, "Rss:") * KIB, _kib(lines, "Pss:") * KIB)
    return Memory(0, 0)


def _kib(lines: Iterable[str], name: str) -> int:
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
