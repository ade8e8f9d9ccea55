"""Says which passage a sentence of a reply rests on, by the same check that let it through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.answering.evidence import is_verbatim, plain, shown_text
from bot.answering.ground import Asked, Support, check_sentence
from bot.answering.rendering import marked
from bot.knowledge.sentences import Sentence, split


class Leaned(Protocol):
    """A passage, as far as a reply can lean on it."""

    @property
    def title(self) -> str: ...
    @property
    def heading(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Rest:
    """`passage` is an index; `quote` the sentence of it that bears the reply's sentence out."""

    passage: int
    quote: str
    verbatim: bool


def rest_of(sentence: str, passages: Sequence[Leaned], language: str) -> Rest | None:
    """What the sentence rests on; None for a fixed phrase, or for what nothing bears out."""
    lines = list(_lines(passages))
    same = [(index, line) for index, line in lines if is_verbatim(sentence, line)]
    if same:
        index, line = max(same, key=lambda each: len(each[1].text))
        return Rest(index, shown_text(line), verbatim=True)
    supports = [_support(passages[index], line) for index, line in lines]
    said = max((marked(line)[1] for line in sentence.split("\n")), key=len)
    verdict = check_sentence(said, supports, Asked("", language, translates=True))
    if verdict.evidence is None:
        return None
    index, line = lines[verdict.evidence]
    return Rest(index, shown_text(line), verbatim=False)


def _lines(passages: Sequence[Leaned]) -> Iterator[tuple[int, Sentence]]:
    for index, passage in enumerate(passages):
        for line in split(passage.text, passage.heading):
            yield index, line


def _support(passage: Leaned, line: Sentence) -> Support:
    above = " ".join(filter(None, [passage.title, passage.heading]))
    return Support(plain(line.text), f"{above} {plain(line.context)}".strip())
