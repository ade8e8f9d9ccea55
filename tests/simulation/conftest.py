"""A whole desk of real processes with a scripted answer, for the tests of one module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from bot.api_tokens import ensure_token, new_token
from bot.database import keyring_from, make_engine, make_sessions
from bot.simulation.stage import DeskDoors
from tests.faults.desk import Desk, make_home
from tests.faults.script import Script
from tests.faults.tender import CHANNELS


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
    """Sessions on the desk's own database."""
    engine = make_engine(desk.database_url)
    yield make_sessions(engine, keyring_from(desk.master_key))
    engine.dispose()


@pytest.fixture(scope="module")
def doors(desk: Desk, sessions: sessionmaker[Session]) -> DeskDoors:
    """Where simulated customers and staff come in."""
    token = new_token()
    with sessions.begin() as session:
        ensure_token(session, "operator", token)
    return DeskDoors(desk.url, token, desk.lmtp_port)
