"""Takes mail from the company's own mail server by LMTP (RFC 2033) or SMTP (RFC 5321).

250 is said after the commit and never before. One recipient per transaction, so that one answer
speaks for one inbox; a wrong recipient is refused while the sender's server still listens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as SmtpEnvelope
from sqlalchemy.exc import SQLAlchemyError

from bot.intake import MessageRefused
from channels.email.incoming import Taken
from channels.email.mail import Envelope
from channels.email.mailboxes import Mailbox, MailboxError

log = logging.getLogger(__name__)

Protocol = Literal["lmtp", "smtp"]
MAX_MAIL_BYTES = 26_214_400
# Each connection may hold a mail of the largest size in memory; more are asked to come later.
MAX_CONNECTIONS = 16
IDLE_SECONDS = 120.0

Take = Callable[[UUID, bytes, Envelope], Awaitable[Taken]]
Find = Callable[[], Awaitable[Sequence[Mailbox]]]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a host and port, or the path of a Unix socket."""

    host: str | None
    port: int
    path: str | None = None

    @staticmethod
    def parse(text: str) -> Address:
        """From `127.0.0.1:2424`, `[::1]:2424` or `unix:/run/frontdesk/lmtp`. Raises ValueError."""
        if text.startswith("unix:"):
            return Address(None, 0, text.removeprefix("unix:"))
        host, _, port = text.rpartition(":")
        if not host or not port.isascii() or not port.isdigit():
            raise ValueError(f"{text!r} is no address: write HOST:PORT or unix:PATH.")
        return Address(host.strip("[]"), int(port))


class _SmtpServer(SMTP):
    """SMTP that counts its connections; those beyond the limit are sent away one by one."""

    is_welcome = False

    # Room for the lines of programs that know no limit (RFC 5321 section 4.5.3.1.6).
    line_length_limit = 1_000_000

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.event_handler.lines.add(transport)
        self.is_welcome = self.event_handler.has_room
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.lines.discard(self.transport)
        super().connection_lost(error)


class _LmtpServer(_SmtpServer, LMTP):
    """The same for LMTP."""


class MailListener:
    """One listening socket and its handler."""

    def __init__(
        self,
        take: Take,
        find_mailboxes: Find,
        protocol: Protocol = "lmtp",
        max_bytes: int = MAX_MAIL_BYTES,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._take = take
        self._find_mailboxes = find_mailboxes
        self._server = _LmtpServer if protocol == "lmtp" else _SmtpServer
        self._max_bytes = max_bytes
        self._max_connections = max_connections
        self.lines: set[asyncio.BaseTransport] = set()

    @property
    def has_room(self) -> bool:
        """Whether the connection that was just made is within the limit."""
        return len(self.lines) <= self._max_connections

    async def start(self, address: Address) -> asyncio.Server:
        """Listen. Raises OSError where the address is taken."""
        loop = asyncio.get_running_loop()
        if address.path is not None:
            server = await loop.create_unix_server(self._make, address.path)
        else:
            server = await loop.create_server(self._make, address.host, address.port)
        return server

    def cut_lines(self) -> None:
        """Break all connections: what was not answered by 250 is handed over again."""
        for line in list(self.lines):
            line.close()

    def _make(self) -> asyncio.Protocol:
        return self._server(
            self,
            data_size_limit=self._max_bytes,
            enable_SMTPUTF8=True,
            hostname="frontdesk",
            ident="Frontdesk",
            timeout=IDLE_SECONDS,
            loop=asyncio.get_running_loop(),
        )

    # -- aiosmtpd's hooks --------------------------------------------------------------------

    async def handle_MAIL(
        self,
        server: _SmtpServer,
        _session: Session,
        envelope: SmtpEnvelope,
        address: str | None,
        options: list[str],
    ) -> str:
        """Begin a transaction, unless too many hold memory already."""
        if not server.is_welcome:
            return "451 4.3.2 Too many connections at once: try again in a moment"
        envelope.mail_from = address or ""
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self,
        _server: SMTP,
        _session: Session,
        envelope: SmtpEnvelope,
        address: str,
        options: list[str],
    ) -> str:
        """Only addresses of ours, one at a time."""
        if envelope.rcpt_tos:
            return "452 4.5.3 One recipient at a time: send the others after this one"
        try:
            mailboxes = await self._find_mailboxes()
        except (SQLAlchemyError, OSError):
            return "451 4.3.0 The database cannot be reached: try again later"
        if not any(mailbox.owns(address) for mailbox in mailboxes):
            return "550 5.1.1 There is no such mailbox here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: SmtpEnvelope) -> str:
        """Store the mail; 250 means that it is committed."""
        recipient = envelope.rcpt_tos[0]
        try:
            mailbox = await self._mailbox_of(recipient)
            if mailbox is None:
                return "550 5.1.1 There is no such mailbox here any more"
            taken = await self._take(
                mailbox.inbox_id,
                _bytes(envelope.content),
                Envelope(envelope.mail_from or "", (recipient,)),
            )
        except (SQLAlchemyError, OSError, MailboxError) as error:
            log.warning("mail not taken, it is asked for again error=%s", type(error).__name__)
            return "451 4.3.0 The database cannot be reached: try again later"
        except MessageRefused as error:
            return f"554 5.6.0 {error}"
        return f"250 2.0.0 {taken}"

    async def handle_exception(self, error: Exception) -> str:
        """A bug must not lose the mail: its server keeps it and tries again."""
        log.error("unforeseen error in a mail transaction error=%s", type(error).__name__)
        return "451 4.3.0 Something broke here: try again later"

    async def _mailbox_of(self, recipient: str) -> Mailbox | None:
        mailboxes = await self._find_mailboxes()
        return next((mailbox for mailbox in mailboxes if mailbox.owns(recipient)), None)


def _bytes(content: Any) -> bytes:
    return content if isinstance(content, bytes) else str(content or "").encode("utf-8", "replace")
