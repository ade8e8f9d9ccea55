"""Bea before the desk's API: what tests of the inbox say on her behalf."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from tests.bot.dashboard.staff import SignedInDesk
from tests.served import Client

_numbers = itertools.count(1)
WITHIN_SECONDS = 10


def client_id() -> str:
    return f"client-{next(_numbers):08}"


@dataclass
class Desk:
    """Somebody of the staff who reads and writes over HTTP."""

    client: Client
    origin: str
    person: SignedInDesk
    sessions: sessionmaker[Session]

    async def get(self, path: str, **query: Any) -> Any:
        status, body = await self.ask("GET", path, params=query)
        assert status == 200, body
        return body

    async def do(self, path: str, **body: Any) -> Any:
        status, answer = await self.ask("POST", path, json=body)
        assert status in (200, 201, 204), answer
        return answer

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        headers = self.person.headers(self.origin)
        async with self.client.request(
            method, f"/desk/api{path}", headers=headers, **options
        ) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def numbers(self, view: str, **filters: Any) -> list[int]:
        page = await self.get("/inbox", view=view, **filters)
        return [row["number"] for row in page["items"]]

    @asynccontextmanager
    async def watch(self, number: int | None = None, after: int = 0) -> AsyncIterator[Stream]:
        """An open stream, of one conversation or of the inbox alone."""
        query = {"conversation": number, "after": after} if number is not None else {}
        headers = self.person.headers(self.origin)
        async with self.client.get("/desk/api/live", params=query, headers=headers) as response:
            assert response.status == 200
            yield Stream(response)


class Stream:
    """Server-sent events as they come."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._left = ""

    async def hear(self, kind: str) -> Any:
        """The data of the next event of a kind; fails if none comes."""
        async with asyncio.timeout(WITHIN_SECONDS):
            while True:
                event = await self._next()
                if event.get("event") == kind:
                    return json.loads(event["data"])

    async def _next(self) -> dict[str, str]:
        while "\n\n" not in self._left:
            chunk = await self._response.content.readany()
            assert chunk, "the stream ended"
            self._left += chunk.decode()
        block, self._left = self._left.split("\n\n", 1)
        return dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
