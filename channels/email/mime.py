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

from channels.email.headers import Headers, read_headers

MAX_DEPTH = 20
MAX_PARTS = 300
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n", re.MULTILINE)
_BOUNDARY_LINE = re.compile(
    rb"^--([^\s-][^\r\n]{0,69}?)[ \t]*\r?\n(?=content-)", re.MULTILINE | re.IGNORECASE
)
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)


@dataclass(slots=True)
class Part:
    """One part of a mail. `body` is as it was sent; `children` are the parts of a multipart."""

    headers: Headers
    body: bytes
    children: list[Part] = field(default_factory=list)
    preamble: bytes = b""

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
    budget = _Budget()
    return _read(raw, "text/plain", 0, budget), tuple(budget.defects)


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
    for line in body[begin.end() :].splitlines():
        if line in (b"end", b"`", b" "):
            break
        try:
            decoded += binascii.a2b_uu(line)
        except binascii.Error:
            continue
    return bytes(decoded)


def _read(raw: bytes, default_type: str, depth: int, budget: _Budget) -> Part:
    budget.parts -= 1
    headers, start = read_headers(raw, default_type)
    part = Part(headers, raw[start:] if start else raw)
    if headers.media_type.startswith("multipart/"):
        if depth >= MAX_DEPTH or budget.parts <= 0:
            budget.note("too deep" if depth >= MAX_DEPTH else "too many parts")
            return part
        _open(part, depth, budget)
    return part


def _open(part: Part, depth: int, budget: _Budget) -> None:
    boundary = part.headers.parameter("content-type", "boundary").rstrip()
    pieces = _split(part.body, boundary.encode("utf-8", "surrogateescape"), budget)
    if pieces is None:
        budget.note("a multipart without its boundary")
        found = _BOUNDARY_LINE.search(part.body[:65536])
        pieces = _split(part.body, found[1], budget) if found else None
    if pieces is None:
        return
    part.preamble = pieces[0]
    default = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
    for piece in pieces[1:]:
        if budget.parts <= 0:
            budget.note("too many parts")
            return
        part.children.append(_read(piece, default, depth + 1, budget))


def _split(body: bytes, boundary: bytes, budget: _Budget) -> list[bytes] | None:
    """The preamble and the parts between boundary lines (RFC 2046 section 5.1.1)."""
    if not boundary:
        return None
    mark = b"--" + boundary
    pieces: list[bytes] = []
    at = start = 0
    while len(pieces) <= MAX_PARTS + 1:
        found = body.find(mark, at)
        if found < 0:
            budget.note("a multipart that does not end")
            break
        end = found + len(mark)
        line_end = body.find(b"\n", end)
        line_end = len(body) if line_end < 0 else line_end + 1
        rest = body[end : min(line_end, end + 200)].strip()
        if (found > 0 and body[found - 1 : found] not in (b"\n", b"\r")) or rest not in (
            b"",
            b"--",
        ):
            at = end
            continue
        pieces.append(_without_line_end(body[start:found]))
        at = start = line_end
        if rest == b"--":
            return pieces
    if pieces:
        pieces.append(body[start:])
    return pieces or None


def _without_line_end(piece: bytes) -> bytes:
    return (
        piece[:-2]
        if piece.endswith(b"\r\n")
        else piece[:-1]
        if piece.endswith((b"\n", b"\r"))
        else piece
    )
