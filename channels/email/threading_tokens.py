"""Signed names of conversations, carried out in Message-IDs and plus-addresses and back in replies.

A thread token is 80 bits in lower-case base32 (16 characters); its signature is HMAC-SHA-256 cut
to 80 bits, so that token and signature together fill 32 of the 64 characters that RFC 5321
section 4.5.3.1.1 gives a local part. All of it is read without regard to case, because mail
programs and servers change it. A guessed, quoted or altered token verifies as None.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from uuid import UUID

MAX_LOCAL_PART = 64
_TOKEN = "[a-z2-7]{16}"  # noqa: S105 - a pattern, not a secret
_MESSAGE_ID = re.compile(rf"fd\.({_TOKEN})\.([a-z2-7]{{1,32}})\.({_TOKEN})@[^\s<>@]+")
_PLUS_PART = re.compile(rf"[+=-]({_TOKEN})({_TOKEN})$")


class ThreadTokens:
    """Signs and verifies with one key; the key is secret and the same in every process."""

    def __init__(self, key: bytes) -> None:
        """Raises ValueError for a key of fewer than 16 bytes."""
        if len(key) < 16:
            raise ValueError("The key of thread tokens must have at least 16 bytes.")
        self._key = key

    def make_thread(self, seed: str) -> str:
        """The thread token of a new conversation; the same seed gives the same token.

        Seed it with the inbox and the first mail's external id: a redelivered mail then names
        the same thread, and nobody without the key can compute it.
        """
        return self._mac("thread", seed)

    def sign_message_id(self, thread: str, message: UUID, domain: str) -> str:
        """The Message-ID (RFC 5322 section 3.6.4, without brackets) of one of our messages.

        It is the same on every retry. Raises ValueError for a malformed token.
        """
        unique = _base32(message.bytes)
        signature = self._mac("message-id", _checked(thread), unique)
        return f"fd.{thread}.{unique}.{signature}@{domain}"

    def sign_root_id(self, thread: str, domain: str) -> str:
        """An id that stands for the whole conversation, to begin each References with.

        Relays such as SES and Exchange give our mails a Message-ID of their own; replies repeat
        our References (RFC 5322 section 3.6.4), so this id comes back all the same.
        """
        signature = self._mac("message-id", _checked(thread), "root")
        return f"fd.{thread}.root.{signature}@{domain}"

    def verify_message_id(self, message_id: str) -> str | None:
        """The thread token of a Message-ID that this key signed, else None."""
        found = _MESSAGE_ID.fullmatch(message_id.strip().strip("<>").lower())
        if found is None:
            return None
        thread, unique, signature = found.groups()
        expected = self._mac("message-id", thread, unique)
        return thread if hmac.compare_digest(signature, expected) else None

    def sign_plus_address(self, thread: str, address: str, separator: str = "+") -> str:
        """The address with the signed token before its @, for Reply-To.

        The plain address where the token would pass 64 characters; such conversations are
        found by the headers alone. Raises ValueError for a malformed token.
        """
        local, _, domain = address.rpartition("@")
        signed = f"{local}{separator}{_checked(thread)}{self._mac('plus', thread)}"
        return f"{signed}@{domain}" if len(signed) <= MAX_LOCAL_PART else address

    def verify_plus_address(self, address: str) -> str | None:
        """The thread token of an address that this key signed, else None."""
        local = address.strip().strip("<>").rpartition("@")[0].lower()
        found = _PLUS_PART.search(local)
        if found is None:
            return None
        thread, signature = found.groups()
        return thread if hmac.compare_digest(signature, self._mac("plus", thread)) else None

    def _mac(self, purpose: str, *parts: str) -> str:
        text = "\x00".join((f"frontdesk mail {purpose}", *parts))
        return _base32(hmac.digest(self._key, text.encode(), hashlib.sha256)[:10])


def without_token(address: str) -> str:
    """An address lower-cased and without what stands after a plus: who it belongs to."""
    local, at, domain = address.strip().lower().rpartition("@")
    return f"{local.partition('+')[0] or local}{at}{domain}"


def _checked(thread: str) -> str:
    if re.fullmatch(_TOKEN, thread) is None:
        raise ValueError("A thread token has 16 characters of lower-case base32.")
    return thread


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()
