"""The Embedder port: text to vectors; called in workers only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


class Embedder(Protocol):
    """Unit-length vectors, so that a dot product is the cosine."""

    @property
    def name(self) -> str:
        """Model name and version; stored beside vectors, since vectors of two models never mix."""
        ...

    @property
    def dimension(self) -> int: ...

    def passages(self, texts: Sequence[str]) -> Vector:
        """Embed texts to be found: shape (len(texts), dimension)."""
        ...

    def query(self, text: str) -> Vector:
        """Embed a question: shape (dimension,)."""
        ...
