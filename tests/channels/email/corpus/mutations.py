"""Mails gone wrong on the way: bytes lost, doubled, changed, and markup where it should not be."""

from __future__ import annotations

import random

_MARKS = (
    *(b"\r\n", b"\r\n\r\n", b"=?", b'"', b"<", b"--", b"\x00", b";", b"\xff", b"base64"),
    *(b"multipart/mixed; boundary=", b"</div>", b"<blockquote>"),
)


def mutate(original: bytes, chance: random.Random) -> bytes:
    """The mail with up to forty small accidents."""
    raw = bytearray(original)
    for _ in range(chance.randint(1, 40)):
        raw = raw or bytearray(b"x")
        at, size = chance.randrange(len(raw)), chance.randint(0, 60)
        accident = chance.randrange(5)
        if accident == 0:
            raw[at : at + size] = chance.randbytes(size)
        elif accident == 1:
            del raw[at : at + size]
        elif accident == 2:
            raw[at:at] = raw[chance.randrange(len(raw)) :][:size]
        elif accident == 3:
            raw[at:at] = chance.choice(_MARKS) * chance.randint(1, 5)
        else:
            raw[at] = chance.randrange(256)
    return bytes(raw)
