"""A runtime on real servers with a scripted answer in the model's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session, sessionmaker

from bot.answering.engine import Engine
from bot.answering.outcome import (
    Action,
    AnswerRequest,
    AnswerStream,
    CheckedSentence,
    Knowledge,
    Outcome,
)
from bot.events import Publisher
from bot.knowledge.found import FoundPassage
from bot.queue import Queue
from workers.leases import Leases
from workers.runtime import Answer, Runtime

Step = Callable[[], None]


def do_nothing() -> None:
    """A step in which nothing happens."""


class NoKnowledge:
    """Scripted answers look nothing up: whoever asks has found a bug."""

    def search(
        self, inbox_id: UUID, query: str, limit: int, said: Sequence[str] = ()
    ) -> Sequence[FoundPassage]:
        raise AssertionError("a scripted answer searched")

    def sentence_scores(self, query: str, sentences: Sequence[str]) -> Sequence[float]:
        raise AssertionError("a scripted answer compared sentences")


class FlatEmbedder:
    """Every text has the same vector: enough where only the order of work matters."""

    name, dimension = "flat", 384

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.ones((len(texts), self.dimension), np.float32)

    def query(self, text: str) -> NDArray[np.float32]:
        return np.ones(self.dimension, np.float32)


class Says:
    """An answer of these sentences; `before[n]` happens before sentence n, the last at the end.

    It keeps the requests it was asked and goes on after the sentences that were shown.
    """

    def __init__(
        self, *sentences: str, before: dict[int, Step] | None = None, action: Action = "answer"
    ) -> None:
        self.sentences = sentences
        self.before = before or {}
        self.action: Action = action
        self.requests: list[AnswerRequest] = []

    def __call__(
        self, request: AnswerRequest, knowledge: Knowledge, engine: Engine | None
    ) -> AnswerStream:
        self.requests.append(request)
        for number in range(len(request.shown), len(self.sentences)):
            self.before.pop(number, do_nothing)()
            yield CheckedSentence(self.sentences[number], None, verbatim=True)
        self.before.pop(len(self.sentences), do_nothing)()
        yield outcome(" ".join(self.sentences), self.action)


def outcome(text: str, action: Action = "answer") -> Outcome:
    """How a scripted run ends."""
    return Outcome(
        action=action,
        text=text,
        reason="scripted",
        confidence=1.0,
        language="en",
        citations=(),
        summary="Ada asks." if action == "handoff" else "",
        model=None,
        usage=None,
        retrieval_ms=0.0,
        first_sentence_ms=None,
        total_ms=0.0,
    )


@contextmanager
def running(
    sessions: sessionmaker[Session],
    redis_url: str,
    answer: Answer,
    lease: timedelta = timedelta(seconds=20),
) -> Iterator[Runtime]:
    """The runtime, with its connections closed at the end."""
    no_engine: Future[Engine | None] = Future()
    no_engine.set_result(None)
    runtime = Runtime(
        sessions=sessions,
        engine=no_engine,
        embedder=FlatEmbedder(),
        knowledge=NoKnowledge(),
        answer=answer,
        publisher=Publisher(redis_url),
        queue=Queue(redis_url),
        leases=Leases(sessions, lease),
        answer_timeout=timedelta(seconds=30),
    )
    try:
        yield runtime
    finally:
        runtime.close()
