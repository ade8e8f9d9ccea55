"""How an inbox that is connected in the terminal stands, and the commands that connect it anew."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from urllib.parse import urlsplit

from bot.conversations import NOTICES_ONLY, SIMULATED, STAFF_CHANNEL
from bot.dashboard.connections import Steps
from bot.tables import Inbox
from channels.email.mailboxes import Mailbox
from channels.slack.accounts import SETTING, SlackSettings
from channels.slack.trying import missing_secrets

SLACK_GUIDE, MAIL_GUIDE = "docs/connecting-slack.md", "docs/connecting-email.md"
PROVIDERS = {"oauth2.googleapis.com": "gmail", "login.microsoftonline.com": "microsoft365"}


def slack_steps(inbox: Inbox, public_url: str) -> Steps:
    """A Slack inbox: its team, its staff's channel, and where its secrets are looked for."""
    settings = SlackSettings.model_validate(inbox.settings.get(SETTING, {}))
    channel = inbox.settings.get(STAFF_CHANNEL)
    name = quote(inbox.name)
    if channel == NOTICES_ONLY:
        state = f"Notices alone, by the incoming webhook of {settings.webhook_url}."
        commands = [f"./frontdesk slack connect {name} --notices-only"]
        return Steps(state, commands, SLACK_GUIDE)
    team = settings.team_id or settings.enterprise_id
    places = " and ".join(filter(None, (settings.bot_token, settings.signing_secret)))
    state = " ".join(
        [
            f"Installed in {team}." if team else "Not installed in a workspace yet.",
            f"Handoffs go to {channel}." if channel else "Handoffs go to no channel.",
            f"Secrets are read from {places}." if places else "No secret is named.",
        ]
    )
    commands = [
        f"./frontdesk slack manifest --url {quote(public_url)} > manifest.yaml",
        f"./frontdesk slack connect {name} --staff-channel {quote(str(channel or 'C0123456789'))}",
    ]
    return Steps(state, commands, SLACK_GUIDE)


def slack_problem(inbox: Inbox, environ: Mapping[str, str]) -> str | None:
    """What is known to be missing without asking Slack; a simulated inbox is closed on purpose."""
    if inbox.settings.get(SIMULATED):
        return None
    missing = missing_secrets(inbox, environ)
    return f"Slack cannot be reached: {missing[0]}" if missing else None


def mailbox_steps(name: str, mailbox: Mailbox | None) -> Steps | None:
    """A mailbox that logs in by OAuth2, or none yet; one with a password has its own form."""
    if mailbox is None:
        connect = f"./frontdesk mail connect {quote(name)} --address ADDRESS"
        commands = [connect, f"./frontdesk mail test {quote(name)}"]
        return Steps("No mailbox is connected yet.", commands, MAIL_GUIDE)
    login = mailbox.setting.login
    if login.kind != "oauth2":
        return None
    host = urlsplit(login.token_url or "").hostname or ""
    source = login.file or "a token sealed in the database"
    how = f"access tokens come from {host} by {source}" if host else f"access tokens from {source}"
    state = f"Logs in by OAuth2 as {login.user or mailbox.setting.address}; {how}."
    provider = f" --provider {PROVIDERS[host]}" if host in PROVIDERS else ""
    client = f" --client-id {quote(login.client_id)}" if login.client_id else ""
    url = f" --token-url {quote(login.token_url)}" if login.token_url else ""
    connect = (
        f"./frontdesk mail connect {quote(name)}{provider} "
        f"--address {quote(mailbox.setting.address)} --login oauth2{client}{url}"
    )
    return Steps(state, [connect, f"./frontdesk mail test {quote(name)}"], MAIL_GUIDE)
