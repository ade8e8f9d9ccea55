"""Which parts of a mail are its text and which are files, and the text as people read it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from channels.email.attachments import FoundFile
from channels.email.charsets import decode_text, find_codec
from channels.email.headers import decode_words
from channels.email.html_text import MAX_ELEMENTS, HtmlText, read_html
from channels.email.mime import Part
from channels.email.quotes import SplitText, normalize, split_text
from channels.email.tnef import read_tnef

MAX_TEXT_BYTES = 1_000_000
MAX_TEXTS = 20
_META_CHARSET = re.compile(rb"(?i)<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]{2,40})")
_TAGS = re.compile(rb"(?i)<(?:html|body|div|p|br|table)\b[^>]{0,500}>")
_SAYS_HTML = re.compile(
    r"(?i)\bhtml\b|(?:view|open) (?:it |this )?(?:in|online)|无法显示|表示できません"
)
_REPORTED = (
    "message/delivery-status",
    "message/disposition-notification",
    "message/feedback-report",
)


@dataclass(slots=True)
class Body:
    """The texts and files of a mail, in order. `is_encrypted` where its words cannot be read."""

    texts: list[Text] = field(default_factory=list)
    files: list[FoundFile] = field(default_factory=list)
    is_encrypted: bool = False
    left: list[int] = field(default_factory=lambda: [MAX_TEXT_BYTES, MAX_ELEMENTS])
    """How many bytes and HTML elements may still be read; alternatives share the numbers."""


@dataclass(frozen=True, slots=True)
class Text:
    """One piece of body: plain text, HTML, or both as alternatives of each other."""

    plain: str | None
    html: HtmlText | None


def read_body(root: Part) -> Body:
    """Sort the parts of a mail into its text and its files."""
    body = Body()
    _sort(root, body)
    return body


def full_text(body: Body) -> str:
    """All text of a mail, quotes included."""
    return "\n\n".join(filter(None, (_whole(text) for text in body.texts)))


def new_words(body: Body) -> SplitText:
    """The sender's new words, by the structure of HTML before the look of lines."""
    whole = full_text(body)
    if len(body.texts) == 1:
        return _split_one(body.texts[0], whole)
    splits = [_split_one(text, _whole(text)) for text in body.texts]
    # A text after a part that was cut is a list's footer or a forwarded copy, or goes on writing:
    # only the first is certain to be the sender's, and an emptied one says nothing.
    visible = "\n\n".join(split.visible for split in splits if split.visible)
    return split_text(visible, whole) if visible else SplitText(whole, 0)


def _whole(text: Text) -> str:
    if text.plain is not None and text.plain.strip():
        return normalize(text.plain)
    return normalize(text.html.full) if text.html else ""


def _split_one(text: Text, whole: str) -> SplitText:
    plain = text.plain if text.plain is not None and text.plain.strip() else None
    html = text.html
    if html is None or not html.full:
        return split_text(plain or "", whole)
    by_structure = _split_html(html, whole)
    if plain is None or _is_stub(plain, html):
        return by_structure
    by_lines = split_text(plain, whole)
    if not (html.has_quote or html.has_signature):
        return by_lines
    # Both ways agree but for layout: the plain text is how the sender's program writes it.
    return (
        by_lines if _letters(by_lines.visible) == _letters(by_structure.visible) else by_structure
    )


def _split_html(html: HtmlText, whole: str) -> SplitText:
    split = split_text(html.visible, html.full)
    return SplitText(split.visible, max(0, len(whole) - len(split.visible)))


def _is_stub(plain: str, html: HtmlText) -> bool:
    """A plain part that only says to look at the HTML."""
    if len(plain) >= 400:
        return False
    share = len(_letters(plain)) / max(len(_letters(html.full)), 1)
    return share < 0.25 or (share < 0.6 and _SAYS_HTML.search(plain) is not None)


def _letters(text: str) -> str:
    return "".join(char for char in re.sub(r"<https?://[^>]*>", "", text) if char.isalnum()).lower()


def _sort(part: Part, body: Body) -> None:
    """Walk one part; alternatives are one text, related parts hang on their first."""
    kind = part.media_type
    if kind == "multipart/alternative":
        _sort_alternative(part, body)
    elif kind == "multipart/encrypted":
        body.is_encrypted = True
        body.files += [_file(child) for child in part.walk() if not child.children]
    elif part.children:
        for child in part.children:
            _sort(child, body)
    elif kind.startswith("multipart/") and len(body.texts) < MAX_TEXTS:
        # A multipart that could not be opened is shown as it is, so that no word is lost.
        body.texts.append(Text(decode_text(_take(part.body, body)), None))
    elif _is_text(part) and len(body.texts) < MAX_TEXTS:
        body.texts.append(_text(part, body))
    elif _is_tnef(part):
        _sort_tnef(part, body)
    elif kind not in _REPORTED:
        body.is_encrypted = body.is_encrypted or _is_encrypted(part)
        if part.body.strip() or part.is_attachment:
            body.files.append(_file(part))


