"""The operator's side of Slack: connect an inbox to a workspace, and see whether it is well."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from bot.channel import DeliveryError
from bot.conversations import NOTICES_ONLY, SIMULATED, STAFF_CHANNEL, STAFF_OF
from bot.database import keyring_of_settings, make_engine, make_sessions
from bot.doctor import Finding
from bot.privacy.audit import TERMINAL, note
from bot.settings import Settings, SettingsError
from bot.tables import Collection, Inbox, InboxCollection, new_id
from channels.slack.accounts import (
    API,
    SETTING,
    Account,
    SecretError,
    SlackSettings,
    account_of,
    read_secret,
)
from channels.slack.trying import staff_channel_problem, try_account
from channels.slack.web_api import WebApi


class SetupError(Exception):
    """Slack cannot be connected so; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How an inbox is to be connected. Secrets are references: `env:NAME` or `file:PATH`."""

    name: str
    bot_token: str | None
    signing_secret: str | None
    webhook_url: str | None
    staff_channel: str | None
    staff_of: Sequence[str] = ()
    company: str | None = None
    api_base_url: str = API


@dataclass(frozen=True, slots=True)
class Connected:
    """What came of it."""

    inbox: str
    team_id: str | None
    is_new: bool
    warnings: tuple[str, ...]


def connect(sessions: sessionmaker[Session], wish: Wish, environ: Mapping[str, str]) -> Connected:
    """Make or change the Slack inbox of that name, once Slack has said whose token it is.

    Raises SetupError.
    """
    _check_secrets(wish, environ)
    settings = SlackSettings(
        bot_token=wish.bot_token,
        signing_secret=wish.signing_secret,
        webhook_url=wish.webhook_url,
        api_base_url=wish.api_base_url,
    )
    warnings: list[str] = []
    if wish.bot_token is not None:
        settings, warnings = asyncio.run(_introduce(settings, wish, environ))
    with sessions.begin() as session:
        is_new = _save(session, wish, settings)
    return Connected(wish.name, settings.team_id, is_new, tuple(warnings))


def check_slack(settings: Settings, environ: Mapping[str, str]) -> Iterable[Finding]:
    """Each Slack inbox: are its secrets there, and does Slack take them? Doctor's check.

    A simulated inbox is closed on purpose.
    """
    if settings.database_url is None or not settings.master_key:
        return []
    engine = make_engine(settings.database_url, pool_size=1)
    try:
        sessions = make_sessions(engine, keyring_of_settings(settings))
        with sessions() as session:
            found = session.scalars(select(Inbox).where(Inbox.channel == "slack"))
            inboxes = [inbox for inbox in found if not inbox.settings.get(SIMULATED)]
    except (SQLAlchemyError, SettingsError):
        return []  # that Postgres is away is another finding
    finally:
        engine.dispose()
    return [asyncio.run(_look_at(inbox, environ)) for inbox in inboxes]


def _check_secrets(wish: Wish, environ: Mapping[str, str]) -> None:
    """What is given must be readable; an app needs both of its secrets."""
    if wish.bot_token is None and wish.webhook_url is None:
        raise SetupError("Neither a bot token nor a webhook's URL is given.")
    if (wish.bot_token is None) != (wish.signing_secret is None):
        raise SetupError("The bot token and the signing secret belong together: give both.")
    if wish.bot_token is None and wish.staff_channel not in (None, NOTICES_ONLY):
        raise SetupError(f"A webhook alone posts to its own channel: say {NOTICES_ONLY!r}.")
    for reference in (wish.bot_token, wish.signing_secret, wish.webhook_url):
        if reference is not None:
            try:
                read_secret(reference, environ)
            except SecretError as error:
                raise SetupError(f"{reference}: {error}.") from error


async def _introduce(
    settings: SlackSettings, wish: Wish, environ: Mapping[str, str]
) -> tuple[SlackSettings, list[str]]:
    """Ask Slack whose token this is."""
    account, api = _account(settings, wish.name, environ), WebApi()
    try:
        told = await api.call(account, "auth.test")
        bot = await api.call(account, "bots.info", bot=str(told.get("bot_id")))
    except DeliveryError as error:
        raise SetupError(f"Slack does not take the bot token ({error}).") from error
    is_org = bool(told.get("is_enterprise_install"))
    known = settings.model_copy(
        update={
            "team_id": None if is_org else told["team_id"],
            "enterprise_id": told.get("enterprise_id"),
            "bot_user_id": told["user_id"],
            "bot_id": told.get("bot_id"),
            "app_id": bot["bot"].get("app_id"),
        }
    )
    problem = await staff_channel_problem(api, account, wish.staff_channel)
    return known, [problem] if problem else []


async def _look_at(inbox: Inbox, environ: Mapping[str, str]) -> Finding:
    part = f"slack {inbox.name}"
    tried = await try_account(inbox, environ)
    remedy = "see docs/connecting-slack.md, then `./frontdesk slack connect` again"
    if tried.problem:
        return Finding(part, "fail", tried.problem, remedy)
    if tried.warning:
        return Finding(part, "warn", tried.warning)
    return Finding(part, "ok", tried.told)


def _account(settings: SlackSettings, name: str, environ: Mapping[str, str]) -> Account:
    row = Inbox(id=new_id(), name=name, channel="slack")
    row.settings = {SETTING: settings.model_dump(exclude_none=True)}
    return account_of(row, environ)


def _save(session: Session, wish: Wish, settings: SlackSettings) -> bool:
    inbox = session.scalars(select(Inbox).where(Inbox.name == wish.name)).one_or_none()
    is_new = inbox is None
    if inbox is None:
        inbox = Inbox(id=new_id(), name=wish.name, channel="slack", settings={})
        session.add(inbox)
        session.flush()
        for collection_id in session.scalars(select(Collection.id)):
            session.add(InboxCollection(inbox_id=inbox.id, collection_id=collection_id))
    if inbox.channel != "slack":
        raise SetupError(f"The inbox {wish.name} is of another channel ({inbox.channel}).")
    inbox.company = inbox.company if wish.company is None else wish.company
    inbox.settings = _settings(inbox.settings, wish, settings)
    note(session, TERMINAL, "inbox.slack", str(inbox.id), {"team": settings.team_id})
    return is_new


def _settings(known: Mapping[str, Any], wish: Wish, settings: SlackSettings) -> dict[str, Any]:
    kept = {key: value for key, value in known.items() if key not in (STAFF_CHANNEL, STAFF_OF)}
    kept[SETTING] = settings.model_dump()
    if wish.staff_channel is not None:
        kept[STAFF_CHANNEL] = wish.staff_channel
    if wish.staff_of:
        kept[STAFF_OF] = list(wish.staff_of)
    return kept
