"""What the pages of administration send, and what they are told."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from bot.dashboard.payloads import Email, Model, Name, SessionOut
from bot.messages import ChannelName
from bot.policy import PolicySetting
from bot.tables import Role

InboxName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
KeyName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9 ._-]{1,80}$", strip_whitespace=True)
]
Company = Annotated[str, StringConstraints(max_length=120, strip_whitespace=True)]
Security = Literal["tls", "starttls", "none"]


# -- staff -----------------------------------------------------------------------------------


class LetterOut(Model):
    """A link that was mailed. `error` is of the last try; `waiting` is tried again."""

    state: Literal["waiting", "sent", "failed"]
    error: str
    at: datetime


class MemberOut(Model):
    id: str
    agent_id: str
    name: str
    email: str
    role: Role
    has_password: bool
    has_totp: bool
    created_at: datetime
    is_me: bool
    letter: LetterOut | None


class InvitationRow(Model):
    id: str
    name: str
    email: str
    role: Role
    expires_at: datetime
    letter: LetterOut | None


class StaffOut(Model):
    """`others` are agents who answer in the terminal or in Slack and have no account.

    `mail_from` is the mailbox that links can be mailed from, where there is one.
    """

    members: list[MemberOut]
    invitations: list[InvitationRow]
    others: list[str]
    mail_from: str | None


class HandOverIn(Model):
    """How a link reaches its person: by mail, or by the hands of who asks for it."""

    by_mail: bool = False


class InviteIn(HandOverIn):
    name: Name
    email: Email
    role: Role


class RoleIn(Model):
    role: Role


class LinkOut(Model):
    """A link that is shown this once, to be handed to its person by a safe way.

    None where it is mailed: then nobody but its person sees it.
    """

    link: str | None
    minutes: int


class MemberSessions(Model):
    items: list[SessionOut]


# -- inboxes ---------------------------------------------------------------------------------


class MailServer(Model):
    host: Annotated[str, StringConstraints(max_length=255, strip_whitespace=True)]
    port: Annotated[int, Field(ge=1, le=65535)]
    security: Security = "tls"


class MailboxForm(Model):
    """A mailbox with a password. An empty one keeps the password it has."""

    address: Email
    display_name: Annotated[str, StringConstraints(max_length=120)] = ""
    folder: Annotated[str, StringConstraints(max_length=200)] = "INBOX"
    imap: MailServer | None = None
    smtp: MailServer | None = None
    login: Literal["password", "none"] = "password"
    user: Email = ""
    password: Annotated[str, StringConstraints(max_length=1000)] = ""
    plus_addressing: bool = False


class MailboxShown(Model):
    """A mailbox as it is set; never its password. OAuth2 is set up in the terminal."""

    address: str
    display_name: str
    folder: str
    imap: MailServer | None
    smtp: MailServer | None
    login: Literal["password", "oauth2", "none"]
    user: str
    has_file: bool
    plus_addressing: bool
    state: str


class InboxIn(Model):
    """A new inbox. Slack is connected in the terminal, for its secrets stand in files."""

    name: InboxName
    channel: Literal["chat", "email"]
    company: Company = ""
    collections: Annotated[list[str], Field(max_length=200, default_factory=list)]
    mailbox: MailboxForm | None = None


class InboxChange(Model):
    company: Company
    collections: Annotated[list[str], Field(max_length=200)]


class InboxRow(Model):
    id: str
    name: str
    channel: ChannelName
    company: str
    mode: str
    hours: str
    zone: str
    is_open: bool
    opens_at: datetime | None
    problem: str | None


class CollectionOut(Model):
    name: str
    articles: int
    is_given: bool


class StepsOut(Model):
    """How an inbox that is connected in the terminal stands, and what to type there."""

    state: str
    commands: list[str]
    guide: str


class WaitsOut(Model):
    """Minutes that are usual for the channel; 0 is never."""

    remind: int
    tell: int


class InboxOut(InboxRow):
    policy: PolicySetting
    usual_waits: WaitsOut
    collections: list[CollectionOut]
    mailbox: MailboxShown | None
    steps: StepsOut | None


class InboxesOut(Model):
    items: list[InboxRow]
    collections: list[str]


class WidgetOut(Model):
    """The widget's settings as the chat channel keeps them, and what to paste into a page."""

    inbox: str
    widget: dict[str, Any]
    snippet: str


class HoursIn(Model):
    """Hours that are about to be saved: what do they mean?"""

    hours: str
    zone: str
    holidays: list[date] = Field(default_factory=list)


class HoursOut(Model):
    is_open: bool
    opens_at: datetime | None
    problem: str | None


class ProbeOut(Model):
    part: str
    level: Literal["ok", "warn", "fail"]
    told: str


class ProbesOut(Model):
    items: list[ProbeOut]


# -- keys, log, failures ---------------------------------------------------------------------


class KeyRow(Model):
    name: str
    created_at: datetime
    is_own: bool


class KeysOut(Model):
    items: list[KeyRow]


class KeyIn(Model):
    name: KeyName


class KeyMade(Model):
    """The key, seen this once."""

    name: str
    token: str


class AuditRow(Model):
    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, Any]


class AuditPage(Model):
    items: list[AuditRow]
    next_before: int | None


class VerdictOut(Model):
    entries: int
    end: str
    problems: list[str]


class DeliveryRow(Model):
    id: str
    conversation: int
    inbox: str
    channel: str
    author: str
    attempts: int
    error: str
    created_at: datetime


class DeliveriesOut(Model):
    items: list[DeliveryRow]


class TaskRow(Model):
    """Work of ours that failed: an answer, an article's index, a file to fetch."""

    kind: Literal["answer", "article", "file"]
    id: str
    about: str
    conversation: int | None
    error: str
    at: datetime


class TasksOut(Model):
    items: list[TaskRow]
