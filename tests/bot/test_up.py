"""`up` as an operator meets it: a page, restarts, a clean end, and no one left after a crash."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from bot.machine import available_memory_bytes
from bot.running import read_running
from tests.processes import is_alive, wait_until_gone

CHECKOUT = Path(__file__).resolve().parents[2]
CHILDREN = ("postgres", "valkey", "web", "channels", "worker", "beat")
PATIENCE_S = 120.0
T = TypeVar("T")

pytestmark = pytest.mark.kill


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody with a shell and a data folder."""

    home: Path

    def start_up(self, **more: str) -> subprocess.Popen[str]:
        environ = {
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            "FRONTDESK_HOME": str(self.home),
            "FRONTDESK_PORT": "0",
            "FRONTDESK_ENGINE": "none",
            **more,
        }
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "bot", "up"],
            env=environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def page(self) -> str:
        """The address of the page; waits for it."""
        return wait_for(lambda: read_running(self.home)).page_url

    def pid(self, name: str) -> int:
        return int((self.home / "run" / f"{name}.pid").read_text())

    def pids(self) -> list[int]:
        return [self.pid(name) for name in CHILDREN]


def wait_for(look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if (found := look()) is not None:
                return found
        time.sleep(0.05)
    raise AssertionError("it never came to that")


@pytest.fixture
def operator() -> Iterator[Operator]:
    home = Path(tempfile.mkdtemp(prefix="fd-"))
    yield Operator(home)
    shutil.rmtree(home, ignore_errors=True)


def healthz(page: str) -> int | None:
    with urllib.request.urlopen(f"{page}/healthz", timeout=5) as response:
        return int(response.status)


def test_up_shows_a_page_restarts_what_dies_and_leaves_nobody_behind(operator: Operator) -> None:
    first = operator.start_up()
    page = operator.page()
    assert wait_for(lambda: healthz(page)) == 200
    web = operator.pid("web")
    os.kill(web, signal.SIGKILL)
    os.kill(operator.pid("postgres"), signal.SIGKILL)
    wait_for(lambda: operator.pid("web") != web or None)
    assert wait_for(lambda: healthz(page)) == 200

    pids = operator.pids()
    first.kill()
    first.communicate()
    assert wait_until_gone(pids, within_s=20) == []

    (operator.home / "run" / "up.json").unlink()
    second = operator.start_up()
    assert wait_for(lambda: healthz(operator.page())) == 200
    assert second.stdout is not None
    greeting = "".join(iter(second.stdout.readline, "  Stop with           Ctrl-C\n"))
    assert "articles that can be found: 41 of 41" in greeting
    assert f"The sample shop     {operator.page()}" in greeting
    assert f"Staff answer at     {operator.page()}" in greeting
    pids = operator.pids()
    second.send_signal(signal.SIGINT)
    said, _ = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 0, said
    assert "Traceback" not in said
    assert [pid for pid in pids if is_alive(pid)] == []
    assert read_running(operator.home) is None


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_no_credential_of_a_channel_reaches_a_worker(operator: Operator) -> None:
    up = operator.start_up(SLACK_BOT_TOKEN="xoxb-marker", SLACK_SIGNING_SECRET_FILE="/a/marker")
    wait_for(lambda: healthz(operator.page()))
    has_marker = {name: b"marker" in environ_of(operator.pid(name)) for name in CHILDREN}
    up.send_signal(signal.SIGINT)
    up.communicate(timeout=PATIENCE_S)
    assert (has_marker["web"], has_marker["channels"]) == (True, True)
    assert (has_marker["worker"], has_marker["beat"]) == (False, False)


def environ_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def test_a_port_in_use_is_told_in_one_line_before_anything_starts(operator: Operator) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        said, _ = (up := operator.start_up(FRONTDESK_PORT=port)).communicate(timeout=PATIENCE_S)
    assert up.returncode == 1
    assert f"Port {port} of 127.0.0.1 is in use" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert not (operator.home / "postgres").exists()


def test_a_container_with_a_memory_limit_has_only_what_the_limit_leaves(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    assert available_memory_bytes(meminfo, tmp_path) == 8000 * 1024
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("4000000\n")
    (tmp_path / "memory.stat").write_text("anon 3500000\ninactive_file 500000\n")
    assert available_memory_bytes(meminfo, tmp_path) == 1_500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory_bytes(meminfo, tmp_path) == 8000 * 1024
