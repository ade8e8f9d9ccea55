"""The simulator against real processes with a scripted answer: green, and red where a bug is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from bot.api.tokens import ensure_token, new_token
from bot.database import keyring_from, make_engine, make_sessions
from bot.simulation.ledger import Ledger, Row, table
from bot.simulation.stage import DeskDoors
from bot.simulation.world import Plan, run_world
from bot.tables import Agent, Contact, Conversation, Inbox
from tests.faults.desk import Desk, make_home
from tests.faults.script import Script
from tests.faults.tender import CHANNELS

pytestmark = pytest.mark.kill

LASTING = timedelta(seconds=15)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """All processes of a desk, the channels process too."""
    with make_home() as home:
        script = Script(Path(home), sentence_s=0.02, sweep_s=2.0, answers_anything=True)
        made = Desk(script, workers=("worker", CHANNELS))
        try:
            made.start()
            yield made
        finally:
            made.abandon()


@pytest.fixture(scope="module")
def sessions(desk: Desk) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(desk.database_url)
    yield make_sessions(engine, keyring_from(desk.master_key))
    engine.dispose()


@pytest.fixture(scope="module")
def doors(desk: Desk, sessions: sessionmaker[Session]) -> DeskDoors:
    token = new_token()
    with sessions.begin() as session:
        ensure_token(session, "operator", token)
    return DeskDoors(desk.url, token, "", desk.lmtp_port)


async def simulate(sessions: sessionmaker[Session], doors: DeskDoors) -> Ledger:
    plan = Plan(lasting=LASTING, seed=1, pause_s=0.7, patience=timedelta(seconds=40))
    ledger = await run_world(sessions, doors, plan, print)
    print(table(ledger))
    return ledger


def row_of(ledger: Ledger, channel: str) -> Row:
    return next(row for row in ledger.rows() if row.channel == channel)


async def test_nothing_is_lost_and_nothing_comes_twice_on_any_channel(
    desk: Desk, sessions: sessionmaker[Session], doors: DeskDoors
) -> None:
    ledger = await simulate(sessions, doors)
    assert ledger.faults() == []
    for channel in ("chat", "email", "slack"):
        row = row_of(ledger, channel)
        assert row.sent >= 5
        assert row.by_bot >= 3
        assert row.refused >= 1
    everything = row_of(ledger, "all")
    assert everything.handed_off >= 1
    assert everything.by_person >= 1
    assert everything.loops_stopped == everything.loops >= 1
    assert row_of(ledger, "email").left_alone >= 2
    with sessions() as session:  # nothing of the simulation stays
        names = session.scalars(select(Inbox.name).where(Inbox.name.startswith("simulation")))
        assert list(names) == []
        for kind in (Conversation, Contact, Agent):
            assert session.scalar(select(func.count()).select_from(kind)) == 0
