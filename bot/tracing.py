"""What became of each message of a conversation: every hop with its time, and why the answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import transcripts
from bot.sealing import SealingError
from bot.tables import AnswerRun, Delivery, Event, Message
from bot.terminal_text import fit, visible_line
from bot.transcripts import ConversationView

GONE = "(its key is gone)"


class TraceError(Exception):
    """There is nothing to trace under that name."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One step; `after_ms` counts from when the customer sent the first message of the batch."""

    name: str
    at: datetime
    after_ms: float


@dataclass(frozen=True, slots=True)
class RunTrace:
    """One run of the answer's logic. Its times are durations in milliseconds.

    `ttft_ms` and `queue_ms` count from the call of the engine, the others from the run's start.
    """

    id: UUID
    state: str
    started_at: datetime | None
    finished_at: datetime | None
    action: str | None
    reason: str | None
    confidence: float | None
    language: str | None
    model: str | None
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    retrieval_ms: float | None
    queue_ms: float | None
    ttft_ms: float | None
    first_sentence_ms: float | None
    total_ms: float | None
    query: str
    passages: tuple[dict[str, Any], ...]
    rejected: tuple[dict[str, Any], ...]
    citations: tuple[dict[str, Any], ...]
    error: str | None


@dataclass(frozen=True, slots=True)
class MessageTrace:
    """A message that came in or a person's, its hops, and the runs that began for it."""

    id: UUID
    seq: int
    author: str
    text: str
    hops: tuple[Hop, ...]
    runs: tuple[RunTrace, ...]
    reply: str | None
    deliveries: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ConversationTrace:
    """A whole conversation, oldest message first."""

    conversation: ConversationView
    messages: tuple[MessageTrace, ...]


def trace(session: Session, conversation_id: UUID) -> ConversationTrace:
    """Trace a conversation. Raises TraceError where there is none."""
    view = transcripts.view(session, conversation_id)
    if view is None:
        raise TraceError(f"There is no conversation {conversation_id}.")
    messages = session.scalars(
        select(Message).where(Message.conversation_id == conversation_id).order_by(Message.seq)
    ).all()
    runs = session.scalars(
        select(AnswerRun)
        .where(AnswerRun.conversation_id == conversation_id)
        .order_by(AnswerRun.created_at)
    ).all()
    replies = {message.id: message for message in messages}
    asked = [message for message in messages if message.author != "bot"]
    return ConversationTrace(
        view,
        tuple(
            _trace_message(session, message, replies, _runs_for(message, asked, runs, replies))
            for message in asked
        ),
    )


def trace_run(session: Session, run_id: UUID) -> RunTrace | None:
    """Trace a single run, such as one of `ask`; None where there is none."""
    run = session.get(AnswerRun, run_id)
    return _trace_run(run) if run is not None else None


# -- for people ------------------------------------------------------------------------------


def conversation_lines(traced: ConversationTrace, columns: int = 100) -> list[str]:
    """The trace as lines for a terminal."""
    view = traced.conversation
    lines = [
        f"Conversation {view.number} · {view.channel} · {visible_line(view.inbox)} · {view.status}"
        + (f" · handed off: {view.handoff_reason}" if view.handoff_reason else ""),
        f"{view.id}",
    ]
    for message in traced.messages:
        lines += ["", f"#{message.seq} {message.author}: {visible_line(message.text)}"[:columns]]
        lines += [
            f"    {fit(hop.name, 16)} {hop.at:%Y-%m-%d %H:%M:%S}.{hop.at.microsecond // 1000:03d}Z"
            f"  {hop.after_ms:+10.0f} ms"
            for hop in message.hops
        ]
        for run in message.runs:
            lines += run_lines(run)
        if message.reply is not None:
            lines.append(f"    reply: {visible_line(message.reply)}")
        lines += [
            f"    {_delivered(each['kind'])} {each['state']} attempts={each['attempts']}"
            + (f" error={visible_line(each['error'])}" if each["error"] else "")
            for each in message.deliveries
        ]
    return lines


def _delivered(kind: str) -> str:
    return "delivery" if kind == "reply" else f"delivery of a {kind}"


def run_lines(run: RunTrace) -> list[str]:
    """One run as lines for a terminal."""
    times = (
        ("retrieval", run.retrieval_ms),
        ("engine queue", run.queue_ms),
        ("first token (prefill)", run.ttft_ms),
        ("first sentence", run.first_sentence_ms),
        ("total", run.total_ms),
    )
    told = ", ".join(f"{name} {value:.0f} ms" for name, value in times if value is not None)
    confidence = f" confidence={run.confidence:.2f}" if run.confidence is not None else ""
    lines = [
        f"    run {run.id} {run.state}",
        f"      decision  {run.action or '-'}: {run.reason or '-'}{confidence}"
        f" language={run.language or '-'}",
        f"      times     {told or '-'}",
        f"      model     {run.model or '-'}  prompt {run.prompt_tokens} tokens"
        f" ({run.cached_tokens} cached), output {run.output_tokens}",
    ]
    if run.query:
        lines.append(f"      query     {visible_line(run.query)}")
    lines += [
        f"      passage   {_score(each, 'score')} cosine {_score(each, 'cosine')} lexical "
        f"{_score(each, 'lexical')}  {visible_line(str(each.get('title', '')))} / "
        f"{visible_line(str(each.get('heading', '')))}"
        for each in run.passages
    ]
    lines += [
        f"      rejected  {each['check']}: {visible_line(each['text'])}" for each in run.rejected
    ]
    if run.error:
        lines.append(f"      error     {visible_line(run.error)}")
    return lines


