"""What the pages of log-in and account send, and what they are told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from bot.tables import Role

Secret = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Email = Annotated[str, StringConstraints(max_length=300)]
Name = Annotated[str, StringConstraints(max_length=200)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Nothing(Model):
    """An empty object."""


class PasswordIn(Model):
    email: Email
    password: Secret


class CodeIn(Model):
    """`step` is what the log-in before it answered."""

    step: Secret
    code: Code


class LinkIn(Model):
    token: Secret


class AcceptIn(Model):
    """`name` and `email` count for the first admin, whose invitation names nobody."""

    token: Secret
    name: Name = ""
    email: Email = ""
    password: Secret


class LoggedIn(Model):
    """`code_needed` comes with the `step` that belongs to the code."""

    state: Literal["signed_in", "code_needed"]
    step: str | None = None


class InvitationOut(Model):
    name: str
    email: str
    role: Role
    expires_at: datetime
    is_first: bool


class Me(Model):
    """Who is signed in; `csrf` goes into X-Frontdesk-CSRF with every write."""

    agent_id: str
    name: str
    email: str
    role: Role
    csrf: str
    has_password: bool
    has_totp: bool
    recovery_codes_left: int


class SessionOut(Model):
    id: str
    browser: str
    address: str
    began_with: str
    created_at: datetime
    seen_at: datetime
    is_this: bool


class SessionsOut(Model):
    items: list[SessionOut]


class NewPasswordIn(Model):
    """`current` is asked for unless the log-in was a moment ago."""

    password: Secret
    current: str = ""


class ProofIn(Model):
    """Their password, unless the log-in was a moment ago."""

    current: Annotated[str, StringConstraints(max_length=300)] = ""


class ConfirmIn(Model):
    code: Code


class TotpSetup(Model):
    """The secret for the authenticator, also as a QR code: an SVG path on a square of `qr_size`."""

    secret: str
    uri: str
    qr_size: int
    qr_path: str


class RecoveryCodes(Model):
    codes: list[str]
