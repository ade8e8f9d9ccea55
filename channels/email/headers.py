"""The header of a mail or a part: fields in order, unfolded, decoded, with their parameters."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from channels.email.charsets import decode_text

MAX_HEADER_BYTES = 512 * 1024
MAX_FIELDS = 1000
MAX_FIELD_CHARS = 64 * 1024
MAX_IDS = 200
_FIELD = re.compile(rb"([!-9;-~]{1,100})[ \t]*:[ \t]*(.*)", re.DOTALL)
_KNOWN = re.compile(
    rb"(?i)(?:content-[a-z-]+|mime-version|subject|from|to|cc|date|message-id|received|reply-to"
    rb"|return-path|in-reply-to|references|x-[a-z0-9-]+|dkim-signature|auto-submitted)[ \t]*:"
)
_WORD = re.compile(r"=\?([^\s?]{1,60})\?([bBqQ])\?(.{0,2000}?)\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)[ \t\r\n]+(=\?)")
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)")
_PARAMETER = re.compile(
    r';\s*([^\s=;*]{1,60})(\*\d{1,3})?(\*)?\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.DOTALL
)
_MESSAGE_ID = re.compile(r"<([^<>]{1,2000})>")
_BARE_ID = re.compile(r"[^\s<>,;\"()]{1,500}@[^\s<>,;\"()]{1,255}")


@dataclass(frozen=True, slots=True)
class Headers:
    """Fields as (lower-case name, unfolded value), in the order of the mail."""

    fields: tuple[tuple[str, str], ...]
    default_type: str = "text/plain"

    def all(self, name: str) -> list[str]:
        """The raw values of a field, first to last."""
        return [value for known, value in self.fields if known == name]

    def first(self, name: str) -> str:
        """The raw value of the first field of that name, or ""."""
        return next((value for known, value in self.fields if known == name), "")

    def text(self, name: str) -> str:
        """The first field of that name as people read it (RFC 2047 decoded)."""
        return decode_words(self.first(name))

    def has(self, name: str) -> bool:
        return any(known == name for known, _ in self.fields)

    @property
    def media_type(self) -> str:
        """type/subtype in lower case; the default where it is missing or no type at all."""
        value = _COMMENT.sub(" ", self.first("content-type")).partition(";")[0]
        value = "".join(value.split()).lower().strip("\"'")
        if value == "text":
            return "text/plain"
        return value if re.fullmatch(r"[\w.+-]+/[\w.+*-]+", value) else self.default_type

    @property
    def disposition(self) -> str:
        return self.first("content-disposition").partition(";")[0].strip().lower()

    def parameter(self, field: str, name: str) -> str:
        """A parameter's value by RFC 2231, else as mail programs wrongly write it; or ""."""
        return read_parameters(self.first(field)).get(name, "")


def read_headers(raw: bytes, default_type: str = "text/plain") -> tuple[Headers, int]:
    """The header at the start of some bytes, and where the body begins; never raises."""
    lines, start = _header_lines(raw)
    fields: list[tuple[str, str]] = []
    for line in lines[:MAX_FIELDS]:
        found = _FIELD.match(line)
        if found is not None:
            value = decode_text(found[2][:MAX_FIELD_CHARS])
            fields.append((found[1].decode("ascii").lower(), " ".join(value.splitlines()).strip()))
    return Headers(tuple(fields), default_type), start


def _header_lines(raw: bytes) -> tuple[list[bytes], int]:
    """Folded fields as one line each; a line that is no field ends the header."""
    position = 3 if raw.startswith(b"\xef\xbb\xbf") else 0
    folded: list[list[bytes]] = []
    limit = min(len(raw), MAX_HEADER_BYTES)
    begin = position
    if raw.startswith((b"From ", b">From "), position):
        position = _next_line(raw, position)
    while position < limit:
        end = _next_line(raw, position)
        line = raw[position:end]
        bare = line.rstrip(b"\r\n")
        if not bare.strip():
            if folded or not _KNOWN.match(raw, end):
                return _unfold(folded), (end if folded or not bare else begin)
        elif line[:1] in (b" ", b"\t") and folded:
            folded[-1].append(bare)
        elif _FIELD.match(bare) and b"\x00" not in bare[:100]:
            folded.append([bare])
        elif not folded or not _KNOWN.match(raw, end):
            # Text that never had a header, or one that ends without its empty line.
            return _unfold(folded), (position if folded else begin)
        position = end
    return _unfold(folded), min(position, len(raw))


