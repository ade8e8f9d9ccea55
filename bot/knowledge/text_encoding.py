"""Bytes to text where nobody says which encoding they are in."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_HAN = re.compile(r"[\u3000-\u303f\u3040-\u30ff\u4e00-\u9fff\uff00-\uffef]")
_HIGH = re.compile(r"[^\x00-\x7f]")
# What a text may hold of control characters before it counts as binary.
MAX_CONTROL_SHARE = 0.01
MIN_HAN_SHARE = 0.8


class NotText(ValueError):
    """The bytes are no text in any encoding that we know."""


def decode(raw: bytes) -> str:
    """The text of a file: by its mark, else UTF-8, GB 18030 or Windows-1252. Raises NotText."""
    for encoding in _encodings(raw):
        try:
            text = raw.decode(encoding)
        except (UnicodeDecodeError, ValueError):
            continue
        if encoding == "gb18030" and not _is_han(text):
            continue
        if len(_CONTROL.findall(text)) > MAX_CONTROL_SHARE * len(text):
            raise NotText("it holds binary data")
        return _CONTROL.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    raise NotText("it holds binary data, or text in an unknown encoding")


def _encodings(raw: bytes) -> tuple[str, ...]:
    marked = tuple(encoding for mark, encoding in _MARKS if raw.startswith(mark))
    return marked or ("utf-8", "gb18030", "cp1252")


def _is_han(text: str) -> bool:
    """Western bytes also decode as GB 18030, but hardly ever to common characters only."""
    high = len(_HIGH.findall(text))
    return high > 0 and len(_HAN.findall(text)) >= MIN_HAN_SHARE * high
