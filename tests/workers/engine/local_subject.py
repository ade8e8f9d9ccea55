"""A local engine as a subject of the contract, and a backend that can be told to fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.workers.engine.contract import Subject
from workers.engine.local_engine import Backend, Decoded, LocalEngine
from workers.engine.prompting import PromptEncoder


class FailingBackend:
    """Passes everything on, until a step is told to fail."""

    def __init__(self, backend: Backend, fails: list[Exception]) -> None:
        self._backend = backend
        self._fails = fails

    @property
    def slots(self) -> int:
        return self._backend.slots

    def start(self, request_id: int, prompt_ids: Sequence[int], max_output_tokens: int) -> None:
        self._backend.start(request_id, prompt_ids, max_output_tokens)

    def step(self) -> list[Decoded]:
        decoded = self._backend.step()
        if self._fails:
            raise self._fails.pop()
        return decoded

    def drop(self, request_id: int) -> None:
        self._backend.drop(request_id)

    def close(self) -> None:
        self._backend.close()


def make_subject(
    encoder: PromptEncoder, load: Callable[[], Backend]
) -> tuple[LocalEngine, Subject]:
    """An engine over this backend, loaded anew after each failure."""
    fails: list[Exception] = []
    engine = LocalEngine(encoder, lambda: FailingBackend(load(), fails), model_name="tiny")
    subject = Subject(
        engine,
        break_once=lambda: fails.append(RuntimeError("the model broke")),
        running=lambda: engine.stats().running + engine.stats().waiting,
    )
    return engine, subject
