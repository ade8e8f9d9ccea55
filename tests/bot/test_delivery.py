"""Deliveries are claimed once, retried with patience, given up where trying cannot help."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from aiohttp import web
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations
from bot.channel import DeliveryError, Receive
from bot.conversations import claim_run, commit_sentence, finish_reply, record_incoming
from bot.database import keyring_from, make_async_engine, make_async_sessions
from bot.delivery import MAX_ATTEMPTS, deliver_pending
from bot.messages import Reply
from bot.tables import Delivery, now
from tests.people import incoming, make_agent, make_inbox


class Postbox:
    """A channel that keeps what it is sent, after failing as often as it is told."""

    def __init__(self, failures: Sequence[DeliveryError] = ()) -> None:
        self.failures = list(failures)
        self.sent: list[Reply] = []

    def routes(self, receive: Receive) -> Sequence[web.AbstractRouteDef]:
        return []

    async def listen(self, receive: Receive) -> None:
        return

    async def send(self, reply: Reply) -> str:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(reply)
        return f"sent-{len(self.sent)}"

    async def revise(self, external_id: str, reply: Reply) -> None:
        raise AssertionError("nothing here grows")


@pytest.fixture
async def async_sessions(
    database_url: str, master_key: str
) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    engine = make_async_engine(database_url)
    yield make_async_sessions(engine, keyring_from(master_key))
    await engine.dispose()


@pytest.fixture
def answered(sessions: sessionmaker[Session]) -> conversations.Recorded:
    """A mail of Ada's and the bot's finished reply to it."""
    with sessions.begin() as session:
        inbox = make_inbox(session, "email")
        recorded = record_incoming(session, incoming(inbox, "Hello", channel="email"))
        claim = claim_run(session, recorded.conversation_id, timedelta(seconds=20))
        assert claim is not None
        commit_sentence(session, claim, "Good day.")
        finish_reply(session, claim, [], "en")
    return recorded


def deliveries(sessions: sessionmaker[Session]) -> list[tuple[str, int, str | None]]:
    with sessions() as session:
        return [(d.state, d.attempts, d.external_id) for d in session.scalars(select(Delivery))]


def make_due(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        session.execute(update(Delivery).values(next_attempt_at=now() - timedelta(seconds=1)))


async def test_a_reply_is_sent_once_to_where_the_message_came_from(
    sessions: sessionmaker[Session],
    async_sessions: async_sessionmaker[AsyncSession],
    answered: conversations.Recorded,
) -> None:
    postbox = Postbox()
    assert await deliver_pending(async_sessions, {"email": postbox}) == 1
    assert await deliver_pending(async_sessions, {"email": postbox}) == 0
    assert [(r.destination, r.text) for r in postbox.sent] == [("ada", "Good day.")]
    assert deliveries(sessions) == [("sent", 1, "sent-1")]


async def test_a_temporary_failure_is_tried_again_later(
    sessions: sessionmaker[Session],
    async_sessions: async_sessionmaker[AsyncSession],
    answered: conversations.Recorded,
) -> None:
    postbox = Postbox([DeliveryError("busy", permanent=False)])
    await deliver_pending(async_sessions, {"email": postbox})
    assert await deliver_pending(async_sessions, {"email": postbox}) == 0, "it waits first"
    make_due(sessions)
    await deliver_pending(async_sessions, {"email": postbox})
    assert deliveries(sessions) == [("sent", 2, "sent-1")]


async def test_a_permanent_failure_is_not_tried_again(
    sessions: sessionmaker[Session],
    async_sessions: async_sessionmaker[AsyncSession],
    answered: conversations.Recorded,
) -> None:
    postbox = Postbox([DeliveryError("no such address", permanent=True)])
    await deliver_pending(async_sessions, {"email": postbox})
    make_due(sessions)
    assert await deliver_pending(async_sessions, {"email": postbox}) == 0
    assert deliveries(sessions) == [("failed", 1, None)]


async def test_a_channel_that_stays_busy_is_given_up_in_the_end(
    sessions: sessionmaker[Session],
    async_sessions: async_sessionmaker[AsyncSession],
    answered: conversations.Recorded,
) -> None:
    postbox = Postbox([DeliveryError("busy", permanent=False)] * MAX_ATTEMPTS)
    for _ in range(MAX_ATTEMPTS):
        make_due(sessions)
        await deliver_pending(async_sessions, {"email": postbox})
    assert deliveries(sessions) == [("failed", MAX_ATTEMPTS, None)]


async def test_a_reply_of_the_bots_is_withdrawn_when_a_person_took_over(
    sessions: sessionmaker[Session],
    async_sessions: async_sessionmaker[AsyncSession],
    answered: conversations.Recorded,
) -> None:
    with sessions.begin() as session:
        conversations.take_over(session, answered.conversation_id, make_agent(session))
    postbox = Postbox()
    await deliver_pending(async_sessions, {"email": postbox})
    assert postbox.sent == []
    assert deliveries(sessions) == [("withdrawn", 0, None)]


async def test_a_delivery_whose_process_died_is_claimed_again(
    sessions: sessionmaker[Session],
    async_sessions: async_sessionmaker[AsyncSession],
    answered: conversations.Recorded,
) -> None:
    with sessions.begin() as session:
        session.execute(
            update(Delivery).values(
                state="sending", attempts=1, next_attempt_at=now() - timedelta(seconds=1)
            )
        )
    postbox = Postbox()
    await deliver_pending(async_sessions, {"email": postbox})
    assert deliveries(sessions) == [("sent", 2, "sent-1")]
