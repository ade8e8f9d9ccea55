"""HTML mail to plain text, and which of it the mail program itself marked as quoted or "
"signature."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from lxml import etree
from lxml import html as lxml_html

from channels.email.quote_lines import is_attribution, is_separator

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

# What mail programs call the element that holds a quoted or forwarded mail; ids and classes alike.
# Some rename what they forward: Outlook puts x_ before, Yahoo yiv and a number, AOL aolmail_.
_RENAMED = re.compile(r"^(?:x_|yiv\d+|aolmail_|m_-?\d+|ydp[0-9a-f]+)+")
_QUOTE_NAMES = re.compile(
    r"(?i)^(?:"
    r"gmail_quote(?:_container)?|gmail_attr|yahoo_quoted.*|protonmail_quote|tutanota_quote"
    r"|moz-cite-prefix|moz-forward-container|moz-email-headers-table|reply-intro|forwardbody\d*"
    r"|isreplycontent|isforwardcontent|ntes-mailmaster-quote|replysection|mail_quote|mailquote"
    r"|netease_mail_quote|qmbox_quote|xm_mail_oringinal_describe|original-?content|original_email"
    r"|mail-editor-reference-message-container|olk_src_body_section|outlookmessageheader"
    r"|ms-outlook-mobile-reference-message|zmail_extra|zimbra_quote|messagereplysection"
    r"|front-blockquote|freshdesk_quote|missive_quote|hs_reply|sh-quoted-content|aolreplacedbody"
    r"|superhuman_quote|replied-text|alimail-quote|history-quote-wrapper|lark-mail-quote"
    r"|lark-mail-doc-quote|_originalcontent|_persistentreplyheader|hey-quote|mailru-blockquote"
    r"|gmx_quote|web_de_quote|em_quote|mailbird_quote|sogo_quote|helpscout_quote|quoted-text"
    r"|quoted_text|quotedtext|email_quote|email-quote|wordsection_quote|tb_quote|k9mail_quote"
    r"|cs2465_quote|skiff_quote|airmail_on|airmail_original|bloop_original_html|mcntquote"
    r")$"
)
# Behind these everything is the earlier mail, wherever its elements stand.
_CUT_NAMES = re.compile(
    r"(?i)^(?:divrplyfwdmsg|zwchr|stopspelling|outlookmessageheader|mail-editor-reference-message"
    r"-container|ms-outlook-mobile-body-separator-line|replyheader_container)$"
)
_SIGNATURE_NAMES = re.compile(
    r"(?i)^(?:gmail_signature(?:_prefix)?|moz-signature|ms-outlook-mobile-signature|signature"
    r"|protonmail_signature_block.*|composer_signature|messagesignaturesection|mailbox_signature"
    r"|applemailsignature|front-signature|tutanota_signature|ntes-signature|mail_signature"
    r"|ydp[0-9a-f]*signature|yahoo_signature|mb_sig|zmail_signature|lark-mail-signature"
    r"|ntes-mailmaster-signature|foxmail_signature|sogo_signature|sh-signature|airmail_sign"
    r"|bloop_sign.*|xmail-signature|_signature|email-signature|alimail-signature|dab_signature"
    r"|lineBreakAtBeginningOfSignature|emailsignature|mailsignature)$"
)
_HIDDEN = re.compile(
    r"(?i)(?:display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|"
    r"font-size\s*:\s*0(?:px|pt)?\s*(?:;|$))")  # fmt: skip
_ITEM = re.compile(r"(?:  )*(?:-|\d{1,9}\.) ")
_BETWEEN_ITEMS = re.compile(
    r"^((?:  )*(?:-|\d{1,9}\.) [^\n]*)\n\n+(?=(?:  )*(?:-|\d{1,9}\.) )", re.MULTILINE
)
_BORDERED = re.compile(r"(?i)border-left(?:-(?:width|style|color))?\s*:(?!\s*(?:none|0))")


@dataclass(frozen=True, slots=True)
class HtmlText:
    """The text of an HTML mail; `has_marks` where its structure named a quote or a signature."""

    full: str
    visible: str
    has_quote: bool
    has_signature: bool


def read_html(source: str) -> HtmlText:
    """The text of an HTML mail, whole and without what its structure marks; never raises."""
    root = _parse(source[:MAX_HTML_CHARS])
    if root is None:
        return HtmlText("", "", has_quote=False, has_signature=False)
    writer = _Writer()
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

    def __init__(self) -> None:
        self.pieces: list[tuple[str, Mark]] = []
        self._is_cut = False
        self._left = MAX_ELEMENTS
        self._items: list[int] = []

    def element(self, element: etree._Element, mark: Mark, depth: int) -> None:
        tag = _tag(element)
        if tag in _DROPPED or _is_hidden(element):
            return
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            self._write(_words(_all_text(element)), mark)
            return
        if not self._is_cut and _is_cut(element):
            self._is_cut = True
        mark = self._mark_of(element, mark)
        if tag == "br":
            self._write("\n", mark)
        elif tag == "hr":
            self._write("\n\n", mark)
        elif tag == "pre":
            self._write("\n\n" + _all_text(element).strip("\n") + "\n\n", mark)
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
        names = _names(element)
        if any(_SIGNATURE_NAMES.match(name) for name in names):
            return "signature"
        return "quote" if _is_quote(element, names) else "new"

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


def _is_quote(element: etree._Element, names: list[str]) -> bool:
    tag = _tag(element)
    if any(_QUOTE_NAMES.match(name) for name in names):
        # Gmail wraps quotes and the answers between them in one element: look inside for those.
        is_wrapper = any(name.startswith("gmail_quote") or name == "replysection" for name in names)
        return not (is_wrapper and tag != "blockquote" and _first_blockquote(element) is not None)
    if element.get("name", "").lower() in ("quote", "messagereplysection"):
        return True
    if element.get("data-marker") in ("__QUOTED_TEXT__", "__DIVIDER__", "__HEADERS__"):
        return True
    if tag == "blockquote":
        return _is_quoting(element)
    return _introduces_quote(element, tag)


def _is_quoting(element: etree._Element) -> bool:
    """A blockquote may also be an indented paragraph of one's own."""
    if element.get("type", "").lower() == "cite" or element.get("cite"):
        return True
    if _BORDERED.search(element.get("style", "")) or element.get("class"):
        return True
    before = _text_before(element)
    return is_attribution(before) or is_separator(before)


