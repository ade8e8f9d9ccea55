"""Tiny models, made once a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.workers.engine import tiny

Saved = Callable[[str], Path]


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Tiny models gain nothing from threads, and spinning ones slow down everybody else."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def saved_causal(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Return the folder of a tiny decoder-only model by its name."""
    root = tmp_path_factory.mktemp("causal")
    return lambda name: (
        root / name if (root / name).exists() else tiny.save_causal(root / name, name)
    )


@pytest.fixture(scope="session")
def saved_seq2seq(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Return the folder of a tiny encoder-decoder model by its name."""
    root = tmp_path_factory.mktemp("seq2seq")
    return lambda name: (
        root / name if (root / name).exists() else tiny.save_seq2seq(root / name, name)
    )


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")
