"""Live updates while 500 visitors and 20 people of the staff have their streams open.

    python -m tests.bench.live [--visitors 500] [--staff 20] [--updates 200] [--per-second 10]

A real web process on real Postgres (fsync on) and Valkey, held to two cores together with them;
the load generator has what is left. A visitor writes: how long until each open desk was told? A
person answers: how long until the visitor's stream held it? Memory is told at rest, with all
streams open, and after the updates.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from bot.conversations import hand_off
from bot.database import keyring_from, make_engine, make_sessions
from bot.tables import Conversation
from tests.bench.processes import memory_of, pid_of, with_children
from tests.bot.dashboard.staff import SignedInDesk, sign_in
from tests.faults.desk import Desk, make_home
from tests.faults.script import Script
from tests.faults.tender import INBOX

MIB = 1024**2
PARTS = ("web", "postgres", "valkey")
WITHIN_S = 30.0


@dataclass
class Ears:
    """One open stream: when it first heard of each text or conversation."""

    task: asyncio.Task[None] | None = None
    heard: dict[str, float] = field(default_factory=dict)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=None)
        async with http.get(url, headers=headers, timeout=timeout) as response:
            response.raise_for_status()
            self.opened.set()
            async for line in response.content:
                if line.startswith(b"data:"):
                    for mark in _marks(line):
                        self.heard.setdefault(mark, time.perf_counter())


def _marks(line: bytes) -> Iterator[str]:
    """The marks `<32 hex digits>` that a bench's texts begin with."""
    for part in line.decode().split("mark-")[1:]:
        yield part[:32]


@dataclass
class Visitor:
    """A browser with the chat open, whose conversation is with people."""

    headers: dict[str, str]
    ears: Ears
    number: int = 0


@contextmanager
def desk_on_two_cores() -> Iterator[Desk]:
    """A desk whose web process, Postgres and Valkey share two cores."""
    with make_home() as home:
        desk = Desk(Script(Path(home), sentence_s=0.0, parts=1))
        try:
            desk.start()
            cores = sorted(os.sched_getaffinity(0))[:2]
            for name in PARTS:
                for pid in with_children(pid_of(desk.home, name)):
                    os.sched_setaffinity(pid, cores)
            yield desk
        finally:
            desk.abandon()


async def new_visitor(http: aiohttp.ClientSession, url: str) -> Visitor:
    async with http.post(f"{url}/chat/{INBOX}/session", json={}) as told:
        told.raise_for_status()
        token = (await told.json())["token"]
    return Visitor({"Authorization": f"Bearer {token}"}, Ears())


async def write(http: aiohttp.ClientSession, url: str, visitor: Visitor, text: str) -> None:
    body = {"client_id": uuid4().hex, "text": text}
    while True:
        async with http.post(f"{url}/chat/messages", json=body, headers=visitor.headers) as told:
            if told.status not in (429, 503):
                told.raise_for_status()
                return
        await asyncio.sleep(0.2)


async def open_all(
    http: aiohttp.ClientSession, desk: Desk, visitors: list[Visitor], staff: list[SignedInDesk]
) -> list[Ears]:
    """Everybody's streams; returns those of the staff."""
    for visitor in visitors:
        visitor.ears.task = asyncio.create_task(
            visitor.ears.listen(http, f"{desk.url}/chat/events", visitor.headers)
        )
    ears = [Ears() for _ in staff]
    for person, each in zip(staff, ears, strict=True):
        headers = person.headers(desk.url)
        each.task = asyncio.create_task(each.listen(http, f"{desk.url}/desk/api/live", headers))
    waits = [each.opened.wait() for each in (*(v.ears for v in visitors), *ears)]
    await asyncio.wait_for(asyncio.gather(*waits), 120)
    return ears


async def until_heard(ears: Ears, mark: str) -> float | None:
    deadline = time.perf_counter() + WITHIN_S
    while time.perf_counter() < deadline:
        if mark in ears.heard:
            return ears.heard[mark]
        await asyncio.sleep(0.02)
    return None


