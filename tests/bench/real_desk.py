"""A real `./frontdesk up` in a home of its own, and a customer who asks it in its web chat."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import aiohttp

from bot.first_start import INBOX
from bot.running import read_running
from bot.spawn import Child, Program, spawn
from bot.up import CHECKOUT
from tests.bench.processes import pid_of
from tests.faults.visitor import AWAY, REQUEST_TIMEOUT, RETRY_S, STREAM_TIMEOUT, read_events
from tests.processes import wait_until_gone

PARTS = ("postgres", "valkey", "web", "channels", "worker", "beat")
QUESTIONS = CHECKOUT / "tests" / "eval" / "sample_shop.jsonl"
PASSED_ON = ("FRONTDESK_ENGINE", "FRONTDESK_MODELS", "FRONTDESK_MODEL", "PIP_FIND_LINKS")


@contextmanager
def real_desk(
    home: Path, more: Mapping[str, str] | None = None, within_s: float = 900.0
) -> Iterator[RealDesk]:
    """`up` on free ports, ended with everything it started when the block ends."""
    environ = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    program = Program(
        name="up",
        command=[sys.executable, "-P", "-m", "bot", "up"],
        log=home / "up.log",
        environ={
            **environ,
            "FRONTDESK_HOME": str(home / "home"),
            "FRONTDESK_PORT": "0",
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONUNBUFFERED": "1",
            **(more or {}),
        },
        is_ready=lambda: read_running(home / "home") is not None,
        ready_within_s=within_s,
        grace_s=60.0,
    )
    desk = RealDesk(home / "home", program.log, spawn(program))
    try:
        desk.child.wait_until_ready()
        yield desk
    finally:
        pids = [desk.pid(name) for name in PARTS if (desk.run / f"{name}.pid").exists()]
        desk.child.stop()
        wait_until_gone(pids)


@dataclass(frozen=True, slots=True)
class RealDesk:
    """A running `up`."""

    home: Path
    log: Path
    child: Child

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def url(self) -> str:
        running = read_running(self.home)
        assert running is not None
        return running.api_url

    def pid(self, name: str) -> int:
        return pid_of(self.home, name)

    def is_settled(self) -> bool:
        """The articles can be found and the model is loaded: `up` says so in this order."""
        return "the model is ready" in self.log.read_text(encoding="utf-8")


def questions() -> list[str]:
    """The questions without a history, from the sample shop's question set."""
    lines = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    return [line["question"] for line in lines if not line.get("history")]


@dataclass(slots=True)
class Asked:
    """What one customer saw; times are seconds from the send."""

    question: str
    sentences: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    questions: int = 0
    done: int = 0
    partial: int = 0
    status: str = ""
    accepted_at: float | None = None
    first_s: float | None = None
    done_at: float | None = None
    started: float = field(default_factory=time.monotonic)

    def faults(self) -> list[str]:
        """Everything that a customer must never see."""
        found = []
        if self.accepted_at is not None and not self.done and self.status != "open":
            found.append(f"lost: {self.question}")
        if self.done > 1 or self.questions > 1 or len(set(self.ids)) < len(self.ids):
            found.append(f"doubled: {self.question}")
        if len(set(self.sentences)) < len(self.sentences):
            found.append(f"a sentence came twice: {self.question}")
        if self.ids != sorted(self.ids, key=_place):
            found.append(f"out of order: {self.question}")
        return found


class Customer:
    """One customer with one question: insists until it is taken, listens until it is answered."""

    def __init__(self, http: aiohttp.ClientSession, url: str, question: str) -> None:
        self._http = http
        self._url = url
        self._headers: dict[str, str] = {}
        self.asked = Asked(question)

    async def ask(self, within_s: float = 180.0) -> Asked:
        """Return when the reply is complete, or the time is over."""
        told = await self._insist(f"/chat/{INBOX}/session", {})
        self._headers = {"Authorization": f"Bearer {told['token']}"}
        listening = asyncio.create_task(self._listen())
        self.asked.started = time.monotonic()
        body = {"client_id": uuid4().hex, "text": self.asked.question}
        await self._insist("/chat/messages", body)
        self.asked.accepted_at = time.monotonic()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._until_done(), within_s)
        await asyncio.sleep(1.0)  # what comes twice comes late
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        return self.asked

    async def _until_done(self) -> None:
        while not self.asked.done:
            await asyncio.sleep(0.02)

    async def _insist(self, path: str, body: Mapping[str, str]) -> dict[str, str]:
        while True:
            with suppress(*AWAY):
                request = self._http.post(
                    self._url + path, json=body, headers=self._headers, timeout=REQUEST_TIMEOUT
                )
                async with request as response:
                    if response.status < 300:
                        told: dict[str, str] = await response.json()
                        return told
            await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        while True:
            with suppress(*AWAY):
                last = {"Last-Event-ID": self.asked.ids[-1]} if self.asked.ids else {}
                request = self._http.get(
                    f"{self._url}/chat/events",
                    headers={**self._headers, **last},
                    timeout=STREAM_TIMEOUT,
                )
                async with request as response:
                    async for event in read_events(response.content):
                        if event.id:
                            self._take(event.id, event.kind, event.data)
            await asyncio.sleep(RETRY_S)

    def _take(self, event_id: str, kind: str, data: Mapping[str, object]) -> None:
        asked = self.asked
        asked.ids.append(event_id)
        if kind == "sentence":
            asked.first_s = asked.first_s or time.monotonic() - asked.started
            asked.sentences.append(str(data["text"]))
        elif kind == "message" and data["author"] == "contact":
            asked.questions += 1
        elif kind == "done" and data["partial"]:
            asked.partial += 1
        elif kind == "done":
            asked.done += 1
            asked.done_at = time.monotonic()
        elif kind == "status":
            asked.status = str(data["status"])


async def ask_all(url: str, asked: Sequence[str], at_once: int) -> list[Asked]:
    """Let so many customers at once ask these questions, each in a chat of its own."""
    gate = asyncio.Semaphore(at_once)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def one(question: str) -> Asked:
            async with gate:
                return await Customer(http, url, question).ask()

        return list(await asyncio.gather(*(one(question) for question in asked)))


def _place(event_id: str) -> tuple[int, ...]:
    return tuple(map(int, event_id.split(".")))
