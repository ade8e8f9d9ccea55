"""From token ids to text a customer may see: whole characters, nothing past a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

UNFINISHED = "\ufffd"  # what a tokenizer decodes the first bytes of a character to


class TextStream:
    """Decodes one answer as its tokens come.

    `push` returns the text that has become certain: a character split across tokens waits for its
    last token, and text that may be the start of a stop string waits until it is not.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stop: Sequence[str] = ()) -> None:
        self._characters = CharacterStream(decode)
        self._stops = StopStrings(stop)

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met; it and what follows are never returned."""
        return self._stops.met

    def push(self, token_ids: Sequence[int]) -> str:
        """Return the text that these tokens made certain; perhaps none."""
        return self._stops.push("".join(self._characters.push(token) for token in token_ids))

    def flush(self) -> str:
        """Return what is left at the end, without a character that was never finished."""
        return self._stops.push(self._characters.flush()) + self._stops.flush()


class CharacterStream:
    """Incremental detokenization.

    A token is decoded together with the tokens of the piece before it, because decoders
    put or drop a space depending on what stands in front.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._before: list[int] = []
        self._pending: list[int] = []

    def push(self, token: int) -> str:
        self._pending.append(token)
        text = self._undelivered()
        if not text or text.endswith(UNFINISHED):
            return ""
        self._before, self._pending = self._pending, []
        return text

    def flush(self) -> str:
        return self._undelivered().rstrip(UNFINISHED) if self._pending else ""

    def _undelivered(self) -> str:
        known = self._decode(self._before)
        return self._decode([*self._before, *self._pending])[len(known) :]


class StopStrings:
    """Ends a text at the first stop string, wherever the pieces are cut."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(one for one in stop if one)
        self._held = ""
        self.met = False

    def push(self, text: str) -> str:
        if self.met:
            return ""
        text = self._held + text
        found = [at for at in (text.find(one) for one in self._stop) if at >= 0]
        if found:
            self.met, self._held = True, ""
            return text[: min(found)]
        keep = self._possible_start(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        held, self._held = self._held, ""
        return held

    def _possible_start(self, text: str) -> int:
        longest = max((len(one) for one in self._stop), default=0) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if any(one.startswith(text[-length:]) for one in self._stop):
                return length
        return 0
