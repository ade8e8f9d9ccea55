"""A world of mail and a desk connected to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from bot.database import keyring_from, make_async_engine, make_async_sessions
from bot.events import Publisher
from bot.intake import Intake
from bot.queue import Queue
from bot.simulation.mail_world import MailWorld
from tests.channels.email.desk import Desk, set_up_mailbox


@pytest.fixture
async def async_sessions(
    database_url: str, master_key: str
) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    engine = make_async_engine(database_url)
    yield make_async_sessions(engine, keyring_from(master_key))
    await engine.dispose()


@pytest.fixture
async def world() -> AsyncIterator[MailWorld]:
    async with MailWorld() as made:
        yield made


@pytest.fixture
async def desk(
    sessions: sessionmaker[Session],
    async_sessions: async_sessionmaker[AsyncSession],
    redis_url: str,
    world: MailWorld,
) -> AsyncIterator[Desk]:
    """A desk whose mailbox `support@shop.example` is the world's."""
    with sessions.begin() as session:
        inbox_id = set_up_mailbox(session, world)
    publisher, queue = Publisher(redis_url), Queue(redis_url)
    intake = Intake(sessions, queue, publisher)
    yield Desk(sessions, async_sessions, publisher, queue, inbox_id, world, intake)
    intake.close()
    queue.close()
    publisher.close()
