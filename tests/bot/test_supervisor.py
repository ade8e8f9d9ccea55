"""The supervisor: restarts, drains in order, says what is wrong, and leaves nobody behind."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.spawn import Program, StartError, last_words, spawn
from bot.supervisor import COMPLAIN_AFTER_DEATHS, StopRequest, Supervisor, rotate
from bot.terminal import Terminal
from tests.processes import is_alive, wait_until_gone

CHECKOUT = Path(__file__).resolve().parents[2]
PARENT = """
import sys, time
from pathlib import Path
from bot.spawn import Program, spawn
by_kernel = sys.argv[1] == "kernel"
program = Program("sleeper", ["/bin/sleep", "600"], Path(sys.argv[2]))
print(spawn(program, by_kernel=by_kernel).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def supervisor(tmp_path: Path, screen: io.StringIO) -> Iterator[Supervisor]:
    made = Supervisor(Terminal(screen, is_live=False), tmp_path, StopRequest())
    yield made
    made.drain()


def shell(name: str, script: str, folder: Path, **options: object) -> Program:
    command = ["/bin/sh", "-c", script]
    return Program(name, command, folder / f"{name}.log", **options)  # type: ignore[arg-type]


def pid_of(name: str, folder: Path) -> int:
    return int((folder / f"{name}.pid").read_text())


def tend_until(supervisor: Supervisor, is_so: object, within_s: float = 20.0) -> None:
    assert callable(is_so)
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it never came to that"
        supervisor.tend()
        time.sleep(0.02)


def test_a_killed_child_is_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.launch(shell("web", "exec sleep 600", tmp_path))
    first = pid_of("web", tmp_path)
    os.kill(first, signal.SIGKILL)
    tend_until(supervisor, lambda: pid_of("web", tmp_path) != first)
    assert is_alive(pid_of("web", tmp_path))
    assert supervisor.deaths("web") == 1


def test_a_child_that_keeps_dying_is_told_once_with_its_last_words(
    supervisor: Supervisor, tmp_path: Path, screen: io.StringIO
) -> None:
    supervisor.launch(shell("worker", "echo 'Error: no model here'; exit 3", tmp_path))
    tend_until(supervisor, lambda: supervisor.deaths("worker") > COMPLAIN_AFTER_DEATHS)
    told = [line for line in screen.getvalue().splitlines() if "keeps ending" in line]
    assert len(told) == 1
    assert "status 3" in told[0]
    assert "no model here" in told[0]
    assert str(tmp_path / "worker.log") in told[0]


def test_children_end_in_the_reverse_of_their_order(supervisor: Supervisor, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    script = "trap 'echo {0} >> {1}; exit 0' TERM; echo up > {2}; while :; do sleep 0.02; done"
    for name in ("web", "worker", "beat"):
        up = tmp_path / f"{name}.up"
        program = shell(name, script.format(name, diary, up), tmp_path, is_ready=up.exists)
        supervisor.start(program)
    supervisor.drain()
    assert diary.read_text().split() == ["beat", "worker", "web"]


def test_a_child_that_will_not_end_is_killed_after_its_grace(
    supervisor: Supervisor, tmp_path: Path, screen: io.StringIO
) -> None:
    up = tmp_path / "up"
    script = f"trap '' TERM; touch {up}; while :; do sleep 0.05; done"
    supervisor.start(shell("worker", script, tmp_path, is_ready=up.exists, grace_s=0.2))
    pid = pid_of("worker", tmp_path)
    supervisor.drain()
    assert not is_alive(pid)
    assert "did not end within 0.2 s" in screen.getvalue()


def test_a_childs_own_children_go_with_it(supervisor: Supervisor, tmp_path: Path) -> None:
    up = tmp_path / "up"
    script = f"sleep 600 & echo $! > {up}.new; mv {up}.new {up}; wait"
    supervisor.start(shell("worker", script, tmp_path, is_ready=up.exists))
    grandchild = int(up.read_text())
    assert is_alive(grandchild)
    supervisor.drain()
    assert wait_until_gone([grandchild]) == []


@pytest.mark.parametrize("way", ["kernel", "shell"])
def test_no_child_outlives_a_killed_parent(tmp_path: Path, way: str) -> None:
    if way == "kernel" and sys.platform != "linux":
        pytest.skip("only Linux's kernel does this; elsewhere the shell watches")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, way, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_alive(child)
    parent.kill()
    parent.communicate()
    assert wait_until_gone([child]) == []


def test_a_program_that_never_starts_raises_with_the_reason(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    program = shell("postgres", "echo 'FATAL: no'; exit 1", tmp_path, is_ready=lambda: False)
    with pytest.raises(StartError, match="postgres ended: FATAL: no"):
        supervisor.start(program)


def test_a_stop_is_asked_by_signal_and_urgent_when_asked_again() -> None:
    with StopRequest() as stop:
        stop.interrupts = False
        assert not stop.is_asked
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_asked
        assert not stop.is_urgent
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_urgent


def test_a_stop_interrupts_work_that_cannot_ask() -> None:
    with StopRequest(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGHUP)


def test_a_grown_log_is_moved_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(5):
            writer.write(f"page {number} {'x' * 100}\n".encode())
            rotate(log, at_bytes=50)
        writer.write(b"the newest line\n")
    assert log.read_text() == "the newest line\n"
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["web.log", "web.log.1", "web.log.2", "web.log.3"]
    assert (tmp_path / "web.log.1").read_text().startswith("page 4")


def test_last_words_prefer_the_fatal_line_over_what_follows_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("starting\nFATAL: could not read\nLOG: database system is shut down\n")
    assert last_words(log) == "FATAL: could not read"
    assert last_words(tmp_path / "absent") == "it left no log"


def test_a_servers_environment_holds_no_secrets_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTDESK_MASTER_KEY", "hush")
    child = spawn(shell("valkey", "env", tmp_path))
    child.wait_until_stopped(5.0)
    assert "PATH=" in (tmp_path / "valkey.log").read_text()
    assert "hush" not in (tmp_path / "valkey.log").read_text()
