"""A running web process, a delivering channel and a Slack workspace, all over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy.orm import Session, sessionmaker

from bot.app import build_web
from bot.settings import Settings
from bot.simulation.slack_workspace import TOKEN, SlackWorkspace
from tests.channels.slack.desk import SECRET, SlackDesk, add_slack_inbox


@pytest.fixture
async def workspace() -> AsyncIterator[SlackWorkspace]:
    """Ada the customer, Bea of the staff, Cyd the outsider, and their channels."""
    made = SlackWorkspace()
    made.add_user("U0ADA", "Ada Adams")
    made.add_user("U0BEA", "Bea")
    made.add_user("U0CYD", "Cyd")
    async with made.serve():
        made.open_direct("U0ADA")
        made.open_direct("U0CYD")
        made.add_channel("C0SHOP", "U0ADA", "U0CYD")
        made.add_channel("C0STAFF", "U0BEA")
        yield made


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("SLACK_SIGNING_SECRET", SECRET)


@pytest.fixture
def slack_settings(workspace: SlackWorkspace) -> dict[str, Any]:
    """The inbox's settings; a test may replace this fixture."""
    return {"staff_channel": "C0STAFF"}


@pytest.fixture
def inbox_id(
    sessions: sessionmaker[Session], workspace: SlackWorkspace, slack_settings: dict[str, Any]
) -> UUID:
    with sessions.begin() as session:
        return add_slack_inbox(session, workspace, **slack_settings)


@pytest.fixture
async def desk(
    settings: Settings,
    sessions: sessionmaker[Session],
    workspace: SlackWorkspace,
    inbox_id: UUID,
) -> AsyncIterator[SlackDesk]:
    async with TestServer(build_web(settings)) as server:
        made = SlackDesk(settings, sessions, workspace, inbox_id, str(server.make_url("/")))
        yield made
        await made.close()
