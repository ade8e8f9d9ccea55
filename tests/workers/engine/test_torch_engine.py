"""The torch driver: the contract, and plain greedy decoding token for token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from bot.answering.engine import EngineError
from tests.workers.engine import tiny
from tests.workers.engine.conftest import Saved
from tests.workers.engine.contract import ORDER, EngineContract, Subject, answer
from tests.workers.engine.local_subject import make_subject
from workers.engine.load import load_engine
from workers.engine.local_engine import Backend
from workers.engine.torch_causal import CausalBackend
from workers.engine.torch_engine import end_ids_of, make_encoder
from workers.engine.torch_seq2seq import Seq2SeqBackend

TOKENS = 40


class TestCausalModel(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, saved_causal: Saved) -> Iterator[Subject]:
        folder = saved_causal("qwen2")
        tokenizer, config = read(folder)
        encoder = make_encoder(tokenizer, config)

        def load() -> Backend:
            model = AutoModelForCausalLM.from_pretrained(folder)
            return CausalBackend(model, end_ids_of(tokenizer, model.generation_config, encoder))

        engine, subject = make_subject(encoder, load)
        yield subject
        engine.close()


class TestEncoderDecoderModel(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, saved_seq2seq: Saved) -> Iterator[Subject]:
        folder = saved_seq2seq("t5")
        tokenizer, config = read(folder)
        encoder = make_encoder(tokenizer, config)

        def load() -> Backend:
            model = AutoModelForSeq2SeqLM.from_pretrained(folder)
            return Seq2SeqBackend(model, end_ids_of(tokenizer, model.generation_config, encoder))

        engine, subject = make_subject(encoder, load)
        yield subject
        engine.close()


@pytest.fixture(params=list(tiny.CAUSAL))
def causal(request: pytest.FixtureRequest, saved_causal: Saved) -> Any:
    return AutoModelForCausalLM.from_pretrained(saved_causal(request.param))


@pytest.fixture(params=list(tiny.SEQ2SEQ))
def seq2seq(request: pytest.FixtureRequest, saved_seq2seq: Saved) -> Any:
    return AutoModelForSeq2SeqLM.from_pretrained(saved_seq2seq(request.param))


def test_one_causal_request_equals_plain_greedy(causal: Any) -> None:
    prompt = prompts()[0]
    assert decode(CausalBackend(causal, {2}), [prompt]) == [greedy(causal, prompt)]


def test_prefill_in_chunks_equals_plain_greedy(causal: Any) -> None:
    prompt = prompts()[2]
    backend = CausalBackend(causal, {2}, chunk_tokens=7)
    assert decode(backend, [prompt]) == [greedy(causal, prompt)]


def test_a_batch_that_rows_join_and_leave_equals_plain_greedy(causal: Any) -> None:
    backend = CausalBackend(causal, {2}, slots=4, chunk_tokens=16)
    wanted = [greedy(causal, prompt, TOKENS - 9 * at) for at, prompt in enumerate(prompts())]
    limits = [TOKENS - 9 * at for at in range(len(wanted))]
    assert decode(backend, prompts(), limits, start_every=3) == wanted


def test_a_reused_prefix_equals_plain_greedy(causal: Any) -> None:
    backend = CausalBackend(causal, {2})
    first = prompts()[2]
    longer = [*first, *decode(backend, [first])[0], *prompts()[1]]
    assert decode(backend, [longer]) == [greedy(causal, longer)]
    backend.start(1, longer, TOKENS)
    assert backend.step()[0].cached_tokens == len(longer) - 1


def test_prefixes_are_reused_across_a_batch_and_equal_plain_greedy(causal: Any) -> None:
    backend = CausalBackend(causal, {2}, slots=3)
    shared = prompts()[2]
    decode(backend, [shared])
    batch = [[*shared, *tail] for tail in prompts()[:3]]
    assert decode(backend, batch, start_every=2) == [greedy(causal, prompt) for prompt in batch]


def test_a_row_dropped_from_a_batch_leaves_the_others_as_they_were(causal: Any) -> None:
    backend = CausalBackend(causal, {2})
    for at, prompt in enumerate(prompts()[:3]):
        backend.start(at, prompt, TOKENS)
    output: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for step in range(TOKENS + 3):
        if step == 11:
            backend.drop(1)
        for decoded in backend.step():
            output[decoded.request_id] += decoded.token_ids
    assert [output[0], output[2]] == [greedy(causal, prompts()[at]) for at in (0, 2)]
    assert len(output[1]) < TOKENS


def test_encoder_decoder_requests_equal_plain_greedy(seq2seq: Any) -> None:
    wanted = [greedy_seq2seq(seq2seq, prompt) for prompt in prompts()]
    assert decode(Seq2SeqBackend(seq2seq, {3}), prompts(), start_every=3) == wanted
    assert len({tuple(one) for one in wanted}) > 1


def test_the_prefix_cache_stays_within_its_bytes(saved_causal: Saved) -> None:
    model = AutoModelForCausalLM.from_pretrained(saved_causal("qwen2"))
    one_token = 2 * 2 * 2 * 16 * 4  # keys and values, layers, heads, head size, bytes
    backend = CausalBackend(model, {2}, prefix_cache_bytes=100 * one_token)
    for number in range(8):
        decode(backend, [[10 + number, *prompts()[0]]], [5])
        assert 0 < backend._prefixes.size_bytes <= 100 * one_token


def test_a_gguf_file_is_converted_once(tiny_gguf: Path, tmp_path: Path) -> None:
    said: list[str] = []
    engines = [
        load_engine("torch", tiny_gguf, cache_dir=tmp_path, progress=said.append) for _ in range(2)
    ]
    texts = [answer(engine, ORDER) for engine in engines]
    for engine in engines:
        engine.close()
    assert texts[0] == texts[1] != ""
    assert sum("converting" in line for line in said) == 1


def test_a_model_that_is_not_there_is_an_engine_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be loaded"):
        load_engine("torch", tmp_path, cache_dir=tmp_path)


def read(folder: Path) -> tuple[Any, Any]:
    return AutoTokenizer.from_pretrained(folder), AutoConfig.from_pretrained(folder)


def prompts() -> list[list[int]]:
    generator = torch.Generator().manual_seed(3)
    return [
        torch.randint(4, 380, (length,), generator=generator).tolist() for length in (9, 24, 61, 33)
    ]


def greedy(model: Any, prompt: Sequence[int], tokens: int = TOKENS) -> list[int]:
    ids = torch.tensor([prompt])
    output = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False,
        eos_token_id=2,
    )  # fmt: skip
    return without_end(output[0, len(prompt) :].tolist(), 2)


def greedy_seq2seq(model: Any, prompt: Sequence[int]) -> list[int]:
    ids = torch.tensor([prompt])
    output = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS, do_sample=False
    )
    return without_end(output[0, 1:].tolist(), 3)


def without_end(ids: list[int], end: int) -> list[int]:
    return ids[:-1] if ids[-1] == end else ids


def decode(
    backend: Backend,
    prompts: Sequence[Sequence[int]],
    limits: Sequence[int] | None = None,
    start_every: int = 1,
) -> list[list[int]]:
    """Run requests that begin some steps apart; returns their tokens."""
    output: list[list[int]] = [[] for _ in prompts]
    going, waiting, steps = set[int](), list(range(len(prompts))), 0
    while going or waiting:
        if waiting and steps % start_every == 0 and len(going) < backend.slots:
            at = waiting.pop(0)
            backend.start(at, prompts[at], limits[at] if limits else TOKENS)
            going.add(at)
        for decoded in backend.step():
            output[decoded.request_id] += decoded.token_ids
            if decoded.finish:
                going.discard(decoded.request_id)
        steps += 1
    return output
