"""Gaps: what the bot could not answer this week, grouped, with a drafted article to review."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import knowledge_payloads as payloads
from bot.dashboard.copilot_runs import CopilotRuns, Wanted
from bot.dashboard.desk_payloads import Nothing
from bot.dashboard.drafts import collection_of, title_of
from bot.dashboard.signed_in import signed_in
from bot.knowledge.unanswered import Unanswered, questions_of, read_unanswered, staff_replies
from bot.tables import (
    AnswerRun,
    ArticleDraft,
    Conversation,
    CopilotRun,
    Message,
    Passage,
    SettledQuestion,
    new_id,
    now,
)
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 64 * 1024
WEEK = timedelta(days=7)
EXAMPLES = 5
NOBODY_ANSWERED = "Nobody of the staff has answered this yet: the text is yours to write."
ANSWERED = "Made of what the staff answered. Check that it holds for every customer."


class Gaps:
    """The endpoints."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], runs: CopilotRuns) -> None:
        self._sessions = sessions
        self._runs = runs

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/desk/api/knowledge/gaps", self.list),
            web.post("/desk/api/knowledge/gaps/group", self.group),
            web.post("/desk/api/knowledge/gaps/draft", self.draft),
            web.post("/desk/api/knowledge/gaps/dismiss", self.dismiss),
        ]

    @access("staff")
    async def list(self, _request: web.Request) -> web.Response:
        """The gaps, largest first, by the newest grouping."""
        async with self._sessions() as session:
            found = await session.run_sync(read_gaps)
        return answer_with(found)

    @access("staff")
    async def group(self, request: web.Request) -> web.StreamResponse:
        """Compare all unanswered questions of the week anew; progress is streamed."""
        await read_json(request, Nothing, MAX_BODY_BYTES)
        return await self._runs.stream(
            request, Wanted("gaps", {"since": (now() - WEEK).isoformat()})
        )

    @access("staff")
    async def draft(self, request: web.Request) -> web.StreamResponse:
        """An article for a gap, written from what the staff answered; a person reviews it."""
        asked, agent = await read_json(request, payloads.GapIn, MAX_BODY_BYTES), signed_in(request)
        async with self._sessions() as session:
            language = await session.run_sync(_language, asked.run_ids)

        async def store(run_id: UUID, result: dict[str, Any]) -> dict[str, Any]:
            async with self._sessions.begin() as session:
                draft_id = await session.run_sync(
                    keep_draft, run_id, asked.run_ids, agent.agent_id, str(result["text"])
                )
            return {"draft_id": str(draft_id)}

        wanted = {"run_ids": [str(each) for each in asked.run_ids], "language": language}
        return await self._runs.stream(request, Wanted("draft_article", wanted, store=store))

    @access("supervisor")
    async def dismiss(self, request: web.Request) -> web.Response:
        """No article is wanted for these questions."""
        asked, agent = await read_json(request, payloads.GapIn, MAX_BODY_BYTES), signed_in(request)
        async with self._sessions.begin() as session:
            await session.run_sync(_settle, asked.run_ids, None, agent.agent_id)
        return web.Response(status=204)


def read_gaps(session: Session) -> payloads.Gaps:
    """What is unanswered since a week ago; questions that no grouping knows stand alone."""
    since = now() - WEEK
    asked = {str(each.run_id): each for each in read_unanswered(session, since)}
    groups = [[one for one in each if one in asked] for each in _newest_groups(session)]
    known = {one for each in groups for one in each}
    alone = [[one] for one in asked if one not in known]
    found = [[asked[one] for one in each] for each in [*groups, *alone] if each]
    return payloads.Gaps(
        items=[_gap(session, each) for each in sorted(found, key=len, reverse=True)],
        since=since,
        unanswered=len(asked),
        is_stale=bool(alone) and len(asked) > 1,
    )


