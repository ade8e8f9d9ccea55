"""The channel contract, kept by the web chat."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session, sessionmaker

from tests.channels.chat.browser import Browser
from tests.channels.contract import ChannelContract
from tests.served import Client


class ChatDoor:
    """Ada's browser."""

    pushes = False

    def __init__(self, browser: Browser, sessions: sessionmaker[Session]) -> None:
        self._browser = browser
        self.sessions = sessions

    async def write(self, number: int, text: str) -> bool:
        async with await self._browser.send(text, f"client-{number:08d}") as response:
            return response.status in (200, 201)

    async def forge(self, number: int, text: str) -> bool:
        forged = Browser(self._browser.client, "fdv_" + "x" * 43)
        async with await forged.send(text, f"client-{number:08d}") as response:
            return response.status in (200, 201)

    async def deliver(self) -> None:
        """Her browser reads by itself."""

    async def received(self) -> list[str]:
        messages = (await self._browser.history())["messages"]
        return [message["text"] for message in messages if message["author"] == "bot"]

    def fail_next(self, *, permanent: bool) -> None:
        raise AssertionError("nothing is sent")


@pytest.fixture
async def door(client: Client, ada: Browser, sessions: sessionmaker[Session]) -> ChatDoor:
    return ChatDoor(ada, sessions)


class TestTheChatKeepsTheContract(ChannelContract):
    """All of it."""
