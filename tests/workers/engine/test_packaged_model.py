"""The packaged language model on the CPU's driver; skipped where it was not fetched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.answering.engine import Engine, Limits, Prompt, PromptTurn
from bot.model_files import LANGUAGE_MODELS, models_folder
from tests.workers.engine.contract import EngineContract, Subject
from tests.workers.engine.local_subject import make_subject
from workers.engine.gguf_tokenizer import load_gguf_text
from workers.engine.load import load_engine
from workers.engine.openvino_backend import OpenVinoBackend
from workers.engine.openvino_engine import convert_once
from workers.engine.prompting import PromptEncoder, find_chat_frame
from workers.engine.tokenization import Tokenization

pytestmark = pytest.mark.model

FACTS = "Facts:\n- Returns are free within 30 days.\n- Refunds take 5 working days.\n\n"
SYSTEM = "You answer customers of a shop from the facts, in one short sentence, in their language."


@pytest.fixture(scope="session")
def packaged() -> Path:
    models = models_folder(os.environ)
    path = models / next(iter(LANGUAGE_MODELS.values())).file
    if not path.exists():
        pytest.skip("the packaged model was not fetched")
    return path


@pytest.fixture(scope="session")
def converted(packaged: Path) -> Path:
    """Conversions stay beside the models, as `up` keeps them: making one takes half a minute."""
    return packaged.parent


@pytest.fixture(scope="module")
def engine(packaged: Path, converted: Path) -> Iterator[Engine]:
    made = load_engine("openvino", packaged, cache_dir=converted)
    yield made
    made.close()


def test_it_answers_in_english_and_chinese_and_remembers_the_conversation(engine: Engine) -> None:
    first = engine.generate(Prompt(SYSTEM, [], FACTS + "How long do refunds take?"), Limits(40))
    answer = "".join(first)
    assert "5" in answer
    turns = [PromptTurn("user", "How long do refunds take?"), PromptTurn("assistant", answer)]
    second = engine.generate(Prompt(SYSTEM, turns, FACTS + "退货可以在多少天内？"), Limits(40))
    chinese = "".join(second)
    assert "30" in chinese
    assert "\ufffd" not in chinese
    assert any("\u4e00" <= character <= "\u9fff" for character in chinese)
    assert second.usage.finish_reason == "stop"


@pytest.mark.skipif(
    os.environ.get("FRONTDESK_TEST_ENGINE") != "full",
    reason="takes minutes: set FRONTDESK_TEST_ENGINE=full",
)
class TestContract(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, packaged: Path, converted: Path) -> Iterator[Subject]:
        text = load_gguf_text(packaged)
        assert text.render is not None
        frame = find_chat_frame(text.render)
        encoder = PromptEncoder(Tokenization(text.tokenizer), frame, text.context_tokens)
        folder = convert_once(packaged, converted, lambda line: None)
        engine, subject = make_subject(encoder, lambda: OpenVinoBackend(folder, text.end_ids))
        yield subject
        engine.close()
