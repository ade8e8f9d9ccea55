"""What a worker process holds: database, model, embedder, bells; built by Celery's signals."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.orm import Session, sessionmaker

from bot.answering.answer import answer
from bot.answering.engine import Engine, EngineError
from bot.answering.outcome import AnswerRequest, AnswerStream, Knowledge
from bot.database import keyring_of_settings, make_engine, make_sessions
from bot.events import Publisher
from bot.knowledge.embedder import Embedder
from bot.knowledge.search import HybridSearch
from bot.model_files import ModelError, models_folder, resolve_model
from bot.queue import ModelState, Queue
from bot.settings import Settings
from workers.embedding import load_embedder
from workers.engine.load import load_engine
from workers.leases import Leases

Answer = Callable[[AnswerRequest, Knowledge, Engine | None], AnswerStream]

log = logging.getLogger(__name__)

# A drain ends within 30 s: what is not finished is handed back, and who hangs is left behind.
DRAIN_SECONDS, LEAVE_SECONDS = 20.0, 5.0
BATCH_SHARE, KNOWLEDGE_SLOTS = 2, 1


class RightOfWay:
    """Chats first: between two mails a thread waits while a chat is being answered.

    It waits for a second at most, so that a chat without an end does not end the mails.
    """

    def __init__(self, longest_s: float = 1.0) -> None:
        self._longest_s = longest_s
        self._running = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """A chat is being answered."""
        with self._changed:
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def give_way(self) -> None:
        """Wait for the chats that are being answered now."""
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0, self._longest_s)


@dataclass(slots=True)
class Runtime:
    """The collaborators of the tasks.

    `batch_slots` and `knowledge_slots` leave threads to chats: a bell that finds no slot is
    dropped, since whoever holds one goes on until nothing of its kind is due.
    """

    sessions: sessionmaker[Session]
    engine: Future[Engine | None]
    embedder: Embedder
    knowledge: Knowledge
    answer: Answer
    publisher: Publisher
    queue: Queue
    leases: Leases
    answer_timeout: timedelta
    batch_slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1))
    knowledge_slots: threading.Semaphore = field(
        default_factory=lambda: threading.Semaphore(KNOWLEDGE_SLOTS)
    )
    right_of_way: RightOfWay = field(default_factory=RightOfWay)
    draining: threading.Event = field(default_factory=threading.Event)
    drain_seconds: float = DRAIN_SECONDS
    # A thread that hangs in a model cannot be ended, and Python waits for threads at its exit.
    leave: Callable[[], None] = lambda: os._exit(0)

    def engine_within(self, timeout: timedelta) -> Engine | None:
        """The model once it is loaded; None if there is none, or not within the time."""
        try:
            return self.engine.result(timeout.total_seconds())
        except FutureTimeout:
            log.warning("the model is still loading")
            return None
        except EngineError as error:
            log.warning("no model error=%s", error)
            return None

    @property
    def model_state(self) -> ModelState:
        """How far the model is; for operators who wait for the first answer."""
        if not self.engine.done():
            return "loading"
        if self.engine.exception() is not None:
            return "failed"
        return "none" if self.engine.result() is None else "ready"

    def drain(self) -> None:
        """Let running answers finish for `drain_seconds`, then hand them to other workers."""
        if not self.draining.is_set():
            self.draining.set()
            threading.Thread(target=self._hand_back, name="drain", daemon=True).start()

    def close(self) -> None:
        """Free the model and the connections."""
        self.leases.stop()
        if self.engine.done() and self.engine.exception() is None:
            engine = self.engine.result()
            if engine is not None:
                engine.close()
        self.queue.close()
        self.publisher.close()

    def _hand_back(self) -> None:
        time.sleep(self.drain_seconds)
        for claim, advance in self.leases.hand_back():
            log.info("handed back conversation=%s", advance.conversation_id)
            if advance.answer_due:
                self.queue.enqueue_answer(advance.conversation_id, claim.channel)
        time.sleep(LEAVE_SECONDS)
        log.warning("leaving while tasks hang: their conversations were handed back")
        self.leave()


_current: Runtime | None = None


def current() -> Runtime:
    """The runtime of this worker process."""
    if _current is None:
        raise RuntimeError("The worker has not started.")
    return _current


def use(runtime: Runtime) -> None:
    """Make this the process's runtime; for `start` and for tests with a scripted engine."""
    global _current  # Celery's signals and tasks share nothing but the module
    _current = runtime


def start(settings: Settings) -> None:
    """Build the runtime of the settings; the model loads in the background."""
    runtime = build(settings, _load_in_background(settings))
    runtime.leases.start()
    use(runtime)


def stop() -> None:
    """Close the runtime, if there is one."""
    if _current is not None:
        _current.close()


def build(settings: Settings, engine: Future[Engine | None]) -> Runtime:
    """A runtime over the settings' servers, with this engine."""
    assert settings.database_url, "the supervisor or the operator sets DATABASE_URL"
    assert settings.redis_url, "the supervisor or the operator sets REDIS_URL"
    database = make_engine(settings.database_url, pool_size=settings.worker_threads + 2)
    sessions = make_sessions(database, keyring_of_settings(settings))
    embedder = load_embedder()
    return Runtime(
        sessions=sessions,
        engine=engine,
        embedder=embedder,
        knowledge=HybridSearch(sessions, embedder),
        answer=answer,
        publisher=Publisher(settings.redis_url),
        queue=Queue(settings.redis_url),
        leases=Leases(sessions),
        answer_timeout=timedelta(seconds=settings.answer_timeout_s),
        batch_slots=threading.Semaphore(max(1, settings.worker_threads // BATCH_SHARE)),
    )


def _load_in_background(settings: Settings) -> Future[Engine | None]:
    loaded: Future[Engine | None] = Future()

    def load() -> None:
        try:
            loaded.set_result(_load(settings))
        except Exception as error:  # whatever it was, those who wait must not wait for ever
            log.error("the model did not load error=%s", _told(error))
            loaded.set_exception(EngineError(_told(error)))

    threading.Thread(target=load, name="load model", daemon=True).start()
    return loaded


def _told(error: Exception) -> str:
    """Our own errors say what to do; of foreign ones the log gets the kind alone."""
    return str(error) if isinstance(error, EngineError | ModelError) else type(error).__name__


def _load(settings: Settings) -> Engine | None:
    if settings.engine == "none":
        return None
    models = models_folder(os.environ)
    model = resolve_model(settings.model, models)
    return load_engine(
        settings.engine,
        model.path or model.name,
        cache_dir=models,
        url=settings.engine_url,
        api_key=settings.engine_api_key,
        model_name=settings.engine_model or model.name,
        remote_consent=settings.remote_consent,
        progress=lambda line: log.info("loading the model: %s", line),
    )
