"""winmail.dat: what Outlook wraps a mail in for Exchange, unwrapped within bounds."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tnefparse import TNEF

from channels.email.charsets import decode_text

SIGNATURE = b"\x78\x9f\x3e\x22"
MAX_OBJECTS = 2000
_HEADER = struct.Struct("<BHHI")
# The attributes that carry text or files. Recipient tables and the rest are left out before the
# library sees them: it believes every length and count they name.
_WANTED = {0x800C, 0x800F, 0x8010, 0x9002, 0x9003, 0x9005, 0x9007}
_MAPI_PROPERTIES = 0x9003


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """The text, the HTML and the files (name, content) of a winmail.dat."""

    text: str
    html: str
    files: tuple[tuple[str, bytes], ...]


def read_tnef(raw: bytes) -> Unwrapped | None:
    """What a winmail.dat holds; None where it is none or is broken."""
    wanted = _keep_wanted(raw)
    if wanted is None:
        return None
    try:
        parsed = TNEF(wanted, do_checksum=False)
        files = tuple(
            (_as_text(one.long_filename()), one.data)
            for one in parsed.attachments
            if isinstance(one.data, bytes)
        )
        return Unwrapped(_as_text(parsed.body), _as_text(parsed.htmlbody), files)
    except (
        Exception
    ):  # the library raises whatever damaged bytes make of it; the mail stays readable
        return None


def _keep_wanted(raw: bytes) -> bytes | None:
    """The stream with the wanted attributes alone; None where it is no TNEF or has too many."""
    if not raw.startswith(SIGNATURE) or len(raw) < 6:
        return None
    kept = [raw[:6]]
    offset = 6
    for _ in range(MAX_OBJECTS):
        if offset + _HEADER.size > len(raw):
            return b"".join(kept)
        _, name, _, size = _HEADER.unpack_from(raw, offset)
        end = offset + _HEADER.size + size + 2
        if end > len(raw):
            return b"".join(kept)
        if name in _WANTED and not (name == _MAPI_PROPERTIES and size > 8 * 1024 * 1024):
            kept.append(raw[offset:end])
        offset = end
    return None


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return decode_text(value.rstrip(b"\x00"))
    return value.rstrip("\x00") if isinstance(value, str) else ""
