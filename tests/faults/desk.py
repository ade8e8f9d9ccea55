"""The handle of a scripted desk for tests and benches: start it, kill its parts, end it."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType

import redis

from bot.redis_url import redis_py_url
from bot.spawn import Child, Program, last_words, spawn
from bot.up import CHECKOUT
from tests.faults.points import Points
from tests.faults.script import Script
from tests.processes import is_alive, wait_until_gone

COMPONENTS = ("web", "worker", "beat", "valkey", "postgres")
START_WITHIN_S = 180.0


class Desk:
    """A desk in a home of its own. Start it from the main thread; no child outlives this process.

    `tended` says what supervises it: `tests.faults.tender`, and everything it runs, reads the
    script from its environment.
    """

    def __init__(self, script: Script, workers: Sequence[str] = ("worker",)) -> None:
        self.script = script
        self.home = script.folder
        self.points = Points(self.home / "points")
        self._program = Program(
            name="tender",
            command=[sys.executable, "-P", "-m", "tests.faults.tender", str(self.home), *workers],
            log=self.home / "tender.log",
            environ={**script.as_environ(), "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"},
            is_ready=(self.home / "run" / "desk.json").exists,
            ready_within_s=START_WITHIN_S,
            grace_s=60.0,
        )
        self._child: Child | None = None
        self._told: dict[str, str] = {}

    def start(self) -> None:
        """Return when the desk takes questions. Raises StartError."""
        self._child = spawn(self._program)
        self._child.wait_until_ready()
        self._told = json.loads((self.home / "run" / "desk.json").read_text(encoding="utf-8"))

    def stop(self) -> None:
        """Drain and end everything."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def abandon(self) -> None:
        """Kill the supervisor: the kernel ends everything that it started."""
        if self._child is not None:
            pids = [int(file.read_text()) for file in (self.home / "run").glob("*.pid")]
            self._child.kill()
            wait_until_gone(pids)
            self._child = None

    def __enter__(self) -> Desk:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return self._told["url"]

    @property
    def database_url(self) -> str:
        return self._told["database_url"]

    @property
    def redis_url(self) -> str:
        return self._told["redis_url"]

    @property
    def master_key(self) -> str:
        return self._told["master_key"]

    @property
    def lmtp_port(self) -> int:
        """Where the channels process takes mail, in a desk that has one."""
        return int(self._told["lmtp"].rpartition(":")[2])

    def pid(self, name: str) -> int:
        """The pid that the supervisor last wrote for a component."""
        file = self.home / "run" / f"{name}.pid"
        wait_until(lambda: file.exists() and file.read_text(encoding="ascii").endswith("\n"), 5.0)
        return int(file.read_text(encoding="ascii"))

    def kill(self, name: str) -> int:
        """SIGKILL a component; returns the pid that died."""
        return self.send(name, signal.SIGKILL)

    def send(self, name: str, number: signal.Signals) -> int:
        pid = self.pid(name)
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

    def wait_for_another(self, name: str, killed: int, within_s: float = 60.0) -> int:
        """Wait until the supervisor has started the component again; returns the new pid."""
        wait_until(lambda: self.pid(name) != killed and is_alive(self.pid(name)), within_s)
        return self.pid(name)

    def flush_redis(self) -> None:
        """FLUSHALL: every bell and every subscription's memory is gone."""
        client = redis.Redis.from_url(redis_py_url(self.redis_url))
        try:
            client.flushall()
        finally:
            client.close()

    def last_words(self, name: str) -> str:
        return last_words(self.home / "logs" / f"{name}.log")


def make_home() -> tempfile.TemporaryDirectory[str]:
    """A short-named folder that goes when it is closed, whatever is left in it."""
    return tempfile.TemporaryDirectory(prefix="fd-", ignore_cleanup_errors=True)


def wait_until(is_so: Callable[[], bool], within_s: float) -> None:
    """Raises TimeoutError when it never came to that."""
    deadline = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("it never came to that")
        time.sleep(0.02)