async def update(
    http: aiohttp.ClientSession,
    desk: Desk,
    visitor: Visitor,
    person: SignedInDesk,
    staff: list[Ears],
    told: dict[str, list[float]],
) -> None:
    """One message of a visitor's, then one of a person's."""
    mark, started = uuid4().hex, time.perf_counter()
    await write(http, desk.url, visitor, f"mark-{mark} Where is it?")
    for heard in await asyncio.gather(*(until_heard(ears, mark) for ears in staff)):
        told["a desk hears of a visitor"].append(heard - started if heard else WITHIN_S)
    mark, started = uuid4().hex, time.perf_counter()
    url = f"{desk.url}/desk/api/conversations/{visitor.number}/reply"
    body = {"text": f"mark-{mark} On its way.", "client_id": uuid4().hex}
    async with http.post(url, json=body, headers=person.headers(desk.url)) as answered:
        if answered.status >= 400:
            raise RuntimeError(f"{answered.status}: {(await answered.text())[:200]}")
    heard = await until_heard(visitor.ears, mark)
    told["a visitor hears of a person"].append(heard - started if heard else WITHIN_S)


def give_to_people(desk: Desk) -> list[int]:
    """All conversations; their numbers in the order in which they began."""
    engine = make_engine(desk.database_url, pool_size=1)
    sessions = make_sessions(engine, keyring_from(desk.master_key))
    with sessions.begin() as session:
        ids = [
            (row.id, row.number)
            for row in session.query(Conversation).order_by(Conversation.number)
        ]
        for conversation_id, _number in ids:
            hand_off(session, conversation_id, "requested")
    engine.dispose()
    return [number for _id, number in ids]


def sign_in_staff(desk: Desk, count: int) -> list[SignedInDesk]:
    engine = make_engine(desk.database_url, pool_size=1)
    sessions = make_sessions(engine, keyring_from(desk.master_key))
    staff = [sign_in(sessions, f"Bea{number}") for number in range(count)]
    engine.dispose()
    return staff


def tell_memory(desk: Desk, when: str) -> None:
    found = {name: memory_of(pid_of(desk.home, name)).pss_bytes / MIB for name in PARTS}
    print(f"{when:28}" + "".join(f" {name} {size:6.0f} MiB" for name, size in found.items()))


def tell(told: dict[str, list[float]]) -> None:
    print(f"{'':28} {'count':>7} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'most':>8}")
    for name, took in told.items():
        ordered = sorted(took)
        cells = [
            1000 * ordered[min(int(q * len(ordered)), len(ordered) - 1)]
            for q in (0.5, 0.95, 0.99, 1.0)
        ]
        print(f"{name:28} {len(ordered):7} " + " ".join(f"{cell:8.0f}" for cell in cells))


async def run(desk: Desk, asked: Any) -> None:
    staff = sign_in_staff(desk, asked.staff)
    tell_memory(desk, "at rest")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        visitors = [await new_visitor(http, desk.url) for _ in range(asked.visitors)]
        for visitor in visitors:
            await write(http, desk.url, visitor, "A person, please")
        numbers = await asyncio.to_thread(give_to_people, desk)
        for visitor, number in zip(visitors, numbers, strict=True):
            visitor.number = number
        ears = await open_all(http, desk, visitors, staff)
        tell_memory(desk, f"{asked.visitors} + {asked.staff} streams open")
        told: dict[str, list[float]] = {
            "a desk hears of a visitor": [],
            "a visitor hears of a person": [],
        }
        running = []
        for number in range(asked.updates):
            visitor, person = visitors[number % len(visitors)], staff[number % len(staff)]
            running.append(asyncio.create_task(update(http, desk, visitor, person, ears, told)))
            await asyncio.sleep(1 / asked.per_second)
        await asyncio.gather(*running)
        tell_memory(desk, "after the updates")
        tell(told)
        for each in (*ears, *(visitor.ears for visitor in visitors)):
            if each.task is not None:
                each.task.cancel()
    print(json.dumps({"cores": 2, "load": os.getloadavg()[0], "updates": asked.updates}))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--visitors", type=int, default=500)
    parser.add_argument("--staff", type=int, default=20)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=10.0)
    asked = parser.parse_args()
    with desk_on_two_cores() as desk:
        asyncio.run(run(desk, asked))


if __name__ == "__main__":
    main()