def _introduces_quote(element: etree._Element, tag: str) -> bool:
    """The line "On ... Ada wrote:" that stands in an element of its own before a blockquote."""
    if tag not in ("div", "p", "span", "font"):
        return False
    following = element.getnext()
    if following is None or following.getprevious() is not element or (element.tail or "").strip():
        return False
    while following is not None and _tag(following) == "br" and not (following.tail or "").strip():
        following = following.getnext()
    if following is None:
        return False
    begins_quote = _tag(following) == "blockquote" or _first_child_is_blockquote(following)
    if not begins_quote:
        return False
    text = " ".join(_all_text(element, 600).split())
    return 0 < len(text) < 400 and is_attribution(text)


def _first_child_is_blockquote(element: etree._Element) -> bool:
    first = element[0] if len(element) else None
    return first is not None and _tag(first) == "blockquote" and not (element.text or "").strip()


def _first_blockquote(element: etree._Element) -> etree._Element | None:
    return next(element.iter("blockquote"), None)


def _is_cut(element: etree._Element) -> bool:
    return any(_CUT_NAMES.match(name) for name in _names(element))


def _text_before(element: etree._Element) -> str:
    previous = element.getprevious()
    while previous is not None and _tag(previous) == "br" and not (previous.tail or "").strip():
        previous = previous.getprevious()
    if previous is None:
        parent = element.getparent()
        return " ".join((parent.text or "").split())[-400:] if parent is not None else ""
    tail = " ".join((previous.tail or "").split())
    return tail[-400:] if tail else " ".join(_all_text(previous, 2000).split())[-400:]


def _names(element: etree._Element) -> list[str]:
    found = (element.get("class") or "")[:500].split()[:12]
    if identifier := (element.get("id") or "").strip()[:100]:
        found.append(identifier)
    return [_RENAMED.sub("", name) for name in found]


def _is_hidden(element: etree._Element) -> bool:
    style = element.get("style")
    return "hidden" in element.attrib or bool(style and _HIDDEN.search(style[:2000]))


def _gap(element: etree._Element, tag: str) -> str:
    if tag not in _BLOCKS:
        return " " if tag in ("td", "th") else ""
    if tag == "p" and _is_tight(element):
        return "\n"
    if tag in ("ul", "ol") and _tag(element.getparent()) in ("li", "ul", "ol"):
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
    widths = [sum(1 for cell in row if _tag(cell) in ("td", "th")) for row in rows]
    if min(widths) < 2 or element.find(".//blockquote") is not None:
        return False
    cells = list(element.iter("td", "th"))
    return len(cells) <= 5000 and all(len(_all_text(cell, 300)) < 200 for cell in cells)


def _rows(element: etree._Element) -> Iterator[str]:
    for row in element.iter("tr"):
        cells = [" ".join(_all_text(cell).split()) for cell in row if _tag(cell) in ("td", "th")]
        yield " | ".join(cells)


def _same(shown: str, target: str) -> bool:
    def plain(text: str) -> str:
        return re.sub(r"^(?:https?://)?(?:www\.)?|/$", "", text.strip().lower())

    return plain(shown) == plain(target) or (shown in target and "." in shown)


def _all_text(element: etree._Element, limit: int = 100_000) -> str:
    pieces: list[str] = []
    size = 0
    for text in element.itertext():
        pieces.append(str(text))
        size += len(text)
        if size > limit:
            break
    return "".join(pieces)


def _words(text: str | None) -> str:
    return re.sub(r"[ \t\r\n\f]+", " ", text) if text else ""


def _tidy(pieces: Iterable[str]) -> str:
    text = "".join(pieces).replace("\xa0", " ").encode("utf-8", "replace").decode()
    lines = [re.sub(r"(?<=\S) {2,}", " ", line).rstrip() for line in text.split("\n")]
    lines = [line if _ITEM.match(line) else line.lstrip() for line in lines]
    text = _BETWEEN_ITEMS.sub(r"\1\n", "\n".join(lines))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _tag(element: etree._Element | None) -> str:
    return element.tag.lower() if element is not None and isinstance(element.tag, str) else ""
