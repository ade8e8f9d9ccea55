"""KV cache kept from one turn to the next, least recently used first out, bounded in bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch

Layers = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of each layer, `(1, heads, tokens, head size)`."""


class PrefixCache:
    """Remembers the layers of token sequences and finds the longest common beginning.

    Two conversations of one inbox share the system text's tokens, so a part of an entry is
    as good as the whole: keys and values of a token depend on the tokens before it only.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[tuple[int, ...], Layers] = OrderedDict()
        self.size_bytes = 0

    def find(self, token_ids: Sequence[int]) -> tuple[int, Layers]:
        """Return how many leading tokens are cached, and their layers (shared, not to be changed).

        At least the last token is left out, as its logits are wanted.
        """
        best, best_key = 0, None
        for key in self._entries:
            length = _common_length(key, token_ids)
            if length > best:
                best, best_key = length, key
        best = min(best, len(token_ids) - 1)
        if best_key is None or best <= 0:
            return 0, []
        self._entries.move_to_end(best_key)
        return best, cut(self._entries[best_key], best)

    def put(self, token_ids: Sequence[int], layers: Layers) -> None:
        """Remember the layers of these tokens; entries that they extend are forgotten."""
        key = tuple(token_ids)
        if not key or any(_common_length(one, key) == len(key) for one in self._entries):
            return
        for one in [one for one in self._entries if _common_length(one, key) == len(one)]:
            self._forget(one)
        kept = [(keys.clone(), values.clone()) for keys, values in layers]
        self._entries[key] = kept
        self.size_bytes += _size_bytes(kept)
        while self.size_bytes > self._max_bytes:
            self._forget(next(iter(self._entries)))

    def clear(self) -> None:
        self._entries.clear()
        self.size_bytes = 0

    def _forget(self, key: tuple[int, ...]) -> None:
        self.size_bytes -= _size_bytes(self._entries.pop(key))


def cut(layers: Layers, tokens: int) -> Layers:
    """Return views of the first `tokens` tokens."""
    return [(keys[:, :, :tokens], values[:, :, :tokens]) for keys, values in layers]


def _common_length(one: Sequence[int], other: Sequence[int]) -> int:
    shorter = min(len(one), len(other))
    for at in range(shorter):
        if one[at] != other[at]:
            return at
    return shorter


def _size_bytes(layers: Layers) -> int:
    return sum(
        keys.nelement() * keys.element_size() + values.nelement() * values.element_size()
        for keys, values in layers
    )
