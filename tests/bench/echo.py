"""The echo floor: how long a message takes through Frontdesk and back where no model is asked.

    python -m tests.bench.echo [--clients 1,50,500] [--seconds 10]

From the browser's send to the first byte of the reply at the browser, over real HTTP, Postgres
(fsync on), Valkey and a Celery worker whose answer is one scripted sentence, all on this machine
together with the load generator. In the same run a peer that does the least possible work
(`tests.bench.peer`) is measured on the same servers, so that a ratio stays meaningful on a
busy machine. Each client sends its next message when the last one was answered.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp

from bot.machine import find_free_port, port_is_free
from bot.spawn import Child, Program, spawn
from bot.up import CHECKOUT
from tests.bench.processes import cpu_seconds, pid_of
from tests.faults.desk import Desk, make_home, wait_until
from tests.faults.script import Script, question
from tests.faults.tender import HOST, INBOX

COMPONENTS = ("web", "worker", "beat", "valkey", "postgres")
# A visitor may send 30 messages at once; then somebody new goes on in their place.
MESSAGES_OF_VISITOR = 25
ANSWER_WITHIN_S = 300.0
RETRY_S = 0.2


@dataclass(slots=True)
class Line:
    """One browser: an open stream, and a way to send. `heard` is set by the reply's first byte."""

    http: aiohttp.ClientSession
    send_url: str
    events_url: str
    headers: dict[str, str]
    body: Callable[[], dict[str, str]]
    last_kind: bytes
    heard: asyncio.Event
    finished: asyncio.Event
    listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        opened = asyncio.Event()
        self.listening = asyncio.create_task(self._listen(opened))
        await asyncio.wait_for(opened.wait(), ANSWER_WITHIN_S)

    async def echo(self) -> float:
        """Send one message; the seconds until the first byte of its reply."""
        self.heard.clear()
        self.finished.clear()
        started = time.perf_counter()
        waiting = asyncio.create_task(self.heard.wait())
        await self._send(self.body())
        await asyncio.wait_for(waiting, ANSWER_WITHIN_S)
        took = self._heard_at - started
        await asyncio.wait_for(self.finished.wait(), ANSWER_WITHIN_S)
        return took

    async def _send(self, body: dict[str, str]) -> None:
        """Insist where the server is too busy, as the widget does; that time counts."""
        while True:
            async with self.http.post(self.send_url, json=body, headers=self.headers) as told:
                if told.status != 503:
                    told.raise_for_status()
                    return
            await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        if self.listening is not None:
            self.listening.cancel()
            with suppress(asyncio.CancelledError):
                await self.listening

    _heard_at: float = 0.0

    async def _listen(self, opened: asyncio.Event) -> None:
        timeout = aiohttp.ClientTimeout(total=None)
        request = self.http.get(self.events_url, headers=self.headers, timeout=timeout)
        async with request as response:
            response.raise_for_status()
            opened.set()
            async for line in response.content:
                if line == b"event: sentence\n":
                    self._heard_at = time.perf_counter()
                    self.heard.set()
                if line == self.last_kind:
                    self.finished.set()


async def desk_line(http: aiohttp.ClientSession, url: str) -> Line:
    """A new visitor of the desk."""
    async with http.post(f"{url}/chat/{INBOX}/session", json={}) as told:
        told.raise_for_status()
        token = (await told.json())["token"]
    return Line(
        http=http,
        send_url=f"{url}/chat/messages",
        events_url=f"{url}/chat/events",
        headers={"Authorization": f"Bearer {token}"},
        body=lambda: {"client_id": uuid4().hex, "text": question("1.1")},
        last_kind=b"event: done\n",
        heard=asyncio.Event(),
        finished=asyncio.Event(),
    )


