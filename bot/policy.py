"""How an inbox behaves: its mode, hours, holidays and budgets, as `inbox.settings` holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.hours import Holiday, Hours, HoursError, Opening, next_opening, parse_hours
from bot.messages import ChannelName

Mode = Literal["answer", "draft", "acknowledge"]
MODES: tuple[Mode, ...] = ("answer", "draft", "acknowledge")
SETTING = "policy"

ANSWER_AT = 0.5
"""Sure enough to answer: what the bot says is calibrated; more likely right than wrong."""

Sureness = Annotated[float, Field(ge=0.3, le=0.95)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Minutes = Annotated[int, Field(ge=0, le=60 * 24 * 30)]


class PolicyError(ValueError):
    """The inbox's settings cannot be used; the message says which."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """How many automatic messages go out, at most (promise 10).

    `per_thread` counts since a person last wrote; the windows are (time, count).
    """

    per_thread: int
    per_sender: tuple[tuple[timedelta, int], ...]
    per_mailbox: tuple[tuple[timedelta, int], ...]


@dataclass(frozen=True, slots=True)
class Waits:
    """Minutes until the staff is reminded and until the customer is told; 0 is never."""

    remind: int
    tell: int


# Who chats waits before the screen; who wrote a mail does not, and is not mailed about waiting.
_USUAL_WAITS = Waits(remind=5, tell=15)
_USUAL_MAIL_WAITS = Waits(remind=240, tell=0)


@dataclass(frozen=True, slots=True)
class Policy:
    """The behaviour of an inbox. Without `hours` somebody is always there.

    The bot answers where the probability that the articles do is `answer_at` or more.
    When a person's conversation waits for `remind_after` the staff is reminded of it, after
    `tell_after` the customer is told that they wait; None is never.
    """

    mode: Mode = "answer"
    answer_at: float = ANSWER_AT
    acknowledgement: str = ""
    hours: Hours | None = None
    holidays: tuple[Holiday, ...] = ()
    budgets: Budgets | None = None
    remind_after: timedelta | None = None
    tell_after: timedelta | None = None

    def opening_after(self, now: datetime) -> Opening | None:
        """None while somebody is there, else when somebody will be."""
        return None if self.hours is None else next_opening(self.hours, self.holidays, now)


class HolidaySetting(BaseModel):
    """One holiday, as stored and as the API takes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: date
    text: Annotated[str, Field(max_length=1000)] = ""


class BudgetSetting(BaseModel):
    """Automatic messages at most; 0 means none at all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_thread: Count = 3
    per_sender_10_minutes: Count = 3
    per_sender_hour: Count = 5
    per_sender_day: Count = 20
    per_mailbox_hour: Count = 1000
    per_mailbox_day: Count = 10_000


class PolicySetting(BaseModel):
    """The policy as `inbox.settings` and the API hold it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = "answer"
    answer_at: Sureness = Field(
        default=ANSWER_AT, description="How sure the bot must be to answer, as a probability."
    )
    acknowledgement: Annotated[str, Field(max_length=4000)] = ""
    hours: Annotated[str, Field(max_length=1000)] = Field(
        default="", description="Such as `mon-fri 09:00-17:00, sat 10:00-14:00`; empty: always."
    )
    zone: Annotated[str, Field(max_length=100)] = "UTC"
    holidays: Annotated[list[HolidaySetting], Field(max_length=400)] = []
    budgets: BudgetSetting | None = None
    remind_after_minutes: Minutes | None = Field(
        default=None, description="0: never; null: what is usual for the channel."
    )
    tell_after_minutes: Minutes | None = Field(
        default=None, description="0: never; null: what is usual for the channel."
    )


def policy_of(settings: Mapping[str, Any], channel: ChannelName) -> Policy:
    """The policy of an inbox with these settings. Raises PolicyError."""
    return make_policy(setting_of(settings), channel)


def setting_of(settings: Mapping[str, Any]) -> PolicySetting:
    """The policy as it is stored. Raises PolicyError."""
    try:
        return PolicySetting.model_validate(settings.get(SETTING) or {})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise PolicyError(f"The inbox's policy is wrong at {place}: {problem['msg']}") from error


def answer_at_of(settings: Mapping[str, Any]) -> float:
    """How sure the bot must be here; as usual where the settings cannot be used."""
    try:
        return setting_of(settings).answer_at
    except PolicyError:
        return ANSWER_AT


def make_policy(setting: PolicySetting, channel: ChannelName) -> Policy:
    """The policy that a setting describes. Raises PolicyError."""
    try:
        hours = parse_hours(setting.hours, setting.zone) if setting.hours.strip() else None
    except HoursError as error:
        raise PolicyError(str(error)) from error
    return Policy(
        mode=setting.mode,
        answer_at=setting.answer_at,
        acknowledgement=setting.acknowledgement.strip(),
        hours=hours,
        holidays=tuple(Holiday(each.day, each.text.strip()) for each in setting.holidays),
        budgets=_budgets(setting.budgets, channel),
        remind_after=_span(setting.remind_after_minutes, usual_waits(channel).remind),
        tell_after=_span(setting.tell_after_minutes, usual_waits(channel).tell),
    )


def with_policy(settings: Mapping[str, Any], setting: PolicySetting) -> dict[str, Any]:
    """The inbox's settings with this policy in them."""
    return {**settings, SETTING: setting.model_dump(mode="json", exclude_defaults=True)}


def usual_waits(channel: ChannelName) -> Waits:
    """What holds where an inbox of this channel says nothing."""
    return _USUAL_MAIL_WAITS if channel == "email" else _USUAL_WAITS


def _span(minutes: int | None, usual: int) -> timedelta | None:
    chosen = usual if minutes is None else minutes
    return timedelta(minutes=chosen) if chosen else None


def _budgets(setting: BudgetSetting | None, channel: ChannelName) -> Budgets | None:
    # Only mail can loop with a machine that nobody sees; elsewhere budgets are for who sets them.
    if setting is None:
        if channel != "email":
            return None
        setting = BudgetSetting()
    return Budgets(
        per_thread=setting.per_thread,
        per_sender=(
            (timedelta(minutes=10), setting.per_sender_10_minutes),
            (timedelta(hours=1), setting.per_sender_hour),
            (timedelta(days=1), setting.per_sender_day),
        ),
        per_mailbox=(
            (timedelta(hours=1), setting.per_mailbox_hour),
            (timedelta(days=1), setting.per_mailbox_day),
        ),
    )
