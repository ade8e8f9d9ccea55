"""The channel contract, kept by Slack."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from channels.slack.mrkdwn import decode, escape
from tests.channels.contract import ChannelContract
from tests.channels.slack.desk import SlackDesk


class SlackDoor:
    """Ada's direct messages in a workspace."""

    pushes = True

    def __init__(self, desk: SlackDesk) -> None:
        self._desk = desk
        self._said: dict[int, dict[str, Any]] = {}
        self.sessions: sessionmaker[Session] = desk.sessions

    async def write(self, number: int, text: str) -> bool:
        if number not in self._said:
            # Slack escapes what people type.
            said = self._desk.workspace.say("U0ADA", "D0ADA", escape(text))
            self._said[number] = said
        return (await self._desk.events.tell(self._said[number], "D0ADA")).is_taken

    async def forge(self, number: int, text: str) -> bool:
        real, self._desk.events.signing_secret = self._desk.events.signing_secret, "a guess"
        try:
            return await self.write(number, text)
        finally:
            self._desk.events.signing_secret = real

    async def deliver(self) -> None:
        await self._desk.deliver()

    async def received(self) -> list[str]:
        return [decode(text) for text in self._desk.workspace.texts("D0ADA")]

    def fail_next(self, *, permanent: bool) -> None:
        how = "is_archived" if permanent else "server_error"
        self._desk.workspace.fail("chat.postMessage", how)


@pytest.fixture
def door(desk: SlackDesk) -> SlackDoor:
    return SlackDoor(desk)


class TestSlackKeepsTheContract(ChannelContract):
    """All of it."""
