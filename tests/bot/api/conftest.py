"""A web process under test, an API token in force, and a worker that follows a script."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest
from aiohttp.test_utils import TestClient, TestServer
from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

from bot.api_tokens import ensure_token, new_token
from bot.app import build_web
from bot.queue import celery_settings
from bot.settings import Settings
from bot.tables import Inbox
from tests.people import make_inbox
from tests.served import Client


@pytest.fixture
def token(sessions: sessionmaker[Session]) -> str:
    made = new_token()
    with sessions.begin() as session:
        ensure_token(session, "tests", made)
    return made


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
    """An HTTP client of a running web process, without a token."""
    async with TestClient(TestServer(build_web(settings))) as made:
        yield made


@pytest.fixture
async def api(settings: Settings, token: str) -> AsyncIterator[Client]:
    """The same with the token."""
    headers = {"Authorization": f"Bearer {token}"}
    async with TestClient(TestServer(build_web(settings)), headers=headers) as made:
        yield made


class Bells:
    """Takes task ids from the real queue, as a worker would."""

    def __init__(self, redis_url: str) -> None:
        self._app = Celery("tests", set_as_current=False)
        self._app.conf.update(celery_settings(redis_url))

    def wait(self, queue: str = "interactive") -> tuple[str, str]:
        """The next task's name and its one argument."""
        with self._app.connection_for_read() as connection:
            taken = connection.SimpleQueue(queue)
            try:
                message = taken.get(block=True, timeout=20)
                message.ack()
            finally:
                taken.close()
        return message.headers["task"], message.payload[0][0]

    def close(self) -> None:
        self._app.close()


@pytest.fixture
def bells(redis_url: str) -> Iterator[Bells]:
    made = Bells(redis_url)
    yield made
    made.close()
