"""Does what the staff asked the copilot for: pieces go out by pub/sub, the result is sealed."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.answering import copilot, gaps
from bot.answering.copilot import Piece, Writer
from bot.answering.engine import Engine, EngineError
from bot.answering.language import customer_language
from bot.answering.outcome import AnswerRequest, CheckedSentence, Knowledge, Outcome
from bot.answering.resting import rest_of
from bot.events import run_topic
from bot.knowledge.found import FoundPassage
from bot.knowledge.search import Fusion, HybridSearch
from bot.knowledge.unanswered import read_unanswered, staff_replies
from bot.messages import Turn
from bot.policy import ANSWER_AT
from bot.sealing import SealingError
from bot.tables import Conversation, CopilotRun, Inbox, Message, now
from workers.runtime import Runtime

log = logging.getLogger(__name__)

MAX_TURNS = 40
NO_MODEL = "no_model"


@dataclass(frozen=True, slots=True)
class Task:
    """A run as the worker holds it."""

    run_id: UUID
    kind: str
    inbox_id: UUID | None
    company: str
    turns: tuple[Turn, ...]
    asked: Mapping[str, Any]
    budget: timedelta


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a question is asked."""

    inbox_id: UUID
    company: str
    answer_at: float = ANSWER_AT


class CannotHelp(Exception):
    """There is no help of this kind; the code says why."""


def run_copilot(runtime: Runtime, run_id: UUID) -> None:
    """Do the run once. Whoever waits hears pieces, then that it is done."""
    with runtime.sessions.begin() as session:
        task = _claim(session, run_id, runtime.answer_timeout)
    if task is None:
        return
    started, helper = time.monotonic(), _Helper(runtime, task)
    try:
        result = _KINDS[task.kind](helper)
        state, error = "done", None
    except (CannotHelp, EngineError) as problem:
        result, state = {}, "failed"
        error = str(problem) if isinstance(problem, CannotHelp) else "engine"
    except Exception:
        _finish(runtime, helper, {}, "failed", "fault", started)
        raise
    _finish(runtime, helper, result, state, error, started)
    log.info("copilot run=%s kind=%s state=%s", run_id, task.kind, state)


def _claim(session: Session, run_id: UUID, budget: timedelta) -> Task | None:
    taken = session.execute(
        update(CopilotRun)
        .where(CopilotRun.id == run_id, CopilotRun.state == "queued")
        .values(state="running", started_at=now())
        .returning(CopilotRun.id)
    )
    if taken.one_or_none() is None:
        return None
    run = session.get_one(CopilotRun, run_id, populate_existing=True)
    inbox = session.get(Inbox, run.inbox_id) if run.inbox_id else None
    return Task(
        run_id,
        run.kind,
        run.inbox_id,
        (inbox.company or inbox.name) if inbox else "",
        turns_of(session, run.conversation_id) if run.conversation_id else (),
        json.loads(run.request),
        budget,
    )


def turns_of(session: Session, conversation_id: UUID) -> tuple[Turn, ...]:
    """What was said to and by the contact, oldest first; notes and drafts are left out."""
    session.get_one(Conversation, conversation_id)
    query = (
        select(Message)
        .where(
            Message.conversation_id == conversation_id,
            Message.private.is_(False),
            Message.author != "system",
            Message.state.not_in(("growing", "draft", "discarded", "approved", "replaced")),
        )
        .order_by(Message.seq.desc())
        .limit(MAX_TURNS)
    )
    return tuple(Turn(m.author, _opened(m)) for m in reversed(list(session.scalars(query))))


def _opened(message: Message) -> str:
    try:
        return message.text
    except SealingError:
        return ""


class _Helper:
    """One run on its way: tells pieces as they come and counts what they cost."""

    def __init__(self, runtime: Runtime, task: Task) -> None:
        self.runtime = runtime
        self.task = task
        self.model: str | None = None
        self.writers: list[Writer] = []
        self._topic = run_topic(task.run_id)

    def tell(self, **payload: Any) -> None:
        self.runtime.publisher.publish(self._topic, payload)

    def engine(self) -> Engine | None:
        engine = self.runtime.engine_within(self.task.budget / 2)
        if engine is not None:
            self.model = engine.model_name
        return engine

    def writer(self) -> Writer | None:
        engine = self.engine()
        if engine is None:
            return None
        self.writers.append(Writer(engine, self.task.budget))
        return self.writers[-1]

    def needed_writer(self) -> Writer:
        writer = self.writer()
        if writer is None:
            raise CannotHelp(NO_MODEL)
        return writer

    def collect(self, pieces: Iterator[Piece]) -> list[dict[str, Any]]:
        """Tell each piece at once and keep it for the result."""
        told = []
        for piece in pieces:
            told.append(asdict(piece))
            self.tell(piece=told[-1])
        return told


