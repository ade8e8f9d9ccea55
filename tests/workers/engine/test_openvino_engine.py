"""The openvino driver: the contract on a tiny random model, written as GGUF by the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.answering.engine import EngineError, Limits, Prompt, PromptTurn
from tests.workers.engine.contract import ORDER, EngineContract, Subject, answer
from tests.workers.engine.local_subject import make_subject
from workers.engine.gguf_tokenizer import load_gguf_text
from workers.engine.load import load_engine
from workers.engine.openvino_backend import OpenVinoBackend
from workers.engine.openvino_engine import convert_once
from workers.engine.prompting import PromptEncoder, find_chat_frame
from workers.engine.tokenization import Tokenization


class TestGgufModel(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def subject(
        cls, tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Subject]:
        text = load_gguf_text(tiny_gguf)
        assert text.render is not None
        encoder = PromptEncoder(
            Tokenization(text.tokenizer), find_chat_frame(text.render), text.context_tokens
        )
        folder = convert_once(tiny_gguf, tmp_path_factory.mktemp("ov"), lambda line: None)
        engine, subject = make_subject(encoder, lambda: OpenVinoBackend(folder, text.end_ids))
        yield subject
        engine.close()


def test_the_converted_form_is_kept_for_the_next_start(tiny_gguf: Path, tmp_path: Path) -> None:
    said: list[str] = []
    engines = [
        load_engine("openvino", tiny_gguf, cache_dir=tmp_path, progress=said.append)
        for _ in range(2)
    ]
    texts = [answer(engine, ORDER) for engine in engines]
    for engine in engines:
        engine.close()
    assert texts[0] == texts[1] != ""
    assert sum("converting" in line for line in said) == 1
    assert [path.name for path in (tmp_path / "openvino").iterdir() if "partial" in path.name] == []


def test_the_next_turn_of_a_conversation_finds_its_beginning_cached(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    engine = load_engine("openvino", tiny_gguf, cache_dir=tmp_path)
    first = engine.generate(Prompt(ORDER.system * 3, [], "Where is it?"), Limits(4))
    text = "".join(first)
    turns = [PromptTurn("user", "Where is it?"), PromptTurn("assistant", text)]
    second = engine.generate(Prompt(ORDER.system * 3, turns, "And when?"), Limits(4))
    list(second)
    engine.close()
    assert first.usage.cached_tokens == 0
    assert second.usage.cached_tokens >= first.usage.prompt_tokens - 32


def test_a_damaged_gguf_file_is_an_engine_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF\x03\0\0\0" + b"\xff" * 40)
    with pytest.raises(EngineError, match=r"broken\.gguf"):
        load_engine("openvino", broken, cache_dir=tmp_path)


def test_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="reads a GGUF file"):
        load_engine("openvino", tmp_path, cache_dir=tmp_path)
