"""What every engine keeps, whatever drives it. Each driver's test module inherits the suite."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot.answering.engine import Engine, EngineError, Limits, Prompt, PromptTurn

LONG = 160
SHORT = 24

ORDER = Prompt(
    system="You help the customers of a shop.",
    turns=[PromptTurn("user", "Hello"), PromptTurn("assistant", "Hello, how can I help?")],
    question="Where is my order? It was due on Monday.",
)
REFUND = Prompt(system="You help the customers of a shop.", turns=[], question="退款什么时候到账？")


@dataclass(frozen=True, slots=True)
class Subject:
    """An engine under test and a way to break what decodes, once, in the middle of an answer."""

    engine: Engine
    break_once: Callable[[], None]
    running: Callable[[], int]


class EngineContract:
    """Tests that take the `subject` fixture of the module that inherits them."""

    def test_text_comes_in_several_pieces(self, subject: Subject) -> None:
        pieces = list(subject.engine.generate(ORDER, Limits(LONG)))
        assert len(pieces) > 1
        assert all(pieces)

    def test_no_piece_ends_within_a_character(self, subject: Subject) -> None:
        pieces = list(subject.engine.generate(REFUND, Limits(LONG)))
        assert any(not piece.isascii() for piece in pieces)
        assert not any(piece.endswith("\ufffd") for piece in pieces)

    def test_tokens_are_counted_and_times_are_in_order(self, subject: Subject) -> None:
        generation = subject.engine.generate(ORDER, Limits(SHORT))
        list(generation)
        usage = generation.usage
        assert usage.prompt_tokens > 40
        assert 0 < usage.output_tokens <= SHORT
        assert 0 <= usage.cached_tokens < usage.prompt_tokens
        assert usage.finish_reason in {"stop", "length"}
        assert usage.ttft_ms is not None
        assert 0 <= usage.queue_ms <= usage.ttft_ms <= usage.total_ms

    def test_the_first_tokens_chance_is_told(self, subject: Subject) -> None:
        chances = []
        for _ in range(2):
            generation = subject.engine.generate(ORDER, Limits(SHORT, wants_certainty=True))
            list(generation)
            chances.append(generation.usage.certainty)
        assert chances[0] is not None
        assert 0 < chances[0] <= 1
        assert chances[1] == pytest.approx(chances[0], rel=0.05)

    def test_usage_is_refused_before_the_end(self, subject: Subject) -> None:
        generation = subject.engine.generate(ORDER, Limits(SHORT))
        with pytest.raises(RuntimeError):
            _ = generation.usage
        list(generation)
        assert generation.usage.output_tokens

    def test_the_output_limit_is_kept(self, subject: Subject) -> None:
        generation = subject.engine.generate(ORDER, Limits(3))
        list(generation)
        assert generation.usage.output_tokens <= 3
        assert generation.usage.finish_reason in {"length", "stop"}

    def test_interleaved_generations_equal_each_alone(self, subject: Subject) -> None:
        alone = [answer(subject.engine, prompt) for prompt in (ORDER, REFUND)]
        both = [subject.engine.generate(prompt, Limits(SHORT)) for prompt in (ORDER, REFUND)]
        assert ["".join(one) for one in both] == alone
        assert alone[0] != alone[1]

    def test_many_threads_get_the_answers_they_would_get_alone(self, subject: Subject) -> None:
        prompts = [ORDER, REFUND, *(Prompt("Help.", [], f"Question {n}?") for n in range(4))]
        alone = [answer(subject.engine, prompt) for prompt in prompts]
        together: dict[int, str] = {}

        def ask(at: int) -> None:
            together[at] = answer(subject.engine, prompts[at])

        threads = [threading.Thread(target=ask, args=(at,)) for at in range(len(prompts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [together[at] for at in range(len(prompts))] == alone

    def test_cancelling_in_mid_decode_ends_the_text(self, subject: Subject) -> None:
        generation = subject.engine.generate(ORDER, Limits(LONG))
        pieces = iter(generation)
        next(pieces)
        generation.cancel()
        generation.cancel()
        list(pieces)
        assert generation.usage.finish_reason == "cancelled"
        assert 0 < generation.usage.output_tokens < LONG
        assert_idle(subject)

    def test_cancelling_from_another_thread_wakes_the_reader(self, subject: Subject) -> None:
        generation = subject.engine.generate(ORDER, Limits(LONG))
        threading.Thread(target=generation.cancel).start()
        list(generation)
        assert generation.usage.finish_reason == "cancelled"

    def test_cancelling_after_the_end_changes_nothing(self, subject: Subject) -> None:
        generation = subject.engine.generate(ORDER, Limits(3))
        list(generation)
        generation.cancel()
        assert generation.usage.finish_reason in {"length", "stop"}

    def test_leaving_the_loop_cancels(self, subject: Subject) -> None:
        generation = subject.engine.generate(ORDER, Limits(LONG))
        for _ in generation:
            break
        assert_idle(subject)
        assert generation.usage.finish_reason == "cancelled"

    def test_a_dropped_generation_is_cancelled(self, subject: Subject) -> None:
        for _ in range(3):
            subject.engine.generate(ORDER, Limits(LONG))
        assert_idle(subject)

    def test_a_deadline_ends_the_text_and_the_engine_goes_on(self, subject: Subject) -> None:
        before = answer(subject.engine, ORDER)
        generation = subject.engine.generate(ORDER, Limits(LONG, timeout=timedelta(0)))
        list(generation)
        assert generation.usage.finish_reason == "deadline"
        assert answer(subject.engine, ORDER) == before

    def test_a_deadline_in_mid_decode_keeps_what_was_decoded(self, subject: Subject) -> None:
        whole = answer(subject.engine, ORDER, Limits(LONG))
        generation = subject.engine.generate(ORDER, Limits(LONG, timeout=timedelta(seconds=0.02)))
        text = "".join(generation)
        assert generation.usage.finish_reason == "deadline"
        assert whole.startswith(text)

    def test_a_stop_string_ends_the_text_before_it(self, subject: Subject) -> None:
        whole = answer(subject.engine, ORDER)
        middle = len(whole) // 2
        stop = whole[middle : middle + 3]
        generation = subject.engine.generate(ORDER, Limits(SHORT, stop=[stop]))
        assert "".join(generation) == whole[: whole.index(stop)]
        assert generation.usage.finish_reason == "stop"

    def test_an_engine_that_dies_tells_its_readers_and_comes_back(self, subject: Subject) -> None:
        before = answer(subject.engine, ORDER)
        subject.break_once()
        with pytest.raises(EngineError):
            list(subject.engine.generate(ORDER, Limits(SHORT)))
        assert answer(subject.engine, ORDER) == before

    def test_nothing_leaves_the_machine(self, subject: Subject) -> None:
        assert subject.engine.remote is False


def answer(engine: Engine, prompt: Prompt, limits: Limits | None = None) -> str:
    return "".join(engine.generate(prompt, limits or Limits(SHORT)))


def assert_idle(subject: Subject) -> None:
    """The engine lets go of what nobody reads; it may take it a step or two."""
    for _ in range(500):
        if subject.running() == 0:
            return
        time.sleep(0.01)
    raise AssertionError(f"{subject.running()} requests still run")
