"""One IMAP connection (RFC 9051), spoken from a thread: select, list new UIDs, fetch, flag, wait.

Messages are named by UID alone; sequence numbers change under a reader's feet.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
import socket
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime

import imap_tools
from imap_tools.imap_utf7 import utf7_encode

from channels.email.logins import Credentials
from channels.email.mailboxes import MailboxError, ServerSetting

COMMAND_TIMEOUT_S = 30.0
# Larger mails are read up to here: the text stands in front, and memory has an end.
MAX_MAIL_BYTES = 26_214_400
# What a server or the line to it can do to us; whoever calls connects anew after a while.
LOST = (OSError, imaplib.IMAP4.error, imap_tools.ImapToolsError, ssl.SSLError, EOFError)

_QUOTED_BODY = re.compile(rb'BODY\[\](?:<0>)? "((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_DATE = re.compile(rb'INTERNALDATE "([^"]{10,40})"', re.IGNORECASE)


class LoginRefused(MailboxError):
    """The server does not let us in; trying again soon cannot help."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A mail as the server holds it. `received_at` is when the server got it."""

    uid: int
    raw: bytes
    received_at: datetime


class ImapConnection:
    """A logged-in connection; every method blocks, `abort` may be called from elsewhere."""

    def __init__(self, server: ServerSetting, timeout_s: float = COMMAND_TIMEOUT_S) -> None:
        """Connect. Raises OSError, ssl.SSLError, imaplib.IMAP4.error."""
        self._box = _connect(server, timeout_s)
        self._aborted = threading.Event()

    def login(self, credentials: Credentials | None) -> None:
        """Log in. Raises LoginRefused."""
        try:
            if credentials is None:
                return
            if credentials.is_token:
                self._box.xoauth2(credentials.user, credentials.secret, initial_folder=None)
            elif _is_ascii(credentials):
                self._box.login(credentials.user, credentials.secret, initial_folder=None)
            else:
                self._box.login_utf8(credentials.user, credentials.secret, initial_folder=None)
        except imaplib.IMAP4.abort:
            raise
        except (imaplib.IMAP4.error, imap_tools.ImapToolsError) as error:
            raise LoginRefused("The IMAP server refuses the log-in.") from error

    def select(self, folder: str) -> tuple[int, int]:
        """Open a folder; returns its UIDVALIDITY and the highest UID so far."""
        status, _ = self._client.select(_quoted(folder))
        if status != "OK":
            raise MailboxError(f"The mailbox has no folder {folder!r}.")
        validity, uid_next = self._told_number("UIDVALIDITY"), self._told_number("UIDNEXT")
        if uid_next:
            return validity, uid_next - 1
        # It need not be told (RFC 9051 section 6.3.2): look for the last one.
        return validity, max(self._search("UID", "1:*"), default=0)

    def uids_after(self, last_uid: int) -> list[int]:
        """UIDs above that one, in their order."""
        self._is_told_of_mail()  # what was told before this search is found by it
        # `n:*` always names the last message, even below n (RFC 9051 section 9, seq-range).
        return sorted(uid for uid in self._search("UID", f"{last_uid + 1}:*") if uid > last_uid)

    def fetch(self, uid: int) -> Fetched | None:
        """A mail, unflagged; None if it is gone."""
        wanted = f"(UID INTERNALDATE BODY.PEEK[]<0.{MAX_MAIL_BYTES}>)"
        status, answer = self._client.uid("FETCH", str(uid), wanted)
        if status != "OK":
            raise imaplib.IMAP4.abort(f"FETCH ended with {status}")
        told = b" ".join(p if isinstance(p, bytes) else p[0] for p in answer if p)
        if re.search(rb"\bUID %d\b" % uid, told) is None:
            return None
        raw = next((bytes(part[1]) for part in answer if isinstance(part, tuple)), None)
        return Fetched(uid, raw if raw is not None else _short(told), _received_at(told))

    def mark_seen(self, uid: int) -> None:
        """Flag a mail as read; its row is committed."""
        # A mailbox that is shared read-only refuses, and the watermark alone does as well.
        with contextlib.suppress(imaplib.IMAP4.readonly):
            self._client.uid("STORE", str(uid), "+FLAGS.SILENT", "(\\Seen)")

    def wait(self, seconds: float) -> None:
        """Return when something may have come, or after so many seconds."""
        can_idle = self._can_idle()
        self._client.noop()
        if self._is_told_of_mail():
            return
        if not can_idle:
            self._aborted.wait(seconds)
            self._client.noop()
            return
        with self._box.idle as idle:
            idle.poll(timeout=seconds)

    def close(self) -> None:
        """Say good-bye, if the server still listens."""
        with contextlib.suppress(*LOST):
            self._client.logout()

    def abort(self) -> None:
        """Break the line, whatever a thread waits for on it."""
        self._aborted.set()
        with contextlib.suppress(OSError):
            self._client.sock.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Free the socket."""
        with contextlib.suppress(*LOST):
            self._client.shutdown()

    @property
    def _client(self) -> imaplib.IMAP4:
        return self._box.client

    def _is_told_of_mail(self) -> bool:
        """Whether an answer since the last look told of new mail.

        IDLE does not tell it again, and some servers tell in IDLE of nothing that came before.
        """
        # EXISTS may stand before the answer to any command (RFC 9051 section 7).
        _, told = self._client.response("EXISTS")
        return told != [None]

    def _can_idle(self) -> bool:
        # Asked after the log-in: some servers tell only then what they can.
        _, told = self._client.capability()
        return any(b"IDLE" in part.upper().split() for part in told if part)

    def _search(self, *criteria: str) -> list[int]:
        status, answer = self._client.uid("SEARCH", *criteria)
        if status != "OK":
            raise imaplib.IMAP4.abort(f"SEARCH ended with {status}")
        return [int(uid) for part in answer if part for uid in part.split()]

    def _told_number(self, name: str) -> int:
        _, told = self._client.response(name)
        found = told[0] if told else None
        return int(found) if isinstance(found, bytes) and found.isdigit() else 0


def _connect(server: ServerSetting, timeout_s: float) -> imap_tools.BaseMailBox:
    host, port = server.host, server.port
    if server.security == "none":
        return imap_tools.MailBoxUnencrypted(host, port, timeout=timeout_s)
    context = ssl.create_default_context(cafile=server.ca_file)
    if server.security == "starttls":
        return imap_tools.MailBoxStartTls(host, port, timeout=timeout_s, ssl_context=context)
    return imap_tools.MailBox(host, port, timeout=timeout_s, ssl_context=context)


def _is_ascii(credentials: Credentials) -> bool:
    return credentials.user.isascii() and credentials.secret.isascii()


def _quoted(folder: str) -> str:
    encoded = utf7_encode(folder).decode("ascii")
    return '"' + encoded.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _short(told: bytes) -> bytes:
    """The body where the server told it as a quoted string, as it may a short one."""
    found = _QUOTED_BODY.search(told)
    return re.sub(rb"\\(.)", rb"\1", found[1]) if found else b""


def _received_at(told: bytes) -> datetime:
    found = _DATE.search(told)
    if found is not None:
        with contextlib.suppress(ValueError):
            text = found[1].decode("ascii", "replace").strip()
            return datetime.strptime(text, "%d-%b-%Y %H:%M:%S %z")
    return datetime.now(UTC)