# -- the kinds of help -----------------------------------------------------------------------


def _suggest(helper: _Helper) -> dict[str, Any]:
    """A reply to what the contact wrote last, from the articles, with its sources."""
    turns = list(helper.task.turns)
    while turns and turns[-1].author != "contact":
        turns.pop()
    if not turns or helper.task.inbox_id is None:
        raise CannotHelp("nothing_asked")
    told: list[dict[str, Any]] = []

    def tell(sentence: CheckedSentence) -> None:
        if sentence.evidence is not None or sentence.verbatim:
            piece = asdict(Piece(sentence.text, verbatim=sentence.verbatim))
            told.append(piece)
            helper.tell(piece=piece)

    place = _Place(helper.task.inbox_id, helper.task.company)
    outcome = _answer(helper, tuple(turns), helper.runtime.knowledge, helper.engine(), tell, place)
    if outcome.action == "clarify":
        told = [asdict(Piece(outcome.text))]
    sentences = _resting([each["text"] for each in told], outcome)
    return {
        "pieces": told,
        "text": " ".join(each["text"] for each in told),
        "sentences": sentences,
        "sources": [_source(passage) for passage in outcome.passages],
        "reason": outcome.reason,
        "confidence": round(outcome.confidence, 4),
        "rejected": [asdict(each) for each in outcome.rejected],
    }


def _rewrite(helper: _Helper) -> dict[str, Any]:
    text = helper.task.asked["text"]
    pieces = helper.collect(
        copilot.rewrite(helper.needed_writer(), text, helper.task.asked["style"])
    )
    return _written(pieces, text)


def _translate(helper: _Helper) -> dict[str, Any]:
    asked = helper.task.asked
    pieces = helper.collect(
        copilot.translate(helper.needed_writer(), asked["text"], asked["language"])
    )
    return _written(pieces, asked["text"]) | {"lost": []}


def _summarise(helper: _Helper) -> dict[str, Any]:
    if not helper.task.turns:
        raise CannotHelp("nothing_asked")
    language = helper.task.asked.get("language") or customer_language(helper.task.turns)
    return _written(
        helper.collect(copilot.summarise(helper.writer(), helper.task.turns, language)), ""
    )


def _draft_article(helper: _Helper) -> dict[str, Any]:
    """An article's body from what people answered; empty where nobody answered yet."""
    run_ids = [UUID(each) for each in helper.task.asked["run_ids"]]
    with helper.runtime.sessions() as session:
        replies = [
            copilot.impersonal(reply.text, reply.contact_name)
            for reply in staff_replies(session, run_ids)
        ]
    language = helper.task.asked["language"]
    pieces = helper.collect(copilot.draft_article(helper.writer(), replies, language))
    return _written(pieces, "")


def _bench(helper: _Helper) -> dict[str, Any]:
    """The same question with each of the settings, one after the other."""
    return {"sides": [_bench_side(helper, at) for at in range(len(helper.task.asked["sides"]))]}


def _group_gaps(helper: _Helper) -> dict[str, Any]:
    """Which unanswered questions are about one matter: ids of their runs, and no text."""
    with helper.runtime.sessions() as session:
        asked = read_unanswered(session, datetime.fromisoformat(helper.task.asked["since"]))
    vectors = []
    for done, each in enumerate(asked, start=1):
        vectors.append(helper.runtime.embedder.query(each.text))
        if done % 10 == 0:
            helper.tell(progress={"done": done, "total": len(asked)})
    if not vectors:
        return {"groups": []}
    found = gaps.group([each.text for each in asked], np.asarray(vectors, np.float32))
    return {"groups": [[str(asked[index].run_id) for index in each] for each in found]}


_KINDS: Mapping[str, Callable[[_Helper], dict[str, Any]]] = {
    "suggest": _suggest,
    "rewrite": _rewrite,
    "translate": _translate,
    "summarise": _summarise,
    "draft_article": _draft_article,
    "bench": _bench,
    "gaps": _group_gaps,
}


# -- below: the steps ------------------------------------------------------------------------


