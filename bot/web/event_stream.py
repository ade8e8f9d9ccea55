"""Server-sent events (HTML standard, section 9.2) over one open response."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiohttp import web

HEARTBEAT_SECONDS = 15.0
RETRY_MS = 1000


class Drain:
    """Tells open streams that this process is about to end."""

    def __init__(self) -> None:
        self.has_begun = False

    def begin(self) -> None:
        """From now on streams close and their browsers come back to another process."""
        self.has_begun = True


class EventStream:
    """One browser's stream; made by `open_stream`."""

    def __init__(self, response: web.StreamResponse) -> None:
        self.response = response

    async def send(self, event: str, data: dict[str, Any], event_id: str | None = None) -> None:
        """Send one event."""
        await self.send_all([compose(event, data, event_id)])

    async def send_all(self, events: Sequence[str]) -> None:
        """Send composed events in one packet: one system call instead of one for each."""
        if events:
            await self.response.write("".join(events).encode())

    async def beat(self) -> None:
        """A comment that keeps proxies from closing an idle stream."""
        await self.response.write(b":\n\n")

    async def suggest_retry(self, milliseconds: int) -> None:
        """Tell the browser when to come back after this stream ends."""
        await self.response.write(f"retry: {milliseconds}\n\n".encode())


def compose(event: str, data: dict[str, Any], event_id: str | None = None) -> str:
    """An event as it is sent; JSON holds no raw line break, so one `data` line is enough."""
    named = "" if event_id is None else f"id: {event_id}\n"
    return f"{named}event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


@contextlib.asynccontextmanager
async def open_stream(request: web.Request) -> AsyncIterator[EventStream]:
    """Begin to stream; a browser that goes away ends the block quietly."""
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
    )
    await response.prepare(request)
    stream = EventStream(response)
    with contextlib.suppress(ConnectionResetError):
        await stream.suggest_retry(RETRY_MS)
        yield stream
        await response.write_eof()


async def next_payload(
    queue: asyncio.Queue[dict[str, Any]], timeout_s: float
) -> dict[str, Any] | None:
    """What a Hub's queue brings within the time, or None."""
    try:
        return await asyncio.wait_for(queue.get(), timeout_s)
    except TimeoutError:
        return None
