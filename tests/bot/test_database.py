"""Connections that the server ended are noticed before they are used."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from bot.database import (
    keyring_from,
    make_async_engine,
    make_async_sessions,
    make_engine,
    without_transactions,
)
from bot.tables import Agent

END_OTHERS = text(
    "select pg_terminate_backend(pid, 2000) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid()"
)


def test_a_connection_that_the_server_ended_is_replaced_before_use(
    sessions: sessionmaker[Session], database_url: str
) -> None:
    engine = make_engine(database_url)
    with engine.connect() as connection:
        before = connection.scalar(text("select pg_backend_pid()"))
    with sessions.begin() as session:
        assert session.scalars(END_OTHERS).all() == [True]
    with engine.connect() as connection:
        assert connection.scalar(text("select pg_backend_pid()")) != before
    engine.dispose()


async def test_an_async_connection_that_the_server_ended_is_replaced_before_use(
    sessions: sessionmaker[Session], database_url: str
) -> None:
    engine = make_async_engine(database_url)
    async with engine.connect() as connection:
        before = await connection.scalar(text("select pg_backend_pid()"))
    with sessions.begin() as session:
        assert session.scalars(END_OTHERS).all() == [True]
    async with engine.connect() as connection:
        assert await connection.scalar(text("select pg_backend_pid()")) != before
    await engine.dispose()


async def test_a_session_without_transactions_leaves_none_open_and_stores_what_it_is_told(
    sessions: sessionmaker[Session], database_url: str, master_key: str
) -> None:
    engine = make_async_engine(database_url)
    alone = without_transactions(make_async_sessions(engine, keyring_from(master_key)))
    async with alone.begin() as session:
        session.add(Agent(id=uuid4(), name="Bea"))
        await session.flush()
        with sessions() as other:
            assert other.query(Agent).count() == 1
        states = text("select state from pg_stat_activity where datname = current_database()")
        with sessions() as other:
            assert "idle in transaction" not in other.scalars(states).all()
    await engine.dispose()
