"""The vectors of a passage's sentences: packed beside the passage, cached by what they embed."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from bot.knowledge.embedder import Embedder, Vector

DIGEST_BYTES = 8


class SentenceVectors:
    """A thread-safe cache of sentence vectors; the least recently used go first.

    One vector of 384 half floats with its place in the table is about 1 KB.
    """

    def __init__(self, embedder: Embedder, capacity: int = 50_000) -> None:
        self._embedder = embedder
        self._capacity = capacity
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, Vector] = OrderedDict()

    def of(self, sentences: Sequence[str]) -> Vector:
        """Unit vectors of the sentences, shape (len(sentences), dimension)."""
        digests = [digest(sentence) for sentence in sentences]
        found = self._get(digests)
        missing = {
            one: text for one, text in zip(digests, sentences, strict=True) if one not in found
        }
        if missing:
            # In half precision from the start, so that a score never depends on the cache.
            made = self._embedder.passages(list(missing.values())).astype(np.float16)
            new = dict(zip(missing, made, strict=True))
            self.remember(new.items())
            found |= new
        shape = (len(sentences), self._embedder.dimension)
        return np.array([found[one] for one in digests], dtype=np.float32).reshape(shape)

    def remember(self, vectors: Iterable[tuple[bytes, Vector]]) -> None:
        """Keep vectors that were made elsewhere."""
        with self._lock:
            for one, vector in vectors:
                self._known[one] = vector.astype(np.float16)
                self._known.move_to_end(one)
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)

    def _get(self, digests: Iterable[bytes]) -> dict[bytes, Vector]:
        with self._lock:
            found = {one: self._known[one] for one in set(digests) if one in self._known}
            for one in found:
                self._known.move_to_end(one)
        return found


def digest(sentence: str) -> bytes:
    """What a sentence's vector is kept under."""
    return hashlib.blake2b(sentence.encode("utf-8", "replace"), digest_size=DIGEST_BYTES).digest()


def pack(sentences: Sequence[str], vectors: Vector) -> bytes:
    """Vectors with the digests of their sentences, as the passage stores them."""
    halves = vectors.astype("<f2")
    return b"".join(
        digest(sentence) + vector.tobytes()
        for sentence, vector in zip(sentences, halves, strict=True)
    )


def unpack(packed: bytes, dimension: int) -> Iterator[tuple[bytes, Vector]]:
    """The digests and vectors that `pack` put together."""
    size = DIGEST_BYTES + 2 * dimension
    for at in range(0, len(packed) - size + 1, size):
        vector = np.frombuffer(packed, dtype="<f2", count=dimension, offset=at + DIGEST_BYTES)
        yield packed[at : at + DIGEST_BYTES], vector
