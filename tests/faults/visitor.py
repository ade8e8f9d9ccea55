"""A customer's browser: sends until it is told that the message was taken, and reads on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp

from tests.faults.ledger import Ledger
from tests.faults.script import question

RETRY_S = 0.2
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
# A stream whose server froze says nothing, not even a heartbeat every 15 s.
STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=25)
AWAY = (aiohttp.ClientError, TimeoutError, OSError)


class Rejected(Exception):
    """The server refused for good; the message holds the status."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event (HTML standard, section 9.2)."""

    id: str
    kind: str
    data: dict[str, Any]


class Visitor:
    """One visitor with one session, any number of messages and one stream at a time."""

    def __init__(
        self, http: aiohttp.ClientSession, url: str, inbox: str, name: str, ledger: Ledger
    ) -> None:
        self.name = name
        self._http = http
        self._url = url
        self._inbox = inbox
        self._ledger = ledger
        self.stream = ledger.stream(name)
        self._token = ""
        self._count = 0
        self.reconnections = 0

    async def enter(self) -> None:
        """Get a session, however often that takes."""
        told = await self._insist("POST", f"/chat/{self._inbox}/session", {})
        self._token = told["token"]

    async def say(self) -> str:
        """Send the next question until it is accepted; returns its number."""
        return await self._say(copies=1)

    async def say_many_times(self, copies: int) -> str:
        """Send the next question in several copies at once, as an impatient network does."""
        return await self._say(copies=copies)

    async def _say(self, copies: int) -> str:
        self._count += 1
        number = f"{self.name}.{self._count}"
        client_id = uuid4().hex
        sent = self._ledger.send(number, client_id)
        body = {"client_id": client_id, "text": question(number)}
        await asyncio.gather(*(self._insist("POST", "/chat/messages", body) for _ in range(copies)))
        sent.accepted_at = time.monotonic()
        return number

    async def history(self) -> list[dict[str, Any]]:
        """The messages as a reloaded page shows them."""
        told = await self._insist("GET", "/chat/history")
        messages: list[dict[str, Any]] = told["messages"]
        return messages

    async def listen(self) -> None:
        """Read events for ever, coming back with Last-Event-ID whenever the stream ends."""
        while True:
            with contextlib.suppress(*AWAY):
                async for event in self._events():
                    if event.id:
                        self.stream.take(event.id, event.kind, event.data)
            self.reconnections += 1
            await asyncio.sleep(RETRY_S)

    async def _events(self) -> AsyncIterator[ServerEvent]:
        headers = {"Authorization": f"Bearer {self._token}"}
        if self.stream.last_id:
            headers["Last-Event-ID"] = self.stream.last_id
        request = self._http.get(
            f"{self._url}/chat/events", headers=headers, timeout=STREAM_TIMEOUT
        )
        async with request as response:
            if response.status != 200:
                await self._wait_as_told(response)
                return
            async for event in read_events(response.content):
                yield event

    async def _insist(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask until there is an answer. Raises Rejected for what asking again cannot mend."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        while True:
            try:
                request = self._http.request(
                    method, self._url + path, json=body, headers=headers, timeout=REQUEST_TIMEOUT
                )
                async with request as response:
                    if response.status < 300:
                        told: dict[str, Any] = await response.json()
                        return told
                    self._ledger.retries[str(response.status)] += 1
                    await self._wait_as_told(response)
            except AWAY as error:
                self._ledger.retries[type(error).__name__] += 1
                await asyncio.sleep(RETRY_S)

    async def _wait_as_told(self, response: aiohttp.ClientResponse) -> None:
        if response.status < 500 and response.status != 429:
            raise Rejected(f"{response.status}: {await response.text()}")
        await asyncio.sleep(min(float(response.headers.get("Retry-After", RETRY_S)), 2.0))


async def read_events(lines: aiohttp.StreamReader) -> AsyncIterator[ServerEvent]:
    """The events of a stream as they come; comments are heartbeats and are passed over."""
    event_id, kind, data = "", "", ""
    async for raw in lines:
        if not raw.endswith(b"\n"):
            return  # cut off in the middle: the next stream tells it again
        name, _, value = raw.decode().rstrip("\n").partition(": ")
        if name == "id":
            event_id = value
        elif name == "event":
            kind = value
        elif name == "data":
            data = value
        elif name == "" and kind:
            yield ServerEvent(event_id, kind, json.loads(data))
            event_id, kind, data = "", "", ""
