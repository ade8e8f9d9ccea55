"""A web process under test and browsers of Ada and Cyd, spoken to over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy.orm import Session, sessionmaker

from bot.app import build_web
from bot.settings import Settings
from bot.tables import Inbox
from tests.channels.chat.browser import Browser
from tests.people import make_inbox
from tests.served import Client


@pytest.fixture
def inbox_id(sessions: sessionmaker[Session]) -> UUID:
    with sessions.begin() as session:
        return make_inbox(session)


@pytest.fixture
def inbox(sessions: sessionmaker[Session], inbox_id: UUID) -> str:
    with sessions() as session:
        return session.get_one(Inbox, inbox_id).name


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    """An HTTP client of a running web process."""
    async with TestClient(TestServer(build_web(settings))) as made:
        yield made


@pytest.fixture
async def ada(client: Client, inbox: str) -> Browser:
    return await Browser.visit(client, inbox)


@pytest.fixture
async def cyd(client: Client, inbox: str) -> Browser:
    return await Browser.visit(client, inbox)
