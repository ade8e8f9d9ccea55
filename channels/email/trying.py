"""Tries the log-ins of a mailbox, as `mail test`, `doctor` and the dashboard do."""

from __future__ import annotations

import asyncio

from bot.channel import DeliveryError
from channels.email.imap import LOST, ImapConnection
from channels.email.logins import Logins
from channels.email.mailboxes import Mailbox, MailboxError
from channels.email.submission import try_login


def try_mailbox(mailbox: Mailbox) -> list[tuple[str, str | None]]:
    """Each server of a mailbox with what is wrong there, None where nothing is.

    It blocks for up to half a minute and runs loops of its own: call it in a thread.
    """
    found: list[tuple[str, str | None]] = []
    if mailbox.setting.imap is not None:
        found.append((f"IMAP {mailbox.setting.imap.host}", _try_imap(mailbox)))
    if mailbox.setting.smtp is not None:
        found.append((f"SMTP {mailbox.setting.smtp.host}", _try_smtp(mailbox)))
    return found


def _try_imap(mailbox: Mailbox) -> str | None:
    assert mailbox.setting.imap is not None, "the caller has looked"
    try:
        credentials = asyncio.run(Logins().credentials(mailbox))
        connection = ImapConnection(mailbox.setting.imap, timeout_s=15)
        try:
            connection.login(credentials)
            connection.select(mailbox.setting.folder)
        finally:
            connection.close()
            connection.release()
    except MailboxError as error:
        return str(error)
    except LOST as error:
        return f"the server does not answer ({type(error).__name__})"
    return None


def _try_smtp(mailbox: Mailbox) -> str | None:
    try:
        asyncio.run(try_login(mailbox, Logins()))
    except DeliveryError as error:
        return str(error)
    return None
