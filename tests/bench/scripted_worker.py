"""The worker and beat of a scripted desk: all of Frontdesk's own code, but no model.

`celery -A tests.bench.scripted_worker worker`: what it answers, how slowly, where it dies and
which bug is planted is told by the environment (`tests.faults.script`).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from celery.signals import worker_init
from sqlalchemy.orm import Session

from bot import conversations
from bot.answering.engine import Engine
from bot.answering.outcome import (
    Action,
    AnswerRequest,
    AnswerStream,
    CheckedSentence,
    Knowledge,
    Outcome,
)
from bot.conversations import Claim, budgets, claims, steps
from bot.database import keyring_of_settings, make_engine, make_sessions
from bot.events import Publisher
from bot.queue import Queue
from bot.settings import Settings
from tests.faults.points import Points
from tests.faults.script import Script, number_of, reply_to
from tests.workers.scripted import NoKnowledge
from workers import celery, runs, runtime
from workers.leases import Leases
from workers.runtime import Runtime

app = celery.app


class NoEmbedder:
    """The scripted desk has no articles to embed."""

    name, dimension = "none", 0

    def passages(self, texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
        raise AssertionError("a scripted desk embedded something")

    def query(self, text: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        raise AssertionError("a scripted desk embedded something")


class ScriptedAnswer:
    """Answers each question by its number, in a few sentences with a pause before each."""

    def __init__(self, script: Script, points: Points) -> None:
        self._script = script
        self._points = points

    def __call__(
        self, request: AnswerRequest, knowledge: Knowledge, engine: Engine | None
    ) -> AnswerStream:
        self._points.reach("worker.after_claim")
        if self._script.answers_anything:
            yield from self._answer_anything(request)
            return
        asked = [number_of(turn.text) for turn in request.turns[-request.unanswered :]]
        reply = reply_to(asked, self._script.parts)
        known = 0 if self._script.is_planted("no_resume") else len(request.shown)
        for number, sentence in enumerate(reply[known:], known + 1):
            self._pause()
            is_last = number == len(reply) and ends_together(asked)
            yield CheckedSentence(sentence, None, verbatim=True, is_last=is_last)
            self._points.reach("worker.between_sentences")
        self._points.reach("worker.before_finish")
        yield scripted_outcome(" ".join(reply))

    def _answer_anything(self, request: AnswerRequest) -> AnswerStream:
        """Three sentences; every question about a phone is handed to people."""
        sentences = [f"Part {part} of the scripted answer." for part in range(1, 4)]
        for sentence in sentences[len(request.shown) :]:
            self._pause()
            yield CheckedSentence(sentence, None, verbatim=True)
        action: Action = "handoff" if "phone" in request.turns[-1].text else "answer"
        yield replace(scripted_outcome(" ".join(sentences)), action=action)

    def _pause(self) -> None:
        """A sentence's time; a file named `hang` in the folder makes the model hang."""
        time.sleep(self._script.sentence_s)
        while (self._script.folder / "hang").exists():
            time.sleep(0.05)


def ends_together(asked: Sequence[str]) -> bool:
    """Whether the last sentence and the end come as one: so it is for every second visitor,
    as of Frontdesk's answers for the fixed ones, while a model's are told sentence by sentence.
    """
    return int(asked[-1].partition(".")[0]) % 2 == 1


def scripted_outcome(text: str) -> Outcome:
    return Outcome(
        action="answer",
        text=text,
        reason="scripted",
        confidence=1.0,
        language="en",
        citations=(),
        summary="",
        model=None,
        usage=None,
        retrieval_ms=0.0,
        first_sentence_ms=None,
        total_ms=0.0,
    )


