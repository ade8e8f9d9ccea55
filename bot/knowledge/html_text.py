"""HTML to Markdown: what a page says, without its scripts, menus and forms."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree
from lxml import html as lxml_html

_DROPPED_WORDS = (
    "script style noscript template nav form button input select textarea iframe "
    "object embed svg canvas audio video map head header footer aside dialog img"
)
_DROPPED = frozenset(_DROPPED_WORDS.split())
_BOILERPLATE_WORDS = "navigation banner contentinfo search complementary menu dialog"
_BOILERPLATE = frozenset(_BOILERPLATE_WORDS.split())
_BLOCKS_WORDS = (
    "address article body center dd details div dl dt fieldset figcaption figure hr "
    "main p section summary html"
)
_BLOCKS = frozenset(_BLOCKS_WORDS.split())
_ESCAPED = re.compile(r"([\\`*_\[\]<>#|~])")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,2000}>")
MAX_DEPTH = 150


def html_to_markdown(source: str | bytes) -> str:
    """The readable text of a page or a fragment, as Markdown; never raises on any input."""
    root = parse_html(source)
    return "" if root is None else element_to_markdown(root)


def parse_html(source: str | bytes) -> lxml_html.HtmlElement | None:
    """The tree of a page; None where there is nothing in it."""
    raw = source.encode("utf-8", "replace") if isinstance(source, str) else source
    encoding = "utf-8" if isinstance(source, str) else None
    parser = lxml_html.HTMLParser(encoding=encoding, remove_comments=True, remove_pis=True)
    try:
        return lxml_html.document_fromstring(raw.replace(b"\x00", b""), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, AssertionError):
        return None


def page_title(root: lxml_html.HtmlElement) -> str:
    """The page's own heading, else its title."""
    for path in ("//h1", "//title"):
        for found in root.xpath(path):
            text = " ".join(found.text_content().split())
            if text:
                return str(text)
    return ""


def element_to_markdown(root: lxml_html.HtmlElement) -> str:
    """The Markdown of an element: its `main` or `article` where it has exactly one."""
    for path in ("//main", "//article"):
        found = root.xpath(path)
        if len(found) == 1:
            root = found[0]
            break
    lines = "".join(_block(root, 0)).split("\n")
    text = "\n".join(line.rstrip() for line in lines)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def strip_tags(text: str) -> str:
    """Text without anything that looks like a tag."""
    return _TAG.sub("", text)


def _block(element: etree._Element, depth: int) -> Iterator[str]:
    """An element and what follows inside it, in Markdown, block by block."""
    if depth > MAX_DEPTH or _is_dropped(element):
        return
    tag = _tag(element)
    if re.fullmatch(r"h[1-6]", tag):
        yield f"\n\n{'#' * int(tag[1])} {_flat(element)}\n\n"
    elif tag == "table":
        yield from _table(element)
    elif tag in ("ul", "ol"):
        yield from _list(element, 0, depth)
    elif tag == "pre":
        yield f"\n\n```\n{''.join(str(part) for part in element.itertext()).strip()}\n```\n\n"
    elif tag == "br":
        yield "\n"
    else:
        yield from _container(element, tag, depth)


def _container(element: etree._Element, tag: str, depth: int) -> Iterator[str]:
    gap = "\n\n" if tag in _BLOCKS or tag == "blockquote" else ""
    yield gap
    yield _words(element.text)
    for child in element:
        yield from _block(child, depth + 1)
        yield _words(child.tail)
    yield gap


def _list(element: etree._Element, level: int, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        return
    is_ordered = _tag(element) == "ol"
    yield "\n\n" if level == 0 else "\n"
    for number, item in enumerate((child for child in element if _tag(child) == "li"), start=1):
        marker = f"{number}." if is_ordered else "-"
        inner = [child for child in item if _tag(child) in ("ul", "ol")]
        yield f"{'   ' * level}{marker} {_flat(item, skip=inner)}\n"
        for child in inner:
            yield from _list(child, level + 1, depth + 1)
    yield "\n" if level == 0 else ""


def _table(element: etree._Element) -> Iterator[str]:
    """A table of figures as a table; one that only lays a page out, cell by cell."""
    rows = [
        [cell for cell in row if _tag(cell) in ("td", "th")]
        for row in element.iter("tr")
        if not _is_dropped(row)
    ]
    rows = [row for row in rows if row]
    has_blocks = any(_has_blocks(cell) for row in rows for cell in row)
    if not rows or max(len(row) for row in rows) < 2 or has_blocks:
        for row in rows:
            for cell in row:
                yield from _container(cell, "p", 1)
        return
    width = max(len(row) for row in rows)
    lines = [f"| {' | '.join(_cells(row, width))} |" for row in rows]
    yield "\n\n" + "\n".join([lines[0], "|" + "---|" * width, *lines[1:]]) + "\n\n"


def _cells(row: list[etree._Element], width: int) -> list[str]:
    texts = [_flat(cell) for cell in row]
    return texts + [""] * (width - len(texts))


def _has_blocks(cell: etree._Element) -> bool:
    return next(cell.iter("table", "ul", "ol", "h1", "h2", "h3", "h4", "pre"), None) is not None


def _flat(element: etree._Element, skip: list[etree._Element] | None = None) -> str:
    """All words of an element in one line."""
    return " ".join("".join(_flat_parts(element, skip or [], 0)).split())


def _flat_parts(element: etree._Element, skip: list[etree._Element], depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH or element in skip or _is_dropped(element):
        return
    yield " " if _tag(element) in _BLOCKS or _tag(element) in ("br", "li", "td") else ""
    yield _words(element.text)
    for child in element:
        yield from _flat_parts(child, skip, depth + 1)
        yield _words(child.tail)


def _words(text: str | None) -> str:
    """Text with its white space folded and Markdown's signs escaped: page text is no markup."""
    if not text:
        return ""
    return _ESCAPED.sub(r"\\\1", re.sub(r"\s+", " ", text))


def _is_dropped(element: etree._Element) -> bool:
    if not isinstance(element.tag, str) or _tag(element) in _DROPPED:
        return True
    hidden = "hidden" in element.attrib or element.get("aria-hidden") == "true"
    return hidden or element.get("role", "") in _BOILERPLATE


def _tag(element: etree._Element) -> str:
    return element.tag.lower() if isinstance(element.tag, str) else ""
