"""Tries a Slack account, as `doctor` and the dashboard do: its secrets, its token, its channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.channel import DeliveryError
from bot.conversations import NOTICES_ONLY
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
    settings = SlackSettings.model_validate(inbox.settings.get(SETTING, {}))
    account = account_of(inbox, environ)
    only_notices = account.staff_channel == NOTICES_ONLY
    wanted = (
        [settings.webhook_url] if only_notices else [settings.bot_token, settings.signing_secret]
    )
    for reference in wanted:
        try:
            read_secret(reference or "", environ)
        except SecretError as error:
            return Tried(problem=f"{reference}: {error}")
    if only_notices:
        return Tried("notices by an incoming webhook")
    api = WebApi()
    try:
        await api.call(account, "auth.test")
    except DeliveryError as error:
        return Tried(problem=str(error))
    warning = await staff_channel_problem(api, account, account.staff_channel)
    return Tried(f"team {account.team_id or account.enterprise_id}", warning=warning or "")


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
