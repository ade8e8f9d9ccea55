"""Addresses of a mail, read strictly: where a parser could be led to another one, there is none.

RFC 5322 section 3.4 allows comments, routes and quoted strings that parsers read differently;
`parseaddr` took "ada@shop.example)bea@evil.example" apart wrongly (CVE-2023-27043). A From decides
who a message belongs to, so a doubtful one belongs to nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from channels.email.headers import Headers, decode_words

MAX_ADDRESSES = 200
MAX_FIELDS = 20
MAX_CHARS = 16_384
_ADDRESS = re.compile(
    r"[^\s<>()\[\],;:@\"\\]{1,64}@(?:[^\s<>()\[\],;:@\"\\.]{1,63}\.)*[^\s<>()\[\],;:@\"\\.]{1,63}|"
    r"\"(?:[^\"\\\r\n]|"
    r"\\.){1,64}\"@(?:[^\s<>()\[\],;:@\"\\.]{1,63}\.)*[^\s<>()\[\],;:@\"\\.]{1,63}|"
    r"[^\s<>()\[\],;:@\"\\]{1,64}@\[[0-9a-fA-F.:IPv]{3,50}\]"
)
_LEXEME = re.compile(
    r'"(?:[^"\\]|\\.){0,300}"|\((?:[^()\\]|\\.)*\)|<[^<>]*>|[,;:]|[^",;:<(]+|.', re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: the address in lower case, and the name beside it."""

    address: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a mail is from. `doubt` says why there is no `address`, or what to look at."""

    address: str | None
    name: str | None
    doubt: str | None


def read_addresses(values: list[str]) -> tuple[Address, ...]:
    """The well-formed addresses of some fields; the malformed ones are left out."""
    found: list[Address] = []
    for value in values[:MAX_FIELDS]:
        for piece in _split(value[:MAX_CHARS]):
            if len(found) < MAX_ADDRESSES and (one := _read_one(piece)) is not None:
                found.append(one)
    return tuple(found)


def read_sender(headers: Headers) -> Sender:
    """The one author of a mail (RFC 5322 section 3.6.2), or the doubt about it."""
    values = headers.all("from")
    if not values:
        return Sender(None, None, "no From")
    pieces = [piece for value in values[:MAX_FIELDS] for piece in _split(value[:MAX_CHARS])]
    read = [_read_one(piece) for piece in pieces]
    known = [one for one in read if one is not None]
    if len(known) == 1 and not any("@" in text for piece in pieces[:-1] for text in piece):
        # `Doe, Ada <ada@...>`: a comma in a name without its quotes; there is but one address.
        before = [decode_words(_unquoted(text.strip())) for piece in pieces[:-1] for text in piece]
        full_name = ", ".join([*before, known[0].name or ""]).strip(", ")
        return Sender(known[0].address, full_name or None, None)
    if not known or len(known) < len(read):
        name = decode_words(" ".join(values))[:200].strip() or None
        return Sender(None, name, "the From is malformed")
    if len({one.address for one in known}) > 1:
        return Sender(None, None, "the From names several people")
    return Sender(known[0].address, known[0].name, None)


def _split(value: str) -> list[list[str]]:
    """The tokens of each mailbox of a field; groups (RFC 5322 section 3.4) are opened."""
    pieces: list[list[str]] = [[]]
    for text in _LEXEME.findall(value):
        if text in ",;":
            pieces.append([])
        elif text == ":":
            # "undisclosed-recipients:;" or "Team: ada@..., bea@...;": what stood before is a name.
            if any("@" in earlier for earlier in pieces[-1]):
                pieces[-1].append(text)
            else:
                pieces[-1] = []
        else:
            pieces[-1].append(text)
    return [piece for piece in pieces if any(text.strip() for text in piece)]


def _read_one(tokens: list[str]) -> Address | None:
    """One mailbox: `name <address>`, `address (name)` or `address`; None for anything else."""
    tokens = [text.strip() for text in tokens if text.strip()]
    angles = [text for text in tokens if text[0] == "<" and text[-1] == ">"]
    if (len(angles) == 1 and tokens[-1] == angles[0]) or _only_comments_after(tokens, angles):
        return _checked(angles[0][1:-1], [text for text in tokens if text is not angles[0]])
    if angles or any(text in "<>()" for text in tokens):
        return None
    words = [text for text in tokens if text[0] != "("]
    if any("@" in text for text in words):
        comments = [text for text in tokens if text[0] == "("]
        return _checked("".join(words), comments) if tokens[: len(words)] == words else None
    return None


def _only_comments_after(tokens: list[str], angles: list[str]) -> bool:
    if len(angles) != 1:
        return False
    return all(text[0] == "(" for text in tokens[tokens.index(angles[0]) + 1 :])


def _checked(address: str, name: list[str]) -> Address | None:
    address = address.strip()
    if address.startswith("@") and ":" in address:  # a route (RFC 5322 section 4.4), long dead
        return None
    if address.lower().startswith("mailto:"):
        address = address[7:]
    if _ADDRESS.fullmatch(address) is None or ".." in address:
        return None
    return Address(address.lower(), _name(name))


def _name(tokens: list[str]) -> str | None:
    text = " ".join(_unquoted(token) for token in tokens)
    return " ".join(decode_words(text).split())[:200] or None


def _unquoted(token: str) -> str:
    if len(token) > 1 and token[0] in '"(' and token[-1] in '")':
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    return token
