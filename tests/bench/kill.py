"""Kills every part of a working desk again and again, and counts what customers lost by it.

    python -m tests.bench.kill                         2,000 messages, 200 kills: about 15 minutes
    python -m tests.bench.kill --messages 200 --kills 20
    python -m tests.bench.kill --sabotage no_sweep --messages 60 --kills 6
    python -m tests.bench.kill --real --kills 10       `./frontdesk up` with its real model

Customers write over the real HTTP chat; scripted answers come from real Celery workers; a real
supervisor starts again what was killed. Whether a message was accepted and what came back is
noted in this process, which nobody kills. Kills come at random times and at points in the code
between two steps (`tests.faults.points`). The last line counts the faults; the exit status is 0
only if there are none, every kill was made and replies resumed within a minute after each.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp

from tests.bench.real_desk import Asked, RealDesk, ask_all, questions, real_desk
from tests.faults.desk import COMPONENTS, Desk, make_home, wait_until
from tests.faults.ledger import Ledger
from tests.faults.points import WEB_POINTS, WORKER_POINTS
from tests.faults.script import SABOTAGES, Script
from tests.faults.tender import INBOX
from tests.faults.visitor import Visitor
from tests.processes import is_alive

RESUME_WITHIN_S = 60.0
SHARES = {"web": 44, "worker": 48, "beat": 20, "valkey": 44, "postgres": 44}
# Points at which not the process itself dies, but what it is talking to.
POINTS_OF_SERVERS = {
    "valkey": ("web.after_record", "worker.after_finish", "worker.in_sweep"),
    "postgres": ("web.in_transaction", "worker.in_transaction", "worker.before_finish"),
}
POINTS = {"web": WEB_POINTS, "worker": WORKER_POINTS, **POINTS_OF_SERVERS}
REST_S = 11.0
POINT_WITHIN_S = 6.0
FLUSH_EVERY = 25
QUIET_S = 0.15
COME_BACK_S = 3.0
REAL_AT_ONCE = 2
MODEL_WITHIN_S = 600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything; `quick` shortens leases and pauses for the test suite."""

    messages: int
    kills: int
    visitors: int
    every_s: float
    settle_s: float
    seed: int
    sabotage: str = ""
    quick: bool = False
    copied: float = 0.05  # the share of messages that come five times at once

    def script(self, folder: Path) -> Script:
        if not self.quick:
            return Script(folder)
        return Script(folder, lease=timedelta(seconds=2), sweep_s=1.0, sentence_s=0.03)


@dataclass(slots=True)
class Kill:
    """One kill, when it was and where."""

    component: str
    place: str
    at: float
    number: int = 0


@dataclass(slots=True)
class Killer:
    """Kills components in turn, none again before it has had time to serve."""

    desk: Desk
    plan: Plan
    chance: random.Random
    done: list[Kill] = field(default_factory=list)
    flushes: int = 0
    missed_points: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)
    _last: dict[str, float] = field(default_factory=dict)

    def progress(self) -> float:
        """0 at the start, 1 when all kills are made; between two kills it grows with time."""
        last = self.done[-1].at if self.done else self.started
        since = (time.monotonic() - last) / (self.plan.every_s + POINT_WITHIN_S)
        return (len(self.done) + min(since, 1.0)) / max(self.plan.kills, 1)

    async def run(self) -> None:
        left = planned_components(self.plan.kills, self.chance)
        while left:
            component = await self._next(left)
            left.remove(component)
            await self._kill(component)
            if len(self.done) % FLUSH_EVERY == 0:
                await self._flush()
            await asyncio.sleep(self.plan.every_s * self.chance.uniform(0.3, 1.7))

    async def _next(self, left: Sequence[str]) -> str:
        """A random component of those that have rested and run."""
        while True:
            rested = [name for name in left if self._has_rested(name)]
            if rested:
                return self.chance.choice(rested)
            await asyncio.sleep(0.1)

    def _has_rested(self, name: str) -> bool:
        rest_s = 2.0 if self.plan.quick else REST_S
        rested = time.monotonic() - self._last.get(name, 0.0) > rest_s
        return rested and is_alive(self.desk.pid(name))

    async def _kill(self, component: str) -> None:
        places = [*POINTS.get(component, ()), "any time", "any time"]
        if component == "postgres":
            places.append("a backend")
        place = self.chance.choice(places)
        pid = self.desk.pid(component)
        if place in ("any time", "a backend") or not await self._kill_at(component, place, pid):
            place = place if place == "a backend" else "any time"
            _kill(_child_of(pid, self.chance) if place == "a backend" else pid)
        self._last[component] = time.monotonic()
        self.done.append(Kill(component, place, time.monotonic(), len(self.done) + 1))

    async def _kill_at(self, component: str, point: str, pid: int) -> bool:
        """Arm a point and wait until somebody came by; False if nobody did in time."""
        self.desk.points.arm(point, pid if component in POINTS_OF_SERVERS else 0)
        deadline = time.monotonic() + POINT_WITHIN_S
        while self.desk.points.is_armed(point) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        if self.desk.points.disarm(point):
            self.missed_points[point] += 1
            return False
        return True

    async def _flush(self) -> None:
        with suppress(Exception):  # Valkey may be down just now, which is worse than empty
            await asyncio.to_thread(self.desk.flush_redis)
            self.flushes += 1


