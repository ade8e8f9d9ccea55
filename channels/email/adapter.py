"""The e-mail channel, as the Channel port wants it: listeners in the channels process, and send."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from bot.channel import DeliveryError, Receive
from bot.events import Publisher
from bot.letters import Letter
from bot.messages import Reply
from channels.email.compose import OutgoingMail, compose
from channels.email.incoming import MailIntake
from channels.email.letters import compose_letter
from channels.email.listening import Timing, read_mailboxes
from channels.email.lmtp import Address, MailListener, Protocol
from channels.email.logins import Logins
from channels.email.mailboxes import (
    Mailbox,
    MailboxError,
    find_mailbox,
    load_mailboxes,
    thread_tokens,
)
from channels.email.outgoing import gather
from channels.email.submission import submit

log = logging.getLogger(__name__)

LISTEN_AGAIN_S = 15.0
MAILBOXES_KNOWN_FOR_S = 5.0


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the channels process takes mail by LMTP or SMTP; nowhere if `address` is None."""

    address: Address | None = None
    protocol: Protocol = "lmtp"


class EmailChannel:
    """Mail in by IMAP and LMTP, mail out by submission."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        threaded: sessionmaker[Session],
        publisher: Publisher,
        listening: Listening | None = None,
        *,
        public_url: str = "",
        timing: Timing | None = None,
    ) -> None:
        self._sessions = sessions
        self._threaded = threaded
        self._publisher = publisher
        self._listening = listening or Listening()
        self._public_url = public_url
        self._timing = timing or Timing()
        self._logins = Logins()
        self._mailboxes: tuple[float, list[Mailbox]] = (0.0, [])

    # -- the port ----------------------------------------------------------------------------

    def routes(self, receive: Receive) -> Sequence[web.AbstractRouteDef]:
        """None: mail comes to the channels process."""
        return []

    async def listen(self, receive: Receive) -> None:
        """Read all mailboxes and listen for LMTP until it is cancelled."""
        intake = MailIntake(self._sessions, self._threaded, self._publisher, receive)
        async with asyncio.TaskGroup() as group:
            group.create_task(read_mailboxes(self._sessions, intake, self._logins, self._timing))
            if self._listening.address is not None:
                group.create_task(self._serve(intake, self._listening.address))

    async def send(self, reply: Reply) -> str:
        """Submit a reply; returns its Message-ID, the same at every attempt."""
        return await self._submit(*await self._gather(reply))

    async def post(self, letter: Letter) -> str:
        """Submit a letter to the staff; returns its Message-ID, the same at every attempt."""
        async with self._sessions.begin() as session:
            mailbox = await session.run_sync(self._mailbox_of, letter.inbox_id)
            tokens = await session.run_sync(thread_tokens)
        return await self._submit(mailbox, compose_letter(mailbox, tokens, letter))

    async def revise(self, external_id: str, reply: Reply) -> None:
        """A mail that was sent cannot be changed; only whole replies are sent."""

    # -- below -------------------------------------------------------------------------------

    async def _gather(self, reply: Reply) -> tuple[Mailbox, OutgoingMail]:
        async with self._sessions.begin() as session:
            mailbox = await session.run_sync(self._mailbox_of, reply.inbox_id)
            return mailbox, await session.run_sync(gather, mailbox, reply, self._public_url)

    def _mailbox_of(self, session: Session, inbox_id: UUID) -> Mailbox:
        try:
            return find_mailbox(session, inbox_id)
        except MailboxError as error:
            raise DeliveryError(str(error), permanent=False, retry_after_s=300) from error

    async def _submit(self, mailbox: Mailbox, mail: OutgoingMail) -> str:
        try:
            message = compose(mail)
        except ValueError as error:
            raise DeliveryError(str(error), permanent=True) from error
        await submit(mailbox, self._logins, message, mail.to_address)
        return mail.message_id

    async def _serve(self, intake: MailIntake, address: Address) -> None:
        """Listen; where another channels process does already, stand by to take over."""
        listener = MailListener(intake.take, self._find_mailboxes, self._listening.protocol)
        while True:
            try:
                server = await listener.start(address)
            except OSError as error:
                log.warning("not listening yet error=%s", error.strerror or type(error).__name__)
                await asyncio.sleep(LISTEN_AGAIN_S)
                continue
            try:
                await asyncio.Event().wait()
            finally:  # lines first: a closed server waits for them
                listener.cut_lines()
                server.close()

    async def _find_mailboxes(self) -> Sequence[Mailbox]:
        current = asyncio.get_running_loop().time()
        until, known = self._mailboxes
        if until < current:
            async with self._sessions.begin() as session:
                known = await session.run_sync(load_mailboxes)
            self._mailboxes = (current + MAILBOXES_KNOWN_FOR_S, known)
        return known
