"""How long a stranger waits: each step of `./frontdesk up` on a fresh home, to the first answer.

    python -m tests.bench.first_answer [--fresh-models] [--again]

It runs the command as it is and notes when each line of its output came. From the moment the
page answers it asks the sample shop one question after the other, each in a new chat, until the
first answer that is not a handoff; then three times more once the model is ready.
`--fresh-models` fetches the model anew, `--again` starts the same home a second time.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import threading
import time
from pathlib import Path

from bot.machine import available_memory_bytes
from bot.running import read_running
from bot.spawn import Program, spawn
from bot.up import CHECKOUT
from tests.bench.real_desk import ask_all, questions
from tests.faults.desk import make_home, wait_until

QUESTION = "Is the Ghent shop open on Sundays?"
UP_WITHIN_S, MODEL_WITHIN_S, ANSWER_WITHIN_S = 1800.0, 600.0, 300.0
PAUSE_S, READ_EVERY_S = 2.0, 0.05


class Watch:
    """`up`, and the time of each of its lines in seconds since it was started."""

    def __init__(self, log: Path, environ: dict[str, str]) -> None:
        self.started = time.monotonic()
        self.lines: list[tuple[float, str]] = []
        self._log = log
        log.unlink(missing_ok=True)
        command = [str(CHECKOUT / "frontdesk"), "up"]
        self._child = spawn(Program("up", command, log, environ, grace_s=60.0))
        self._stopped = threading.Event()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def said(self, words: str) -> bool:
        return any(words in line for _, line in self.lines)

    def has_ended(self) -> bool:
        return self._child.exit_status is not None

    def stop(self) -> None:
        self._stopped.set()
        self._reading.join()
        self._child.stop()

    def _read(self) -> None:
        with self._log.open(encoding="utf-8", errors="replace") as file:
            while not self._stopped.wait(READ_EVERY_S):
                self.lines += [(self.seconds, line.rstrip()) for line in file]


def measure(home: Path, environ: dict[str, str]) -> None:
    """One start, asked again and again in new chats until an answer comes; printed as a table."""
    watch = Watch(home.parent / "up.log", environ)
    try:
        wait_until(lambda: read_running(home) is not None or watch.has_ended(), UP_WITHIN_S)
        running = read_running(home)
        if running is None:
            raise SystemExit("\n".join(line for _, line in watch.lines))
        watch.lines.append((watch.seconds, ">> the page answers"))
        texts = itertools.cycle([QUESTION, *questions()])
        while not ask_once(watch, running.api_url, next(texts)):
            if watch.seconds > ANSWER_WITHIN_S:
                break
            time.sleep(PAUSE_S)
        wait_until(lambda: watch.said("model is ready") or watch.has_ended(), MODEL_WITHIN_S)
        for _ in range(3):
            ask_once(watch, running.api_url, next(texts))
    finally:
        watch.stop()
    print_lines(watch)


def ask_once(watch: Watch, url: str, question: str) -> bool:
    """Ask in a new chat and note how it ended; True for an answer, False for a handoff."""
    sent_at = watch.seconds
    [asked] = asyncio.run(ask_all(url, [question], 1))
    is_answer = bool(asked.done) and asked.status != "open"
    took = f"{asked.first_s:.1f} s" if asked.first_s is not None else "never"
    kind = "an answer" if is_answer else "passed to a person"
    text = " ".join(asked.sentences)
    said = f">> asked {question!r}; first sentence after {took}, {kind}: {text}"
    watch.lines.append((sent_at, said))
    return is_answer


def print_lines(watch: Watch) -> None:
    before = 0.0
    for at, line in sorted(watch.lines):
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
