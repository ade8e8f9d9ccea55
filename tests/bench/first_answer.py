"""How long a stranger waits: each step of `./frontdesk up` on a fresh home, to the first answer.

    python tests/bench/first_answer.py [--fresh-models] [--again]

It runs the command as it is, notes when each line of its output came, asks the sample shop a
question in the web chat and prints when the first checked sentence and the whole answer came.
`--fresh-models` fetches the model anew, `--again` starts the same home a second time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import threading
import time
from pathlib import Path

from bot.machine import available_memory_bytes
from bot.running import read_running
from bot.up import CHECKOUT
from tests.bench.real_desk import ask_all
from tests.faults.desk import make_home, wait_until

QUESTION = "How long do I have to send a tent back if I don't like it?"
UP_WITHIN_S, MODEL_WITHIN_S = 1800.0, 600.0


class Watch:
    """`up`, and the time of each of its lines in seconds since it was started."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.started = time.monotonic()
        self.lines: list[tuple[float, str]] = []
        self._process = subprocess.Popen(
            [str(CHECKOUT / "frontdesk"), "up"],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def said(self, words: str) -> bool:
        return any(words in line for _, line in self.lines)

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(120)
        self._reading.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append((self.seconds, line.rstrip()))


def measure(home: Path, environ: dict[str, str]) -> None:
    """One start to the first answer, printed as a table."""
    watch = Watch(environ)
    try:
        wait_until(lambda: read_running(home) is not None or watch.has_ended(), UP_WITHIN_S)
        running = read_running(home)
        if running is None:
            raise SystemExit("\n".join(line for _, line in watch.lines))
        page_s = watch.seconds
        [early] = asyncio.run(ask_all(running.api_url, [QUESTION], 1))
        early_s = watch.seconds
        wait_until(lambda: watch.said("worker is ready"), MODEL_WITHIN_S)
        [settled] = asyncio.run(ask_all(running.api_url, [QUESTION], 1))
    finally:
        watch.stop()
    print_lines(watch)
    first = early.first_s or float("nan")
    print(f"{page_s:8.1f} s  the page answers")
    print(f"{early_s:8.1f} s  first question answered; first sentence {first:.1f} s after its send")
    print(f"            {' '.join(early.sentences)}")
    first = settled.first_s or float("nan")
    print(f"            once the worker is ready: first sentence {first:.1f} s after its send")


def print_lines(watch: Watch) -> None:
    before = 0.0
    for at, line in watch.lines:
        if line.strip():
            print(f"{at:8.1f} s  (+{at - before:5.1f})  {line.strip()}")
            before = at


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fresh-models", action="store_true")
    parser.add_argument("--again", action="store_true")
    asked = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"{available_memory_bytes() / 1024**3:.1f} GiB available"
    )
    with make_home() as folder:
        home = Path(folder) / "home"
        environ = {**os.environ, "FRONTDESK_HOME": str(home), "FRONTDESK_PORT": "0"}
        if asked.fresh_models:
            environ["FRONTDESK_MODELS"] = str(Path(folder) / "models")
        measure(home, environ)
        if asked.again:
            print("the same home again:")
            measure(home, environ)


if __name__ == "__main__":
    main()
