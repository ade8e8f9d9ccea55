"""Customers on the web chat whose browsers and networks are bad: each function is one story."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp

from bot.simulation.ledger import Exchange
from bot.simulation.stage import Stage

RETRY_S = 0.3
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=40)
AWAY = (aiohttp.ClientError, TimeoutError, OSError)
LONGEST_STAY_S = 600.0


class FlakyBrowser:
    """One visitor: sends until it is told that the message was taken, and reads on for ever.

    `steadiness` is how many events a stream lives at most before the connection is lost; `name`
    is what they say of themselves before the chat.
    """

    def __init__(
        self, stage: Stage, exchange: Exchange, steadiness: int = 1_000, name: str = ""
    ) -> None:
        self._stage = stage
        self._details = {"name": name} if name else {}
        self._exchange = exchange
        self._steadiness = steadiness
        self._headers: dict[str, str] = {}
        self._last_id = ""

    @contextlib.asynccontextmanager
    async def visiting(self) -> AsyncIterator[FlakyBrowser]:
        """With a session and an open stream, for as long as the block lasts."""
        told = await self._insist(f"/chat/{self._stage.chat_inbox}/session", {})
        self._headers = {"Authorization": f"Bearer {told['token']}"}
        listening = asyncio.create_task(self._listen())
        try:
            yield self
        finally:
            listening.cancel()
            (ended,) = await asyncio.gather(listening, return_exceptions=True)
            if isinstance(ended, Exception):  # not the cancellation: it stopped listening before
                self._stage.ledger.wrong.append(("chat", f"{self._exchange}: {ended!r}"))

    @property
    def conversation(self) -> int | None:
        """The number of the conversation that was last heard of."""
        return _place(self._last_id)[0] if self._last_id else None

    async def say(self, text: str, copies: int = 1, path: str = "/chat/messages") -> None:
        """Send a message, in several copies at once where the network stutters."""
        body = {"client_id": uuid4().hex, "text": text, "details": self._details}
        self._details = {}
        await asyncio.gather(*(self._insist(path, body) for _ in range(copies)))

    async def say_and_lose_the_line(self, text: str) -> None:
        """Send, lose the connection before the answer is read, and send again."""
        body = {"client_id": uuid4().hex, "text": text}
        with contextlib.suppress(OSError):
            await self._send_and_hang_up(json.dumps(body).encode())
        await asyncio.sleep(RETRY_S)
        await self._insist("/chat/messages", body)

    async def _send_and_hang_up(self, body: bytes) -> None:
        url = urlsplit(self._stage.doors.url)
        _, writer = await asyncio.open_connection(url.hostname, url.port or 80)
        head = (
            f"POST /chat/messages HTTP/1.1\r\nHost: {url.netloc}\r\n"
            f"Authorization: {self._headers['Authorization']}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()
        await asyncio.sleep(self._stage.dice.uniform(0, 0.05))
        writer.close()

    async def _insist(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask until there is an answer. Raises ValueError for what asking again cannot mend."""
        while True:
            wait_s = RETRY_S
            with contextlib.suppress(*AWAY):
                async with self._stage.http.post(
                    self._stage.doors.url + path,
                    json=body,
                    headers=self._headers,
                    timeout=REQUEST_TIMEOUT,
                ) as response:
                    if response.status < 300:
                        told: dict[str, Any] = await response.json()
                        return told
                    if response.status < 500 and response.status != 429:
                        raise ValueError(f"{path}: {response.status} {await response.text()}")
                    wait_s = float(response.headers.get("Retry-After", RETRY_S))
            await asyncio.sleep(wait_s)

    async def _listen(self) -> None:
        """Read events, and come back with Last-Event-ID whenever the connection is lost."""
        while True:
            with contextlib.suppress(*AWAY):
                await self._read_until_lost()
            await asyncio.sleep(RETRY_S)

    async def _read_until_lost(self) -> None:
        headers = {**self._headers, "Last-Event-ID": self._last_id}
        seen = 0
        async with self._stage.http.get(
            f"{self._stage.doors.url}/chat/events", headers=headers, timeout=STREAM_TIMEOUT
        ) as response:
            if response.status != 200:
                told = f"~ {self._exchange}: stream refused ({response.status})"
                self._stage.ledger.tell("chat", told)
                await asyncio.sleep(float(response.headers.get("Retry-After", RETRY_S)))
                return
            async for event_id, kind, data in read_events(response.content):
                self._take(event_id, kind, data)
                seen += bool(event_id)
                if seen >= self._steadiness:
                    self._stage.ledger.tell("chat", f"~ {self._exchange}: connection lost")
                    return

    def _take(self, event_id: str, kind: str, data: dict[str, Any]) -> None:
        if not event_id:
            return
        if self._last_id and _place(event_id) <= _place(self._last_id):
            self._stage.ledger.double(self._exchange, f"event {event_id} came again")
            return
        self._last_id = event_id
        if kind == "done" and data["author"] == "bot":
            self._exchange.reply(data["id"])
        elif kind == "message" and data["author"] == "agent":
            self._exchange.reply(data["id"], "person")
        elif kind == "status" and data["status"] == "open":
            self._exchange.expect_person()