class Traffic:
    """Visitors who write now and then; some write three lines at once, some send copies."""

    def __init__(
        self, plan: Plan, ledger: Ledger, chance: random.Random, progress: Callable[[], float]
    ) -> None:
        self._progress = progress
        self._plan = plan
        self._ledger = ledger
        self._chance = chance
        self.visitors: list[Visitor] = []
        self._listeners: list[asyncio.Task[None]] = []

    async def run(self, http: aiohttp.ClientSession, url: str) -> None:
        """Return when every message was accepted."""
        shares = shared_out(self._plan.messages, self._plan.visitors)
        self.visitors = [
            Visitor(http, url, INBOX, str(number + 1), self._ledger)
            for number in range(len(shares))
        ]
        await asyncio.gather(*(visitor.enter() for visitor in self.visitors))
        self._listeners = [asyncio.create_task(visitor.listen()) for visitor in self.visitors]
        await asyncio.gather(
            *(self._write(*one) for one in zip(self.visitors, shares, strict=True))
        )

    async def _write(self, visitor: Visitor, count: int) -> None:
        """Each burst at its own moment, spread over the whole time of the kills."""
        moments = sorted(self._chance.random() for _ in range(count))
        while moments:
            while self._progress() < moments[0]:
                await asyncio.sleep(self._chance.uniform(0.0, 0.4))
            burst = min(len(moments), 3 if self._chance.random() < 0.15 else 1)
            await self._write_burst(visitor, burst)
            del moments[:burst]

    async def _write_burst(self, visitor: Visitor, burst: int) -> None:
        kind = self._chance.random()
        if burst > 1 and kind < 0.5:
            await asyncio.gather(*(visitor.say() for _ in range(burst)))
        elif burst == 1 and kind < self._plan.copied:
            await visitor.say_many_times(5)
        else:
            for _ in range(burst):
                await visitor.say()

    async def come_back(self) -> None:
        """Every visitor loses the stream once and comes back, as when a phone changes networks.

        Otherwise what a stream tells again would be seen only where the web process happened to
        die after somebody had heard something.
        """
        await self.stop()
        self._listeners = [asyncio.create_task(visitor.listen()) for visitor in self.visitors]
        await asyncio.sleep(COME_BACK_S)

    async def stop(self) -> None:
        for task in self._listeners:
            task.cancel()
        await asyncio.gather(*self._listeners, return_exceptions=True)

    @property
    def reconnections(self) -> int:
        return sum(visitor.reconnections for visitor in self.visitors)


async def attack(plan: Plan, desk: Desk, ledger: Ledger) -> Killer:
    """Write and kill until both are done and what was accepted had time to be answered."""
    chance = random.Random(plan.seed)
    desk.script.plant(plan.sabotage)
    killer = Killer(desk, plan, chance)
    traffic = Traffic(plan, ledger, chance, killer.progress)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        killing = asyncio.create_task(killer.run())
        reporting = asyncio.create_task(report_progress(killer, ledger))
        await traffic.run(http, desk.url)
        await killing
        await settle(ledger, plan.settle_s)
        await traffic.come_back()
        await compare_histories(traffic.visitors, ledger)
        reporting.cancel()
        await traffic.stop()
    say(f"streams came back {traffic.reconnections} times")
    return killer


async def settle(ledger: Ledger, within_s: float) -> None:
    """Wait until everything is answered, or nothing was for the whole time."""
    progress, deadline = len(ledger.waiting), time.monotonic() + within_s
    while ledger.waiting and time.monotonic() < deadline:
        if len(ledger.waiting) < progress:
            progress, deadline = len(ledger.waiting), time.monotonic() + within_s
        await asyncio.sleep(QUIET_S)
    await asyncio.sleep(1.0)  # what comes twice comes late
    ledger.close()


async def compare_histories(visitors: Sequence[Visitor], ledger: Ledger) -> None:
    """A reloaded page shows what the stream told."""
    for visitor in visitors:
        messages = await visitor.history()
        told = [message["text"] for message in messages if message["author"] == "bot"]
        if told != visitor.stream.texts():
            ledger.lost.append(f"{visitor.name}: the history is not what the stream told")


