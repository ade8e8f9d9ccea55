"""`frontdesk inboxes`: how each inbox behaves."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.commands.failures import UsageError
from bot.commands.sessions import open_sessions
from bot.hours import HoursError, parse_holiday
from bot.hours_told import tell_opening
from bot.instance import find_settings
from bot.policy import (
    ANSWER_AT,
    MODES,
    BudgetSetting,
    HolidaySetting,
    PolicySetting,
    make_policy,
    setting_of,
    with_policy,
)
from bot.privacy.audit import TERMINAL, note
from bot.tables import Inbox, now

NEEDED = ("database_url", "master_key")
PLAIN = (
    "mode",
    "answer_at",
    "acknowledgement",
    "hours",
    "zone",
    "remind_after_minutes",
    "tell_after_minutes",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")
    actions.add_parser("list", help="all inboxes (also without an action)")
    change = actions.add_parser("set", help="change how an inbox behaves; what is not named stays")
    change.add_argument("name", help="the inbox, or: all")
    change.add_argument("--mode", choices=MODES, help="who answers: the bot, a person, nobody yet")
    change.add_argument(
        "--answer-at",
        type=float,
        metavar="P",
        help=f"how sure the bot must be, a probability of .3 to .95; {ANSWER_AT} if not set",
    )
    change.add_argument("--acknowledgement", help="the words of the mode acknowledge; '' for ours")
    change.add_argument(
        "--hours", help="such as 'mon-fri 09:00-17:00, sat 10:00-14:00'; '': always"
    )
    change.add_argument("--zone", help="the clock of the hours, such as Europe/Berlin")
    change.add_argument(
        "--holiday", action="append", metavar="'DATE WORDS'", help="a day off; may be repeated"
    )
    change.add_argument("--no-holidays", action="store_true", help="forget the holidays first")
    for name, told in (("remind", "the staff is reminded"), ("tell", "the customer is told")):
        change.add_argument(
            f"--{name}-after-minutes",
            type=int,
            metavar="N",
            help=f"{told} of what nobody answers for so long; 0: never",
        )
    for name, field in BudgetSetting.model_fields.items():
        flag = f"--budget-{name.replace('_', '-')}"
        change.add_argument(flag, type=int, metavar="N", help=f"{field.default} if not set")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    with open_sessions(find_settings(environ, NEEDED)) as sessions, sessions.begin() as session:
        if arguments.action == "set":
            for inbox in _chosen(session, arguments.name):
                _change(session, inbox, arguments)
        for inbox in session.scalars(select(Inbox).order_by(Inbox.name)):
            print(_line(inbox))
    return 0


def _chosen(session: Session, name: str) -> list[Inbox]:
    query = select(Inbox).order_by(Inbox.name)
    found = list(session.scalars(query if name == "all" else query.where(Inbox.name == name)))
    if not found:
        raise UsageError(f"There is no inbox {name!r}; `./frontdesk inboxes` lists them.")
    return found


def _change(session: Session, inbox: Inbox, arguments: argparse.Namespace) -> None:
    stored = setting_of(inbox.settings)
    changes: dict[str, Any] = {
        name: getattr(arguments, name) for name in PLAIN if getattr(arguments, name) is not None
    }
    changes["holidays"] = _holidays(stored, arguments)
    changes["budgets"] = _budgets(stored, arguments)
    try:
        setting = PolicySetting.model_validate({**stored.model_dump(), **changes})
    except ValidationError as error:
        raise UsageError(str(error.errors(include_url=False)[0]["msg"])) from error
    make_policy(setting, inbox.channel)
    inbox.settings = with_policy(inbox.settings, setting)
    changed = sorted(name for name in changes if getattr(setting, name) != getattr(stored, name))
    note(
        session, TERMINAL, "inbox.policy", str(inbox.id), {"changed": changed, "mode": setting.mode}
    )


def _holidays(stored: PolicySetting, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    days = {} if arguments.no_holidays else {each.day: each for each in stored.holidays}
    try:
        for text in arguments.holiday or ():
            holiday = parse_holiday(text)
            days[holiday.day] = HolidaySetting(day=holiday.day, text=holiday.text)
    except HoursError as error:
        raise UsageError(str(error)) from error
    return [days[day].model_dump() for day in sorted(days)]


def _budgets(stored: PolicySetting, arguments: argparse.Namespace) -> dict[str, Any] | None:
    asked = {name: getattr(arguments, f"budget_{name}") for name in BudgetSetting.model_fields}
    changed = {name: value for name, value in asked.items() if value is not None}
    if not changed:
        return stored.budgets.model_dump() if stored.budgets else None
    return {**(stored.budgets or BudgetSetting()).model_dump(), **changed}


def _line(inbox: Inbox) -> str:
    setting = setting_of(inbox.settings)
    policy = make_policy(setting, inbox.channel)
    parts = [inbox.name, inbox.channel, policy.mode]
    if policy.hours is not None:
        opening = policy.opening_after(now())
        state = "open now" if opening is None else tell_opening(opening, "en")
        parts.append(f"{setting.hours} {setting.zone} ({state})")
    return "  ".join(parts)
