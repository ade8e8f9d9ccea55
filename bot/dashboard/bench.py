"""The test bench: one question, two settings, retrieval and answer side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import knowledge_payloads as payloads
from bot.dashboard.copilot_runs import CopilotRuns, Wanted
from bot.policy import answer_at_of
from bot.tables import Inbox
from bot.web.bodies import read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 16 * 1024


class Bench:
    """The endpoint. A worker answers, by the logic that answers customers; nobody is sent it."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], runs: CopilotRuns) -> None:
        self._sessions = sessions
        self._runs = runs

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [web.post("/desk/api/knowledge/bench", self.ask)]

    @access("staff")
    async def ask(self, request: web.Request) -> web.StreamResponse:
        """`sentence` {side, sentence} as it comes, `side` {side, result}, both in `result`."""
        asked = await read_json(request, payloads.BenchIn, MAX_BODY_BYTES)
        async with self._sessions() as session:
            places = await session.run_sync(_places, [side.inbox_id for side in asked.sides])
        sides: list[dict[str, Any]] = [
            {**side.model_dump(mode="json"), **places[side.inbox_id]} for side in asked.sides
        ]
        wanted = {"question": asked.question.strip(), "sides": sides}
        return await self._runs.stream(request, Wanted("bench", wanted))


def _places(session: Session, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """What an answer takes from each inbox: the company's name, and how sure it must be."""
    found = {
        inbox.id: {
            "company": inbox.company or inbox.name,
            "answer_at": answer_at_of(inbox.settings),
        }
        for inbox in session.scalars(select(Inbox).where(Inbox.id.in_(ids)))
    }
    if len(found) < len(set(ids)):
        raise Refusal(404, "not_found", "There is no such inbox.")
    return found
