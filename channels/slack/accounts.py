"""Slack accounts: an inbox's settings with its secrets, which stand in the environment or files.

No secret of Slack is in the database: workers, which hold the key of sealed columns, must not
be able to read one. An inbox's settings only say where each secret is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.conversations import STAFF_CHANNEL
from bot.tables import Inbox

SETTING = "slack"
API = "https://slack.com/api/"
READ_AGAIN_SECONDS = 10.0
# `up` hides variables of this name from workers, so no secret may stand in another one.
VARIABLE_PREFIX = "SLACK_"


class SecretError(Exception):
    """A secret is not where the settings say; the message names the place, never the secret."""


class SlackSettings(BaseModel):
    """`settings["slack"]` of an inbox. Secrets are references: `env:NAME` or `file:PATH`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    team_id: str | None = None
    enterprise_id: str | None = None
    app_id: str | None = None
    bot_user_id: str | None = None
    bot_id: str | None = None
    bot_token: str | None = "env:SLACK_BOT_TOKEN"  # noqa: S105 - where it is, not what
    signing_secret: str | None = "env:SLACK_SIGNING_SECRET"  # noqa: S105
    webhook_url: str | None = "env:SLACK_WEBHOOK_URL"
    api_base_url: str = API


@dataclass(frozen=True, slots=True)
class Account:
    """One installation of the app in a workspace (or a whole Enterprise organization)."""

    inbox_id: UUID
    name: str
    team_id: str | None
    enterprise_id: str | None
    app_id: str | None
    bot_user_id: str | None
    bot_id: str | None
    staff_channel: str | None
    bot_token: str | None
    signing_secret: str | None
    webhook_url: str | None
    api_base_url: str

    def __repr__(self) -> str:
        return f"Account({self.name!r})"  # a log or a traceback must not tell its secrets

    def is_installed_for(self, team_id: str | None, enterprise_id: str | None) -> bool:
        """Whether an event of this team, or of this organization, is this account's."""
        if self.team_id is not None:
            return team_id == self.team_id
        return enterprise_id is not None and enterprise_id == self.enterprise_id

    def is_trusted_host(self, url: str) -> bool:
        """Whether the bot token may be sent there: Slack's own hosts, over TLS, and no others."""
        if "\\" in url or "@" in urlsplit(url).netloc:  # read as another host by other parsers
            return False
        parts, own = urlsplit(url), urlsplit(self.api_base_url)
        if self.api_base_url != API:
            return (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
        host = (parts.hostname or "").lower()
        is_slacks = host == "slack.com" or host.endswith((".slack.com", ".slack-gov.com"))
        return parts.scheme == "https" and is_slacks and parts.port in (None, 443)


class Accounts:
    """The Slack inboxes, read again every few seconds so that a new one needs no restart."""

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], environ: Mapping[str, str]
    ) -> None:
        self._sessions = sessions
        self._environ = environ
        self._found: Sequence[Account] = ()
        self._until = 0.0

    async def all(self) -> Sequence[Account]:
        """All accounts. With the database away, those that were known; else its error."""
        if time.monotonic() < self._until:
            return self._found
        try:
            async with self._sessions() as session:
                self._found = await session.run_sync(read_accounts, self._environ)
        except SQLAlchemyError:
            if not self._found:
                raise
        self._until = time.monotonic() + READ_AGAIN_SECONDS
        return self._found

    async def of_inbox(self, inbox_id: UUID) -> Account | None:
        """The account of an inbox; before there is said to be none, all are read again.

        Another process may have known a new inbox, and taken its first message, before this one.
        """
        known = await self._known(inbox_id)
        if known is None:
            self.forget()
            known = await self._known(inbox_id)
        return known

    async def _known(self, inbox_id: UUID) -> Account | None:
        return next((one for one in await self.all() if one.inbox_id == inbox_id), None)

    def forget(self) -> None:
        """Read all again with the next question."""
        self._until = 0.0


def read_accounts(session: Session, environ: Mapping[str, str]) -> list[Account]:
    """Every Slack inbox, with the secrets that can be read now."""
    query = select(Inbox).where(Inbox.channel == "slack").order_by(Inbox.name)
    return [account_of(inbox, environ) for inbox in session.scalars(query)]


def account_of(inbox: Inbox, environ: Mapping[str, str]) -> Account:
    """An inbox's account; a secret that is not there is None, and doctor says so."""
    settings = SlackSettings.model_validate(inbox.settings.get(SETTING, {}))
    staff_channel: Any = inbox.settings.get(STAFF_CHANNEL)
    return Account(
        inbox_id=inbox.id,
        name=inbox.name,
        team_id=settings.team_id,
        enterprise_id=settings.enterprise_id,
        app_id=settings.app_id,
        bot_user_id=settings.bot_user_id,
        bot_id=settings.bot_id,
        staff_channel=str(staff_channel) if staff_channel else None,
        bot_token=_read_or_none(settings.bot_token, environ),
        signing_secret=_read_or_none(settings.signing_secret, environ),
        webhook_url=_read_or_none(settings.webhook_url, environ),
        api_base_url=settings.api_base_url,
    )


def read_secret(reference: str, environ: Mapping[str, str]) -> str:
    """The secret that a reference names. Raises SecretError."""
    kind, _, place = reference.partition(":")
    if kind == "env":
        if not place.startswith(VARIABLE_PREFIX):
            raise SecretError(f"the variable {place} does not begin with {VARIABLE_PREFIX}")
        if value := environ.get(place, "").strip():
            return value
        path = environ.get(f"{place}_FILE", "").strip()
        if not path:
            raise SecretError(f"neither {place} nor {place}_FILE is set")
        place = path
    elif kind != "file":
        raise SecretError("a secret is named as env:NAME or file:PATH")
    try:
        value = Path(place).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"{place} cannot be read ({type(error).__name__})") from error
    if not value:
        raise SecretError(f"{place} is empty")
    return value


def _read_or_none(reference: str | None, environ: Mapping[str, str]) -> str | None:
    if reference is None:
        return None
    try:
        return read_secret(reference, environ)
    except SecretError:
        return None
