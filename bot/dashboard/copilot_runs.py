"""A piece of work for a worker that somebody waits for: write it sealed, ring, stream it back."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard.signed_in import signed_in
from bot.events import Hub, run_topic
from bot.queue import Queue
from bot.tables import Conversation, CopilotRun, new_id
from bot.web.event_stream import HEARTBEAT_SECONDS, next_payload, open_stream

log = logging.getLogger(__name__)

LOOK_SECONDS = 3.0
DEADLINE_SECONDS = 90.0

PROBLEMS = {
    "no_model": "No language model is running, so this cannot be written just now. Your text is"
    " as it was.",
    "engine": "The language model stopped in the middle. Nothing was changed; try again.",
    "nothing_asked": "The contact has not asked anything here yet.",
    "fault": "This did not work, and the reason is in the worker's log. Nothing was changed.",
    "deadline": "No worker answered in time. Nothing was changed; try again in a moment.",
}
Store = Callable[[UUID, dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a worker is asked for. `store` turns the result into what the page is told."""

    kind: str
    asked: Mapping[str, Any]
    conversation_id: UUID | None = None
    inbox_id: UUID | None = None
    store: Store | None = None


class CopilotRuns:
    """Starts runs and follows them; shared by all areas that need a worker."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], hub: Hub, queue: Queue) -> None:
        self._sessions = sessions
        self._hub = hub
        self._queue = queue

    async def stream(self, request: web.Request, wanted: Wanted) -> web.StreamResponse:
        """Events as the worker tells them, then one `result` or one `problem`."""
        run_id, agent_id = new_id(), signed_in(request).agent_id
        async with self._hub.listen(run_topic(run_id)) as bells:
            async with self._sessions.begin() as session:
                await session.run_sync(_write, run_id, agent_id, wanted)
            await asyncio.to_thread(self._queue.enqueue_copilot, run_id)
            async with open_stream(request) as stream:
                beat_at = time.monotonic()
                async for event, data in self._follow(run_id, bells, wanted):
                    if event:
                        await stream.send(event, data)
                    elif time.monotonic() - beat_at > HEARTBEAT_SECONDS:
                        beat_at = time.monotonic()
                        await stream.beat()
        return stream.response

    async def _follow(
        self, run_id: UUID, bells: asyncio.Queue[dict[str, Any]], wanted: Wanted
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        deadline = time.monotonic() + DEADLINE_SECONDS
        yield "begun", {"run_id": str(run_id)}
        while time.monotonic() < deadline:
            payload = await next_payload(bells, LOOK_SECONDS)
            if payload and "done" not in payload:
                yield _kind_of(payload), payload
                continue
            state, result = await self._look(run_id)
            if state == "done":
                if wanted.store is not None:
                    result = await wanted.store(run_id, result)
                yield "result", {**result, "run_id": str(run_id)}
                return
            if state not in ("queued", "running"):
                yield "problem", {"code": state, "message": PROBLEMS.get(state, PROBLEMS["fault"])}
                return
            if state == "queued":  # the bell may have been lost; a second one does no harm
                await asyncio.to_thread(self._queue.enqueue_copilot, run_id)
            yield "", {}
        async with self._sessions.begin() as session:
            await session.run_sync(_give_up, run_id)
        log.warning("no help in time run=%s kind=%s", run_id, wanted.kind)
        yield "problem", {"code": "deadline", "message": PROBLEMS["deadline"]}

    async def _look(self, run_id: UUID) -> tuple[str, dict[str, Any]]:
        async with self._sessions() as session:
            return await session.run_sync(_read, run_id)


def _write(session: Session, run_id: UUID, agent_id: UUID, wanted: Wanted) -> None:
    run = CopilotRun(id=run_id, kind=wanted.kind, agent_id=agent_id, inbox_id=wanted.inbox_id)
    if wanted.conversation_id is not None:
        conversation = session.get_one(Conversation, wanted.conversation_id)
        run.conversation_id, run.contact_id = conversation.id, conversation.contact_id
        run.inbox_id = conversation.inbox_id
    run.request = json.dumps(wanted.asked, ensure_ascii=False)
    session.add(run)
    session.flush()


def _read(session: Session, run_id: UUID) -> tuple[str, dict[str, Any]]:
    """The run's state, a failed one's reason instead; and its result."""
    run = session.get(CopilotRun, run_id, populate_existing=True)
    if run is None:
        return "fault", {}
    if run.state == "failed":
        return run.error or "fault", {}
    return run.state, json.loads(run.result) if run.result else {}


def _give_up(session: Session, run_id: UUID) -> None:
    session.execute(
        update(CopilotRun)
        .where(CopilotRun.id == run_id, CopilotRun.state == "queued")
        .values(state="abandoned")
    )


def _kind_of(payload: Mapping[str, Any]) -> str:
    """The event's name; `{}` says only: look again."""
    if "side" in payload:
        return "side" if "result" in payload else "sentence"
    return next((name for name in ("piece", "progress") if name in payload), "")
