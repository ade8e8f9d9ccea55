"""Hands a mail to the company's mail server (RFC 6409), and tells temporary from permanent."""

from __future__ import annotations

import asyncio
import ssl
from email.message import EmailMessage

import aiosmtplib
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from bot.channel import DeliveryError
from channels.email.logins import Credentials, Logins
from channels.email.mailboxes import Mailbox, MailboxError, ServerSetting

TIMEOUT_S = 30.0
WRONG_LOGIN_RETRY_S = 300.0


async def submit(mailbox: Mailbox, logins: Logins, message: EmailMessage, recipient: str) -> None:
    """Send one mail to one recipient. Raises DeliveryError; returns after the server's 250."""
    server = mailbox.setting.smtp
    if server is None:
        raise DeliveryError(
            "The mailbox has no SMTP server: `./frontdesk mail connect`.",
            permanent=False,
            retry_after_s=WRONG_LOGIN_RETRY_S,
        )
    try:
        credentials = await logins.credentials(mailbox)
        async with _client(server) as client:
            await _log_in(client, credentials)
            await client.send_message(
                message, sender=mailbox.setting.address, recipients=[recipient]
            )
    except SMTPAuthenticationError as error:
        logins.forget(mailbox)
        raise _not_let_in(f"The mail server refuses the log-in ({error.code}).") from error
    except MailboxError as error:
        raise _not_let_in(str(error)) from error
    except SMTPRecipientsRefused as error:
        refused = error.recipients[0]
        raise _refusal("The recipient was refused", refused.code, refused.message) from error
    except SMTPSenderRefused as error:
        raise _refusal("Our address was refused", error.code, error.message) from error
    except SMTPResponseException as error:
        raise _refusal("The mail was refused", error.code, error.message) from error
    except (SMTPException, OSError, ssl.SSLError, asyncio.IncompleteReadError) as error:
        told = f"The mail server does not answer ({type(error).__name__})."
        raise DeliveryError(told, permanent=False) from error


async def try_login(mailbox: Mailbox, logins: Logins) -> None:
    """Connect and log in, nothing else. Raises DeliveryError."""
    server = mailbox.setting.smtp
    if server is None:
        return
    try:
        credentials = await logins.credentials(mailbox)
        async with _client(server) as client:
            await _log_in(client, credentials)
    except SMTPAuthenticationError as error:
        raise _not_let_in(f"The mail server refuses the log-in ({error.code}).") from error
    except MailboxError as error:
        raise _not_let_in(str(error)) from error
    except (SMTPException, OSError, ssl.SSLError) as error:
        told = f"The mail server does not answer ({type(error).__name__})."
        raise DeliveryError(told, permanent=False) from error


def _client(server: ServerSetting) -> aiosmtplib.SMTP:
    context = (
        None if server.security == "none" else ssl.create_default_context(cafile=server.ca_file)
    )
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        tls_context=context,
        timeout=TIMEOUT_S,
    )


async def _log_in(client: aiosmtplib.SMTP, credentials: Credentials | None) -> None:
    if credentials is None:
        return
    if credentials.is_token:
        await client.auth_xoauth2(credentials.user, credentials.secret)
    else:
        await client.login(credentials.user, credentials.secret)


def _refusal(what: str, code: int, told: str) -> DeliveryError:
    """RFC 5321 section 4.2.1: 5yz is permanent, all else may be tried again.

    The server's words may hold the address, so only their codes are kept.
    """
    enhanced = told.split(" ", 1)[0] if told[:2] in ("2.", "4.", "5.") else ""
    codes = " ".join(filter(None, [str(code), enhanced[:12]]))
    return DeliveryError(f"{what} ({codes}).", permanent=500 <= code < 600)


def _not_let_in(told: str) -> DeliveryError:
    # Whoever runs the desk can mend it, and then the mail should still go out.
    return DeliveryError(told, permanent=False, retry_after_s=WRONG_LOGIN_RETRY_S)
