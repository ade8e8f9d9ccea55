"""Tries a Slack account, as `doctor` and the dashboard do: its secrets, its token, its channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.channel import DeliveryError
from bot.conversations import NOTICES_ONLY, STAFF_CHANNEL
from bot.tables import Inbox
from channels.slack.accounts import (
    SETTING,
    Account,
    SecretError,
    SlackSettings,
    account_of,
    read_secret,
)
from channels.slack.web_api import WebApi

INVITE = "invite the bot there: /invite @ its name"


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it: `problem` keeps it from working, `warning` from working well."""

    told: str = ""
    problem: str = ""
    warning: str = ""


async def try_account(inbox: Inbox, environ: Mapping[str, str]) -> Tried:
    """Are the secrets there, and does Slack take them?"""
    missing = missing_secrets(inbox, environ)
    if missing:
        return Tried(problem=missing[0])
    account = account_of(inbox, environ)
    if account.staff_channel == NOTICES_ONLY:
        return Tried("notices by an incoming webhook")
    api = WebApi()
    try:
        await api.call(account, "auth.test")
    except DeliveryError as error:
        return Tried(problem=str(error))
    warning = await staff_channel_problem(api, account, account.staff_channel)
    return Tried(f"team {account.team_id or account.enterprise_id}", warning=warning or "")


def missing_secrets(inbox: Inbox, environ: Mapping[str, str]) -> list[str]:
    """Which of the secrets that it needs are not where its settings say, and why."""
    settings = SlackSettings.model_validate(inbox.settings.get(SETTING, {}))
    wanted = [settings.bot_token, settings.signing_secret]
    if inbox.settings.get(STAFF_CHANNEL) == NOTICES_ONLY:
        wanted = [settings.webhook_url]
    missing = []
    for reference in wanted:
        try:
            read_secret(reference or "", environ)
        except SecretError as error:
            missing.append(f"{reference}: {error}")
    return missing


async def staff_channel_problem(api: WebApi, account: Account, channel: str | None) -> str | None:
    """Why handoffs cannot go to the staff's channel; None where they can."""
    if channel is None or channel == NOTICES_ONLY:
        return None
    try:
        told = await api.call(account, "conversations.info", channel=channel)
    except DeliveryError as error:
        return f"the staff's channel {channel} cannot be seen ({error}): {INVITE}"
    if not told["channel"].get("is_member"):
        return f"the bot is not in the staff's channel {channel}: {INVITE}"
    return None
