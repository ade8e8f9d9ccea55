"""What an event of Slack's means for the desk: something that was heard, or why it was not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from bot.messages import MAX_TEXT_CHARS, IncomingMessage
from channels.slack.accounts import Account
from channels.slack.mrkdwn import decode
from channels.slack.payloads import Envelope, File, MessageEvent

How = Literal["direct", "mention", "overheard"]
# What people write has no subtype, or one of these (Slack, "message event").
PEOPLES_SUBTYPES = frozenset({"file_share", "thread_broadcast", "me_message"})
SLACKBOT = "USLACKBOT"
MAX_FILES = 10


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of a person. `overheard` is what was said in a channel but not to the bot."""

    how: How
    channel: str
    ts: str
    root: str | None
    user: str
    is_stranger: bool
    words: str
    files: tuple[File, ...]

    @property
    def text(self) -> str:
        """What was written, or where nothing was, what the files are called."""
        return self.words or " ".join(f"[{one.name or 'file'}]" for one in self.files)

    @property
    def place(self) -> str:
        """The conversation it belongs to: a person's direct messages, or a channel's thread."""
        return self.channel if self.how == "direct" else f"{self.channel}/{self.root or self.ts}"

    @property
    def external_id(self) -> str:
        """The same for an `app_mention`, its `message` and every redelivery of both."""
        threaded = self.root is not None and self.root != self.ts
        return f"{self.channel}/{self.ts}" + (f"/{self.root}" if threaded else "")


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that is none of the desk's business, on purpose."""

    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands, or is to go; Slack's `ts` names messages within a channel."""

    channel: str
    thread_ts: str | None = None

    @classmethod
    def parse(cls, text: str) -> Place:
        """From `channel` or `channel/thread_ts`."""
        channel, _, thread_ts = text.partition("/")
        return cls(channel, thread_ts or None)


def hear(event: MessageEvent | None, account: Account) -> Heard | Ignored:
    """What was said, by whom and how; or why it is ignored."""
    if event is None or event.type not in ("message", "app_mention"):
        return Ignored("not a message")
    if event.subtype is not None and event.subtype not in PEOPLES_SUBTYPES:
        return Ignored(f"subtype {event.subtype}")
    if event.hidden:
        return Ignored("hidden")
    if event.bot_id or event.user in (SLACKBOT, account.bot_user_id):
        return Ignored("a bot's")
    if not event.user or not event.channel or not event.ts:
        return Ignored("incomplete")
    text = decode(event.text or "", account.bot_user_id)
    if not text and not event.files:
        return Ignored("empty")
    return Heard(
        how=_how(event, account),
        channel=event.channel,
        ts=event.ts,
        root=event.thread_ts,
        user=event.user,
        is_stranger=_is_stranger(event, account),
        words=text,
        files=event.files[:MAX_FILES],
    )


def parse(account: Account, heard: Heard) -> Iterator[IncomingMessage]:
    """What a customer said, as every channel hands it on; what is too long for one, in parts."""
    for number, start in enumerate(range(0, len(heard.text), MAX_TEXT_CHARS)):
        yield IncomingMessage(
            inbox_id=account.inbox_id,
            channel="slack",
            external_id=heard.external_id + (f"#{number}" if number else ""),
            thread=heard.place,
            contact=heard.user,
            text=heard.text[start : start + MAX_TEXT_CHARS],
            sent_at=time_of(heard.ts),
        )


def find_account(envelope: Envelope, accounts: Sequence[Account]) -> Account | None:
    """Whose event this is. A shared channel's event names the sender's team, too: so first the
    installations that Slack says it is for, then the teams."""
    teams = [(one.team_id, one.enterprise_id) for one in envelope.authorizations]
    teams += [
        (envelope.context_team_id, envelope.enterprise_id),
        (envelope.team_id, envelope.enterprise_id),
    ]
    for team_id, enterprise_id in teams:
        for account in accounts:
            is_of_app = account.app_id in (None, envelope.api_app_id)
            if is_of_app and account.is_installed_for(team_id, enterprise_id):
                return account
    return None


def time_of(ts: str) -> datetime:
    """When a message was sent; a `ts` is Unix seconds with a counter behind the point."""
    try:
        return datetime.fromtimestamp(float(ts), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.now(UTC)


def _how(event: MessageEvent, account: Account) -> How:
    if event.channel_type == "im" or event.channel.startswith("D"):
        return "direct"
    is_named = account.bot_user_id is not None and f"<@{account.bot_user_id}" in (event.text or "")
    return "mention" if event.type == "app_mention" or is_named else "overheard"


def _is_stranger(event: MessageEvent, account: Account) -> bool:
    """Someone of another organization, in a channel that is shared with it (Slack Connect)."""
    home = (account.team_id, account.enterprise_id)
    return event.user_team is not None and event.user_team not in home