async def read_events(
    lines: aiohttp.StreamReader,
) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    """Id, kind and data of server-sent events (HTML standard, section 9.2)."""
    fields: dict[str, str] = {}
    async for raw in lines:
        line = raw.decode().rstrip("\n")
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield fields.get("id", ""), fields.get("event", "message"), json.loads(fields["data"])
            fields = {}


def _place(event_id: str) -> tuple[int, int]:
    conversation, _, seq = event_id.partition(".")
    return int(conversation), int(seq)


async def _until_settled(exchange: Exchange) -> None:
    """Stay on the page until the matter is settled and stays so: people may be called after it."""
    settled_s = 0.0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_STAY_S):
            while settled_s < 2.0:
                await asyncio.sleep(0.2)
                settled_s = settled_s + 0.2 if exchange.is_settled else 0.0


# -- the stories -----------------------------------------------------------------------------


async def asks(stage: Stage) -> None:
    """A question on a good line."""
    exchange = stage.ledger.begin("chat", "asks")
    async with FlakyBrowser(stage, exchange).visiting() as browser:
        await browser.say(stage.ask(exchange))
        await _until_settled(exchange)


async def stutters(stage: Stage) -> None:
    """The network sends the same message five times."""
    exchange = stage.ledger.begin("chat", "sent five times")
    async with FlakyBrowser(stage, exchange).visiting() as browser:
        await browser.say(stage.ask(exchange), copies=5)
        await _until_settled(exchange)


async def loses_the_line(stage: Stage) -> None:
    """The connection is lost with the message under way, and after every event."""
    exchange = stage.ledger.begin("chat", "line lost")
    async with FlakyBrowser(stage, exchange, steadiness=1).visiting() as browser:
        await browser.say_and_lose_the_line(stage.ask(exchange))
        await _until_settled(exchange)


async def sends_three_quick_lines(stage: Stage) -> None:
    """Three lines at once; one reply is enough, one each is the most."""
    exchange = stage.ledger.begin("chat", "three lines", most=3)
    async with FlakyBrowser(stage, exchange, steadiness=2).visiting() as browser:
        for _ in range(3):
            await browser.say(stage.ask(exchange))
        await _until_settled(exchange)


async def wants_a_person(stage: Stage) -> None:
    """Somebody who clicks for a person."""
    exchange = stage.ledger.begin("chat", "wants a person")
    async with FlakyBrowser(stage, exchange).visiting() as browser:
        await browser.say(stage.ask(exchange), path="/chat/person")
        await _until_settled(exchange)


async def guesses_a_token(stage: Stage) -> None:
    """A stranger who has no session."""
    async with stage.http.post(
        f"{stage.doors.url}/chat/messages",
        json={"client_id": uuid4().hex, "text": "Let me in."},
        headers={"Authorization": "Bearer fdv_a-guess"},
        timeout=REQUEST_TIMEOUT,
    ) as response:
        stage.ledger.refuse("chat", "a guessed token", is_refused=response.status == 401)


STORIES = (
    asks,
    sends_three_quick_lines,
    loses_the_line,
    stutters,
    guesses_a_token,
    wants_a_person,
)
