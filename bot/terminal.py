"""What a person watching a terminal is told: short lines, colour where it is seen, progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TextIO

_DIM, _GREEN, _YELLOW, _RED = "\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m"
_END = "\x1b[0m"


@dataclass(slots=True)
class Terminal:
    """Lines for one stream. `is_live` says that a person looks at it."""

    stream: TextIO
    is_live: bool
    _open_line: bool = field(default=False, init=False)

    @staticmethod
    def on(stream: TextIO, environ: Mapping[str, str]) -> Terminal:
        """Colour and moving progress on a real terminal, unless NO_COLOR asks for none."""
        return Terminal(stream, stream.isatty() and not environ.get("NO_COLOR"))

    def say(self, line: str) -> None:
        self._write(_DIM, "·", line)

    def done(self, line: str) -> None:
        self._write(_GREEN, "✓", line)

    def warn(self, line: str) -> None:
        self._write(_YELLOW, "!", line)

    def fail(self, line: str) -> None:
        self._write(_RED, "✗", line)

    def plain(self, line: str = "") -> None:
        self._close_line()
        print(line, file=self.stream, flush=True)

    def progress(self, label: str) -> Callable[[int, int], None]:
        """A callback for bytes done and bytes in all: a moving line, or one line per tenth."""
        told = -1

        def show(done: int, all_bytes: int) -> None:
            nonlocal told
            percent = 100 * done // max(all_bytes, 1)
            line = f"{label}: {percent} % of {all_bytes / 1e6:.0f} MB"
            if self.is_live and percent < 100:
                print(f"\r\x1b[2K· {line}", end="", file=self.stream, flush=True)
                self._open_line = True
            elif not self.is_live and percent // 10 > told:
                told = percent // 10
                self.say(line)

        return show

    def counter(self, label: str) -> Callable[[int, int], None]:
        """A callback for things done and things in all: a moving line, or one line per quarter."""
        told = -1

        def show(done: int, total: int) -> None:
            nonlocal told
            quarter = 4 * done // max(total, 1)
            line = f"{label}: {done} of {total}"
            if self.is_live and done < total:
                print(f"\r\x1b[2K· {line}", end="", file=self.stream, flush=True)
                self._open_line = True
            elif quarter > told:
                told = quarter
                self.say(line)

        return show

    def _write(self, colour: str, mark: str, line: str) -> None:
        self._close_line()
        shown = f"{colour}{mark}{_END} {line}" if self.is_live else f"{mark} {line}"
        print(shown, file=self.stream, flush=True)

    def _close_line(self) -> None:
        if self._open_line:
            print("\r\x1b[2K", end="", file=self.stream)
            self._open_line = False
