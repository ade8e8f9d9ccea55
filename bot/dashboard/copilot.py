"""The copilot of a conversation: suggests, rewrites, translates, summarises, and learns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import knowledge_payloads as payloads
from bot.dashboard.copilot_runs import CopilotRuns, Wanted
from bot.dashboard.desk_payloads import Nothing
from bot.dashboard.signed_in import signed_in
from bot.tables import CopilotFeedback, CopilotRun
from bot.web.addressed import find, number_of
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 128 * 1024
ONE = "/desk/api/conversations/{number}/copilot"


class Copilot:
    """The endpoints; what is written is written by a worker."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], runs: CopilotRuns) -> None:
        self._sessions = sessions
        self._runs = runs

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.post(f"{ONE}/suggest", self.suggest),
            web.post(f"{ONE}/rewrite", self.rewrite),
            web.post(f"{ONE}/translate", self.translate),
            web.post(f"{ONE}/summarise", self.summarise),
            web.post(f"{ONE}/feedback", self.learn),
        ]

    @access("staff")
    async def suggest(self, request: web.Request) -> web.StreamResponse:
        """A reply from the articles, streamed by sentence, with its sources."""
        await read_json(request, Nothing, MAX_BODY_BYTES)
        return await self._ask(request, "suggest", {})

    @access("staff")
    async def rewrite(self, request: web.Request) -> web.StreamResponse:
        """The person's own text, shorter, friendlier or formal; its facts stay."""
        asked = await read_json(request, payloads.RewriteIn, MAX_BODY_BYTES)
        return await self._ask(request, "rewrite", asked.model_dump())

    @access("staff")
    async def translate(self, request: web.Request) -> web.StreamResponse:
        """A text in another language: what the contact wrote, or what the person would send."""
        asked = await read_json(request, payloads.TranslateIn, MAX_BODY_BYTES)
        return await self._ask(request, "translate", asked.model_dump())

    @access("staff")
    async def summarise(self, request: web.Request) -> web.StreamResponse:
        """The conversation in a few sentences that it bears out."""
        asked = await read_json(request, payloads.SummariseIn, MAX_BODY_BYTES)
        return await self._ask(request, "summarise", asked.model_dump())

    @access("staff")
    async def learn(self, request: web.Request) -> web.Response:
        """Keep what the person made of a suggestion. Told twice, the last one stays."""
        asked = await read_json(request, payloads.FeedbackIn, MAX_BODY_BYTES)
        number, agent = number_of(request), signed_in(request)
        async with self._sessions.begin() as session:
            kept = await session.run_sync(
                lambda sync: keep_feedback(sync, find(sync, number), agent.agent_id, asked)
            )
        return answer_with(kept, 201)

    async def _ask(
        self, request: web.Request, kind: str, asked: dict[str, str]
    ) -> web.StreamResponse:
        async with self._sessions() as session:
            conversation_id = await session.run_sync(find, number_of(request))
        return await self._runs.stream(request, Wanted(kind, asked, conversation_id))


def keep_feedback(
    session: Session, conversation_id: UUID, agent_id: UUID, asked: payloads.FeedbackIn
) -> payloads.Feedback:
    """Store the offered and the sent text together. Raises a 404 Refusal without the run."""
    run = session.get(CopilotRun, asked.run_id)
    if run is None or run.conversation_id != conversation_id or run.contact_id is None:
        raise Refusal(404, "not_found", "There is no such suggestion in this conversation.")
    offered = str(json.loads(run.result).get("text", "")) if run.result else ""
    verdict = _verdict(offered, asked.sent)
    kept = session.get(CopilotFeedback, run.id, with_for_update=True)
    if kept is None:
        kept = CopilotFeedback(run_id=run.id, agent_id=agent_id, contact_id=run.contact_id)
        session.add(kept)
    kept.verdict, kept.offered, kept.sent = verdict, offered, asked.sent
    session.flush()
    return payloads.Feedback(run_id=str(run.id), verdict=verdict)


def _verdict(offered: str, sent: str) -> payloads.Verdict:
    if not sent.strip():
        return "discarded"
    return "as_is" if sent.split() == offered.split() else "edited"
