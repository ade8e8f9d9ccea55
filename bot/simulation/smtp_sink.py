"""An SMTP server on loopback that keeps what it is sent, or fails as it is told."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HOST = "127.0.0.1"
Where = Literal["mail", "rcpt", "data"]
Trouble = Literal["hang", "drop", "lose-answer", "keep-and-hang"]
KEEPING = ("lose-answer", "keep-and-hang")


@dataclass(frozen=True, slots=True)
class Failure:
    """What happens instead of success, once: an answer such as `451 busy`, or a trouble.

    `lose-answer` keeps the mail and breaks the line before it says so; `keep-and-hang` keeps it
    and says nothing.
    """

    where: Where = "rcpt"
    answer: str = "451 4.7.1 Come back later"
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that arrived."""

    sender: str
    recipient: str
    raw: bytes


class _CountedSmtp(SMTP):
    """SMTP whose lines the sink knows, so that it can break them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self.event_handler.lines.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.lines.discard(self.transport)
        super().connection_lost(error)


@dataclass(slots=True)
class SmtpSink:
    """Takes mail for everybody; `failures` are used up one a transaction, oldest first."""

    tls: ssl.SSLContext | None = None
    starttls: bool = False
    users: dict[str, str] = field(default_factory=dict)
    on_letter: Callable[[Letter], Awaitable[None]] | None = None
    letters: list[Letter] = field(default_factory=list)
    failures: deque[Failure] = field(default_factory=deque)
    refused: dict[str, str] = field(default_factory=dict)
    logins: list[str] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    lines: set[asyncio.Transport] = field(default_factory=set)
    _hanging: set[asyncio.Event] = field(default_factory=set)

    async def start(self) -> None:
        """Listen; at the port of before after a `stop`."""
        loop = asyncio.get_running_loop()
        implicit = self.tls if not self.starttls else None
        self._server = await loop.create_server(self._make, HOST, self.port, ssl=implicit)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Go away; those who wait for an answer get none."""
        for event in list(self._hanging):
            event.set()
        if self._server is not None:
            self._server.close()
            self._server = None
        for line in list(self.lines):
            line.abort()
        await asyncio.sleep(0)

    def _make(self) -> asyncio.Protocol:
        return _CountedSmtp(
            self,
            hostname="sink",
            enable_SMTPUTF8=True,
            tls_context=self.tls if self.starttls else None,
            require_starttls=self.starttls,
            auth_require_tls=False,
            authenticator=self._authenticate,
            timeout=60,
            loop=asyncio.get_running_loop(),
        )

    # -- aiosmtpd's hooks --------------------------------------------------------------------

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """MAIL FROM; only who logged in may, where there are users."""
        if self.users and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if (answer := await self._fail("mail", server)) is not None:
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, _s: Session, envelope: Envelope, address: str, _o: list[str]
    ) -> str:
        """RCPT TO."""
        if address.lower() in self.refused:
            return self.refused[address.lower()]
        if (answer := await self._fail("rcpt", server)) is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _s: Session, envelope: Envelope) -> str:
        """Keep the mail, unless it shall fail here."""
        failure = self._next("data")
        if failure is not None and failure.trouble not in KEEPING:
            return await self._act(failure, server)
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content or "").encode()
        for recipient in envelope.rcpt_tos:
            letter = Letter(envelope.mail_from or "", recipient, raw)
            self.letters.append(letter)
            if self.on_letter is not None:
                await self.on_letter(letter)
        return "250 OK" if failure is None else await self._act(failure, server)

    async def auth_XOAUTH2(self, server: SMTP, arguments: list[str]) -> AuthResult:
        """XOAUTH2: the token stands where the password would."""
        told = base64.b64decode(arguments[1]).decode()
        parts = dict(part.split("=", 1) for part in told.split("\x01") if "=" in part)
        user, token = parts.get("user", ""), parts.get("auth", "").removeprefix("Bearer ")
        self.logins.append(user)
        return AuthResult(success=self.users.get(user) == token, handled=False)

    # -- below -------------------------------------------------------------------------------

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword), "only LOGIN and PLAIN come here"
        user, password = data.login.decode(), data.password.decode()
        self.logins.append(user)
        return AuthResult(success=self.users.get(user) == password, handled=False)

    def _next(self, where: Where) -> Failure | None:
        if self.failures and self.failures[0].where == where:
            return self.failures.popleft()
        return None

    async def _fail(self, where: Where, server: SMTP) -> str | None:
        failure = self._next(where)
        return None if failure is None else await self._act(failure, server)

    async def _act(self, failure: Failure, server: SMTP) -> str:
        if failure.trouble is None:
            return failure.answer
        if failure.trouble in ("hang", "keep-and-hang"):
            released = asyncio.Event()
            self._hanging.add(released)
            await released.wait()
            self._hanging.discard(released)
        if isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
        return "421 Good-bye"
