"""Markdown to blocks of plain text: headings, paragraphs, list items, tables and code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.knowledge.html_text import html_to_markdown, strip_tags

Kind = Literal["heading", "paragraph", "item", "table", "code"]

_PARSER = MarkdownIt("commonmark").enable("table")
_ANCHOR = re.compile(r"\s*\{[#.:][^}\n]*\}")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ADMONITION = re.compile(r"^\[!(\w+)\]\s*")
# Far beyond any article; keeps a hostile one from costing minutes.
MAX_BODY = 2_000_000
MAX_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of an article that stays whole.

    `level` is the level of a heading (1-6) or the depth of a list item (0 and up). A table's
    text holds its rows, a code block's its fences.
    """

    kind: Kind
    text: str
    level: int = 0


def blocks(markdown: str) -> list[Block]:
    """The blocks of an article: links become their text, images, comments and anchors go."""
    body = _COMMENT.sub("", markdown[:MAX_BODY])
    return _without_contents(list(_walk(_PARSER.parse(body))))


def inline_text(token: Token) -> str:
    """The plain text of a run of inline Markdown."""
    parts = [_inline_part(child) for child in token.children or []]
    text = _ANCHOR.sub("", "".join(parts))
    return "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()


def _inline_part(child: Token) -> str:
    match child.type:
        case "text" | "code_inline":
            return child.content
        case "softbreak":
            return " "
        case "hardbreak":
            return "\n"
        case "html_inline":
            return "\n" if child.content.lower().startswith("<br") else ""
    return ""


def _walk(tokens: Sequence[Token]) -> Iterator[Block]:
    walker = _Walker()
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.type == "table_open":
            end = _end_of(tokens, at, "table_close")
            yield from walker.table(tokens[at:end])
            at = end
            continue
        yield from walker.take(token)
        at += 1


def _end_of(tokens: Sequence[Token], begin: int, kind: str) -> int:
    return next(at for at in range(begin, len(tokens)) if tokens[at].type == kind)


@dataclass(slots=True)
class _List:
    """A list that is open: its next number (None for bullets), its open item's marker."""

    number: int | None
    marker: str = ""
    is_fresh: bool = False


class _Walker:
    """Turns tokens into blocks and remembers the open lists and the open heading."""

    def __init__(self) -> None:
        self._lists: list[_List] = []
        self._heading = 0

    def take(self, token: Token) -> Iterator[Block]:
        match token.type:
            case "bullet_list_open":
                self._lists.append(_List(None))
            case "ordered_list_open":
                self._lists.append(_List(int(token.attrGet("start") or 1)))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "list_item_open":
                self._open_item()
            case "heading_open":
                self._heading = int(token.tag[1])
            case "heading_close":
                self._heading = 0
            case "inline":
                yield from self._text(token)
            case "fence" | "code_block":
                yield from self._code(token.content)
            case "html_block":
                yield from self._html(token.content)

    def table(self, tokens: Sequence[Token]) -> Iterator[Block]:
        rows: list[list[str]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(inline_text(token).replace("\n", " ").replace("|", "\\|"))
        if any(any(row) for row in rows):
            rule = "|" + "---|" * len(rows[0])
            lines = [f"| {' | '.join(row)} |" for row in rows]
            yield Block("table", "\n".join([lines[0], rule, *lines[1:]]))

    def _open_item(self) -> None:
        current = self._lists[-1]
        current.is_fresh = True
        current.marker = "-" if current.number is None else f"{current.number}."
        if current.number is not None:
            current.number += 1

    def _text(self, token: Token) -> Iterator[Block]:
        text = _ADMONITION.sub(lambda found: f"{found[1].capitalize()}: ", inline_text(token))
        if self._heading and text:
            yield Block("heading", text.replace("\n", " "), self._heading)
        elif self._lists and text:
            yield self._item(_link_only_marker(token) + text.replace("\n", " "))
        elif text:
            yield Block("paragraph", _link_only_marker(token) + text)

    def _item(self, text: str) -> Block:
        """A list item, or a further paragraph of one, which hangs below it."""
        current, depth = self._lists[-1], min(len(self._lists) - 1, MAX_DEPTH)
        marker = current.marker if current.is_fresh else " " * len(current.marker)
        current.is_fresh = False
        return Block("item", f"{'  ' * depth}{marker} {text}", depth)

    def _code(self, content: str) -> Iterator[Block]:
        code = content.strip("\n").replace("```", "'''")
        if code.strip():
            yield Block("code", f"```\n{code}\n```")

    def _html(self, content: str) -> Iterator[Block]:
        """Raw HTML as Markdown once, so that HTML in what comes out is text and no HTML."""
        for token_block in _walk(_PARSER.parse(html_to_markdown(content))):
            yield Block(token_block.kind, strip_tags(token_block.text), token_block.level)


_CONTENTS = "\ue000"  # private use: marks a line that only points into its own page


def _link_only_marker(token: Token) -> str:
    """The mark of a table of contents' entry: nothing but a link to an anchor of this page."""
    children = [
        child for child in token.children or [] if child.type != "text" or child.content.strip()
    ]
    is_link = (
        len(children) >= 2 and children[0].type == "link_open" and children[-1].type == "link_close"
    )
    target = str(children[0].attrGet("href") or "") if is_link else ""
    return _CONTENTS if target.startswith("#") else ""


def _without_contents(found: list[Block]) -> list[Block]:
    """The blocks without tables of contents and the lines that announce them."""
    kept: list[Block] = []
    for block in found:
        if _CONTENTS not in block.text:
            kept.append(block)
        elif kept and kept[-1].kind == "paragraph" and kept[-1].text.endswith((":", "：")):
            kept.pop()
    return kept
