"""A passage's text to sentences, each of which can stand as evidence on its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise, repeat


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, list item or table row, verbatim.

    `context` is what an item, row or code block leans on and must be quoted with: its lead-in
    ("You have 30 days to:"), the item above it, else its heading. Running text needs none.
    `heading` is the nearest heading above the sentence. `row` is a table row as people read it,
    its first cell in front: `Norway – Costs: €8.95`. `block` numbers the paragraphs, lists,
    tables and code blocks of its passage; `mark` is what an item begins with, `1.` or `-`,
    further in for an inner one, and the first sentence of an item alone has it.
    """

    text: str
    context: str = ""
    heading: str = ""
    row: str = ""
    block: int = field(default=0, compare=False)
    mark: str = field(default="", compare=False)

    @property
    def standalone(self) -> str:
        """The sentence with what it leans on: what is embedded and compared with a question."""
        before = self.context or self.heading
        return f"{before.rstrip(':：')}: {self.text}" if before else self.text


def split(text: str, heading: str = "") -> list[Sentence]:
    """The sentences of a passage in their order; code blocks stay whole.

    `heading` is the passage's own heading path, whose last part items without a lead-in lean on.
    """
    return list(_Splitter(heading.rpartition(" > ")[2]).sentences(text))


def split_prose(text: str) -> list[str]:
    """Sentences of running text, for English, Chinese, Japanese and languages like them."""
    text = " ".join(text.split())
    cuts = [0, *_cuts(text), len(text)]
    return [piece for begin, end in pairwise(cuts) if (piece := text[begin:end].strip())]


_CODE_FENCE = "```"
_ITEM = re.compile(r"( *)(?:[-*+•]|\d{1,4}[.)])\s+(.*)")
_HEADING = re.compile(r"#{1,6}\s+(.*)")
_TABLE_RULE = re.compile(r"\|?[\s:|-]+\|?")
_LEAD_IN = (":", "：")
MAX_CONTEXT = 200


class _Splitter:
    """Walks the lines of a passage and remembers what an item leans on."""

    def __init__(self, heading: str) -> None:
        self._heading = heading
        self._lead_in = ""
        self._led = ""  # the kind of block that the lead-in was for
        self._parents: list[tuple[int, str]] = []
        self._header: list[str] | None = None
        self._block = 0
        self._last_kind = ""

    def sentences(self, text: str) -> Iterator[Sentence]:
        lines = iter(text.splitlines())
        paragraph: list[str] = []
        for line in lines:
            kind = _kind(line)
            if kind == "prose" and (not self._parents or not line.startswith(" ")):
                paragraph.append(line)
                continue
            yield from self._paragraph(paragraph)
            paragraph = []
            yield from self._line(kind, line, lines)
        yield from self._paragraph(paragraph)

    def _line(self, kind: str, line: str, lines: Iterator[str]) -> Iterator[Sentence]:
        self._count_block(kind)
        if kind == "table":
            yield from self._row(line)
            return
        if kind != "blank":
            self._header = None
        if kind == "code":
            yield self._leaning(_code(line, lines), self._lead_in_of("code"))
        elif kind == "heading":
            self._heading, self._lead_in, self._parents = _inner(_HEADING, line), "", []
        elif kind == "item":
            yield from self._item(line)
        elif kind == "prose":
            context = self._parents[-1][1] if self._parents else ""
            yield from (self._leaning(piece, context) for piece in split_prose(line))

    def _count_block(self, kind: str) -> None:
        """A paragraph inside a list belongs to it, and so does a blank line."""
        is_inside = kind in ("prose", "blank") or kind == self._last_kind != "code"
        if not is_inside:
            self._block, self._last_kind = self._block + 1, kind

    def _paragraph(self, lines: list[str]) -> Iterator[Sentence]:
        if not lines:
            return
        self._header, self._parents = None, []
        self._count_block("paragraph")
        self._last_kind = ""
        pieces = split_prose("\n".join(lines))
        ends_open = bool(pieces) and pieces[-1].endswith(_LEAD_IN)
        self._lead_in, self._led = pieces[-1] if ends_open else "", ""
        yield from (Sentence(piece, "", self._heading, block=self._block) for piece in pieces)

    def _item(self, line: str) -> Iterator[Sentence]:
        found = _ITEM.match(line)
        assert found is not None, "only lines that match are items"
        depth, text = len(found[1]), found[2]
        self._parents = [parent for parent in self._parents if parent[0] < depth]
        context = self._parents[-1][1] if self._parents else self._lead_in_of("item")
        pieces = split_prose(text)
        marks = chain([f"{found[1]}{found[0][depth:].split()[0]}"], repeat(""))
        for piece, mark in zip(pieces, marks, strict=False):
            yield replace(self._leaning(piece, context), mark=mark)
        self._parents.append((depth, pieces[-1] if pieces else ""))

    def _row(self, line: str) -> Iterator[Sentence]:
        cells = _cells(line)
        if self._header is None:
            self._header = cells
        elif not _TABLE_RULE.fullmatch(line.strip()):
            text = _row_text(self._header, cells)
            leaning = self._leaning(text, self._lead_in_of("table"))
            yield replace(leaning, row=_row_told(self._header, cells))

    def _lead_in_of(self, kind: str) -> str:
        """The lead-in, which belongs to the first list, table or code block after it."""
        self._led = self._led or kind
        return self._lead_in if self._led == kind else ""

    def _leaning(self, text: str, context: str) -> Sentence:
        return Sentence(
            text, (context or self._heading)[:MAX_CONTEXT], self._heading, block=self._block
        )


