"""Passwords of the staff: argon2id (RFC 9106), and what makes one good enough."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_CHARS, MAX_CHARS = 12, 200
# RFC 9106's second recommended option: 64 MiB, three passes; about 50 ms on one core.
_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
# So many at once: a flood of tries costs waiting, not memory.
_AT_ONCE = 2
# What people choose when twelve characters are asked for; compared without digits and signs.
# fmt: off
_WELL_KNOWN = frozenset((
    "password", "passwort", "mypassword", "thepassword", "administrator", "frontdesk",
    "qwertyuiop", "qwertzuiop", "letmein", "letmeinplease", "changeme", "changemenow", "welcome",
    "iloveyou", "trustno", "abcdefgh", "abcdefghijkl", "secret", "correcthorsebatterystaple",
    "motdepasse", "contraseña", "supersecret", "topsecret", "customerservice", "support",
    "helpdesk",
))
# fmt: on


class WeakPassword(ValueError):
    """The password will not do; the message says why."""


def check_strength(password: str, email: str, name: str) -> None:
    """Raises WeakPassword. Length and not being a well-known one is all that is asked for."""
    if len(password) < MIN_CHARS:
        raise WeakPassword(f"A password has at least {MIN_CHARS} characters; four words do well.")
    if len(password) > MAX_CHARS:
        raise WeakPassword(f"A password has at most {MAX_CHARS} characters.")
    plain = password.casefold()
    letters = "".join(character for character in plain if character.isalpha())
    known = {email.casefold(), email.casefold().partition("@")[0], name.casefold(), *_WELL_KNOWN}
    if len(set(plain)) < 5 or letters in known or plain in known:
        raise WeakPassword("That password is easily guessed; four unrelated words do well.")


class Passwords:
    """Hashes and compares, a few at a time, off the event loop."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """The argon2id hash, with its parameters and a salt of its own."""
        async with self._turns:
            return await asyncio.to_thread(_HASHER.hash, password)

    async def is_right(self, stored: str | None, password: str) -> bool:
        """As slow where nothing is stored, so that the time tells nobody who has an account."""
        async with self._turns:
            matches = await asyncio.to_thread(_matches, stored or _nobodys(), password)
        return matches and stored is not None


def _matches(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _HASHER.hash("nobody's")