async def peer_line(http: aiohttp.ClientSession, url: str) -> Line:
    """A new visitor of the peer."""
    visitor = uuid4().hex
    return Line(
        http=http,
        send_url=f"{url}/say",
        events_url=f"{url}/events?visitor={visitor}",
        headers={},
        body=lambda: {"visitor": visitor, "text": question("1.1")},
        last_kind=b"event: sentence\n",
        heard=asyncio.Event(),
        finished=asyncio.Event(),
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """One row: latencies in seconds, the time they took together, CPU seconds by process."""

    name: str
    clients: int
    latencies: list[float]
    seconds: float
    cpu: dict[str, float]

    def quantile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    def row(self) -> str:
        count = len(self.latencies)
        cpu = " ".join(f"{name} {1000 * used / count:.1f}" for name, used in self.cpu.items())
        return (
            f"{self.name:9} {self.clients:7} {count:8} {count / self.seconds:9.0f} "
            f"{1000 * self.quantile(0.5):8.1f} {1000 * self.quantile(0.99):8.1f}   {cpu}"
        )


async def measure(
    name: str, url: str, clients: int, seconds: float, pids: dict[str, int]
) -> Measured:
    """Let so many clients echo for so long."""
    make = desk_line if name == "frontdesk" else peer_line
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        lines = [await make(http, url) for _ in range(clients)]
        await asyncio.gather(*(line.open() for line in lines))
        await asyncio.gather(*(line.echo() for line in lines[:5]))  # warm, and not counted
        before = {part: cpu_seconds(pid) for part, pid in pids.items()}
        started = time.perf_counter()
        until = started + seconds

        async def keep_on(line: Line) -> list[float]:
            took: list[float] = []
            current = line
            while time.perf_counter() < until or not took:
                if len(took) % MESSAGES_OF_VISITOR == MESSAGES_OF_VISITOR - 1:
                    await current.close()
                    current = await make(http, url)
                    await current.open()
                took.append(await current.echo())
            await current.close()
            return took

        found = await asyncio.gather(*(keep_on(line) for line in lines))
        spent = time.perf_counter() - started
        cpu = {part: cpu_seconds(pid) - before[part] for part, pid in pids.items()}
    return Measured(name, clients, [one for some in found for one in some], spent, cpu)


@contextmanager
def peer_of(desk: Desk) -> Iterator[tuple[str, dict[str, int]]]:
    """The peer's two processes on the desk's servers: its address and pids."""
    port = find_free_port(HOST)
    environ = {
        "DATABASE_URL": desk.database_url,
        "REDIS_URL": desk.redis_url,
        "FRONTDESK_PORT": str(port),
        "PYTHONPATH": str(CHECKOUT),
    }
    children: dict[str, Child] = {}
    try:
        for name in ("web", "worker"):
            command = [sys.executable, "-P", "-m", "tests.bench.peer", name]
            log = desk.home / f"peer-{name}.log"
            children[name] = spawn(Program(f"peer {name}", command, log, environ))
            if name == "web":
                wait_until(lambda: not port_is_free(HOST, port), 60.0)
        yield f"http://{HOST}:{port}", {name: child.pid for name, child in children.items()}
    finally:
        for child in children.values():
            child.kill()


def run(clients: Sequence[int], seconds: float) -> None:
    with make_home() as home:
        desk = Desk(Script(Path(home), sentence_s=0.0, parts=1))
        try:
            desk.start()
            with peer_of(desk) as (peer_url, peer_pids):
                report(desk, peer_url, peer_pids, clients, seconds)
        finally:
            desk.abandon()


def report(
    desk: Desk, peer_url: str, peer_pids: dict[str, int], clients: Sequence[int], seconds: float
) -> None:
    pids = {name: pid_of(desk.home, name) for name in COMPONENTS}
    servers = {name: pids[name] for name in ("valkey", "postgres")}
    load = os.getloadavg()[0]
    say(f"{os.cpu_count()} cores, load {load:.1f} before the run, load generator included")
    say(f"{'':9} clients messages  per sec   p50 ms   p99 ms   CPU ms a message by process")
    for count in clients:
        peer = asyncio.run(measure("peer", peer_url, count, seconds, {**peer_pids, **servers}))
        say(peer.row())
        desk_found = asyncio.run(measure("frontdesk", desk.url, count, seconds, pids))
        say(desk_found.row())
        ratio = [desk_found.quantile(share) / peer.quantile(share) for share in (0.5, 0.99)]
        say(f"{'ratio':9} {count:7} {'':18} {ratio[0]:8.1f} {ratio[1]:8.1f}")


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", default="1,50,500")
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    run([int(count) for count in asked.clients.split(",")], asked.seconds)


if __name__ == "__main__":
    main()
