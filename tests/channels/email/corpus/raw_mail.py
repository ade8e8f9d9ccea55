"""Raw mails, byte for byte as programs write them: headers, boundaries, encodings."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Sequence
from dataclasses import dataclass, field

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Labelled:
    """A mail and what a careful person says about it; `visible` is None where it is not judged."""

    name: str
    program: str
    raw: bytes
    automatic: bool
    visible: str | None = None
    bounce: tuple[str | None, str, str] | None = None
    set_aside: bool = False
    tags: tuple[str, ...] = field(default=())


def word(text: str, charset: str = "utf-8", form: str = "B") -> str:
    """An encoded word (RFC 2047), where the text is not ASCII."""
    if text.isascii():
        return text
    raw = text.encode(charset)
    if form == "B":
        return f"=?{charset}?B?{base64.b64encode(raw).decode()}?="
    quoted = "".join(chr(b) if chr(b).isalnum() and b < 128 else f"={b:02X}" for b in raw)
    return f"=?{charset}?Q?{quoted}?="


def encode(text: str, charset: str, transfer: str) -> bytes:
    raw = text.replace("\n", "\r\n").encode(charset, "xmlcharrefreplace")
    if transfer == "base64":
        return base64.encodebytes(raw).replace(b"\n", b"\r\n")
    if transfer == "quoted-printable":
        return quopri.encodestring(raw.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return raw


def part(
    media_type: str,
    text: str,
    charset: str = "utf-8",
    transfer: str = "quoted-printable",
    extra: str = "",
) -> bytes:
    """One text part with its header."""
    header = f"Content-Type: {media_type}; charset={charset}{extra}\r\nContent-Transfer-Encoding: {transfer}\r\n\r\n"
    return header.encode() + encode(text, charset, transfer)


def file_part(name: str, content: bytes, media_type: str, disposition: str = "attachment") -> bytes:
    header = (
        f'Content-Type: {media_type}; name="{name}"\r\nContent-Disposition: {disposition}; filename="{name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return header.encode() + base64.encodebytes(content).replace(b"\n", b"\r\n")


def multipart(kind: str, boundary: str, parts: Sequence[bytes], extra: str = "") -> bytes:
    """A multipart with its own Content-Type line, to be used as a part or as a whole body."""
    lines = [f'Content-Type: multipart/{kind}; boundary="{boundary}"{extra}\r\n\r\n'.encode()]
    lines += [f"--{boundary}\r\n".encode() + one + b"\r\n" for one in parts]
    lines.append(f"--{boundary}--\r\n".encode())
    return b"".join(lines)


def whole(fields: Fields, content: bytes) -> bytes:
    """A mail: its fields, then a part with the part's own header."""
    header = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return header.encode("utf-8") + b"MIME-Version: 1.0\r\n" + content


def plain(fields: Fields, text: str, charset: str = "utf-8", transfer: str = "8bit") -> bytes:
    """A mail of plain text."""
    return whole(fields, part("text/plain", text, charset, transfer))
