"""The tree of a mail: parts with their headers and bodies, whatever the bytes are.

The standard library's parser keeps a list of lines and recurses; 25 MB of blank lines cost it
gigabytes and minutes. This one searches boundaries in the bytes themselves: its time is linear
and its memory the mail's own.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from channels.email.headers import MAX_HEADER_BYTES, Headers, read_headers

MAX_DEPTH = 20
MAX_PARTS = 300
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n", re.MULTILINE)
_LINE = re.compile(rb"[^\n]+")
_BOUNDARY_LINE = re.compile(
    rb"^--([^\s-][^\r\n]{0,69}?)[ \t]*\r?\n(?=content-)", re.MULTILINE | re.IGNORECASE
)
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)


@dataclass(slots=True)
class Part:
    """One part of a mail, as a window on the mail's bytes; `children` are those of a multipart."""

    headers: Headers
    raw: bytes = field(repr=False)
    begin: int
    end: int
    children: list[Part] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """The body as it was sent."""
        return self.raw[self.begin : self.end]

    @property
    def media_type(self) -> str:
        return self.headers.media_type

    @property
    def is_attachment(self) -> bool:
        return self.headers.disposition == "attachment"

    def content(self) -> bytes:
        """The body with its transfer encoding undone (RFC 2045 section 6); never raises."""
        return decode_transfer(self.body, self.headers.first("content-transfer-encoding"))

    def walk(self) -> Iterator[Part]:
        """This part and all below it, in order."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting.extend(reversed(part.children))


class _Budget:
    """How many parts may still be opened."""

    def __init__(self) -> None:
        self.parts = MAX_PARTS
        self.defects: list[str] = []

    def note(self, defect: str) -> None:
        if defect not in self.defects:
            self.defects.append(defect)


def read_parts(raw: bytes) -> tuple[Part, tuple[str, ...]]:
    """The tree of a mail and what was wrong with it; never raises."""
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    budget = _Budget()
    return _read(raw, 0, len(raw), "text/plain", 0, budget), tuple(budget.defects)


def decode_transfer(body: bytes, encoding: str) -> bytes:
    """A body with its Content-Transfer-Encoding undone, as far as it can be."""
    name = encoding.strip().strip("\"'").lower().rstrip(";")
    if name == "base64":
        return decode_base64(body)
    if name in ("quoted-printable", "quotedprintable", "qp"):
        return binascii.a2b_qp(body)
    if name in ("x-uuencode", "uuencode", "uue", "x-uue"):
        return decode_uu(body)
    return body


def decode_base64(body: bytes) -> bytes:
    """Base64 without regard to what else stands between its characters (RFC 2045 section 6.8)."""
    # A second padded run after the first is another block, as relays join them.
    blocks = re.split(rb"=+\s*(?=[A-Za-z0-9+/])", body, maxsplit=64) if b"=" in body else [body]
    decoded = []
    for block in blocks:
        digits = block.translate(None, _NOT_BASE64)
        digits = digits[: len(digits) - 1] if len(digits) % 4 == 1 else digits
        decoded.append(binascii.a2b_base64(digits + b"=" * (-len(digits) % 4)))
    return b"".join(decoded)


def decode_uu(body: bytes) -> bytes:
    """The first uuencoded file of a body; what cannot be read is left out."""
    begin = _UU_BEGIN.search(body)
    if begin is None:
        return body
    decoded = bytearray()
    for found in _LINE.finditer(body, begin.end()):
        line = found[0].rstrip(b"\r")
        if line in (b"end", b"`", b" "):
            break
        try:
            decoded += binascii.a2b_uu(line)
        except binascii.Error:
            continue
    return bytes(decoded)


def _read(raw: bytes, begin: int, end: int, default_type: str, depth: int, budget: _Budget) -> Part:
    budget.parts -= 1
    headers, length = read_headers(raw[begin : min(end, begin + MAX_HEADER_BYTES)], default_type)
    part = Part(headers, raw, begin + length, end)
    if headers.media_type.startswith("multipart/"):
        if depth >= MAX_DEPTH or budget.parts <= 0:
            budget.note("too deep" if depth >= MAX_DEPTH else "too many parts")
        else:
            _open(part, depth, budget)
    return part


def _open(part: Part, depth: int, budget: _Budget) -> None:
    boundary = part.headers.parameter("content-type", "boundary").rstrip()
    windows = _split(part, boundary.encode("utf-8", "surrogateescape"), budget)
    if not windows:
        budget.note("a multipart without its boundary")
        found = _BOUNDARY_LINE.search(part.raw[part.begin : min(part.end, part.begin + 65536)])
        windows = _split(part, found[1], budget) if found else []
    default = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
    for begin, end in windows:
        if budget.parts <= 0:
            budget.note("too many parts")
            return
        part.children.append(_read(part.raw, begin, end, default, depth + 1, budget))


def _split(part: Part, boundary: bytes, budget: _Budget) -> list[tuple[int, int]]:
    """Where the parts between boundary lines stand (RFC 2046 section 5.1.1)."""
    if not boundary:
        return []
    # It begins with a literal, so that the search runs at the speed of memchr.
    line = re.compile(rb"\n--" + re.escape(boundary) + rb"(--)?[ \t]{0,100}\r?(?=\n|\Z)")
    windows: list[tuple[int, int]] = []
    opened: int | None = None
    # The line end before a boundary belongs to it; the one of the part's header may be that.
    for found in line.finditer(part.raw, max(part.begin - 1, 0), part.end):
        if opened is not None:
            windows.append((opened, max(opened, _before_line_end(part.raw, found.start()))))
        opened = min(found.end() + 1, part.end)
        if found[1] or len(windows) > MAX_PARTS:
            return windows
    if opened is not None:
        budget.note("a multipart that does not end")
        windows.append((opened, part.end))
    return windows


def _before_line_end(raw: bytes, position: int) -> int:
    return position - 1 if raw[position - 1 : position] == b"\r" else position
