"""HTML mail to plain text, and which of it the mail program itself marked as quoted or "
"signature."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from lxml import etree
from lxml import html as lxml_html

from channels.email.html_marks import all_text, is_cut, is_quote, is_signature, tag_of

MAX_HTML_CHARS = 1_000_000
MAX_DEPTH = 150
MAX_ELEMENTS = 40_000
Mark = Literal["new", "quote", "signature"]

_DROPPED = frozenset(
    [
        "script",
        "style",
        "head",
        "title",
        "meta",
        "link",
        "object",
        "embed",
        "svg",
        "canvas",
        "audio",
        "video",
        "map",
        "noscript",
        "template",
        "textarea",
        "select",
        "iframe",
        "form-state",
        "base",
    ]
)
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "details",
        "dir",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "menu",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_GAPS = frozenset(
    ["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre"]
)

_HIDDEN = re.compile(
    r"(?i)(?:display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|"
    r"font-size\s*:\s*0(?:px|pt)?\s*(?:;|$))")  # fmt: skip
_ITEM = re.compile(r"(?:  )*(?:-|\d{1,9}\.) ")
_BETWEEN_ITEMS = re.compile(
    r"^((?:  )*(?:-|\d{1,9}\.) [^\n]*)\n\n+(?=(?:  )*(?:-|\d{1,9}\.) )", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class HtmlText:
    """The text of an HTML mail; `has_marks` where its structure named a quote or a signature."""

    full: str
    visible: str
    has_quote: bool
    has_signature: bool


def read_html(source: str, max_elements: int = MAX_ELEMENTS) -> HtmlText:
    """The text of an HTML mail, whole and without what its structure marks; never raises."""
    root = _parse(source[:MAX_HTML_CHARS])
    if root is None:
        return HtmlText("", "", has_quote=False, has_signature=False)
    writer = _Writer(max_elements)
    writer.element(root, "new", 0)
    return HtmlText(
        full=_tidy(text for text, _ in writer.pieces),
        visible=_tidy(text for text, mark in writer.pieces if mark == "new"),
        has_quote=any(mark == "quote" and text.strip() for text, mark in writer.pieces),
        has_signature=any(mark == "signature" and text.strip() for text, mark in writer.pieces),
    )


def _parse(source: str) -> etree._Element | None:
    raw = source.encode("utf-8", "replace").replace(b"\x00", b"")
    parser = lxml_html.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True
    )
    try:
        return lxml_html.document_fromstring(raw, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, AssertionError):
        return None


class _Writer:
    """Walks a tree once and writes pieces of text with what they are."""

    def __init__(self, max_elements: int) -> None:
        self.pieces: list[tuple[str, Mark]] = []
        self._is_cut = False
        self._left = max_elements
        self._items: list[int] = []

    def element(self, element: etree._Element, mark: Mark, depth: int) -> None:
        tag = tag_of(element)
        if tag in _DROPPED or _is_hidden(element):
            return
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            self._write(_words(all_text(element)), mark)
            return
        if not self._is_cut and is_cut(element):
            self._is_cut = True
        mark = self._mark_of(element, mark)
        if tag == "br":
            self._write("\n", mark)
        elif tag == "hr":
            self._write("\n\n", mark)
        elif tag == "pre":
            self._write("\n\n" + all_text(element).strip("\n") + "\n\n", mark)
        elif tag == "img":
            pass
        elif tag == "a":
            self._link(element, mark, depth)
        elif tag == "table" and _is_table_of_figures(element):
            self._write("\n\n" + "\n".join(_rows(element)) + "\n\n", mark)
        else:
            self._container(element, tag, mark, depth)

    def _mark_of(self, element: etree._Element, mark: Mark) -> Mark:
        if self._is_cut:
            return "quote"
        if mark != "new":
            return mark
        if is_signature(element):
            return "signature"
        return "quote" if is_quote(element) else "new"

    def _container(self, element: etree._Element, tag: str, mark: Mark, depth: int) -> None:
        gap = _gap(element, tag)
        self._write(gap, mark)
        if tag in ("ul", "ol"):
            self._items.append(0 if tag == "ol" else -(10**9))
        elif tag == "li":
            self._write(self._bullet(), mark)
        self._write(_words(element.text), mark)
        for child in element:
            self.element(child, mark, depth + 1)
            self._write(_words(child.tail), mark)
        if tag in ("ul", "ol"):
            self._items.pop()
        self._write(gap, mark)

    def _bullet(self) -> str:
        if not self._items:
            return "- "
        self._items[-1] += 1
        indent = "  " * min(len(self._items) - 1, 6)
        return f"{indent}{self._items[-1]}. " if self._items[-1] > 0 else f"{indent}- "

    def _link(self, element: etree._Element, mark: Mark, depth: int) -> None:
        begin = len(self.pieces)
        self._container(element, "a", mark, depth)
        shown = "".join(text for text, _ in self.pieces[begin:]).strip()
        target = (element.get("href") or "").strip()
        if (
            shown
            and target.lower().startswith(("http://", "https://"))
            and not _same(shown, target)
        ):
            self._write(f" <{target[:500]}>", mark)

    def _write(self, text: str, mark: Mark) -> None:
        if text:
            self.pieces.append((text, "quote" if self._is_cut else mark))


def _is_hidden(element: etree._Element) -> bool:
    style = element.get("style")
    return "hidden" in element.attrib or bool(style and _HIDDEN.search(style[:2000]))


def _gap(element: etree._Element, tag: str) -> str:
    if tag not in _BLOCKS:
        return " " if tag in ("td", "th") else ""
    if tag == "p" and _is_tight(element):
        return "\n"
    if tag in ("ul", "ol") and tag_of(element.getparent()) in ("li", "ul", "ol"):
        return "\n"
    return "\n\n" if tag in _GAPS else "\n"


def _is_tight(element: etree._Element) -> bool:
    """Paragraphs whose style leaves no space between them: lines, as Outlook writes them."""
    style = (element.get("style") or "").replace(" ", "").lower()
    return "msonormal" in (element.get("class") or "").lower() or bool(
        re.search(r"margin(?:-top|-bottom)?:0(?:in|cm|px|pt|mm)?(?:;|$|0)", style)
    )


def _is_table_of_figures(element: etree._Element) -> bool:
    """Several rows of several short cells; other tables only lay a mail out."""
    rows = list(element.iter("tr"))
    if len(rows) < 2 or len(rows) > 500 or next(element.iterdescendants("table"), None) is not None:
        return False
    widths = [sum(1 for cell in row if tag_of(cell) in ("td", "th")) for row in rows]
    if min(widths) < 2 or element.find(".//blockquote") is not None:
        return False
    cells = list(element.iter("td", "th"))
    return len(cells) <= 5000 and all(len(all_text(cell, 300)) < 200 for cell in cells)


def _rows(element: etree._Element) -> Iterator[str]:
    for row in element.iter("tr"):
        cells = [" ".join(all_text(cell).split()) for cell in row if tag_of(cell) in ("td", "th")]
        yield " | ".join(cells)


def _same(shown: str, target: str) -> bool:
    def plain(text: str) -> str:
        return re.sub(r"^(?:https?://)?(?:www\.)?|/$", "", text.strip().lower())

    return plain(shown) == plain(target) or (shown in target and "." in shown)


def _words(text: str | None) -> str:
    return re.sub(r"[ \t\r\n\f]+", " ", text) if text else ""


def _tidy(pieces: Iterable[str]) -> str:
    text = "".join(pieces).replace("\xa0", " ").encode("utf-8", "replace").decode()
    lines = [re.sub(r"(?<=\S) {2,}", " ", line).rstrip() for line in text.split("\n")]
    lines = [line if _ITEM.match(line) else line.lstrip() for line in lines]
    text = _BETWEEN_ITEMS.sub(r"\1\n", "\n".join(lines))
    return re.sub(r"\n{3,}", "\n\n", text).strip()
