"""A desk that takes and answers mail: the channel on real servers, and a worker by a script."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from bot.conversations import claim_run, commit_sentence, finish_reply, overdue
from bot.delivery import deliver_pending
from bot.events import Publisher
from bot.intake import Intake
from bot.queue import Queue
from bot.simulation.mail_world import PASSWORD, MailWorld
from bot.tables import Conversation, Delivery, MailboxWatermark, Message, now
from channels.email.adapter import EmailChannel, Listening
from channels.email.incoming import MailIntake
from channels.email.listening import Timing
from channels.email.mailboxes import (
    LoginSetting,
    MailboxSetting,
    Secrets,
    ServerSetting,
    connect_mailbox,
)

QUICK = Timing(
    wait_s=0.3,
    lease=timedelta(seconds=3),
    renew_every_s=0.5,
    first_backoff_s=0.1,
    longest_backoff_s=0.3,
    look_for_mailboxes_s=0.3,
    command_timeout_s=5.0,
)


@dataclass(slots=True)
class Desk:
    """The parts of one installation."""

    sessions: sessionmaker[Session]
    async_sessions: async_sessionmaker[AsyncSession]
    publisher: Publisher
    queue: Queue
    inbox_id: UUID
    world: MailWorld
    intake: Intake
    listening: Listening = field(default_factory=Listening)

    @property
    def receive(self) -> Any:
        return self.intake.receive

    @property
    def mail_intake(self) -> MailIntake:
        return MailIntake(self.async_sessions, self.sessions, self.publisher, self.receive)

    def is_read(self) -> bool:
        """Whether its mailbox was opened: what lay in it before then is not answered."""
        with self.sessions() as session:
            return any(session.scalars(select(MailboxWatermark.uid_validity)))

    def channel(self) -> EmailChannel:
        return EmailChannel(
            self.async_sessions,
            self.sessions,
            self.publisher,
            self.listening,
            public_url="https://desk.example",
            timing=QUICK,
        )

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[asyncio.Task[None]]:
        """The channels process' listeners, for as long as the block lasts."""
        task = asyncio.create_task(self.channel().listen(self.receive))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def take(self, raw: bytes) -> str:
        """One mail straight into intake."""
        return await self.mail_intake.take(self.inbox_id, raw)

    def answer(
        self, text: str = "You have 60 days.", citations: Sequence[dict[str, Any]] = ()
    ) -> int:
        """Answer everything that is due, as a worker does; returns how many replies it made."""
        made = 0
        with self.sessions.begin() as session:
            due = overdue(session, timedelta(0))
        for conversation_id, _ in due:
            with self.sessions.begin() as session:
                claim = claim_run(session, conversation_id, timedelta(seconds=30))
            if claim is None:
                continue
            with self.sessions.begin() as session:
                commit_sentence(session, claim, text)
            with self.sessions.begin() as session:
                finish_reply(session, claim, citations, "en")
            made += 1
        return made

    async def deliver(self) -> int:
        """Send what is due."""
        return await deliver_pending(self.async_sessions, {"email": self.channel()})

    def make_due(self) -> None:
        with self.sessions.begin() as session:
            session.execute(update(Delivery).values(next_attempt_at=now() - timedelta(seconds=1)))

    def texts(self, author: str = "contact") -> list[str]:
        with self.sessions() as session:
            query = select(Message).where(Message.author == author).order_by(Message.created_at)
            return [message.text for message in session.scalars(query)]

    def conversations(self) -> list[Conversation]:
        with self.sessions() as session:
            return list(session.scalars(select(Conversation).order_by(Conversation.number)))

    def deliveries(self) -> list[tuple[str, int, str | None]]:
        with self.sessions() as session:
            query = select(Delivery).order_by(Delivery.created_at)
            return [(d.state, d.attempts, d.error) for d in session.scalars(query)]


def set_up_mailbox(
    session: Session,
    world: MailWorld,
    *,
    name: str = "support",
    security: Any = "none",
    ca_file: str | None = None,
    **changes: Any,
) -> UUID:
    """Connect the world's mailbox, as the operator does."""
    setting = MailboxSetting(
        address=world.company,
        display_name="The Shop",
        imap=ServerSetting(
            host="127.0.0.1", port=world.imap.port, security=security, ca_file=ca_file
        ),
        smtp=ServerSetting(
            host="127.0.0.1", port=world.smtp.port, security=security, ca_file=ca_file
        ),
        login=LoginSetting(user=world.company),
        **changes,
    )
    return connect_mailbox(session, name, setting, Secrets(password=PASSWORD), "The Shop")


async def eventually(is_so: Callable[[], Any], within_s: float = 20.0) -> None:
    """Wait until it is so; fails after the time."""
    async with asyncio.timeout(within_s):
        while True:
            found = is_so()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.05)


def subjects(mails: Sequence[Any]) -> list[str]:
    return [str(mail["Subject"]) for mail in mails]
