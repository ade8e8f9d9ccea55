"""The company's mailboxes: what an operator set, as it stands in an inbox's settings.

Secrets stand sealed in the settings, or in a file that is read at each use. No worker reads
either; a file need not even exist where workers run.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.conversations import keyed_hash
from bot.sealing import SYSTEM_SCOPE, keyring_of
from bot.tables import Inbox, new_id, now
from channels.email.mail import OwnMail
from channels.email.threading_tokens import ThreadTokens, without_token

SETTING, SECRET = "email", "email_secret"
Security = Literal["tls", "starttls", "none"]
LoginKind = Literal["password", "oauth2", "none"]

Address = Annotated[
    str,
    StringConstraints(pattern=r"^[^@\s<>,;:\"()\x00-\x1f]{1,64}@[^@\s<>,;:\"()\x00-\x1f]{1,255}$"),
]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_-]{1,255}$")]


class MailboxError(Exception):
    """A mailbox cannot be used as it is set; the message says what to change."""


class ServerSetting(BaseModel):
    """Where a mail server listens, and how the line to it is protected."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Host
    port: Annotated[int, Field(ge=1, le=65535)]
    security: Security = "tls"
    ca_file: str | None = None


class LoginSetting(BaseModel):
    """How Frontdesk logs in. `file` holds the secret where it is not sealed in the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: LoginKind = "password"
    user: Annotated[str, Field(max_length=320)] = ""
    file: str | None = None
    token_url: str | None = None
    client_id: str | None = None
    scope: str | None = None


class MailboxSetting(BaseModel):
    """One mailbox, as `inbox.settings` holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: Address
    aliases: list[Address] = []
    display_name: Annotated[str, Field(max_length=120)] = ""
    folder: Annotated[str, Field(max_length=200)] = "INBOX"
    imap: ServerSetting | None = None
    smtp: ServerSetting | None = None
    login: LoginSetting = LoginSetting(kind="none")
    plus_addressing: bool = False
    gateways: list[Address] = Field(
        default=[], description="Form mailers whose Reply-To names the customer."
    )
    list_unsubscribe: str = ""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What opens a mailbox: a password or access token, or a refresh token with its client's."""

    password: str = ""
    refresh_token: str = ""
    client_secret: str = ""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox and the inbox that it is the door of."""

    inbox_id: UUID
    inbox: str
    company: str
    setting: MailboxSetting
    secrets: Secrets

    @property
    def domain(self) -> str:
        return self.setting.address.rpartition("@")[2]

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.setting.address, *self.setting.aliases)

    @property
    def sender_name(self) -> str:
        return self.setting.display_name or self.company or self.inbox

    def owns(self, address: str) -> bool:
        """Whether mail to this address, with or without a plus part, belongs here."""
        return without_token(address) in {without_token(own) for own in self.addresses}


def load_mailboxes(session: Session) -> list[Mailbox]:
    """All mailboxes that are set up, by name. One that cannot be used is left out.

    `frontdesk doctor` and `mail list` say what is wrong with it.
    """
    found = []
    for inbox in session.scalars(_email_inboxes()):
        try:
            found.append(_mailbox(session, inbox))
        except MailboxError:
            continue
    return found


def find_mailbox(session: Session, inbox_id: UUID) -> Mailbox:
    """The mailbox of an inbox. Raises MailboxError."""
    return _mailbox(session, session.get_one(Inbox, inbox_id))


def find_mailbox_named(session: Session, name: str) -> Mailbox:
    """The mailbox of the inbox of that name. Raises MailboxError."""
    inbox = session.scalars(_email_inboxes().where(Inbox.name == name)).one_or_none()
    if inbox is None:
        names = ", ".join(inbox.name for inbox in session.scalars(_email_inboxes()))
        raise MailboxError(f"There is no mailbox {name!r}; there are: {names or 'none'}.")
    return _mailbox(session, inbox)


def broken_mailboxes(session: Session) -> list[tuple[str, str]]:
    """E-mail inboxes that cannot be used, with the reason."""
    broken = []
    for inbox in session.scalars(_email_inboxes()):
        try:
            _mailbox(session, inbox)
        except MailboxError as error:
            broken.append((inbox.name, str(error)))
    return broken


def connect_mailbox(
    session: Session, name: str, setting: MailboxSetting, secrets: Secrets | None, company: str = ""
) -> UUID:
    """Make or change the inbox of that name; without `secrets` those it had stay.

    Raises MailboxError where the inbox is another channel's, or an address another mailbox's.
    """
    check(setting)
    row = {"id": new_id(), "name": name, "channel": "email", "company": company, "settings": {}}
    session.execute(
        insert(Inbox)
        .values(**row, created_at=now())
        .on_conflict_do_nothing(index_elements=[Inbox.name])
    )
    inbox = session.scalars(select(Inbox).where(Inbox.name == name).with_for_update()).one()
    if inbox.channel != "email":
        raise MailboxError(f"The inbox {name!r} is a {inbox.channel} inbox: choose another name.")
    _refuse_taken(session, inbox.id, setting)
    inbox.company = company or inbox.company
    settings = {**inbox.settings, SETTING: setting.model_dump(mode="json", exclude_defaults=True)}
    if secrets is not None:
        settings[SECRET] = _sealed(session, inbox.id, secrets)
    inbox.settings = settings
    session.flush()
    return inbox.id


def check(setting: MailboxSetting) -> None:
    """Raises MailboxError for what would send a password in the clear."""
    for server in filter(None, (setting.imap, setting.smtp)):
        if server.security == "none" and setting.login.kind != "none" and not _is_here(server.host):
            raise MailboxError(
                f"{server.host} would be sent the password without TLS: use --security tls or "
                "starttls."
            )


def own_mail(session: Session, mailbox: Mailbox) -> OwnMail:
    """What reading a mail of this mailbox must know: its addresses and the key of its tokens."""
    return OwnMail(mailbox.addresses, thread_tokens(session))


def thread_tokens(session: Session) -> ThreadTokens:
    """Signs and verifies the names of conversations; the key is derived from the index key."""
    return ThreadTokens(keyed_hash(session, "mail-threads", "key"))


def _email_inboxes() -> Any:
    return select(Inbox).where(Inbox.channel == "email").order_by(Inbox.name)


def _mailbox(session: Session, inbox: Inbox) -> Mailbox:
    found = inbox.settings.get(SETTING)
    if inbox.channel != "email" or not found:
        raise MailboxError(f"{inbox.name} has no mailbox yet: `./frontdesk mail connect`.")
    try:
        setting = MailboxSetting.model_validate(found)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise MailboxError(f"{inbox.name}: {place}: {problem['msg']}") from error
    return Mailbox(inbox.id, inbox.name, inbox.company, setting, _secrets(session, inbox, setting))


def _secrets(session: Session, inbox: Inbox, setting: MailboxSetting) -> Secrets:
    stored = Secrets()
    sealed = inbox.settings.get(SECRET)
    if sealed:
        opened = keyring_of(session).open(session, _place(inbox.id), base64.b64decode(sealed))
        stored = Secrets(**json.loads(opened))
    return _with_file(stored, setting.login) if setting.login.file else stored


def _with_file(stored: Secrets, login: LoginSetting) -> Secrets:
    """With the password or token of a file, which other programs may renew."""
    try:
        text = Path(login.file or "").expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MailboxError(f"The secret's file cannot be read: {error}") from error
    if login.kind == "oauth2" and login.token_url:
        return replace(stored, refresh_token=text)
    return replace(stored, password=text)


def _sealed(session: Session, inbox_id: UUID, secrets: Secrets) -> str:
    text = json.dumps(
        {
            "password": secrets.password,
            "refresh_token": secrets.refresh_token,
            "client_secret": secrets.client_secret,
        }
    )
    sealed = keyring_of(session).seal(session, SYSTEM_SCOPE, _place(inbox_id), text.encode())
    return base64.b64encode(sealed).decode()


def _refuse_taken(session: Session, inbox_id: UUID, setting: MailboxSetting) -> None:
    wanted = {without_token(address) for address in (setting.address, *setting.aliases)}
    for other in session.scalars(_email_inboxes()):
        known = other.settings.get(SETTING) or {}
        taken: Sequence[str] = (known.get("address", ""), *known.get("aliases", ()))
        if other.id != inbox_id and wanted & {without_token(address) for address in taken}:
            raise MailboxError(f"An address of it belongs to the inbox {other.name!r} already.")


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _place(inbox_id: UUID) -> str:
    return f"inbox|{inbox_id}|{SECRET}"
