"""An article's body to passages: what is embedded, searched and quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.knowledge.blocks import Block, blocks
from bot.knowledge.sentences import split_prose

# In words; a character of a script without spaces counts as half a word.
TARGET = 150
MAX = 220
# A section below this is joined with its neighbours.
SMALL = 30
MAX_PASSAGES = 2_000

_WIDE = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Draft:
    """A passage that is not stored yet; `heading` is its path, `Returns > Costs`."""

    heading: str
    text: str


def make_passages(body: str, title: str = "") -> list[Draft]:
    """The passages of an article, along its headings, never cut inside a sentence or an item.

    A heading that only repeats the title is left out of the path.
    """
    sections = _joined(
        [part for section in _sections(blocks(body), title) for part in _parts(section)]
    )
    return [
        Draft(section.heading, section.text) for section in sections[:MAX_PASSAGES] if section.text
    ]


def word_count(text: str) -> int:
    """Words of a text, two characters of Chinese, Japanese or Thai counting as one."""
    wide = len(_WIDE.findall(text))
    return len(_WORD.findall(_WIDE.sub(" ", text))) + wide // 2


@dataclass(slots=True)
class _Section:
    """Blocks under one path of headings."""

    path: tuple[str, ...]
    blocks: list[Block] = field(default_factory=list)

    @property
    def heading(self) -> str:
        return " > ".join(self.path)

    @property
    def text(self) -> str:
        return _render(self.blocks)

    @property
    def words(self) -> int:
        return sum(word_count(block.text) for block in self.blocks)


def _sections(found: Sequence[Block], title: str) -> list[_Section]:
    sections = [_Section(())]
    open_headings: list[tuple[int, str]] = []
    for block in found:
        if block.kind != "heading":
            sections[-1].blocks.append(block)
            continue
        open_headings = [one for one in open_headings if one[0] < block.level]
        if block.text.casefold() != title.casefold():
            open_headings.append((block.level, block.text))
        sections.append(_Section(tuple(text for _, text in open_headings)))
    return [section for section in sections if section.blocks]


def _parts(section: _Section) -> Iterator[_Section]:
    """The section, or its parts where it is too long; a list's lead-in goes with each part."""
    if section.words <= MAX:
        yield section
        return
    part = _Section(section.path)
    lead_in: Block | None = None
    for block in _pieces(section.blocks):
        if part.blocks and _is_full(part, block):
            carried = (
                part.blocks.pop() if len(part.blocks) > 1 and _leads_in(part.blocks[-1]) else None
            )
            yield part
            repeated = carried or (lead_in if block.kind == "item" else None)
            part = _Section(section.path, [repeated] if repeated else [])
        part.blocks.append(block)
        if block.kind != "item":
            lead_in = block if _leads_in(block) else None
    if part.blocks:
        yield part


def _is_full(part: _Section, block: Block) -> bool:
    """True if the block begins a new part; an inner item stays with its outer one if it fits."""
    words = part.words + word_count(block.text)
    return words > (MAX if block.kind == "item" and block.level else TARGET)


def _leads_in(block: Block) -> bool:
    return block.kind == "paragraph" and block.text.endswith((":", "："))


def _pieces(found: Sequence[Block]) -> Iterator[Block]:
    """The blocks, the long ones cut between sentences, rows or lines."""
    for block in found:
        if word_count(block.text) <= TARGET or block.kind == "item":
            yield block
        elif block.kind == "table":
            yield from _table_pieces(block)
        elif block.kind == "code":
            lines = block.text.strip("`\n").split("\n")
            yield from (
                Block("code", "```\n" + "\n".join(some) + "\n```") for some in _packed(lines)
            )
        else:
            pieces = _packed(split_prose(block.text))
            yield from (Block(block.kind, " ".join(some), block.level) for some in pieces)


def _table_pieces(block: Block) -> Iterator[Block]:
    header, rule, *rows = block.text.split("\n")
    for some in _packed(rows):
        yield Block("table", "\n".join([header, rule, *some]))


def _packed(pieces: Sequence[str]) -> Iterator[list[str]]:
    """Groups of pieces of up to TARGET words; a longer piece is a group of its own."""
    group: list[str] = []
    words = 0
    for piece in pieces:
        more = word_count(piece)
        if group and words + more > TARGET:
            yield group
            group, words = [], 0
        group.append(piece)
        words += more
    if group:
        yield group


def _joined(sections: Sequence[_Section]) -> list[_Section]:
    """Small sections joined with their neighbours; the inner headings stay in the text."""
    joined: list[_Section] = []
    for section in sections:
        before = joined[-1] if joined else None
        if before is not None and _belongs(before, section):
            joined[-1] = _merge(before, section)
        else:
            joined.append(section)
    return joined


def _belongs(before: _Section, section: _Section) -> bool:
    is_small = before.words < SMALL or section.words < SMALL
    return is_small and before.words + section.words <= TARGET


def _merge(before: _Section, section: _Section) -> _Section:
    common = _common(before.path, section.path)
    inner = [
        Block("heading", " > ".join(one.path[len(common) :]), min(len(common) + 2, 6))
        for one in (before, section)
    ]
    first = [inner[0], *before.blocks] if inner[0].text else before.blocks
    second = [inner[1], *section.blocks] if inner[1].text else section.blocks
    return _Section(common, [*first, *second])


def _common(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[str, ...]:
    length = 0
    while length < min(len(left), len(right)) and left[length] == right[length]:
        length += 1
    return left[:length]


def _render(found: Sequence[Block]) -> str:
    lines: list[str] = []
    for before, block in zip([None, *found], found, strict=False):
        follows_item = before is not None and before.kind == "item" and block.kind == "item"
        if lines:
            lines.append("\n" if follows_item else "\n\n")
        lines.append(f"{'#' * block.level} {block.text}" if block.kind == "heading" else block.text)
    return "".join(lines).strip("\n")
