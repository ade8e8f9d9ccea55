"""Cuts a model's stream of text into whole sentences, as early as each is surely complete."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bot.knowledge.sentences import split_prose

_SURE_END = re.compile(r"[.!?][\"'”’)\]]*\s+(?=[^\sa-z])|[。！？][”’」』）)\"]*|\n+")
_LIST_MARK = re.compile(r"^\s*(?:[-*•]\s+|\d{1,2}[.)]\s+)")
_NOTE_MARK = re.compile(
    r"\s*[\[【(（]\s*(?:fact\s*|事实\s*)?\d+(?:\s*[,，]\s*\d+)*\s*[\]】)）]", re.IGNORECASE
)


def sentences_of(pieces: Iterable[str]) -> Iterator[str]:
    """Yield each sentence when its end has been read; the rest when the stream ends."""
    pending = ""
    for piece in pieces:
        pending += piece
        *whole, pending = _cut(pending)
        yield from map(clean, filter(str.strip, whole))
    yield from (clean(last) for last in split_prose(pending))


def clean(sentence: str) -> str:
    """The sentence without list marks, Markdown emphasis and references such as [1]."""
    bare = _NOTE_MARK.sub("", _LIST_MARK.sub("", sentence))
    return " ".join(re.sub(r"\*\*|__|`", "", bare).split())


def _cut(text: str) -> list[str]:
    """Whole sentences, and last what is still open (perhaps nothing)."""
    last = 0
    for match in _SURE_END.finditer(text):
        last = match.end()
    whole = [piece for line in text[:last].splitlines() for piece in split_prose(line)]
    return [*whole, text[last:]]