async def report_progress(killer: Killer, ledger: Ledger) -> None:
    while True:
        await asyncio.sleep(30.0)
        say(
            f"{len(killer.done)} kills, {len(ledger.accepted)} accepted, "
            f"{len(ledger.waiting)} waiting, {ledger.summary()}"
        )


def planned_components(kills: int, chance: random.Random) -> list[str]:
    """So many component names in their shares, each at least once where there is room."""
    whole = sum(SHARES.values())
    names = [name for name in COMPONENTS for _ in range(round(kills * SHARES[name] / whole))]
    while len(names) < kills:
        names.append(chance.choice(COMPONENTS))
    chance.shuffle(names)
    return names[:kills]


def shared_out(messages: int, visitors: int) -> list[int]:
    """How many messages each visitor writes."""
    each, more = divmod(messages, visitors)
    return [each + (number < more) for number in range(visitors) if each + (number < more)]


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _child_of(pid: int, chance: random.Random) -> int:
    """One of a process's children, or itself if it has none."""
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return int(chance.choice(children)) if children else pid
    return pid


# -- the report ------------------------------------------------------------------------------


def report(killer: Killer, ledger: Ledger, plan: Plan) -> bool:
    """Print what happened; True if all promises held."""
    by_place = Counter((kill.component, kill.place) for kill in killer.done)
    say("")
    say(f"{'component':10} {'place':26} kills")
    for (component, place), count in sorted(by_place.items()):
        say(f"{component:10} {place:26} {count:5}")
    say(f"FLUSHALL {killer.flushes} times; points nobody passed in time: {_told(killer)}")
    resumed, caught_up = recoveries(killer.done, ledger)
    print_recoveries("first answer to a message accepted after the kill", resumed)
    print_recoveries("last answer to a message that waited at the kill", caught_up)
    waits = [
        s.answered_at - s.accepted_at for s in ledger.accepted if s.answered_at and s.accepted_at
    ]
    say(f"accepted to answered: {spread(waits)}")
    say(f"asked again: {dict(ledger.retries)}; statuses told: {dict(ledger.statuses)}")
    for fault in ledger.faults()[:20]:
        say(f"  FAULT {fault}")
    slow = sum(took > RESUME_WITHIN_S for values in resumed.values() for took in values)
    missing = plan.messages - len(ledger.accepted)
    counts = Counter(kill.component for kill in killer.done)
    kills = ", ".join(f"{counts[name]} {name}" for name in COMPONENTS)
    longest = max((took for values in resumed.values() for took in values), default=0.0)
    say("")
    say(
        f"{ledger.summary()}, {len(killer.done)} kills, {len(ledger.accepted)} messages, "
        f"replies resumed within {longest:.1f} s ({kills})"
    )
    return not (ledger.faults() or slow or missing or len(killer.done) < plan.kills)


