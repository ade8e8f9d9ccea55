"""A browser without a window: it speaks the chat's protocol as the widget does."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse

from tests.served import Client

_numbers = itertools.count(1)
WAIT_SECONDS = 20


def client_id() -> str:
    return f"client-{next(_numbers):08d}"


@dataclass(frozen=True)
class StreamedEvent:
    """One server-sent event."""

    id: str | None
    kind: str
    data: dict[str, Any]


@dataclass
class Browser:
    """One visitor's browser."""

    client: Client
    token: str

    @classmethod
    async def visit(cls, client: Client, inbox: str, body: dict[str, Any] | None = None) -> Browser:
        async with client.post(f"/chat/{inbox}/session", json=body or {}) as response:
            assert response.status == 201, await response.text()
            return cls(client, (await response.json())["token"])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def send(self, text: str, number: str | None = None) -> ClientResponse:
        body = {"client_id": number or client_id(), "text": text}
        return await self.client.post("/chat/messages", json=body, headers=self.headers)

    async def history(self) -> dict[str, Any]:
        async with self.client.get("/chat/history", headers=self.headers) as response:
            assert response.status == 200, await response.text()
            found: dict[str, Any] = await response.json()
            return found

    @asynccontextmanager
    async def stream(self, last_event_id: str = "") -> AsyncIterator[Stream]:
        headers = {**self.headers, "Last-Event-ID": last_event_id}
        async with self.client.get("/chat/events", headers=headers) as response:
            assert response.status == 200, await response.text()
            yield Stream(response)


class Stream:
    """An open event stream."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response

    async def until(self, kind: str) -> list[StreamedEvent]:
        """Events up to and with the first one of a kind."""
        events: list[StreamedEvent] = []
        async with asyncio.timeout(WAIT_SECONDS):
            while not events or events[-1].kind != kind:
                events.append(await self.next())
        return events

    async def next(self) -> StreamedEvent:
        """The next event; comments and the retry hint are passed over."""
        while True:
            fields = await self._block()
            if "data" in fields:
                kind = fields.get("event", "message")
                return StreamedEvent(fields.get("id"), kind, json.loads(fields["data"]))

    async def is_over(self) -> bool:
        """Waits for the server to close the stream."""
        async with asyncio.timeout(WAIT_SECONDS):
            while await self.response.content.readline():
                pass
        return True

    async def _block(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        while line := (await self.response.content.readline()).decode():
            if line == "\n":
                return fields
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value
        raise EOFError("the stream is over")
