"""Token buckets, kept in this process: each web process allows its own share.

In-process on purpose: a limit must hold when Redis is away, and it protects the process that
counts. With N web processes a visitor may send up to N times as much.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from aiohttp import web

MAX_BUCKETS = 50_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` requests at once, then one more each `1 / per_second` seconds."""

    burst: int
    per_second: float


class Buckets:
    """One token bucket for each key; the least recently used ones are forgotten."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one token: 0.0 if there was one, else the seconds until there will be."""
        current = self._clock()
        level, since = self._levels.pop(key, (float(self._rate.burst), current))
        level = min(float(self._rate.burst), level + (current - since) * self._rate.per_second)
        allowed = level >= 1.0
        self._levels[key] = (level - 1.0 if allowed else level, current)
        if len(self._levels) > MAX_BUCKETS:
            self._levels.popitem(last=False)
        return 0.0 if allowed else (1.0 - level) / self._rate.per_second


def client_address(request: web.Request) -> str | None:
    """Who is on the other end; None where that cannot be told.

    A loopback peer is a proxy on this machine: the last entry of X-Forwarded-For is its own
    word. From any other peer that header is hearsay and is not read.
    """
    peer = request.remote or ""
    if peer and not _is_loopback(peer):
        return peer
    told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return told if told and _is_address(told) else None


def _is_loopback(address: str) -> bool:
    return _is_address(address) and ip_address(address).is_loopback


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