def keep_draft(
    session: Session, run_id: UUID, run_ids: Sequence[UUID], agent_id: UUID, body: str
) -> UUID:
    """Store what the worker wrote as a draft that waits; its run keeps no second copy.

    It is sealed by the contact's key where it was made of one contact's conversation alone.
    """
    questions = questions_of(session, run_ids)
    first = session.scalars(_conversations(run_ids)).first()
    if first is None or not questions:
        raise Refusal(404, "not_found", "These questions are no longer there.")
    replies = staff_replies(session, run_ids)
    people = set(session.scalars(_contacts(run_ids)))
    draft = ArticleDraft(
        id=new_id(),
        origin="gap",
        collection=collection_of(session, first.inbox_id),
        contact_id=people.pop() if len(people) == 1 else None,
        conversation_id=first.id,
        agent_id=agent_id,
        language=_language(session, run_ids),
    )
    draft.title, draft.body = title_of(questions[0]), body
    draft.note = ANSWERED if replies else NOBODY_ANSWERED
    session.add(draft)
    session.flush()
    _settle(session, run_ids, draft.id, agent_id)
    session.get_one(CopilotRun, run_id).result = json.dumps({"draft_id": str(draft.id)})
    return draft.id


def _newest_groups(session: Session) -> list[list[str]]:
    query = select(CopilotRun).where(CopilotRun.kind == "gaps", CopilotRun.state == "done")
    run = session.scalars(query.order_by(CopilotRun.created_at.desc()).limit(1)).first()
    found: list[list[str]] = json.loads(run.result)["groups"] if run else []
    return found


def _gap(session: Session, asked: Sequence[Unanswered]) -> payloads.Gap:
    languages = Counter(each.language for each in asked if each.language)
    conversations = {each.conversation_id for each in asked}
    return payloads.Gap(
        questions=[
            payloads.GapQuestion(
                run_id=str(each.run_id), text=each.text, conversation=each.number, at=each.at
            )
            for each in asked[:EXAMPLES]
        ],
        count=len(asked),
        run_ids=[str(each.run_id) for each in asked],
        languages=[name for name, _ in languages.most_common()],
        nearest=_nearest(session, asked),
        staff_replies=_count_replies(session, conversations),
        draft_id=next((str(each.draft_id) for each in asked if each.draft_id), None),
    )


def _nearest(session: Session, asked: Sequence[Unanswered]) -> payloads.Nearest | None:
    """The article that came nearest: perhaps it only needs another paragraph."""
    best = [each.evidence[0] for each in asked if each.evidence]
    if not best:
        return None
    found: Mapping[str, Any] = max(best, key=lambda each: float(each.get("score") or 0))
    row = session.get(Passage, UUID(str(found["passage_id"])))
    return payloads.Nearest(
        article_id=str(row.article_id) if row else None,
        title=str(found.get("title", "")),
        score=found.get("score"),
    )


def _count_replies(session: Session, conversations: set[UUID]) -> int:
    query = select(func.count()).where(
        Message.conversation_id.in_(conversations),
        Message.author == "agent",
        Message.private.is_(False),
    )
    return session.scalar(query) or 0


def _settle(
    session: Session, run_ids: Sequence[UUID], draft_id: UUID | None, agent_id: UUID
) -> None:
    there = session.scalars(select(AnswerRun.id).where(AnswerRun.id.in_(run_ids))).all()
    for one in there:
        row = {"run_id": one, "draft_id": draft_id, "agent_id": agent_id, "created_at": now()}
        session.execute(
            insert(SettledQuestion)
            .values(**row)
            .on_conflict_do_update(index_elements=["run_id"], set_={"draft_id": draft_id})
        )


def _language(session: Session, run_ids: Sequence[UUID]) -> str:
    query = select(AnswerRun.language).where(AnswerRun.id.in_(run_ids))
    counted = Counter(each for each in session.scalars(query) if each)
    return counted.most_common(1)[0][0] if counted else "en"


def _conversations(run_ids: Sequence[UUID]) -> Any:
    return (
        select(Conversation)
        .join(AnswerRun, AnswerRun.conversation_id == Conversation.id)
        .where(AnswerRun.id.in_(run_ids))
        .order_by(AnswerRun.created_at.desc())
    )


def _contacts(run_ids: Sequence[UUID]) -> Any:
    return select(AnswerRun.contact_id).where(
        AnswerRun.id.in_(run_ids), AnswerRun.contact_id.is_not(None)
    )
