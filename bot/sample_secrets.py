"""Secrets that stand in examples are no secrets: nothing starts with one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from itertools import pairwise
from urllib.parse import unquote, urlsplit

# What documentation, compose files and templates put where a secret belongs.
# fmt: off
_SAMPLES = frozenset((
    "admin", "changeit", "changeme", "changethis", "default", "demo", "dummy", "example", "foobar",
    "frontdesk", "letmein", "mypassword", "mysecret", "pass", "passwd", "password", "placeholder",
    "postgres", "postgresql", "qwerty", "redacted", "replaceme", "root", "sample", "secret",
    "secretkey", "supersecret", "test", "testing", "todo", "topsecret", "verysecret", "xxx",
    "yourpassword", "yoursecret", "yourtoken",
))
# fmt: on


def find_sample(values: Mapping[str, str | None]) -> str | None:
    """The name of the first setting whose secret is a sample; None where none is.

    Of a URL it is the password that is looked at. A URL without one is not judged: sockets and
    private networks need none.
    """
    for name, value in values.items():
        secret = _password_of(value) if value and "://" in value else value
        if secret and is_sample(secret):
            return name
    return None


def is_sample(secret: str) -> bool:
    """True for words of examples, one repeated character, and counted-up bytes."""
    plain = "".join(character for character in secret.casefold() if character.isalnum())
    letters = plain.strip("0123456789")
    return letters in _SAMPLES or len(set(plain)) < 3 or _counts_up(secret)


def _password_of(url: str) -> str | None:
    try:
        return unquote(urlsplit(url).password or "") or None
    except ValueError:
        return None


def _counts_up(secret: str) -> bool:
    """Keys such as the bytes 0 to 31, which pass for random where only variety is looked at."""
    padded = secret.strip() + "=" * (-len(secret.strip()) % 4)
    try:
        found = base64.urlsafe_b64decode(padded)
    except (binascii.Error, ValueError):
        return False
    steps = {(after - before) % 256 for before, after in pairwise(found)}
    return len(found) >= 16 and len(steps) == 1