def _unfold(folded: list[list[bytes]]) -> list[bytes]:
    return [b"\n".join(lines)[:MAX_FIELD_CHARS] for lines in folded]


def _next_line(raw: bytes, position: int) -> int:
    end = raw.find(b"\n", position)
    if end < 0 and b"\r" in raw[position : position + 1000]:
        end = raw.find(b"\r", position)
    return len(raw) if end < 0 else end + 1


def decode_words(value: str) -> str:
    """A value with its encoded words decoded (RFC 2047); what is broken stays as it is.

    Neighbouring words of one charset are joined before decoding, since QQ Mail, Foxmail and
    others cut a character in two.
    """
    if "=?" not in value:
        return value
    value = _BETWEEN_WORDS.sub(r"\1\2", value[:MAX_FIELD_CHARS])
    shown: list[str] = []
    pending: list[bytes] = []
    charset = ""
    position = 0
    for word in _WORD.finditer(value):
        if word.start() != position or word[1].lower() != charset.lower():
            shown.append(decode_text(b"".join(pending), charset))
            pending = []
        shown.append(value[position : word.start()])
        charset = word[1]
        pending.append(_word_bytes(word[2], word[3]))
        position = word.end()
    shown += [decode_text(b"".join(pending), charset), value[position:]]
    return "".join(shown)


def _word_bytes(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(raw.replace(b" ", b"_"), header=True)
    digits = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    digits = digits[:-1] if len(digits) % 4 == 1 else digits
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def read_parameters(value: str) -> dict[str, str]:
    """The parameters of a field, RFC 2231 continuations joined and charsets decoded."""
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for name, number, extended, raw in _PARAMETER.findall(";" + value[:8192].partition(";")[2])[
        :200
    ]:
        text = raw.strip()
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = (
                re.sub(r"\\(.)", r"\1", text[1:-1])
                if '\\"' in text or "\\\\" in text
                else text[1:-1]
            )
        index = int(number[1:]) if number else -1
        pieces.setdefault(name.lower(), []).append((index, bool(extended), text))
    return {name: _join(found) for name, found in pieces.items()}


def _join(pieces: list[tuple[int, bool, str]]) -> str:
    pieces = sorted(pieces, key=lambda piece: piece[0])
    # A plain copy beside an extended one is for old readers: the extended one says more.
    extended_alone = [piece for piece in pieces if piece[0] < 0 and piece[1]]
    if extended_alone:
        pieces = extended_alone[:1]
    elif any(index >= 0 for index, _, _ in pieces):
        pieces = [piece for piece in pieces if piece[0] >= 0]
    else:
        pieces = pieces[:1]
    if not any(extended for _, extended, _ in pieces):
        return decode_words("".join(text for _, _, text in pieces)).strip()
    charset = ""
    raw = b""
    for number, (_, extended, text) in enumerate(pieces):
        if number == 0 and extended and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        raw += unquote_to_bytes(text) if extended else text.encode()
    return decode_text(raw, charset or None).strip()


def read_ids(value: str) -> tuple[str, ...]:
    """The message ids of a field, without brackets; folding inside an id is undone."""
    value = value[:16384]
    found = _MESSAGE_ID.findall(value)[:MAX_IDS] or _BARE_ID.findall(value)[:MAX_IDS]
    ids = ("".join(text.split()) for text in found)
    return tuple(dict.fromkeys(text for text in ids if text))


def read_date(value: str) -> datetime | None:
    """A Date in UTC; None for what is no date (RFC 5322 section 3.3)."""
    try:
        parsed = parsedate_to_datetime(value[:200])
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
