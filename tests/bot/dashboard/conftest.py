"""A web process under test, and its own pages' origin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy.orm import Session, sessionmaker

from bot.app import build_web
from bot.settings import Settings
from tests.bot.dashboard.desk import Desk
from tests.bot.dashboard.staff import sign_in
from tests.people import make_inbox
from tests.served import Client


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    """An HTTP client of a running web process; nobody is signed in."""
    async with TestClient(TestServer(build_web(settings))) as made:
        yield made


@pytest.fixture
def origin(client: Client) -> str:
    """What a browser sends as Origin from our own pages."""
    return str(client.make_url("/")).rstrip("/")


@pytest.fixture
def bea(client: Client, origin: str, sessions: sessionmaker[Session]) -> Desk:
    """Bea, an agent, before the desk."""
    return Desk(client, origin, sign_in(sessions, "Bea"), sessions)


@pytest.fixture
def sam(client: Client, origin: str, sessions: sessionmaker[Session]) -> Desk:
    """Sam, a supervisor."""
    return Desk(client, origin, sign_in(sessions, "Sam", "supervisor"), sessions)


@pytest.fixture
def chat(sessions: sessionmaker[Session]) -> UUID:
    """A chat inbox."""
    with sessions.begin() as session:
        return make_inbox(session)
