"""One run of each kind: claim, work without a transaction, commit each step, ring."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import timedelta
from threading import Semaphore
from typing import Any, get_args
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot import conversations
from bot.answering.acknowledge import acknowledge
from bot.answering.outcome import AnswerRequest, CheckedSentence, Outcome
from bot.conversations import BatchGrew, Claim, ConversationError, RunResult, RunStopped
from bot.events import Advance, run_topic
from bot.knowledge.articles import unindexed
from bot.knowledge.indexing import embed_sentences, index_article
from bot.messages import ChannelName, Turn
from bot.policy import answer_at_of
from bot.queue import AWAY, BATCH, BATCH_CHANNELS, INTERACTIVE
from bot.tables import AnswerRun, Article, Inbox, now
from workers.runtime import Runtime
from workers.watched import Watched

log = logging.getLogger(__name__)

# A bell that was lost is rung again this long after the message came.
OVERDUE = timedelta(seconds=4)
ASK_LIVES = timedelta(minutes=2)
MAX_RESTARTS = 3
# A sweep fills the queue up to so many bells; of those that wait longest it always rings some,
# since their bells may be the lost ones.
ENOUGH_BELLS, ALWAYS_RUNG = 300, 20
ENOUGH_BATCH_BELLS = 4
INTERACTIVE_CHANNELS = frozenset(get_args(ChannelName)) - BATCH_CHANNELS


# -- a conversation's answer -----------------------------------------------------------------


def answer_conversation(
    runtime: Runtime, conversation_id: UUID, *, queue: str = INTERACTIVE
) -> None:
    """Answer what is unanswered; at most one run at a time holds a conversation.

    What was rung for by the batch queue waits for one of the batch slots.
    """
    if queue != BATCH:
        with runtime.right_of_way.taken():
            _run_conversation(runtime, conversation_id)
        return
    with _slot(runtime.batch_slots) as has_slot:
        due: UUID | None = conversation_id if has_slot else None
        while due is not None and not runtime.draining.is_set():
            runtime.right_of_way.give_way()
            _run_conversation(runtime, due)
            due = _next_batch(runtime)


def _run_conversation(runtime: Runtime, conversation_id: UUID) -> None:
    for restart in range(MAX_RESTARTS + 1):
        claim = _claim(runtime, conversation_id)
        if claim is None:
            return
        try:
            _answer_claim(runtime, claim, merge_new=restart < MAX_RESTARTS)
        except BatchGrew:
            log.info("restarting conversation=%s: more was written", conversation_id)
            continue
        except RunStopped as stopped:
            log.info("stopped conversation=%s reason=%s", conversation_id, stopped)
        return


def _claim(runtime: Runtime, conversation_id: UUID) -> Claim | None:
    try:
        with runtime.sessions.begin() as session:
            return conversations.claim_run(session, conversation_id, runtime.leases.length)
    except ConversationError:  # deleted since the bell was rung
        return None


def _answer_claim(runtime: Runtime, claim: Claim, *, merge_new: bool) -> None:
    try:
        with runtime.leases.keep(claim):
            advance = _write_reply(runtime, claim, merge_new=merge_new)
    except BatchGrew:
        _let_go(runtime, claim, failed=False)
        raise
    except RunStopped:
        _ring(runtime, _let_go(runtime, claim, failed=False), claim.channel)
        raise
    except SQLAlchemyError:
        # The database's failure, not the answer's. The sweep rings again: not at once, or a full
        # disk would make a circle without a pause.
        _let_go(runtime, claim, failed=False)
        raise
    except Exception:
        _ring(runtime, _let_go(runtime, claim, failed=True), claim.channel)
        raise
    _ring(runtime, advance, claim.channel)


def _write_reply(runtime: Runtime, claim: Claim, *, merge_new: bool) -> Advance:
    _let_chats_pass(runtime, claim)
    request = _request_of_claim(runtime, claim)
    only_acknowledges = claim.policy.mode == "acknowledge"
    answer = acknowledge if only_acknowledges else runtime.answer
    engine = None if only_acknowledges else runtime.engine_within(request.timeout / 2)
    if engine is not None:
        engine = Watched(engine, runtime.publisher, claim.conversation_id, claim.run_id)
    any_shown = bool(claim.shown)
    outcome: Outcome | None = None
    last: CheckedSentence | None = None
    # Closed when the run is stopped, so that the engine does not go on for nobody.
    with closing(answer(request, runtime.knowledge, engine)) as stream:
        for item in stream:
            if isinstance(item, Outcome):
                outcome = item
            elif item.is_last:
                last = item
            else:
                _show(runtime, claim, item, merge_new=merge_new)
                any_shown = True
    assert outcome is not None, "an answer stream ends with its outcome"
    if last is None and not any_shown:
        last = CheckedSentence(outcome.text, None, verbatim=True)
    return _finish(runtime, claim, outcome, last, merge_new=merge_new)


def _request_of_claim(runtime: Runtime, claim: Claim) -> AnswerRequest:
    return AnswerRequest(
        inbox_id=claim.inbox_id,
        company=claim.company,
        turns=claim.turns,
        timeout=runtime.answer_timeout,
        unanswered=len(claim.message_ids),
        failures=claim.failures,
        shown=claim.shown,
        priority="batch" if claim.channel in BATCH_CHANNELS else "interactive",
        opening=claim.policy.opening_after(now()),
        acknowledgement=claim.policy.acknowledgement,
        answer_at=claim.policy.answer_at,
    )


def _show(runtime: Runtime, claim: Claim, item: CheckedSentence, *, merge_new: bool) -> None:
    _let_chats_pass(runtime, claim)
    with runtime.sessions.begin() as session:
        advance = conversations.commit_sentence(session, claim, item.text, merge_new=merge_new)
    runtime.publisher.advanced(advance)


def _let_chats_pass(runtime: Runtime, claim: Claim) -> None:
    # All threads of a worker share one interpreter: each of a mail's steps would slow a chat's.
    if claim.channel in BATCH_CHANNELS:
        runtime.right_of_way.give_way()


def _finish(
    runtime: Runtime,
    claim: Claim,
    outcome: Outcome,
    last: CheckedSentence | None,
    *,
    merge_new: bool,
) -> Advance:
    """Close the reply, together with the sentence that came last if it is not shown yet."""
    _let_chats_pass(runtime, claim)
    citations = [asdict(citation) for citation in outcome.citations]
    text = last.text if last else None
    result = _result_of(claim.run_id, outcome)
    with runtime.sessions.begin() as session:
        if outcome.action == "handoff":
            advance = conversations.finish_handoff(
                session,
                claim,
                reason=outcome.reason,
                summary=outcome.summary,
                citations=citations,
                language=outcome.language,
                last=text,
                merge_new=merge_new,
                run_result=result,
            )
        else:
            advance = conversations.finish_reply(
                session,
                claim,
                citations,
                outcome.language,
                last=text,
                merge_new=merge_new,
                run_result=result,
            )
    log.info(
        "answered conversation=%s action=%s reason=%s ttft_ms=%s total_ms=%.0f",
        claim.conversation_id,
        outcome.action,
        outcome.reason,
        f"{outcome.usage.ttft_ms:.0f}" if outcome.usage and outcome.usage.ttft_ms else "-",
        outcome.total_ms,
    )
    return advance


def _let_go(runtime: Runtime, claim: Claim, *, failed: bool) -> Advance:
    with runtime.sessions.begin() as session:
        advance = conversations.abandon_run(session, claim, failed=failed)
        _end_run(session, claim.run_id, "failed" if failed else "stopped")
    return advance


def _end_run(session: Session, run_id: UUID, state: str) -> None:
    run = session.get_one(AnswerRun, run_id)
    run.state = state
    run.finished_at = now()


def _ring(runtime: Runtime, advance: Advance, channel: ChannelName) -> None:
    runtime.publisher.advanced(advance)
    if advance.answer_due:
        runtime.queue.enqueue_answer(advance.conversation_id, channel)


# -- a question of `ask` ---------------------------------------------------------------------


def answer_ask(runtime: Runtime, run_id: UUID) -> None:
    """Answer an `ask` once; its sentences go out as they come, its result is stored."""
    with runtime.sessions.begin() as session:
        request = _claim_ask(session, runtime, run_id)
    if request is None:
        return
    topic = run_topic(run_id)
    try:
        _answer_question(runtime, run_id, request)
    except Exception:
        with runtime.sessions.begin() as session:
            _end_run(session, run_id, "failed")
        raise
    finally:
        runtime.publisher.publish(topic, {"done": True})


def _answer_question(runtime: Runtime, run_id: UUID, request: AnswerRequest) -> None:
    engine = runtime.engine_within(request.timeout / 2)
    for item in runtime.answer(request, runtime.knowledge, engine):
        if isinstance(item, Outcome):
            found = _result_of(run_id, item)
            with runtime.sessions.begin() as session:
                conversations.store_result(session, run_id, found.result, **found.columns)
        else:
            runtime.publisher.publish(run_topic(run_id), {"sentence": item.text})


def _claim_ask(session: Session, runtime: Runtime, run_id: UUID) -> AnswerRequest | None:
    taken = session.execute(
        update(AnswerRun)
        .where(AnswerRun.id == run_id, AnswerRun.state == "queued")
        .values(state="running", started_at=now())
        .returning(AnswerRun.id)
    )
    if taken.one_or_none() is None:
        return None
    run = session.get_one(AnswerRun, run_id, populate_existing=True)
    inbox = session.get_one(Inbox, run.inbox_id)
    asked = json.loads(run.request)
    return AnswerRequest(
        inbox_id=inbox.id,
        company=inbox.company or inbox.name,
        turns=tuple(Turn(_author(turn["role"]), turn["text"]) for turn in asked["messages"]),
        timeout=runtime.answer_timeout,
        locale=asked.get("locale"),
        answer_at=answer_at_of(inbox.settings),
    )


def _author(role: str) -> Any:
    return {"user": "contact", "assistant": "bot"}.get(role, role)


def public_result(run_id: UUID, outcome: Outcome) -> dict[str, Any]:
    """The outcome as `POST /api/v1/ask` returns it."""
    usage = outcome.usage
    return {
        "action": outcome.action,
        "text": outcome.text,
        "confidence": round(outcome.confidence, 4),
        "citations": [asdict(citation) for citation in outcome.citations],
        "language": outcome.language,
        "run_id": str(run_id),
        "timings": {
            "retrieval_ms": round(outcome.retrieval_ms, 1),
            "queue_ms": round(usage.queue_ms, 1) if usage else None,
            "ttft_ms": round(usage.ttft_ms, 1) if usage and usage.ttft_ms else None,
            "first_sentence_ms": (
                round(outcome.first_sentence_ms, 1)
                if outcome.first_sentence_ms is not None
                else None
            ),
            "total_ms": round(outcome.total_ms, 1),
        },
    }


def _result_of(run_id: UUID, outcome: Outcome) -> RunResult:
    usage = outcome.usage
    result = {
        **public_result(run_id, outcome),
        "reason": outcome.reason,
        "summary": outcome.summary,
        "query": outcome.query,
        "rejected": [asdict(rejected) for rejected in outcome.rejected],
    }
    evidence = [
        {
            "passage_id": str(passage.passage_id),
            "external_id": passage.external_id,
            "title": passage.title,
            "heading": passage.heading,
            "score": passage.score,
            "cosine": passage.cosine,
            "lexical": passage.lexical,
        }
        for passage in outcome.passages
    ]
    columns = {
        "state": "done",
        "action": outcome.action,
        "reason": outcome.reason,
        "confidence": outcome.confidence,
        "language": outcome.language,
        "model": outcome.model,
        "evidence": evidence,
        "prompt_tokens": usage.prompt_tokens if usage else 0,
        "cached_tokens": usage.cached_tokens if usage else 0,
        "output_tokens": usage.output_tokens if usage else 0,
        "queue_ms": usage.queue_ms if usage else None,
        "ttft_ms": usage.ttft_ms if usage else None,
        "retrieval_ms": outcome.retrieval_ms,
        "first_sentence_ms": outcome.first_sentence_ms,
        "total_ms": outcome.total_ms,
    }
    return RunResult(result, columns)


# -- articles and the sweep ------------------------------------------------------------------


def index_articles(runtime: Runtime, article_id: UUID) -> None:
    """Index this article and then the others that wait, in the one slot there is for it."""
    with _slot(runtime.knowledge_slots) as has_slot:
        due: UUID | None = article_id
        while has_slot and not runtime.draining.is_set():
            if due is not None:
                _index(runtime, due)
            elif not embed_sentences(runtime.sessions, runtime.embedder):
                break
            due = _next_article(runtime)


def _index(runtime: Runtime, article_id: UUID) -> None:
    try:
        index_article(runtime.sessions, runtime.embedder, article_id)
    except SQLAlchemyError:
        raise
    except Exception as error:  # one article that cannot be read must not keep back the others
        log.exception("not indexed article=%s", article_id)
        with runtime.sessions.begin() as session:
            session.execute(
                update(Article)
                .where(Article.id == article_id)
                .values(index_error=type(error).__name__)
            )


def sweep(runtime: Runtime) -> None:
    """Ring for conversations, questions and articles that are due and that nobody holds."""
    with runtime.sessions.begin() as session:
        woken = conversations.wake_snoozed(session)
        reminded = conversations.remind(session)
        overdue = [
            *conversations.overdue(
                session, OVERDUE, channels=INTERACTIVE_CHANNELS, limit=ENOUGH_BELLS
            ),
            # Whoever answers one mail goes on to the next. A bell for each would fill the threads,
            # and a full worker looks for chats but once a second.
            *conversations.overdue(
                session, OVERDUE, channels=BATCH_CHANNELS, limit=ENOUGH_BATCH_BELLS
            ),
        ]
        questions = list(session.scalars(_lost_questions()))
        articles = unindexed(session, limit=1)
    for advance in (*woken, *reminded):
        runtime.publisher.advanced(advance)
    for conversation_id, channel in overdue[: _room(runtime)]:
        runtime.queue.enqueue_answer(conversation_id, channel)
    for run_id in questions:
        runtime.queue.enqueue_ask(run_id)
    for article_id in articles:
        runtime.queue.enqueue_index(article_id)
    if overdue or questions:
        log.info("swept conversations=%d questions=%d", len(overdue), len(questions))


def _room(runtime: Runtime) -> int:
    try:
        waiting = sum(runtime.queue.lengths().values())
    except AWAY:
        return ALWAYS_RUNG
    return max(ENOUGH_BELLS - waiting, ALWAYS_RUNG)


def _lost_questions() -> Any:
    return select(AnswerRun.id).where(
        AnswerRun.state == "queued",
        AnswerRun.conversation_id.is_(None),
        AnswerRun.created_at < now() - OVERDUE,
        AnswerRun.created_at > now() - ASK_LIVES,
    )


def _next_article(runtime: Runtime) -> UUID | None:
    with runtime.sessions() as session:
        return next(iter(unindexed(session, limit=1)), None)


def _next_batch(runtime: Runtime) -> UUID | None:
    with runtime.sessions() as session:
        due = conversations.overdue(session, timedelta(0), channels=BATCH_CHANNELS, limit=1)
    return due[0][0] if due else None


@contextmanager
def _slot(slots: Semaphore) -> Iterator[bool]:
    taken = slots.acquire(blocking=False)
    try:
        yield taken
    finally:
        if taken:
            slots.release()
