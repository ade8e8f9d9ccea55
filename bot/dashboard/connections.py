"""The port through which administration reaches channels; `bot.channel_setup` stands behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from bot.dashboard.admin_payloads import MailboxForm, MailboxShown
from bot.tables import Inbox

Level = Literal["ok", "warn", "fail"]


class ConnectionRefused(Exception):
    """A channel cannot be connected so; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One part of a connection that was tried, and what came of it."""

    part: str
    level: Level
    told: str


@dataclass(frozen=True, slots=True)
class Sender:
    """An e-mail inbox that mail to the staff can go out through."""

    inbox_id: UUID
    address: str


@dataclass(frozen=True, slots=True)
class Steps:
    """How an inbox that is connected in the terminal stands, and what to type there."""

    state: str
    commands: Sequence[str]
    guide: str


class Connections(Protocol):
    """What the channels can tell of an inbox, and do for it."""

    async def test(self, inbox_id: UUID) -> Sequence[Probe]:
        """Try every part of the inbox's connection; takes up to half a minute."""
        ...

    def problem(self, session: Session, inbox: Inbox) -> str | None:
        """What is known to be wrong with the connection, without trying it."""
        ...

    def steps(self, session: Session, inbox: Inbox) -> Steps | None:
        """For what the dashboard cannot connect by itself: Slack, and mail by OAuth2."""
        ...

    def sender(self, session: Session) -> Sender | None:
        """The oldest mailbox that can submit mail; None where there is none."""
        ...

    def show_widget(self, inbox: Inbox) -> dict[str, Any]:
        """The widget of a chat inbox, every setting of it."""
        ...

    def with_widget(self, inbox: Inbox, values: Mapping[str, Any]) -> dict[str, Any]:
        """The inbox's settings with this widget in them. Raises ConnectionRefused."""
        ...

    def show_mailbox(self, session: Session, inbox: Inbox) -> MailboxShown | None:
        """The mailbox of an e-mail inbox."""
        ...

    def save_mailbox(self, session: Session, name: str, form: MailboxForm, company: str) -> UUID:
        """Make or change the e-mail inbox of that name. Raises ConnectionRefused."""
        ...
