"""Greedy decoding of encoder-decoder transformers models, one token for each request in turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import DynamicCache, EncoderDecoderCache

from workers.engine.local_engine import Decoded


@dataclass(slots=True)
class _Row:
    request_id: int
    prompt_ids: Sequence[int]
    max_output_tokens: int
    tokens: list[int]
    encoded: Any = None
    cache: Any = None


class Seq2SeqBackend:
    """Drives a model made by AutoModelForSeq2SeqLM.

    Requests interleave but are not batched: these models derive positions from the length of
    the cache, which rows of different lengths cannot share. An encoder reads the prompt in both
    directions, so no beginning of it can be reused and `cached_tokens` is always 0.
    """

    def __init__(self, model: Any, end_ids: Iterable[int], *, slots: int = 8) -> None:
        self._model = model
        self._end_ids = frozenset(end_ids)
        self._slots = slots
        self._rows: dict[int, _Row] = {}
        settings = model.generation_config
        self._first = _first_token(model)
        self._second = settings.forced_bos_token_id
        self._last = settings.forced_eos_token_id
        self._never = [ids[0] for ids in settings.bad_words_ids or () if len(ids) == 1]

    @property
    def slots(self) -> int:
        return self._slots

    def start(self, request_id: int, prompt_ids: Sequence[int], max_output_tokens: int) -> None:
        row = _Row(request_id, prompt_ids, max_output_tokens, [self._first])
        self._rows[request_id] = row

    @torch.inference_mode()
    def step(self) -> list[Decoded]:
        waiting = next((row for row in self._rows.values() if row.encoded is None), None)
        decoded = [
            self._decode(row) for row in list(self._rows.values()) if row.encoded is not None
        ]
        if waiting:
            self._encode(waiting)
            decoded.append(self._decode(waiting))
        return decoded

    def drop(self, request_id: int) -> None:
        self._rows.pop(request_id, None)

    def close(self) -> None:
        self._rows.clear()
        self._model = None

    def _encode(self, row: _Row) -> None:
        ids = torch.tensor([list(row.prompt_ids)], device=self._model.device)
        row.encoded = self._model.get_encoder()(input_ids=ids, attention_mask=torch.ones_like(ids))
        row.cache = EncoderDecoderCache(DynamicCache(), DynamicCache())

    def _decode(self, row: _Row) -> Decoded:
        device = self._model.device
        output = self._model(
            encoder_outputs=row.encoded,
            attention_mask=torch.ones((1, len(row.prompt_ids)), dtype=torch.long, device=device),
            decoder_input_ids=torch.tensor([row.tokens[-1:]], device=device),
            past_key_values=row.cache,
            use_cache=True,
        )
        row.cache = output.past_key_values
        logits = output.logits[0, -1].float()
        token = self._choose(row, logits)
        is_first = len(row.tokens) == 1
        return self._take(row, token, float(logits.softmax(-1)[token]) if is_first else None)

    def _choose(self, row: _Row, logits: torch.Tensor) -> int:
        """Greedy, with the tokens that a checkpoint's own generation settings force or forbid."""
        produced = len(row.tokens) - 1
        if produced == 0 and self._second is not None:
            return int(self._second)
        if produced + 1 == row.max_output_tokens and self._last is not None:
            return int(self._last[0] if isinstance(self._last, list) else self._last)
        logits[self._never] = -torch.inf
        return int(logits.argmax())

    def _take(self, row: _Row, token: int, certainty: float | None) -> Decoded:
        row.tokens.append(token)
        is_end = token in self._end_ids
        finish: Literal["stop", "length"] | None = None
        if is_end:
            finish = "stop"
        elif len(row.tokens) - 1 >= row.max_output_tokens:
            finish = "length"
        if finish:
            self.drop(row.request_id)
        return Decoded(row.request_id, () if is_end else (token,), 0, finish, certainty)


def _first_token(model: Any) -> int:
    for settings in (model.generation_config, model.config):
        start = getattr(settings, "decoder_start_token_id", None)
        if start is not None:
            return int(start)
    return int(model.generation_config.bos_token_id)
