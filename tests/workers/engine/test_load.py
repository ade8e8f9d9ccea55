"""Which engine the settings get, and that nothing leaves the machine unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.answering.engine import EngineError
from tests.workers.engine.contract import ORDER, answer
from workers.engine.load import is_on_this_machine, load_engine

HERE = ["http://127.0.0.1:8000/v1", "http://127.8.9.1", "http://[::1]:80", "http://localhost:1",
        "https://vllm.localhost/v1", "unix:///run/llama.sock"]  # fmt: skip
ELSEWHERE = ["https://api.example.com/v1", "http://10.0.0.7:8000", "http://localhost.example.com",
             "http://127.0.0.1.example.com", "http://0.0.0.0:80", "http://127.0.0.1@example.com",
             "http://", "vllm:8000"]  # fmt: skip


@pytest.mark.parametrize("url", HERE)
def test_an_address_of_this_machine_is_not_remote(url: str, tmp_path: Path) -> None:
    assert is_on_this_machine(url)
    engine = load_engine("openai", "m", cache_dir=tmp_path, url=url)
    assert engine.remote is False


@pytest.mark.parametrize("url", ELSEWHERE)
def test_a_remote_engine_is_refused_without_consent(url: str, tmp_path: Path) -> None:
    assert not is_on_this_machine(url)
    with pytest.raises(EngineError, match="outside this machine"):
        load_engine("openai", "m", cache_dir=tmp_path, url=url)


def test_a_remote_engine_with_consent_says_that_it_is_remote(tmp_path: Path) -> None:
    url = "https://api.example.com/v1"
    engine = load_engine(
        "openai", "packaged", cache_dir=tmp_path, url=url, model_name="m", remote_consent=True
    )
    assert (engine.remote, engine.model_name) == (True, "m")


def test_the_openai_driver_needs_a_url(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="ENGINE_URL"):
        load_engine("openai", "m", cache_dir=tmp_path)


def test_auto_takes_a_gguf_file_to_openvino_on_a_cpu(tiny_gguf: Path, tmp_path: Path) -> None:
    engine = load_engine("auto", tiny_gguf, cache_dir=tmp_path)
    assert answer(engine, ORDER)
    engine.close()
    assert [path.name for path in tmp_path.iterdir()] == ["openvino"]
