"""The network of multilingual-e5-small (a BERT encoder) as an OpenVINO model."""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import Model
from openvino import opset13 as op

from workers.e5_weights import Shape, Weights


def build(weights: Weights) -> Model:
    """Inputs: embedded tokens (batch, length, width) and a mask (batch, 1, 1, length), 0 for a
    token and very negative for padding. Output: hidden states (batch, length, width)."""
    return _Graph(weights).model()


class _Graph:
    """Builds the layers one after the other."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._shape: Shape = weights.shape

    def model(self) -> Model:
        tokens = op.parameter([-1, -1, self._shape.width], np.float32, name="tokens")
        mask = op.parameter([-1, 1, 1, -1], np.float32, name="mask")
        state = self._norm(tokens, "emb.ln")
        for number in range(self._shape.layers):
            state = self._layer(state, mask, f"l{number}")
        return Model([state], [tokens, mask], "multilingual-e5-small")

    def _layer(self, state: Any, mask: Any, name: str) -> Any:
        width = self._shape.width
        query, key, value = (
            self._split(self._linear(state, f"{name}.{part}", width)) for part in ("q", "k", "v")
        )
        attended = self._join(op.scaled_dot_product_attention(query, key, value, mask))
        state = self._norm(
            op.add(state, self._linear(attended, f"{name}.ao", width)), f"{name}.aln"
        )
        inner = op.gelu(self._linear(state, f"{name}.fi", self._shape.inner), "erf")
        return self._norm(op.add(state, self._linear(inner, f"{name}.fo", width)), f"{name}.oln")

    def _linear(self, value: Any, name: str, rows: int) -> Any:
        matrix = op.constant(self._weights.matrix(f"{name}.w", rows))
        return op.add(op.matmul(value, matrix, False, True), self._vector(f"{name}.b"))

    def _norm(self, value: Any, name: str) -> Any:
        axes = np.array([2], np.int64)
        normal = op.mvn(value, axes, True, float(self._shape.epsilon), "inside_sqrt")
        return op.add(op.multiply(normal, self._vector(f"{name}.w")), self._vector(f"{name}.b"))

    def _vector(self, name: str) -> Any:
        return op.constant(self._weights.vector(name).copy())

    def _split(self, value: Any) -> Any:
        """(batch, length, width) to (batch, heads, length, width / heads)."""
        heads = self._shape.heads
        parts = op.reshape(value, [0, 0, heads, self._shape.width // heads], special_zero=True)
        return op.transpose(parts, [0, 2, 1, 3])

    def _join(self, value: Any) -> Any:
        joined = op.transpose(value, [0, 2, 1, 3])
        return op.reshape(joined, [0, 0, self._shape.width], special_zero=True)