def build(settings: Settings, script: Script) -> Runtime:
    """A runtime over the settings' servers with the script in the model's place."""
    assert settings.database_url
    assert settings.redis_url
    database = make_engine(settings.database_url, pool_size=settings.worker_threads + 2)
    sessions = make_sessions(database, keyring_of_settings(settings))
    no_engine: Future[Engine | None] = Future()
    no_engine.set_result(None)
    return Runtime(
        sessions=sessions,
        engine=no_engine,
        embedder=NoEmbedder(),
        knowledge=NoKnowledge(),
        answer=ScriptedAnswer(script, Points(script.folder / "points")),
        publisher=Publisher(settings.redis_url),
        queue=Queue(settings.redis_url),
        leases=Leases(sessions, script.lease),
        answer_timeout=timedelta(seconds=settings.answer_timeout_s),
        batch_slots=threading.Semaphore(settings.worker_threads // 2),
        drain_seconds=script.drain_s,
    )


def mark_points(points: Points) -> None:
    """Reach the armed points in the middle of Frontdesk's own functions too."""
    commit_sentence, finish_reply = conversations.commit_sentence, conversations.finish_reply
    ring, room = runs._ring, runs._room

    def commit_with_point(session: Session, claim: Claim, *args: Any, **options: Any) -> Any:
        advance = commit_sentence(session, claim, *args, **options)
        points.reach("worker.in_transaction")
        return advance

    def finish_with_point(session: Session, claim: Claim, *args: Any, **options: Any) -> Any:
        advance = finish_reply(session, claim, *args, **options)
        points.reach("worker.in_transaction")
        return advance

    def ring_with_point(*args: Any) -> None:
        points.reach("worker.after_finish")
        ring(*args)

    def room_with_point(made: Runtime) -> int:
        points.reach("worker.in_sweep")
        return room(made)

    _replace(conversations, "commit_sentence", commit_with_point)
    _replace(conversations, "finish_reply", finish_with_point)
    _replace(runs, "_ring", ring_with_point)
    _replace(runs, "_room", room_with_point)


def mark_bugs(script: Script) -> None:
    """Let the bugs of the worker come out while they are planted."""
    claim_run, lock_claimed, spend, sweep = (
        conversations.claim_run,
        claims._lock_claimed,
        budgets.spend,
        runs.sweep,
    )

    def claim_though_held(session: Session, conversation_id: UUID, lease: timedelta) -> Any:
        if script.is_planted("no_fencing"):
            steps.lock(session, conversation_id).leased_until = None
            session.flush()
        return claim_run(session, conversation_id, lease)

    def lock_only(session: Session, claim: Claim) -> Any:
        if script.is_planted("no_fencing"):
            return steps.lock(session, claim.conversation_id)
        return lock_claimed(session, claim)

    def spend_or_not(session: Session, *args: Any) -> Any:
        return None if script.is_planted("no_budget") else spend(session, *args)

    def sweep_or_not(made: Runtime) -> None:
        if not script.is_planted("no_sweep"):
            sweep(made)

    _replace(conversations, "claim_run", claim_though_held)
    _replace(claims, "_lock_claimed", lock_only)
    _replace(claims, "spend", spend_or_not)
    _replace(runs, "sweep", sweep_or_not)


def _replace(module: Any, name: str, function: Callable[..., Any]) -> None:
    setattr(module, name, function)


def _start(**_: Any) -> None:
    script = Script.from_environ(os.environ)
    mark_points(Points(script.folder / "points"))
    mark_bugs(script)
    made = build(Settings.from_env(os.environ), script)
    made.leases.start()
    runtime.use(made)


def _configure() -> None:
    """Celery calls nothing of ours before it reads the schedule, so this runs at import."""
    script = Script.from_environ(os.environ)
    worker_init.disconnect(celery._start)
    worker_init.connect(_start, weak=False)
    app.conf.beat_schedule["sweep"]["schedule"] = script.sweep_s
    app.conf.beat_max_loop_interval = script.sweep_s
    app.conf.beat_schedule_filename = str(Path(script.folder) / "beat-schedule")


if "SCRIPT_FOLDER" in os.environ:
    _configure()
