"""Greedy decoding of decoder-only transformers models: chunked prefill, batched decode."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from transformers import DynamicCache

from workers.engine.local_engine import Decoded
from workers.engine.prefix_cache import Layers, PrefixCache


@dataclass(slots=True)
class _Row:
    """A request that holds a slot. `layers` cover `tokens[:-1]` once it decodes."""

    request_id: int
    tokens: list[int]
    prompt_tokens: int
    max_output_tokens: int
    cached_tokens: int
    prefilled: int
    layers: Layers = field(default_factory=list)

    @property
    def is_prefilled(self) -> bool:
        return self.prefilled >= self.prompt_tokens


class CausalBackend:
    """Drives a model made by AutoModelForCausalLM with a KV cache of our own keeping.

    One step is at most one chunk of one request's prefill and one token for everybody who
    decodes, so a long prompt delays the others by a chunk, not by its length. Rows that decode
    together are padded on the left to the longest; a row has the position ids it would have
    alone, so it gets the tokens it would get alone. (In bf16 the sums of a batch are rounded
    in another order, and two almost equal logits may then change places.)

    It understands models whose state is keys and values for each layer (full or sliding
    attention), not recurrent layers.
    """

    def __init__(
        self,
        model: Any,
        end_ids: Iterable[int],
        *,
        slots: int = 8,
        chunk_tokens: int = 256,
        prefix_cache_bytes: int = 1 << 29,
    ) -> None:
        self._model = model
        self._end_ids = frozenset(end_ids)
        self._slots = slots
        self._chunk_tokens = chunk_tokens
        self._prefixes = PrefixCache(prefix_cache_bytes)
        self._prefilling: list[_Row] = []
        self._batch = _Batch()
        accepted = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in accepted
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}

    @property
    def slots(self) -> int:
        # A model that works out positions by itself cannot have rows of different lengths.
        return self._slots if self._takes_positions else 1

    def start(self, request_id: int, prompt_ids: Sequence[int], max_output_tokens: int) -> None:
        cached, layers = self._prefixes.find(prompt_ids)
        tokens = list(prompt_ids)
        row = _Row(request_id, tokens, len(tokens), max_output_tokens, cached, cached, layers)
        self._prefilling.append(row)

    @torch.inference_mode()
    def step(self) -> list[Decoded]:
        # Decode first: whoever ends its prefill in this step reports its first token at once.
        decoded = self._decode() if self._batch.rows else []
        if self._prefilling:
            decoded += self._prefill_chunk()
        return decoded

    def drop(self, request_id: int) -> None:
        for row in [one for one in self._prefilling if one.request_id == request_id]:
            self._prefilling.remove(row)
            self._prefixes.put(row.tokens[: row.prefilled], row.layers)
        for row in [one for one in self._batch.rows if one.request_id == request_id]:
            self._retire(row)

    def close(self) -> None:
        self._prefilling, self._batch = [], _Batch()
        self._prefixes.clear()
        self._model = None

    def _prefill_chunk(self) -> list[Decoded]:
        row = self._prefilling[0]
        end = min(row.prefilled + self._chunk_tokens, row.prompt_tokens)
        cache = _cache_of(row.layers)
        logits = self._forward(
            torch.tensor([row.tokens[row.prefilled : end]]),
            torch.ones((1, end), dtype=torch.long),
            torch.arange(row.prefilled, end)[None],
            cache,
        )
        row.layers, row.prefilled = _layers_of(cache), end
        if not row.is_prefilled:
            return []
        self._prefilling.pop(0)
        self._prefixes.put(row.tokens, row.layers)
        self._batch.add(row)
        chances = logits[0].softmax(dim=-1)
        token = int(chances.argmax())
        return [self._take(row, token, float(chances[token]))]

    def _decode(self) -> list[Decoded]:
        self._batch.merge()
        rows, widest = list(self._batch.rows), self._batch.width
        lengths = torch.tensor([len(row.tokens) - 1 for row in rows])
        mask = (torch.arange(widest + 1) >= (widest - lengths)[:, None]).long()
        logits = self._forward(
            torch.tensor([row.tokens[-1:] for row in rows]),
            mask,
            lengths[:, None],
            self._batch.cache,
        )
        chosen = logits.argmax(dim=-1).tolist()
        return [self._take(row, token) for row, token in zip(rows, chosen, strict=True)]

    def _forward(
        self,
        token_ids: torch.Tensor,
        mask: torch.Tensor,
        positions: torch.Tensor,
        cache: DynamicCache,
    ) -> torch.Tensor:
        """Return the last position's logits `(batch, vocab)`; the cache grows by these tokens."""
        device = self._model.device
        extra: dict[str, Any] = dict(self._last_only)
        if self._takes_positions:
            extra["position_ids"] = positions.to(device)
        output = self._model(
            input_ids=token_ids.to(device),
            attention_mask=mask.to(device),
            past_key_values=cache,
            use_cache=True,
            **extra,
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def _take(self, row: _Row, token: int, certainty: float | None = None) -> Decoded:
        is_end = token in self._end_ids
        row.tokens.append(token)
        produced = len(row.tokens) - row.prompt_tokens
        finish: Literal["stop", "length"] | None = None
        if is_end:
            finish = "stop"
        elif produced >= row.max_output_tokens:
            finish = "length"
        if finish:
            self._retire(row)
        token_ids = () if is_end else (token,)
        return Decoded(row.request_id, token_ids, row.cached_tokens, finish, certainty)

    def _retire(self, row: _Row) -> None:
        layers = self._batch.remove(row)
        self._prefixes.put(row.tokens[: layers[0][0].shape[2]], layers)


class _Batch:
    """Rows that decode together and their joint, left-padded cache."""

    def __init__(self) -> None:
        self.rows: list[_Row] = []
        self.cache = DynamicCache()
        self._joined = 0  # rows in `cache`; those behind them still have layers of their own

    @property
    def width(self) -> int:
        return int(self.cache.get_seq_length())

    def add(self, row: _Row) -> None:
        self.rows.append(row)

    def merge(self) -> None:
        """Bring every row into the joint cache."""
        if self._joined == len(self.rows):
            return
        parts = [self._layers_of_row(at) for at in range(len(self.rows))]
        width = max(part[0][0].shape[2] for part in parts)
        self.cache = _cache_of(
            [
                (
                    _join([keys for keys, _ in same], width),
                    _join([values for _, values in same], width),
                )
                for same in zip(*parts, strict=True)
            ]
        )
        self._joined = len(self.rows)
        for row in self.rows:
            row.layers = []

    def remove(self, row: _Row) -> Layers:
        """Take a row out and return its own layers."""
        at = self.rows.index(row)
        layers = self._layers_of_row(at)
        if at < self._joined:
            keep = [one for one in range(self._joined) if one != at]
            others = _layers_of(self.cache) if keep else []
            self.cache = _cache_of([(keys[keep], values[keep]) for keys, values in others])
            self._joined -= 1
        self.rows.remove(row)
        return layers

    def _layers_of_row(self, at: int) -> Layers:
        row = self.rows[at]
        if at >= self._joined:
            return row.layers
        length = len(row.tokens) - 1  # the newest token has not been through the model
        return [
            (keys[at : at + 1, :, -length:], values[at : at + 1, :, -length:])
            for keys, values in _layers_of(self.cache)
        ]


def _cache_of(layers: Layers) -> DynamicCache:
    return DynamicCache(layers) if layers else DynamicCache()


def _layers_of(cache: DynamicCache) -> Layers:
    layers: Sequence[Any] = cache.layers
    return [(layer.keys, layer.values) for layer in layers]


def _join(states: Sequence[torch.Tensor], width: int) -> torch.Tensor:
    pad = torch.nn.functional.pad
    return torch.cat([pad(one, (0, 0, width - one.shape[2], 0)) for one in states])
