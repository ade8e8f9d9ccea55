"""What people are called in Slack: asked for apart, since no acknowledgement may wait for it."""

from __future__ import annotations

import asyncio
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.channel import DeliveryError
from bot.conversations import index_contact
from bot.tables import AgentIdentity, Contact, ContactIdentity
from channels.slack.accounts import Account
from channels.slack.staff import printable, rename_agent
from channels.slack.web_api import WebApi

# Of the second in which Slack is answered, so much may be spent on a colleague's first click.
AT_MOST_SECONDS = 0.5
AT_ONCE = 20


async def ask_name(api: WebApi, account: Account, user: str) -> str | None:
    """What a user is called, or None where Slack does not say."""
    try:
        found = await api.call(account, "users.info", user=user)
    except DeliveryError:
        return None
    person = found.get("user") or {}
    profile = person.get("profile") or {}
    for name in (profile.get("display_name"), profile.get("real_name"), person.get("name")):
        if told := printable(str(name or "")):
            return told
    return None


async def ask_name_quickly(api: WebApi, account: Account, user: str) -> str | None:
    """The same, or None when the time for it is over."""
    try:
        async with asyncio.timeout(AT_MOST_SECONDS):
            return await ask_name(api, account, user)
    except TimeoutError:
        return None


class Naming:
    """Learns the names of contacts and agents that nobody has asked for yet."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], api: WebApi) -> None:
        self._sessions = sessions
        self._api = api

    async def learn(self, account: Account) -> None:
        """Ask for each nameless person once."""
        async with self._sessions() as session:
            contacts = await session.run_sync(_nameless_contacts, account)
            agents = await session.run_sync(_nameless_agents, account)
        for contact_id, user in contacts:
            name = await ask_name(self._api, account, user) or ""
            async with self._sessions.begin() as session:
                await session.run_sync(_name_contact, contact_id, name)
        for user in agents:
            if name := await ask_name(self._api, account, user) or "":
                async with self._sessions.begin() as session:
                    await session.run_sync(rename_agent, account, user, name)


def _nameless_contacts(session: Session, account: Account) -> list[tuple[UUID, str]]:
    query = (
        select(ContactIdentity)
        .join(Contact, Contact.id == ContactIdentity.contact_id)
        .where(ContactIdentity.inbox_id == account.inbox_id, Contact.name_sealed.is_(None))
        .limit(AT_ONCE)
    )
    return [(identity.contact_id, identity.address) for identity in session.scalars(query)]


def _nameless_agents(session: Session, account: Account) -> list[str]:
    query = select(AgentIdentity.external_id).where(
        AgentIdentity.inbox_id == account.inbox_id, AgentIdentity.is_named.is_(False)
    )
    return list(session.scalars(query.limit(AT_ONCE)))


def _name_contact(session: Session, contact_id: UUID, name: str) -> None:
    contact = session.get_one(Contact, contact_id)
    contact.name = name  # "" where Slack knows none: asked once
    session.flush()
    index_contact(session, contact)