def recoveries(
    kills: Sequence[Kill], ledger: Ledger
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """By component, the seconds from each kill to the first new and the last old answer."""
    resumed: dict[str, list[float]] = {name: [] for name in COMPONENTS}
    caught_up: dict[str, list[float]] = {name: [] for name in COMPONENTS}
    for kill in kills:
        new = [
            s.answered_at
            for s in ledger.accepted
            if s.answered_at and s.accepted_at and s.accepted_at > kill.at
        ]
        old = [
            sent.answered_at
            for sent in ledger.accepted
            if sent.answered_at
            and sent.accepted_at
            and sent.accepted_at <= kill.at < sent.answered_at
        ]
        if new:
            resumed[kill.component].append(min(new) - kill.at)
        if old:
            caught_up[kill.component].append(max(old) - kill.at)
    return resumed, caught_up


def print_recoveries(title: str, by_component: dict[str, list[float]]) -> None:
    say(f"seconds from a kill to the {title}:")
    for name, values in by_component.items():
        say(f"  {name:10} {spread(values)}")


def spread(values: Sequence[float]) -> str:
    """Median, 90th percentile and maximum of seconds."""
    if not values:
        return "none"
    ordered = sorted(values)
    p90 = ordered[math.ceil(0.9 * len(ordered)) - 1]
    middle = statistics.median(ordered)
    return f"n={len(ordered)} median {middle:.2f} p90 {p90:.2f} max {ordered[-1]:.2f}"


def _told(killer: Killer) -> str:
    return ", ".join(f"{name} {count}" for name, count in killer.missed_points.items()) or "none"


def say(line: str) -> None:
    print(line, flush=True)


# -- the real model --------------------------------------------------------------------------


def run_real(kills: int, seed: int) -> bool:
    """`up` with its real model and articles; True if no customer saw anything wrong."""
    with make_home() as home, real_desk(Path(home)) as desk:
        say(f"up is at {desk.url}; waiting for the model")
        wait_until(desk.is_settled, MODEL_WITHIN_S)
        answers, done = asyncio.run(attack_real(desk, kills, random.Random(seed)))
    faults = [fault for asked in answers for fault in asked.faults()]
    for fault in faults:
        say(f"  FAULT {fault}")
    waits = [a.done_at - a.accepted_at for a in answers if a.done_at and a.accepted_at]
    handed = sum(asked.status == "open" for asked in answers)
    say(f"accepted to answered: {spread(waits)}")
    resumed: dict[str, list[float]] = {name: [] for name in COMPONENTS}
    resumed |= resumptions(done, answers)
    print_recoveries("first answer to a message accepted after the kill", resumed)
    lost = sum(fault.startswith("lost") for fault in faults)
    disordered = sum(fault.startswith("out of order") for fault in faults)
    longest = max((took for values in resumed.values() for took in values), default=0.0)
    counts = Counter(kill.component for kill in done)
    say(
        f"{lost} lost, {len(faults) - lost - disordered} doubled, {disordered} out of order, "
        f"{len(done)} kills, {len(answers)} messages ({len(answers) - handed} answered, {handed} "
        f"passed to a person), real model, replies resumed within "
        f"{longest:.1f} s ({', '.join(f'{counts[name]} {name}' for name in COMPONENTS)})"
    )
    return not faults and len(done) == kills and longest <= RESUME_WITHIN_S


async def attack_real(
    desk: RealDesk, kills: int, chance: random.Random
) -> tuple[list[Asked], list[Kill]]:
    """Customers ask one after the other while each component in turn is killed."""
    over = asyncio.Event()
    asking = [asyncio.create_task(ask_until(over, desk.url, chance)) for _ in range(REAL_AT_ONCE)]
    done: list[Kill] = []
    for number in range(kills):
        await asyncio.sleep(chance.uniform(10.0, 20.0))
        component = COMPONENTS[number % len(COMPONENTS)]
        _kill(desk.pid(component))
        done.append(Kill(component, "any time", time.monotonic(), number + 1))
        say(f"killed {component}")
    await asyncio.sleep(5.0)
    over.set()
    return [asked for some in await asyncio.gather(*asking) for asked in some], done


async def ask_until(over: asyncio.Event, url: str, chance: random.Random) -> list[Asked]:
    """One customer after the other, each in a chat of its own."""
    texts, answers = questions(), []
    while not over.is_set():
        answers += await ask_all(url, [chance.choice(texts)], 1)
    return answers


def resumptions(kills: Sequence[Kill], answers: Sequence[Asked]) -> dict[str, list[float]]:
    """By component, the seconds from a kill to the first answer to what was accepted later."""
    found: dict[str, list[float]] = {}
    for kill in kills:
        after = [
            a.done_at for a in answers if a.done_at and a.accepted_at and a.accepted_at > kill.at
        ]
        if after:
            found.setdefault(kill.component, []).append(min(after) - kill.at)
    return found


# -- the command -----------------------------------------------------------------------------


def run(plan: Plan) -> bool:
    """One whole run in a home of its own; True if all promises held."""
    ledger = Ledger()
    with make_home() as home:
        script = plan.script(Path(home))
        desk = Desk(script)
        try:
            desk.start()
            say(f"the desk is up at {desk.url}; {plan}")
            killer = asyncio.run(attack(plan, desk, ledger))
        finally:
            desk.abandon()
    return report(killer, ledger, plan)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--visitors", type=int, default=100)
    parser.add_argument("--every", type=float, default=2.6, help="mean seconds between kills")
    parser.add_argument("--settle", type=float, default=75.0, help="seconds to wait for the last")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), default="")
    parser.add_argument("--quick", action="store_true", help="short leases, for the test suite")
    parser.add_argument("--real", action="store_true", help="the real `up` and its model")
    return parser.parse_args(arguments)


def main() -> int:
    asked = parse(sys.argv[1:])
    if asked.real:
        return 0 if run_real(asked.kills, asked.seed) else 1
    plan = Plan(
        messages=asked.messages,
        kills=asked.kills,
        visitors=asked.visitors,
        every_s=asked.every,
        settle_s=asked.settle,
        seed=asked.seed,
        sabotage=asked.sabotage,
        quick=asked.quick,
    )
    return 0 if run(plan) else 1


if __name__ == "__main__":
    sys.exit(main())
