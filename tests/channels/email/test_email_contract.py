"""The channel contract, kept by e-mail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.orm import Session, sessionmaker

from bot.simulation.mail_world import Customer, hand_over, plain_text
from bot.simulation.smtp_sink import Failure
from channels.email.lmtp import Address, MailListener
from channels.email.mailboxes import thread_tokens
from tests.channels.contract import ChannelContract
from tests.channels.email.desk import Desk

TO = "support@shop.example"


class EmailDoor:
    """Ada's mails, all of one thread, through LMTP; and her mailbox."""

    pushes = True

    def __init__(self, desk: Desk, ada: Customer, address: str, port: int) -> None:
        self.sessions: sessionmaker[Session] = desk.sessions
        self._desk = desk
        self._ada = ada
        self._address = address
        self._port = port
        self._written: dict[int, bytes] = {}
        # Threads of its own: the listener, in the same process here, needs the default ones.
        self._threads = ThreadPoolExecutor(20)

    async def write(self, number: int, text: str) -> bool:
        return await self._give(number, text, self._address)

    async def forge(self, number: int, text: str) -> bool:
        return await self._give(number, text, "nobody@shop.example")

    async def deliver(self) -> None:
        self._desk.make_due()
        await self._desk.deliver()

    async def received(self) -> list[str]:
        texts = (plain_text(letter).replace("\r\n", "\n") for letter in self._ada.letters)
        return [text.partition("\n\n-- \n")[0].strip() for text in texts]

    def fail_next(self, *, permanent: bool) -> None:
        answer = "550 5.1.1 No such user" if permanent else "451 4.7.1 Come back later"
        self._desk.world.smtp.failures.append(Failure("rcpt", answer))

    async def _give(self, number: int, text: str, recipient: str) -> bool:
        raw = self._written.setdefault(number, self._ada.write(recipient, text))
        loop = asyncio.get_running_loop()
        code, _ = await loop.run_in_executor(
            self._threads, hand_over, self._port, raw, recipient, self._ada.address
        )
        return code == 250


@pytest.fixture
async def door(desk: Desk) -> AsyncIterator[EmailDoor]:
    with desk.sessions.begin() as session:
        tokens = thread_tokens(session)
    address = tokens.sign_plus_address(tokens.make_thread("the contract's"), TO)
    listener = MailListener(
        desk.mail_intake.take, desk.channel()._find_mailboxes, max_connections=20
    )
    server = await listener.start(Address("127.0.0.1", 0))
    ada = desk.world.customer("ada@example.org")
    yield EmailDoor(desk, ada, address, server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()


class TestEmailKeepsTheContract(ChannelContract):
    """All of it."""
