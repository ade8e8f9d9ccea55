"""Text to token ids and back, with data kept apart from control tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tokenizers import Tokenizer

CACHED_TEXTS = 4096


@dataclass(frozen=True, slots=True)
class Affixes:
    """What the tokenizer itself puts around a whole text, such as `<s> ... </s>`."""

    before: tuple[int, ...]
    after: tuple[int, ...]


class Tokenization:
    """A tokenizer with two doors: one for our own frame, one for everybody's data.

    Control tokens count only in what `encode_frame` reads. `encode_data` is a copy of the
    tokenizer that knows none of them, so that `<|im_end|>` in a customer's message is eight
    harmless pieces of text. Both are safe to call from several threads.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self._control = _control_ids(tokenizer)
        self._data_tokenizer = _without_control_tokens(tokenizer)
        self._cached = lru_cache(maxsize=CACHED_TEXTS)(self._encode_data)
        self.affixes = _find_affixes(tokenizer)

    @property
    def control_ids(self) -> frozenset[int]:
        """Every id that is more than text to the model."""
        return self._control

    def token_id(self, token: str) -> int | None:
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def encode_frame(self, text: str) -> tuple[int, ...]:
        """Encode text of our own, control tokens included."""
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def encode_data(self, text: str) -> tuple[int, ...]:
        """Encode anyone's text; the same text always has the same ids, none of them control."""
        return self._cached(text)

    def decode(self, token_ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(list(token_ids), skip_special_tokens=True)
        return text

    def _encode_data(self, text: str) -> tuple[int, ...]:
        # Some vocabularies (T5's) hold their control tokens as ordinary pieces too.
        ids = self._data_tokenizer.encode(_without_surrogates(text), add_special_tokens=False).ids
        return tuple(one for one in ids if one not in self._control)


def _control_ids(tokenizer: Tokenizer) -> frozenset[int]:
    unknown = json.loads(tokenizer.to_str())["model"].get("unk_token")
    return frozenset(
        token_id
        for token_id, token in tokenizer.get_added_tokens_decoder().items()
        if token.content != unknown
    )


def _without_control_tokens(tokenizer: Tokenizer) -> Tokenizer:
    plain = json.loads(tokenizer.to_str())
    plain["added_tokens"] = []
    plain["post_processor"] = None
    return Tokenizer.from_str(json.dumps(plain))


def _find_affixes(tokenizer: Tokenizer) -> Affixes:
    encoded = tokenizer.encode("a")
    marks = encoded.special_tokens_mask
    inside = [at for at, mark in enumerate(marks) if not mark]
    if not inside:
        return Affixes((), ())
    return Affixes(tuple(encoded.ids[: inside[0]]), tuple(encoded.ids[inside[-1] + 1 :]))


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
