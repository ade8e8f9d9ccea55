"""The memory of each process of a real `up`, at rest and under load.

    python -m tests.bench.memory [--customers 8] [--questions 40]

RSS counts shared pages in every process, PSS shares them out: only PSS may be added up. Under
load the highest of the samples is told. Set FRONTDESK_ENGINE=none to leave the model out.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import threading
import time
from pathlib import Path

from tests.bench.processes import Memory, memory_of
from tests.bench.real_desk import PARTS, RealDesk, ask_all, questions, real_desk
from tests.faults.desk import make_home, wait_until

REST_S, SAMPLE_S, MODEL_WITHIN_S = 10.0, 0.5, 600.0
MIB = 1024**2


def sample(desk: RealDesk) -> dict[str, Memory]:
    """What each component holds now, `up` itself included."""
    parts = {name: memory_of(desk.pid(name)) for name in PARTS}
    own = memory_of(desk.child.pid)
    below = sum((part for part in parts.values()), Memory(0, 0))
    return {
        **parts,
        "up": Memory(own.rss_bytes - below.rss_bytes, own.pss_bytes - below.pss_bytes),
    }


class Sampler:
    """Samples until it is stopped and keeps the highest of each component."""

    def __init__(self, desk: RealDesk) -> None:
        self._desk = desk
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.highest: dict[str, Memory] = {}

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(SAMPLE_S):
            for name, seen in sample(self._desk).items():
                before = self.highest.get(name, Memory(0, 0))
                self.highest[name] = max(before, seen, key=lambda memory: memory.pss_bytes)


def report(rest: dict[str, Memory], load: dict[str, Memory]) -> None:
    print(f"{'MiB':10} {'rest RSS':>9} {'rest PSS':>9} {'load RSS':>9} {'load PSS':>9}")
    for name in rest:
        seen = (rest[name], load[name])
        cells = [size for memory in seen for size in (memory.rss_bytes, memory.pss_bytes)]
        print(f"{name:10} " + " ".join(f"{cell / MIB:9.0f}" for cell in cells))
    sums = [sum(memory.pss_bytes for memory in table.values()) / MIB for table in (rest, load)]
    print(f"{'together':10} {'':9} {sums[0]:9.0f} {'':9} {sums[1]:9.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=8)
    parser.add_argument("--questions", type=int, default=40)
    asked = parser.parse_args()
    with make_home() as home, real_desk(Path(home)) as desk:
        wait_until(desk.is_settled, MODEL_WITHIN_S)
        time.sleep(REST_S)
        rest = sample(desk)
        texts = list(itertools.islice(itertools.cycle(questions()), asked.questions))
        with Sampler(desk) as sampler:
            answers = asyncio.run(ask_all(desk.url, texts, asked.customers))
    answered = sum(1 for one in answers if one.done)
    engine = os.environ.get("FRONTDESK_ENGINE", "auto")
    print(f"engine {engine}; {answered} of {len(texts)} answered, {asked.customers} at once")
    report(rest, sampler.highest)


if __name__ == "__main__":
    main()