def _written(pieces: Sequence[Mapping[str, Any]], source: str) -> dict[str, Any]:
    text = " ".join(each["text"] for each in pieces if not each["failed"])
    lost = copilot.lost_facts(source, text) if source else []
    return {"pieces": list(pieces), "text": text, "lost": lost}


def _bench_side(helper: _Helper, at: int) -> dict[str, Any]:
    asked = helper.task.asked
    side = asked["sides"][at]
    engine = helper.engine() if side["phrasing"] == "model" else None
    knowledge = _knowledge(helper.runtime, side["share"])
    said: list[str] = []

    def tell(sentence: CheckedSentence) -> None:
        said.append(sentence.text)
        helper.tell(side=at, sentence=sentence.text)

    inbox_id, turns = UUID(side["inbox_id"]), (Turn("contact", asked["question"]),)
    place = _Place(inbox_id, side["company"], side["answer_at"])
    outcome = _answer(helper, turns, knowledge, engine, tell, place)
    told = _told_side(outcome, said)
    helper.tell(side=at, result=told)
    return told


def _knowledge(runtime: Runtime, share: float | None) -> Knowledge:
    """The search as it is, or one that weighs words against meaning in another way."""
    if share is None:
        return runtime.knowledge
    return HybridSearch(runtime.sessions, runtime.embedder, Fusion(share=share))


def _told_side(outcome: Outcome, said: Sequence[str]) -> dict[str, Any]:
    usage = outcome.usage
    return {
        "action": outcome.action,
        "reason": outcome.reason,
        "confidence": round(outcome.confidence, 4),
        "language": outcome.language,
        "query": outcome.query,
        "model": outcome.model,
        "sentences": _resting(said, outcome),
        "sources": [_source(passage) for passage in outcome.passages],
        "rejected": [asdict(each) for each in outcome.rejected],
        "retrieval_ms": round(outcome.retrieval_ms, 1),
        "first_sentence_ms": outcome.first_sentence_ms,
        "ttft_ms": usage.ttft_ms if usage else None,
        "total_ms": round(outcome.total_ms, 1),
        "output_tokens": usage.output_tokens if usage else 0,
    }


def _answer(
    helper: _Helper,
    turns: tuple[Turn, ...],
    knowledge: Knowledge,
    engine: Engine | None,
    tell: Callable[[CheckedSentence], None],
    place: _Place,
) -> Outcome:
    """The answer's own logic, as a conversation would get it."""
    due = 0
    while due < len(turns) and turns[-1 - due].author == "contact":
        due += 1
    request = AnswerRequest(
        inbox_id=place.inbox_id,
        company=place.company,
        turns=turns,
        timeout=helper.task.budget,
        unanswered=due,
        answer_at=place.answer_at,
    )
    for item in helper.runtime.answer(request, knowledge, engine):
        if isinstance(item, Outcome):
            return item
        tell(item)
    raise AssertionError("an answer stream ends with its outcome")


def _resting(sentences: Sequence[str], outcome: Outcome) -> list[dict[str, Any]]:
    told = []
    for text in sentences:
        rest = rest_of(text, outcome.passages, outcome.language)
        told.append({"text": text, **(asdict(rest) if rest else {"passage": None, "quote": ""})})
    return told


def _source(passage: FoundPassage) -> dict[str, Any]:
    return {
        "passage_id": str(passage.passage_id),
        "article_id": str(passage.article_id),
        "external_id": passage.external_id,
        "title": passage.title,
        "heading": passage.heading,
        "text": passage.text,
        "url": passage.url,
        "score": passage.score,
        "cosine": passage.cosine,
        "lexical": passage.lexical,
    }


def _finish(
    runtime: Runtime,
    helper: _Helper,
    result: Mapping[str, Any],
    state: str,
    error: str | None,
    started: float,
) -> None:
    usages = [usage for writer in helper.writers for usage in writer.usages]
    with runtime.sessions.begin() as session:
        run = session.get_one(CopilotRun, helper.task.run_id)
        run.state, run.error, run.model = state, error, helper.model
        run.result = json.dumps(result, ensure_ascii=False)
        run.prompt_tokens = sum(usage.prompt_tokens for usage in usages)
        run.output_tokens = sum(usage.output_tokens for usage in usages)
        run.ttft_ms = usages[0].ttft_ms if usages else None
        run.total_ms = 1000 * (time.monotonic() - started)
        run.finished_at = now()
    helper.tell(done=True)
