"""Identity of a signed-in customer: the shop's server signs it, and anything else fails closed.

The shop computes HMAC-SHA-256 with its inbox's secret over `id`, `name` and `expires` (Unix
seconds), joined by line breaks, and gives the hexadecimal signature to its page.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from uuid import UUID

from sqlalchemy.orm import Session

from bot.sealing import SYSTEM_SCOPE, keyring_of
from bot.tables import Inbox
from channels.chat.payloads import SignedIdentity
from channels.chat.visitor import Customer

SETTING = "chat_identity_secret"
MAX_VALID_SECONDS = 24 * 3600


class IdentityRefused(Exception):
    """The identity is not proven; the message says why."""


def sign(secret: str, identity: str, name: str, expires: int) -> str:
    """What the shop's server computes: a hexadecimal HMAC-SHA-256."""
    signed = f"{identity}\n{name}\n{expires}".encode()
    return hmac.digest(secret.encode(), signed, "sha256").hex()


def verify(secret: str | None, claimed: SignedIdentity, current_time: float) -> Customer:
    """The customer, if the shop signed for them just now. Raises IdentityRefused."""
    if not secret:
        raise IdentityRefused("This inbox has no secret for signed identities.")
    if not hmac.compare_digest(
        sign(secret, claimed.id, claimed.name, claimed.expires), claimed.signature
    ):
        raise IdentityRefused("The signature of the identity is wrong.")
    if not current_time < claimed.expires <= current_time + MAX_VALID_SECONDS:
        raise IdentityRefused("The signed identity has expired; load the page again.")
    return Customer(claimed.id, claimed.name)


def make_secret(session: Session, inbox_id: UUID) -> str:
    """Give the inbox a new secret, sealed in its settings; the old one stops to count."""
    inbox = session.get_one(Inbox, inbox_id)
    secret = secrets.token_urlsafe(32)
    sealed = keyring_of(session).seal(session, SYSTEM_SCOPE, _place(inbox_id), secret.encode())
    inbox.settings = {**inbox.settings, SETTING: base64.b64encode(sealed).decode()}
    session.flush()
    return secret


def secret_of(session: Session, inbox: Inbox) -> str | None:
    """The inbox's secret, or None where no customer can be signed for."""
    sealed = inbox.settings.get(SETTING)
    if not sealed:
        return None
    envelope = base64.b64decode(sealed)
    return keyring_of(session).open(session, _place(inbox.id), envelope).decode()


def _place(inbox_id: UUID) -> str:
    return f"inbox|{inbox_id}|{SETTING}"