def _sort_alternative(part: Part, body: Body) -> None:
    plain: str | None = None
    html: HtmlText | None = None
    for child in part.children:
        inner = Body(left=body.left)
        _sort(child, inner)
        body.files += inner.files
        for text in inner.texts:
            plain = text.plain if plain is None and text.plain is not None else plain
            html = text.html if html is None and text.html is not None else html
    if plain is not None or html is not None:
        body.texts.append(Text(plain, html))


def _is_text(part: Part) -> bool:
    if part.is_attachment or part.media_type not in (
        "text/plain",
        "text/html",
        "text/enriched",
        "text/richtext",
    ):
        return False
    has_name = part.headers.parameter("content-disposition", "filename") or part.headers.parameter(
        "content-type", "name"
    )
    return not (has_name and part.headers.disposition not in ("", "inline")) and not (
        has_name and re.search(r"(?i)\.(?!txt$|html?$)\w{2,5}$", has_name)
    )


def _is_tnef(part: Part) -> bool:
    return part.media_type in ("application/ms-tnef", "application/vnd.ms-tnef") or (
        part.headers.parameter("content-type", "name").lower() == "winmail.dat"
    )


def _is_encrypted(part: Part) -> bool:
    if part.media_type not in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        return False
    return part.headers.parameter("content-type", "smime-type").lower() != "certs-only"


def _take(raw: bytes, body: Body) -> bytes:
    """As much of a text as may still be read."""
    taken = raw[: body.left[0]]
    body.left[0] -= len(taken)
    return taken


def _text(part: Part, body: Body) -> Text:
    raw = _take(part.content(), body)
    label = part.headers.parameter("content-type", "charset")
    if part.media_type == "text/html" or (
        not part.headers.has("content-type") and _TAGS.match(raw.lstrip())
    ):
        page = read_html(decode_text(raw, _html_charset(raw, label)), max(body.left[1], 0))
        body.left[1] -= raw.count(b"<")
        return Text(None, page)
    text = decode_text(raw, label)
    if part.media_type in ("text/enriched", "text/richtext"):
        text = re.sub(r"<[^<>]{0,200}>", "", text.replace("<<", "‹"))
    if part.headers.parameter("content-type", "format").lower() == "flowed":
        deletes_space = part.headers.parameter("content-type", "delsp").lower() == "yes"
        text = unflow(text, deletes_space=deletes_space)
    return Text(text, None)


def _html_charset(raw: bytes, label: str) -> str:
    if find_codec(label):
        return label
    meta = _META_CHARSET.search(raw[:4096])
    return meta[1].decode("ascii", "replace") if meta else label


def unflow(text: str, *, deletes_space: bool = False) -> str:
    """Text whose soft line ends are undone (RFC 3676), quoted lines kept apart by their depth."""
    lines: list[str] = []
    open_depth = -1
    for line in text.replace("\r\n", "\n").split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        words = line[depth:]
        words = words[1:] if words.startswith(" ") else words
        is_signature = words in ("-- ", "--")
        if open_depth == depth and not is_signature and words.strip():
            lines[-1] += words
        else:
            lines.append(("> " if depth == 1 else ">" * depth + " " if depth else "") + words)
        is_soft = words.endswith(" ") and not is_signature and bool(words.strip())
        if is_soft and deletes_space:
            lines[-1] = lines[-1][:-1]
        open_depth = depth if is_soft and len(lines[-1]) < 100_000 else -1
    return "\n".join(lines)


def _sort_tnef(part: Part, body: Body) -> None:
    unwrapped = read_tnef(part.content())
    if unwrapped is None or not (unwrapped.text or unwrapped.html or unwrapped.files):
        body.files.append(_file(part))
        return
    if (unwrapped.text.strip() or unwrapped.html.strip()) and not any(
        _whole(text) for text in body.texts
    ):
        page = read_html(unwrapped.html) if unwrapped.html.strip() else None
        body.texts = [Text(unwrapped.text or None, page)]
    body.files += [FoundFile(name or "file", "", content) for name, content in unwrapped.files]


def _file(part: Part) -> FoundFile:
    headers = part.headers
    name = (
        headers.parameter("content-disposition", "filename")
        or headers.parameter("content-type", "name")
        or _subject_of(part)
    )
    content_id = headers.first("content-id").strip().strip("<>")[:200] or None
    return FoundFile(
        name=name[:1000],
        declared_type=part.media_type,
        content=part.content(),
        content_id=content_id,
        is_inline=headers.disposition == "inline"
        or (content_id is not None and not part.is_attachment),
    )


def _subject_of(part: Part) -> str:
    """A mail sent along is named by its subject."""
    if part.media_type != "message/rfc822":
        return ""
    found = re.search(rb"(?im)^subject:[ \t]*([^\r\n]{1,300})", part.content()[:20_000])
    subject = decode_words(decode_text(found[1])) if found else ""
    return f"{subject or 'message'}.eml"