def _kind(line: str) -> str:
    stripped = line.strip()
    if not stripped:
        return "blank"
    if stripped.startswith(_CODE_FENCE):
        return "code"
    if stripped.startswith("|"):
        return "table"
    if _HEADING.fullmatch(line):
        return "heading"
    return "item" if _ITEM.match(line) else "prose"


def _inner(pattern: re.Pattern[str], line: str) -> str:
    found = pattern.match(line)
    return found[1].strip() if found else ""


def _code(_fence: str, lines: Iterator[str]) -> str:
    inside = []
    for line in lines:
        if line.strip().startswith(_CODE_FENCE):
            break
        inside.append(line)
    return "\n".join(inside).strip("\n")


def _cells(line: str) -> list[str]:
    inside = line.strip().removeprefix("|").removesuffix("|")
    return [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", inside)]


def _row_text(header: list[str], cells: list[str]) -> str:
    """`Country: Norway; Costs: €8.95`, so that the row stands on its own."""
    return "; ".join(_pairs(header, cells))


def _row_told(header: list[str], cells: list[str]) -> str:
    """`Norway – Costs: €8.95`: what the row is about needs no name in front."""
    others = "; ".join(_pairs(header[1:], cells[1:]))
    return f"{cells[0]} – {others}" if cells[0] and others else _row_text(header, cells)


def _pairs(header: list[str], cells: list[str]) -> list[str]:
    names = header + [""] * len(cells)
    return [
        f"{name}: {cell}" if name else cell
        for name, cell in zip(names, cells, strict=False)
        if cell
    ]


# A full stop after these does not end a sentence.
_ABBREVIATIONS_WORDS = (
    "e.g i.e etc vs cf approx nr art fig vol pp dr mr mrs ms prof st jr sr inc ltd co "
    "corp dept est max min tel ext jan feb mar apr jun jul aug sep sept oct nov dec "
    "mon tue wed thu fri sat sun a.m p.m u.s u.k ca incl excl resp z.b d.h bzw"
)
_ABBREVIATIONS = frozenset(_ABBREVIATIONS_WORDS.split())
_END = re.compile(r"[.!?]+[\"'”’)\]]*(?=\s)|[。！？｡…]+[”’」』）)\"]*")
_LAST_WORD = re.compile(r"[\w.]+$")
_OPENS_LOWER = re.compile(r"\s+[a-z]")


def _cuts(text: str) -> Iterator[int]:
    for end in _END.finditer(text):
        if end[0][0] != "." or _ends_sentence(text, end.start(), end.end()):
            yield end.end()


def _ends_sentence(text: str, dot: int, after: int) -> bool:
    word = _LAST_WORD.search(text[max(0, dot - 20) : dot])
    last = word[0].lower().lstrip(".") if word else ""
    if last in _ABBREVIATIONS:
        # "at 5 p.m. The shop" ends; "e.g. The" does not, but is rarely written.
        return (
            last in {"a.m", "p.m", "etc", "inc", "ltd", "co"}
            and text[after : after + 2].strip()[:1].isupper()
        )
    if last == "no":
        return not text[after : after + 2].strip().isdigit()  # "No. 5" goes on
    if len(last) == 1 and last.isalpha():
        return False  # an initial: J. Smith
    return not _OPENS_LOWER.match(text[after : after + 3])
