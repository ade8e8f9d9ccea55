"""Keeps named programs running: starts them in order, restarts what dies, drains on request."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from bot.spawn import Child, Program, StartError, is_running, last_words, spawn, start_ready
from bot.terminal import Terminal

PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
# Who served for so long does not fail at its start: it is started again without a long pause.
STEADY_AFTER_S = 10.0
COMPLAIN_AFTER_DEATHS = 3
TICK_S = 0.1
ROTATE_AT_BYTES = 10 * 1024**2
KEPT_LOGS = 3
ROTATE_EVERY_S = 10.0


class StopRequest:
    """SIGINT, SIGTERM and SIGHUP as a question to ask: `stop.is_asked`.

    While `interrupts` is true they also raise KeyboardInterrupt, for work that cannot ask.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.count = 0
        self.interrupts = True
        self._before: dict[signal.Signals, Any] = {}

    @property
    def is_asked(self) -> bool:
        return self.count > 0

    @property
    def is_urgent(self) -> bool:
        """Asked again while draining: do not wait any longer."""
        return self.count > 1

    def __enter__(self) -> StopRequest:
        for number in self.SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.interrupts:
            raise KeyboardInterrupt


@dataclass(slots=True)
class _Tended:
    """One program under care."""

    program: Program
    child: Child | None
    started_at: float
    is_ready: bool = False
    deaths: int = 0
    restart_at: float = 0.0


class Supervisor:
    """Call everything here from the main thread: children are tied to the thread that made them."""

    def __init__(self, terminal: Terminal, run_folder: Path, stop: StopRequest) -> None:
        self._terminal = terminal
        self._run_folder = run_folder
        self._stop = stop
        self._tended: dict[str, _Tended] = {}
        self._rotated_at = time.monotonic()

    def start(self, program: Program) -> None:
        """Start a program and return when it is ready. Raises StartError when it does not come."""
        child = start_ready(program)
        self._tended[program.name] = _Tended(program, child, time.monotonic(), is_ready=True)
        self._note_pid(program.name, child.pid)

    def launch(self, program: Program) -> None:
        """Start a program and return at once; `tend` notices when it is ready."""
        self._tended[program.name] = _Tended(program, None, time.monotonic())
        self._start_again(self._tended[program.name])

    def is_ready(self, name: str) -> bool:
        return self._tended[name].is_ready

    def deaths(self, name: str) -> int:
        """How often in a row the program ended before it had run steadily."""
        return self._tended[name].deaths

    def tend(self) -> None:
        """One round: notice deaths, start again what waited long enough, notice readiness."""
        for tended in self._tended.values():
            if tended.child is None:
                if time.monotonic() >= tended.restart_at:
                    self._start_again(tended)
            elif tended.child.exit_status is not None:
                self._note_death(tended, tended.child)
            elif not tended.is_ready and _is_ready(tended.program):
                tended.is_ready = True
                if tended.program.is_ready is not is_running:
                    self._terminal.done(f"{tended.program.name} is ready")
            elif tended.deaths and time.monotonic() - tended.started_at > STEADY_AFTER_S:
                tended.deaths = 0
        self._rotate_logs()

    def tend_until_stopped(self) -> None:
        """Tend until somebody asks to stop."""
        while not self._stop.is_asked:
            self.tend()
            time.sleep(TICK_S)

    def tend_until_ready(self, names: Sequence[str], within_s: float) -> bool:
        """Tend until these are ready; False when a stop was asked for or the time is over."""
        deadline = time.monotonic() + within_s
        while not all(self.is_ready(name) for name in names):
            if self._stop.is_asked or time.monotonic() > deadline:
                return False
            self.tend()
            time.sleep(TICK_S / 2)
        return True

    def drain(self) -> None:
        """End all in the reverse of their order, each within its grace; a second Ctrl-C hurries."""
        for name in reversed(list(self._tended)):
            tended = self._tended.pop(name)
            if tended.child is not None:
                self._end(tended.child)
            (self._run_folder / f"{name}.pid").unlink(missing_ok=True)

    def _start_again(self, tended: _Tended) -> None:
        tended.started_at = time.monotonic()
        tended.child = spawn(tended.program)
        self._note_pid(tended.program.name, tended.child.pid)

    def _note_death(self, tended: _Tended, child: Child) -> None:
        name, log = tended.program.name, tended.program.log
        child.wait_until_stopped(0.0)
        pause = PAUSES_S[min(tended.deaths, len(PAUSES_S) - 1)]
        tended.deaths += 1
        tended.child, tended.is_ready = None, False
        tended.restart_at = time.monotonic() + pause
        if tended.deaths == COMPLAIN_AFTER_DEATHS:
            self._terminal.fail(
                f"{name} keeps ending ({_ending(child.exit_status)}): {last_words(log)} "
                f"- read {log}; it is tried again every {PAUSES_S[-1]:.0f} s"
            )
        elif tended.deaths < COMPLAIN_AFTER_DEATHS:
            self._terminal.warn(
                f"{name} ended ({_ending(child.exit_status)}); starting it again in {pause:g} s"
            )

    def _end(self, child: Child) -> None:
        program = child.program
        child.ask_to_stop()
        deadline = time.monotonic() + program.grace_s
        while child.exit_status is None and time.monotonic() < deadline:
            if self._stop.is_urgent:
                break
            time.sleep(0.02)
        if not child.wait_until_stopped(0.0) and not self._stop.is_urgent:
            self._terminal.warn(f"{program.name} did not end within {program.grace_s:g} s: killed")

    def _note_pid(self, name: str, pid: int) -> None:
        with suppress(OSError):
            (self._run_folder / f"{name}.pid").write_text(f"{pid}\n", encoding="ascii")

    def _rotate_logs(self) -> None:
        if time.monotonic() - self._rotated_at < ROTATE_EVERY_S:
            return
        self._rotated_at = time.monotonic()
        for tended in self._tended.values():
            rotate(tended.program.log, ROTATE_AT_BYTES)


def rotate(log: Path, at_bytes: int) -> None:
    """Move a grown log's text to `NAME.1`; its writer goes on, as it appends to the same file."""
    with suppress(OSError):
        if log.stat().st_size < at_bytes:
            return
        for number in range(KEPT_LOGS, 1, -1):
            older = log.with_name(f"{log.name}.{number - 1}")
            if older.exists():
                older.rename(log.with_name(f"{log.name}.{number}"))
        shutil.copy2(log, log.with_name(f"{log.name}.1"))
        with log.open("r+b") as file:
            file.truncate(0)


def _is_ready(program: Program) -> bool:
    with suppress(StartError):
        return program.is_ready()
    return False


def _ending(status: int | None) -> str:
    if status is not None and status < 0:
        return f"by {signal.Signals(-status).name}"
    return f"with status {status}"
