"""An IMAP server on loopback whose mailboxes can be filled, cut off, restarted and renumbered."""

from __future__ import annotations

import asyncio
import ssl
from argparse import Namespace
from datetime import UTC, datetime

from proxyprotocol.sock import SocketInfoLocal
from pymap.backend.dict import Config, Identity, Login
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxData, MailboxSet
from pymap.exceptions import InvalidAuth
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials.flag import Flag
from pymap.user import UserMetadata
from pysasl import SASLAuth
from pysasl.creds.external import ExternalCredentials
from pysasl.creds.server import ServerCredentials
from pysasl.hashing import Cleartext

HOST = "127.0.0.1"
SEEN = Flag(b"\\Seen")


class _Config(Config):
    """Log-in by password or, as Gmail and Microsoft want it, by an access token."""

    @property
    def tls_auth(self) -> SASLAuth:
        return SASLAuth.named([b"PLAIN", b"LOGIN", b"XOAUTH2"])


class _Login(Login):
    """Knows access tokens besides passwords."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.tokens_of: dict[str, str] = {}

    async def authenticate(self, credentials: ServerCredentials) -> Identity:
        if not isinstance(credentials, ExternalCredentials):
            return await super().authenticate(credentials)
        token = credentials._token  # pysasl shows it to its own exception alone
        if not token or self.tokens_of.get(credentials.authzid) != token:
            raise InvalidAuth
        return Identity(credentials.authzid, self, None, frozenset())


class ImapServer:
    """pymap with mailboxes in memory; they outlive `stop` and `start`.

    With `tls` the line is TLS from the first byte, or from STARTTLS on with `starttls`.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, starttls: bool = False) -> None:
        self.port = 0
        self._tls = None if starttls else tls
        arguments = Namespace(passlib_cfg=None, proxy_protocol=None)
        self._config = _Config(
            arguments,
            demo_data=False,
            demo_user="",
            demo_password="",
            host=HOST,
            port=0,
            ssl_context=tls if starttls else None,
            tls_enabled=starttls,
            secure_auth=False,
            reject_dnsbl=False,
            invalid_user_sleep=0.0,
            hash_context=Cleartext(),
        )
        self._login = _Login(self._config)
        self.tokens = self._login.tokens_of
        self._imap = IMAPServer(self._login, self._config)
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen; at the port of before after a `stop`."""
        self._server = await asyncio.start_server(self._serve, HOST, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Go away, as in an outage; open lines break."""
        if self._server is not None:
            self._server.close()
            self.cut_lines()
            await self._server.wait_closed()
            self._server = None

    def cut_lines(self) -> None:
        """Break all open lines; new ones are welcome."""
        for line in list(self._lines):
            line.transport.abort()

    @property
    def lines(self) -> int:
        """How many lines are open."""
        return len(self._lines)

    async def add_user(self, name: str, password: str) -> None:
        """A mailbox of that name; adding it again changes the password."""
        self._config.apply_context()
        self._login.users_dict[name] = UserMetadata(self._config, name, password=password)
        self._config.set_cache.setdefault(name, (MailboxSet(), FilterSet()))

    async def append(
        self, user: str, raw: bytes, received_at: datetime | None = None, folder: str = "INBOX"
    ) -> int:
        """Put a mail into a mailbox, as delivery does; returns its UID."""
        mailbox = await self._mailbox(user, folder)
        when = received_at or datetime.now(UTC)
        message = await mailbox.append(AppendMessage(raw, when, frozenset()), recent=True)
        return message.uid

    async def seen(self, user: str, folder: str = "INBOX") -> set[int]:
        """UIDs of the mails that are flagged as read."""
        mailbox = await self._mailbox(user, folder)
        return {m.uid async for m in mailbox.messages() if SEEN in m.permanent_flags}

    async def uids(self, user: str, folder: str = "INBOX") -> list[int]:
        """UIDs of all mails."""
        mailbox = await self._mailbox(user, folder)
        return [message.uid async for message in mailbox.messages()]

    async def expunge(self, user: str, uid: int, folder: str = "INBOX") -> None:
        """Delete a mail."""
        await (await self._mailbox(user, folder)).delete([uid])

    async def renumber(self, user: str, folder: str = "INBOX") -> None:
        """Give every mail a new UID under a new UIDVALIDITY, as a restored server does."""
        mailbox = await self._mailbox(user, folder)
        mailbox._uid_validity += 1  # pymap has no other way to say this
        messages = [message async for message in mailbox.messages()]
        await mailbox.delete([message.uid for message in messages])
        mailbox._max_uid = 0
        for message in messages:
            content = message._content  # as above
            assert content is not None, "mailboxes in memory keep what they were given"
            await mailbox.append(
                AppendMessage(bytes(content), message.internal_date, message.permanent_flags)
            )
        self.cut_lines()

    async def _mailbox(self, user: str, folder: str) -> MailboxData:
        self._config.apply_context()
        mailboxes, _ = self._config.set_cache[user]
        return await mailboxes.get_mailbox(folder)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        try:
            self._config.apply_context()
            await self._imap(reader, writer, SocketInfoLocal(writer.transport))
        except (ConnectionError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._lines.discard(writer)