# -- below: the steps ------------------------------------------------------------------------


def _runs_for(
    message: Message,
    asked: Sequence[Message],
    runs: Sequence[AnswerRun],
    replies: dict[UUID, Message],
) -> list[AnswerRun]:
    """The runs whose reply answers the message; a run without a reply goes with the latest one."""
    if message.author != "contact":
        return []
    found = []
    for run in runs:
        reply = replies.get(run.reply_id) if run.reply_id else None
        if reply is not None:
            belongs = reply.reply_to == message.id
        else:
            before = [m for m in asked if m.author == "contact" and m.created_at <= run.created_at]
            belongs = bool(before) and before[-1].id == message.id
        if belongs:
            found.append(run)
    return found


def _trace_message(
    session: Session, message: Message, replies: dict[UUID, Message], runs: Sequence[AnswerRun]
) -> MessageTrace:
    reply = replies.get(message.answered_by) if message.answered_by else None
    shown = reply if reply is not None and reply.reply_to == message.id else None
    deliveries = _deliveries(session, shown.id if shown else message.id)
    hops = [("sent", message.sent_at), ("recorded", message.created_at)]
    hops += [("run claimed", run.started_at) for run in runs if run.started_at]
    if shown is not None:
        hops += _reply_hops(session, shown)
    elif reply is not None:
        hops.append((f"answered by {reply.author}", reply.created_at))
    hops += [("delivered", each.sent_at) for each in deliveries if each.sent_at]
    return MessageTrace(
        id=message.id,
        seq=message.seq,
        author=message.author,
        text=_opened(message),
        hops=tuple(
            Hop(name, at, (at - message.sent_at).total_seconds() * 1000) for name, at in hops
        ),
        runs=tuple(_trace_run(run) for run in runs),
        reply=_opened(shown) if shown is not None else None,
        deliveries=tuple(
            {
                "id": str(each.id),
                "state": each.state,
                "kind": each.kind,
                "attempts": each.attempts,
                "error": each.error,
            }
            for each in deliveries
        ),
    )


def _reply_hops(session: Session, reply: Message) -> list[tuple[str, datetime]]:
    query = (
        select(Event.kind, Event.created_at)
        .where(
            Event.conversation_id == reply.conversation_id,
            Event.message_id == reply.id,
            Event.kind.in_(["sentence", "done"]),
        )
        .order_by(Event.seq)
    )
    hops, sentence = list[tuple[str, datetime]](), 0
    for kind, at in session.execute(query):
        sentence += kind == "sentence"
        hops.append((f"sentence {sentence}" if kind == "sentence" else "done", at))
    return hops


def _deliveries(session: Session, message_id: UUID) -> Sequence[Delivery]:
    query = select(Delivery).where(Delivery.message_id == message_id)
    return session.scalars(query.order_by(Delivery.created_at)).all()


def _trace_run(run: AnswerRun) -> RunTrace:
    result = _result_of(run)
    return RunTrace(
        id=run.id,
        state=run.state,
        started_at=run.started_at,
        finished_at=run.finished_at,
        action=run.action,
        reason=run.reason,
        confidence=run.confidence,
        language=run.language,
        model=run.model,
        prompt_tokens=run.prompt_tokens,
        cached_tokens=run.cached_tokens,
        output_tokens=run.output_tokens,
        retrieval_ms=run.retrieval_ms,
        queue_ms=run.queue_ms,
        ttft_ms=run.ttft_ms,
        first_sentence_ms=run.first_sentence_ms,
        total_ms=run.total_ms,
        query=str(result.get("query", "")),
        passages=tuple(run.evidence),
        rejected=tuple(result.get("rejected", ())),
        citations=tuple(result.get("citations", ())),
        error=run.error,
    )


def _result_of(run: AnswerRun) -> dict[str, Any]:
    try:
        result: dict[str, Any] = json.loads(run.result or "{}")
    except SealingError:
        return {}
    return result


def _opened(message: Message) -> str:
    try:
        return message.text
    except SealingError:
        return GONE


def _score(passage: dict[str, Any], name: str) -> str:
    value = passage.get(name)
    return f"{value:.3f}" if isinstance(value, int | float) else "-"
