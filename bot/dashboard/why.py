"""Why the bot answered so: what it found, what each sentence rests on, how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.answering.resting import rest_of
from bot.dashboard import knowledge_payloads as payloads
from bot.knowledge.sentences import split_prose
from bot.tables import AnswerRun, Event, Message
from bot.tables import Passage as PassageRow
from bot.tracing import RunTrace, trace_run
from bot.web.addressed import find, number_of, uuid_of
from bot.web.bodies import answer_with
from bot.web.refusals import Refusal
from bot.web.rules import access


class Why:
    """The endpoint."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [web.get("/desk/api/conversations/{number}/messages/{message}/why", self.explain)]

    @access("staff")
    async def explain(self, request: web.Request) -> web.Response:
        """The runs behind a message: of a reply those that wrote it, else those that read it."""
        number, message_id = number_of(request), uuid_of(request, "message")
        async with self._sessions() as session:
            told = await session.run_sync(
                lambda sync: explain(sync, find(sync, number), message_id)
            )
        return answer_with(told)


@dataclass(frozen=True, slots=True)
class _Leaned:
    """A passage of the evidence as it stands today, or a citation's quote where it is gone."""

    title: str
    heading: str
    text: str


def explain(session: Session, conversation_id: UUID, message_id: UUID) -> payloads.Why:
    """Raises a 404 Refusal where the conversation has no such message."""
    message = find_message(session, conversation_id, message_id)
    reply = message if message.author == "bot" else _reply_to(session, message)
    asked = session.get(Message, reply.reply_to) if reply and reply.reply_to else message
    runs = session.scalars(
        select(AnswerRun.id)
        .where(AnswerRun.reply_id == reply.id if reply else AnswerRun.reply_id == message.id)
        .order_by(AnswerRun.created_at.desc())
    ).all()
    traced = [found for one in runs if (found := trace_run(session, one))]
    return payloads.Why(
        question=asked.text if asked else "",
        reply=reply.text if reply else "",
        runs=[_view(session, each, reply) for each in traced],
    )


def find_message(session: Session, conversation_id: UUID, message_id: UUID) -> Message:
    """A message of this conversation and no other. Raises a 404 Refusal."""
    message = session.get(Message, message_id)
    if message is None or message.conversation_id != conversation_id:
        raise Refusal(404, "not_found", "There is no such message in this conversation.")
    return message


def _reply_to(session: Session, message: Message) -> Message | None:
    return session.get(Message, message.answered_by) if message.answered_by else None


def _view(session: Session, run: RunTrace, reply: Message | None) -> payloads.WhyRun:
    passages = _passages(session, run)
    return payloads.WhyRun(
        id=str(run.id),
        state=run.state,
        action=run.action,
        reason=run.reason,
        confidence=run.confidence,
        language=run.language,
        model=run.model,
        prompt_tokens=run.prompt_tokens,
        cached_tokens=run.cached_tokens,
        output_tokens=run.output_tokens,
        timings={
            "retrieval_ms": run.retrieval_ms,
            "queue_ms": run.queue_ms,
            "ttft_ms": run.ttft_ms,
            "first_sentence_ms": run.first_sentence_ms,
            "total_ms": run.total_ms,
        },
        query=run.query,
        passages=passages,
        sentences=_sentences(session, run, reply, passages),
        rejected=list(run.rejected),
        citations=list(run.citations),
        error=run.error,
        started_at=run.started_at,
    )


def _passages(session: Session, run: RunTrace) -> list[payloads.Passage]:
    ids = [UUID(str(each["passage_id"])) for each in run.passages if each.get("passage_id")]
    rows = {row.id: row for row in _rows(session, ids)}
    return [_passage(each, rows.get(UUID(str(each["passage_id"])))) for each in run.passages]


def _rows(session: Session, ids: Sequence[UUID]) -> Sequence[PassageRow]:
    return session.scalars(select(PassageRow).where(PassageRow.id.in_(ids))).all()


def _passage(found: dict[str, Any], row: PassageRow | None) -> payloads.Passage:
    return payloads.Passage(
        passage_id=str(found["passage_id"]),
        article_id=str(row.article_id) if row else None,
        external_id=str(found.get("external_id", "")),
        title=str(found.get("title", "")),
        heading=str(found.get("heading", "")),
        text=row.text if row else None,
        score=found.get("score"),
        cosine=found.get("cosine"),
        lexical=found.get("lexical"),
    )


def _sentences(
    session: Session, run: RunTrace, reply: Message | None, passages: Sequence[payloads.Passage]
) -> list[payloads.Sentence]:
    if reply is None:
        return []
    quotes = {str(each["external_id"]): str(each["quote"]) for each in run.citations}
    leaned = [
        _Leaned(each.title, each.heading, each.text or quotes.get(each.external_id, ""))
        for each in passages
    ]
    told = []
    for text in _told(session, reply):
        rest = rest_of(text, leaned, run.language or "en")
        told.append(
            payloads.Sentence(
                text=text,
                passage=rest.passage if rest else None,
                quote=rest.quote if rest else "",
                verbatim=rest.verbatim if rest else False,
            )
        )
    return told


def _told(session: Session, reply: Message) -> list[str]:
    """The reply's sentences as they were committed, one after the other."""
    query = (
        select(Event)
        .where(
            Event.conversation_id == reply.conversation_id,
            Event.message_id == reply.id,
            Event.kind == "sentence",
        )
        .order_by(Event.seq)
    )
    return [event.text for event in session.scalars(query)] or split_prose(reply.text)
