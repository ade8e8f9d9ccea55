"""One thread that owns the model: floods, deaths and closing, with a real tiny model."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from transformers import AutoModelForCausalLM

from bot.answering.engine import EngineError, Limits, Prompt
from tests.workers.engine.conftest import Saved
from tests.workers.engine.contract import LONG, ORDER, SHORT, answer
from tests.workers.engine.local_subject import FailingBackend
from tests.workers.engine.test_torch_engine import read
from workers.engine.local_engine import MAX_DEATHS_IN_A_ROW, Backend, LocalEngine
from workers.engine.prompting import PromptEncoder, PromptTooLong
from workers.engine.torch_causal import CausalBackend
from workers.engine.torch_engine import make_encoder

Load = Callable[[], Backend]


@pytest.fixture(scope="module")
def encoder(saved_causal: Saved) -> PromptEncoder:
    return make_encoder(*read(saved_causal("qwen2")))


@pytest.fixture(scope="module")
def load(saved_causal: Saved) -> Load:
    model = AutoModelForCausalLM.from_pretrained(saved_causal("qwen2"))
    return lambda: CausalBackend(model, {2}, slots=3)


@pytest.fixture
def engine(encoder: PromptEncoder, load: Load) -> Iterator[LocalEngine]:
    made = LocalEngine(encoder, load, model_name="tiny", reserved_slots=1)
    yield made
    made.close()


def test_a_flood_of_batch_work_never_stands_before_a_chat(engine: LocalEngine) -> None:
    flood = [engine.generate(ORDER, Limits(LONG, priority="batch")) for _ in range(12)]
    chat = engine.generate(ORDER, Limits(SHORT))
    list(chat)
    assert engine.stats().waiting > 0
    assert chat.usage.finish_reason == "length"
    for generation in flood:
        generation.cancel()


def test_counters_add_up(engine: LocalEngine) -> None:
    generations = [engine.generate(ORDER, Limits(SHORT)) for _ in range(2)]
    for generation in generations:
        list(generation)
    stats = engine.stats()
    assert (stats.running, stats.waiting, stats.requests, stats.deaths) == (0, 0, 2, 0)
    assert stats.prompt_tokens == sum(one.usage.prompt_tokens for one in generations)
    assert stats.output_tokens == sum(one.usage.output_tokens for one in generations)
    assert stats.cached_tokens == sum(one.usage.cached_tokens for one in generations)


def test_a_question_too_long_is_refused_before_it_waits(engine: LocalEngine) -> None:
    with pytest.raises(PromptTooLong):
        engine.generate(Prompt("Help.", [], "Where is it? " * 500), Limits(SHORT))
    assert engine.stats().requests == 0


def test_closing_cancels_what_runs_and_refuses_what_comes(
    encoder: PromptEncoder, load: Load
) -> None:
    engine = LocalEngine(encoder, load, model_name="tiny")
    generations = [engine.generate(ORDER, Limits(400)) for _ in range(6)]
    engine.close()
    for generation in generations:
        list(generation)
        assert generation.usage.finish_reason == "cancelled"
    with pytest.raises(EngineError, match="closed"):
        engine.generate(ORDER, Limits(SHORT))


def test_everyone_who_waits_hears_of_a_death(encoder: PromptEncoder, load: Load) -> None:
    fails: list[Exception] = [RuntimeError("the model broke")]
    engine = LocalEngine(encoder, lambda: FailingBackend(load(), fails), model_name="tiny")
    generations = [engine.generate(ORDER, Limits(SHORT)) for _ in range(6)]
    lost = sum(_is_lost(list, generation) for generation in generations)
    assert lost >= 1
    assert engine.stats().deaths == 1
    assert answer(engine, ORDER)
    engine.close()


def test_an_engine_that_always_dies_stays_down_and_says_so(
    encoder: PromptEncoder, load: Load
) -> None:
    fails: list[Exception] = [MemoryError("customer text") for _ in range(20)]
    engine = LocalEngine(encoder, lambda: FailingBackend(load(), fails), model_name="tiny")
    for _ in range(MAX_DEATHS_IN_A_ROW):
        with pytest.raises(EngineError):
            answer(engine, ORDER)
    with pytest.raises(EngineError, match=r"stays down.*MemoryError") as caught:
        engine.generate(ORDER, Limits(SHORT))
    assert "customer text" not in str(caught.value)
    engine.close()


def test_a_model_that_cannot_be_loaded_is_an_engine_error(encoder: PromptEncoder) -> None:
    def load() -> Backend:
        raise OSError("no such file")

    with pytest.raises(EngineError, match="cannot be loaded: no such file"):
        LocalEngine(encoder, load, model_name="tiny")


def _is_lost(read_all: Callable[[Iterator[str]], list[str]], generation: object) -> bool:
    try:
        read_all(iter(generation))  # type: ignore[call-overload]
    except EngineError:
        return True
    return False
