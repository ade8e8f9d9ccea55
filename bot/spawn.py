"""Child processes that cannot outlive their parent, not even after its `kill -9`."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
LOG_TAIL_BYTES = 16_384
SECOND_TRY_AFTER_S = 0.3


class StartError(Exception):
    """A child did not come up; the message is one line and names its log."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system account a child runs as."""

    name: str
    uid: int
    gid: int


def is_running() -> bool:
    """The readiness of a program that has no better sign of it than being there."""
    return True


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, where it logs, how to see that it is ready and how to end it.

    `prepare` runs before every start and clears what a crash left behind. `is_ready` is asked
    again and again until it says yes or `ready_within_s` has passed.
    """

    name: str
    command: Sequence[str]
    log: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    prepare: Callable[[], None] = lambda: None
    is_ready: Callable[[], bool] = is_running
    ready_within_s: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 10.0
    death_signal: signal.Signals = signal.SIGKILL


class Child:
    """One running program. Start it from a thread that lives as long as the parent does."""

    def __init__(self, program: Program, process: subprocess.Popen[bytes]) -> None:
        self.program = program
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs, else its exit status (negative: the signal that ended it)."""
        return self._process.poll()

    def wait_until_ready(self) -> None:
        """Return when the program says it is ready; raise StartError when it dies or is late."""
        deadline = time.monotonic() + self.program.ready_within_s
        while not self.program.is_ready():
            if self.exit_status is not None:
                raise StartError(f"{self.program.name} ended: {last_words(self.program.log)}")
            if time.monotonic() > deadline:
                waited = f"{self.program.ready_within_s:.0f} s"
                raise StartError(
                    f"{self.program.name} was not ready within {waited}: see {self.program.log}"
                )
            time.sleep(0.02)

    def kill(self) -> None:
        """Send SIGKILL to the program itself, as a crash would."""
        self._process.kill()
        self._process.wait()

    def ask_to_stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(self.program.stop_signal)

    def wait_until_stopped(self, grace_s: float) -> bool:
        """Wait for the end, then end what is left of its process group; True if it was in time."""
        try:
            self._process.wait(max(grace_s, 0.0))
            in_time = True
        except subprocess.TimeoutExpired:
            in_time = False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        return in_time

    def stop(self) -> bool:
        self.ask_to_stop()
        return self.wait_until_stopped(self.program.grace_s)


def spawn(program: Program, *, by_kernel: bool = sys.platform == "linux") -> Child:
    """Start the program in a session of its own, tied to this process's life.

    Linux ends it by PR_SET_PDEATHSIG. Elsewhere (`by_kernel=False`) a watching shell does.
    """
    program.prepare()
    account = program.account
    program.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with program.log.open("ab") as log:
        process = subprocess.Popen(
            list(program.command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**_plain_environ(), **program.environ},
            cwd="/",
            start_new_session=True,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else (),
            preexec_fn=_die_with_parent(program.death_signal) if by_kernel else None,
        )
    if not by_kernel:
        _watch_from_a_shell(process.pid)
    return Child(program, process)


def start_ready(program: Program) -> Child:
    """Start a program and wait until it is ready. Raises StartError after the second try.

    A crash's orphans may need a moment, and `prepare` may mend what the first try ran into.
    """
    with contextlib.suppress(StartError):
        return _start_once(program)
    time.sleep(SECOND_TRY_AFTER_S)
    return _start_once(program)


def last_words(log: Path) -> str:
    """Return the line of a log's end that explains best why its program gave up."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - LOG_TAIL_BYTES, 0))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "it left no log"
    spoken = [line.strip() for line in lines if line.strip()]
    grave = [line for line in spoken if any(word in line for word in _GRAVE_WORDS)]
    return (grave or spoken or ["it left an empty log"])[-1]


def find_account(names: Sequence[str] = ("postgres", "nobody")) -> Account | None:
    """The account that servers run as when we are root; None for an ordinary user."""
    if os.geteuid() != 0:
        return None
    for name in names:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise StartError(
        "Postgres refuses to run as root and this machine has neither a 'postgres' nor a 'nobody' "
        "account: run Frontdesk as an ordinary user."
    )


_GRAVE_WORDS = ("FATAL", "PANIC", "Fatal error", "Bad file format", "Error:", "Can't")


def _start_once(program: Program) -> Child:
    child = spawn(program)
    try:
        child.wait_until_ready()
    except BaseException:
        child.stop()
        raise
    return child


def _plain_environ() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def tie() -> None:
        # subprocess has changed the account already; the kernel forgets the wish when it changes.
        prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return tie


_WATCH = """
(
    while kill -0 "$1" 2>/dev/null && kill -0 "$2" 2>/dev/null; do sleep 1; done
    kill -0 "$1" 2>/dev/null || kill -s KILL -- "-$2" 2>/dev/null
) &
"""


def _watch_from_a_shell(pid: int) -> None:
    subprocess.run(
        ["/bin/sh", "-c", _WATCH, "frontdesk-watch", str(os.getpid()), str(pid)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=True,
    )
