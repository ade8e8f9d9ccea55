"""Counts which part of a prompt a paged KV cache has seen, as OpenVINO does not say."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

BLOCK_TOKENS = 32  # of OpenVINO's CPU plugin; measured by its cache usage


class BlockLedger:
    """Remembers whole blocks by all the tokens up to their end, least recently used out first."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self._seen: OrderedDict[int, None] = OrderedDict()

    def count_cached(self, prompt_ids: Sequence[int]) -> int:
        """Return how many leading tokens lie in blocks seen before; never the whole prompt."""
        cached = 0
        for block in _chain(prompt_ids[:-1]):
            if block not in self._seen:
                break
            self._seen.move_to_end(block)
            cached += BLOCK_TOKENS
        return cached

    def add(self, token_ids: Sequence[int]) -> None:
        for block in _chain(token_ids):
            self._seen[block] = None
            self._seen.move_to_end(block)
        while len(self._seen) > self._blocks:
            self._seen.popitem(last=False)


def _chain(token_ids: Sequence[int]) -> Iterator[int]:
    before = 0
    for start in range(0, len(token_ids) - BLOCK_TOKENS + 1, BLOCK_TOKENS):
        before = hash((before, *token_ids[start : start + BLOCK_TOKENS]))
        yield before
