"""One thread that owns the model, and a thread-safe `generate` in front of it."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from bot.answering.engine import EngineError, Limits, Prompt
from workers.engine.prompting import PromptEncoder
from workers.engine.requests import Request, RunningGeneration
from workers.engine.scheduler import WaitingLine
from workers.engine.stats import EngineStats, Totals
from workers.engine.text import TextStream

log = logging.getLogger(__name__)

MAX_DEATHS_IN_A_ROW = 3
CLOSE_WAIT_S = 30


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one step brought to one request.

    `token_ids` leave out the end token; `finish` says that the request holds no slot any more;
    `cached_tokens` of its prompt came from the prefix cache; `certainty` is the probability of
    the first of these tokens.
    """

    request_id: int
    token_ids: Sequence[int]
    cached_tokens: int
    finish: Literal["stop", "length", "failed"] | None
    certainty: float | None = None


class Backend(Protocol):
    """A loaded model. Only the engine's thread calls it, so it needs no locks."""

    @property
    def slots(self) -> int:
        """How many requests may run at once."""
        ...

    def start(self, request_id: int, prompt_ids: Sequence[int], max_output_tokens: int) -> None:
        """Take a request into a slot; its prefill happens in the steps that follow."""
        ...

    def step(self) -> list[Decoded]:
        """Do one bounded piece of work, a chunk of prefill and a token for each who decodes."""
        ...

    def drop(self, request_id: int) -> None:
        """Free the slot of a request that has not finished by itself."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


class LocalEngine:
    """The Engine port over a Backend.

    When the backend raises, everyone running or waiting gets an EngineError and the model is
    freed; the next `generate` loads it anew, in its own time and under its own deadline. After
    three deaths with no finished generation in between it stays dead and `generate` raises:
    what fails every time needs a person, not a loop.
    """

    remote = False

    def __init__(
        self,
        encoder: PromptEncoder,
        load_backend: Callable[[], Backend],
        *,
        model_name: str,
        reserved_slots: int = 2,
    ) -> None:
        """Load the model and return once it can answer. Raises EngineError if it cannot load."""
        self.model_name = model_name
        self._encoder = encoder
        self._load_backend = load_backend
        self._reserved_slots = reserved_slots
        self._backend: Backend | None = None
        self._line: WaitingLine | None = None
        self._running: dict[int, Request] = {}
        self._ids = itertools.count(1)
        self._wake = threading.Condition()
        self._closing = False
        self._deaths_in_a_row = 0
        self._last_error = ""
        self._load_error: Exception | None = None
        self._totals = Totals()
        self._loaded = threading.Event()
        self._thread = threading.Thread(target=self._own_model, name="engine", daemon=True)
        self._thread.start()
        self._loaded.wait()
        if self._line is None:
            raise EngineError(f"the model {model_name} cannot be loaded: {self._load_error}")

    def generate(self, prompt: Prompt, limits: Limits) -> RunningGeneration:
        """Start a generation; returns at once.

        Raises EngineError if the engine is closed or dead, and PromptTooLong (an EngineError)
        if the system text and the question alone do not fit into the context.
        """
        prompt_ids = self._encoder.encode(prompt, limits.max_output_tokens)
        text = TextStream(self._encoder.decode, [*limits.stop, *self._encoder.stops])
        request = Request(prompt_ids, limits, text)
        request.when_ended_by_reader(self._wake_up)
        with self._wake:
            self._refuse_if_dead()
            assert self._line is not None
            self._line.add(request)
            self._wake.notify()
        return RunningGeneration(request)

    def stats(self) -> EngineStats:
        """Counters for the metrics page; may be called from any thread."""
        with self._wake:
            waiting = len(self._line) if self._line is not None else 0
            return self._totals.snapshot(len(self._running), waiting)

    def close(self) -> None:
        """Cancel what runs, free the model and wait for the thread, though not for a hung one."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(CLOSE_WAIT_S)

    def _refuse_if_dead(self) -> None:
        if self._closing:
            raise EngineError("the engine is closed")
        if self._deaths_in_a_row >= MAX_DEATHS_IN_A_ROW:
            raise EngineError(
                f"the engine died {self._deaths_in_a_row} times in a row and stays down until "
                f"its process is restarted; the last error was {self._last_error}"
            )

    def _wake_up(self) -> None:
        with self._wake:
            self._wake.notify()

    # What follows runs in the engine's thread.

    def _own_model(self) -> None:
        try:
            self._load()
        except Exception as error:
            self._load_error = error
            return
        finally:
            self._loaded.set()
        while self._wait_for_work():
            try:
                self._turn()
            except Exception as error:  # whatever a model raises, its readers must hear of it
                self._die(error)
        self._cancel_everything()
        self._free()

    def _load(self) -> None:
        self._backend = self._load_backend()
        if self._line is None:
            reserved = min(self._reserved_slots, self._backend.slots - 1)
            self._line = WaitingLine(self._backend.slots, reserved)

    def _wait_for_work(self) -> bool:
        assert self._line is not None
        with self._wake:
            while not (self._closing or self._running or len(self._line)):
                self._wake.wait()
            return not self._closing

    def _turn(self) -> None:
        self._let_go()
        if self._backend is None:
            self._load()
        self._admit()
        if self._running:
            assert self._backend is not None
            for decoded in self._backend.step():
                self._hand_on(decoded)

    def _let_go(self) -> None:
        assert self._line is not None
        with self._wake:
            self._line.remove_ended()
        for request_id, request in list(self._running.items()):
            request.end_if_unwanted()
            if request.has_ended:
                if self._backend is not None:
                    self._backend.drop(request_id)
                self._forget(request_id, 0)

    def _admit(self) -> None:
        assert self._line is not None
        assert self._backend is not None
        while True:
            with self._wake:
                request = self._line.next(self._running.values())
                if request is None:
                    return
                request_id = next(self._ids)
                self._running[request_id] = request
                self._totals.requests += 1
                self._totals.prompt_tokens += len(request.prompt_ids)
            request.begin()
            self._backend.start(request_id, request.prompt_ids, request.limits.max_output_tokens)

    def _hand_on(self, decoded: Decoded) -> None:
        request = self._running.get(decoded.request_id)
        if request is None:
            return
        request.count_cached(decoded.cached_tokens)
        request.accept(decoded.token_ids, decoded.certainty)
        with self._wake:
            self._totals.output_tokens += len(decoded.token_ids)
        if decoded.finish == "failed":
            request.fail(EngineError("the engine ran out of memory for this prompt"))
        elif decoded.finish:
            request.end(decoded.finish)
        elif request.has_ended:
            assert self._backend is not None
            self._backend.drop(decoded.request_id)
        if request.has_ended:
            self._forget(decoded.request_id, decoded.cached_tokens)
            self._deaths_in_a_row = 0

    def _forget(self, request_id: int, cached_tokens: int) -> None:
        with self._wake:
            self._running.pop(request_id, None)
            self._totals.cached_tokens += cached_tokens

    def _die(self, error: Exception) -> None:
        log.error("engine died model=%s", self.model_name, exc_info=error)
        with self._wake:
            self._last_error = type(error).__name__
            self._totals.deaths += 1
            self._deaths_in_a_row += 1
            lost = [*self._running.values(), *(self._line.clear() if self._line else ())]
            self._running.clear()
        for request in lost:
            request.fail(EngineError(f"the engine died while decoding ({self._last_error})"))
        self._free()

    def _cancel_everything(self) -> None:
        assert self._line is not None
        with self._wake:
            left = [*self._running.values(), *self._line.clear()]
            self._running.clear()
        for request in left:
            request.end("cancelled")

    def _free(self) -> None:
        backend, self._backend = self._backend, None
        try:
            if backend is not None:
                backend.close()
        except Exception as error:  # a broken model may not close; the thread must go on
            log.error("engine was not freed model=%s", self.model_name, exc_info=error)
