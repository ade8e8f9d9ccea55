"""A worker beside the desk, and streams of the copilot read to their end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot.answering.answer import answer
from bot.answering.engine import Engine, FinishReason, Limits, Prompt, Usage
from bot.events import Publisher
from bot.knowledge.articles import put_article
from bot.knowledge.embedder import Embedder
from bot.knowledge.indexing import index_article
from bot.knowledge.search import HybridSearch
from bot.queue import Queue
from bot.tables import Conversation, CopilotRun
from tests.bot.dashboard.staff import SignedInDesk
from tests.served import Client
from workers.copilot import run_copilot
from workers.leases import Leases
from workers.runtime import Runtime


@dataclass
class ScriptedGeneration:
    """Says a text in pieces, as a model decodes."""

    text: str
    finish: FinishReason = "stop"

    @property
    def usage(self) -> Usage:
        return Usage(20, 0, len(self.text.split()), self.finish, 1.0, 5.0, 9.0)

    def __iter__(self) -> Iterator[str]:
        for word in self.text.split(" "):
            yield f"{word} "

    def cancel(self) -> None:
        """Nothing runs."""


@dataclass
class ScriptedEngine:
    """A model that says what it is told to; the last text again and again."""

    texts: Sequence[str]
    prompts: list[Prompt] = field(default_factory=list)
    remote: bool = False
    model_name: str = "scripted"
    finish: FinishReason = "stop"

    def generate(self, prompt: Prompt, limits: Limits) -> ScriptedGeneration:
        self.prompts.append(prompt)
        return ScriptedGeneration(
            self.texts[min(len(self.prompts), len(self.texts)) - 1], self.finish
        )

    def close(self) -> None:
        """Nothing to free."""


@contextmanager
def helping(
    sessions: sessionmaker[Session],
    redis_url: str,
    embedder: Embedder,
    engine: Engine | None = None,
) -> Iterator[Runtime]:
    """A worker that does what the copilot is asked for, in a thread of its own."""
    loaded: Future[Engine | None] = Future()
    loaded.set_result(engine)
    runtime = Runtime(
        sessions=sessions,
        engine=loaded,
        embedder=embedder,
        knowledge=HybridSearch(sessions, embedder),
        answer=answer,
        publisher=Publisher(redis_url),
        queue=Queue(redis_url),
        leases=Leases(sessions),
        answer_timeout=timedelta(seconds=30),
    )
    ended = threading.Event()
    thread = threading.Thread(target=_work, args=(runtime, ended), name="copilot's worker")
    thread.start()
    try:
        yield runtime
    finally:
        ended.set()
        thread.join(30)
        runtime.close()


def _work(runtime: Runtime, ended: threading.Event) -> None:
    while not ended.wait(0.05):
        with runtime.sessions() as session:
            query = select(CopilotRun.id).where(CopilotRun.state == "queued")
            due = list(session.scalars(query))
        for run_id in due:
            run_copilot(runtime, run_id)


@dataclass
class Helped:
    """What a stream told: events by kind, in order."""

    events: list[tuple[str, dict[str, Any]]]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [data for name, data in self.events if name == kind]

    @property
    def result(self) -> dict[str, Any]:
        found = self.all("result")
        assert len(found) == 1, self.events
        return found[0]

    @property
    def problem(self) -> dict[str, Any]:
        found = self.all("problem")
        assert len(found) == 1, self.events
        return found[0]


async def ask(client: Client, origin: str, person: SignedInDesk, path: str, **body: Any) -> Helped:
    """Post to an endpoint that streams, and read it to its end."""
    async with client.post(
        f"/desk/api{path}", json=body, headers=person.headers(origin)
    ) as response:
        text = await response.text()
        assert response.status == 200, text
    return Helped(list(_events(text)))


def _events(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "event" in lines:
            yield lines["event"], json.loads(lines["data"])


def write_article(
    runtime: Runtime, name: str, title: str, body: str, collection: str = "shop"
) -> UUID:
    """An article that the search finds."""
    with runtime.sessions.begin() as session:
        put = put_article(session, collection, name, title, body, "en")
    index_article(runtime.sessions, runtime.embedder, put.article_id)
    return put.article_id


def number_of(sessions: sessionmaker[Session], conversation_id: UUID) -> int:
    """What people call the conversation."""
    with sessions() as session:
        return session.get_one(Conversation, conversation_id).number
