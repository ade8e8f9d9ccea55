"""A world of mail on loopback: the company's mailbox by IMAP, its mail server, and customers.

What Frontdesk submits goes to the customer it is for, or, where the customer is a robot, to the
robot, whose answer comes back into the company's mailbox. So loops run as they do outside.
"""

from __future__ import annotations

import email
import email.policy
import itertools
import smtplib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses
from typing import Literal

from bot.simulation.imap_server import ImapServer
from bot.simulation.smtp_sink import Letter, SmtpSink

PASSWORD = "a password of the mail world"  # noqa: S105 - it opens nothing outside this process
Robot = Callable[["Customer", EmailMessage], bytes | None]
_numbers = itertools.count(1)


@dataclass(slots=True)
class Customer:
    """Somebody with an address; `letters` is what arrived for them, parsed."""

    address: str
    name: str = ""
    letters: list[EmailMessage] = field(default_factory=list)
    robot: Robot | None = None

    def write(
        self,
        to: str,
        text: str,
        *,
        subject: str = "A question",
        answers: EmailMessage | None = None,
        headers: dict[str, str] | None = None,
        message_id: str | None = None,
    ) -> bytes:
        """A mail of this customer's as their program writes it; `answers` makes it a reply."""
        # Long lines: the standard library breaks long Message-IDs where it folds.
        mail = EmailMessage(policy=email.policy.SMTP.clone(max_line_length=900))
        mail["From"] = f"{self.name} <{self.address}>" if self.name else self.address
        mail["To"] = to
        mail["Subject"] = subject
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = message_id or f"<{next(_numbers)}.{id(self)}@{self.address[-20:]}>"
        if answers is not None:
            mail["In-Reply-To"] = str(answers["Message-ID"])
            known = str(answers.get("References", ""))
            mail["References"] = f"{known} {answers['Message-ID']}".strip()
        for name, value in (headers or {}).items():
            del mail[name]
            mail[name] = value
        mail.set_content(text)
        return mail.as_bytes()

    def reply(self, to: EmailMessage, text: str) -> bytes:
        """An answer to a mail, to where it asks for answers, with its text quoted below."""
        quoted = "\n".join(f"> {line}" for line in plain_text(to).splitlines())
        target = str(to.get("Reply-To") or to["From"])
        subject = str(to["Subject"])
        return self.write(
            getaddresses([target])[0][1],
            f"{text}\n\nOn a day somebody wrote:\n{quoted}\n",
            subject=subject if subject.startswith("Re:") else f"Re: {subject}",
            answers=to,
        )


@dataclass(slots=True)
class MailWorld:
    """The servers and the people. Use it as `async with MailWorld() as world`."""

    company: str = "support@shop.example"
    imap: ImapServer = field(default_factory=ImapServer)
    smtp: SmtpSink = field(default_factory=SmtpSink)
    customers: dict[str, Customer] = field(default_factory=dict)
    unclaimed: list[Letter] = field(default_factory=list)

    async def __aenter__(self) -> MailWorld:
        self.smtp.on_letter = self._deliver
        await self.imap.start()
        await self.imap.add_user(self.company, PASSWORD)
        self.smtp.users[self.company] = PASSWORD
        await self.smtp.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.smtp.stop()
        await self.imap.stop()

    def customer(self, address: str, name: str = "", robot: Robot | None = None) -> Customer:
        """Somebody of this address, made at the first call."""
        found = self.customers.setdefault(address.lower(), Customer(address, name))
        found.robot = robot or found.robot
        return found

    async def post(self, raw: bytes, received_at: datetime | None = None) -> int:
        """Put a mail into the company's mailbox; returns its UID."""
        return await self.imap.append(self.company, raw, received_at)

    async def _deliver(self, letter: Letter) -> None:
        customer = self.customers.get(letter.recipient.lower())
        if customer is None:
            self.unclaimed.append(letter)
            return
        mail = parse(letter.raw)
        customer.letters.append(mail)
        if customer.robot is not None and (answer := customer.robot(customer, mail)):
            await self.post(answer)


def parse(raw: bytes) -> EmailMessage:
    """A mail as the standard library reads it."""
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, EmailMessage), "the policy says so"
    return found


def plain_text(mail: EmailMessage) -> str:
    """The plain text of a mail."""
    body = mail.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""


def bounce_of(mail: EmailMessage, status: str = "5.1.1") -> bytes:
    """The report of a server that could not deliver this mail (RFC 3464)."""
    recipient = getaddresses([str(mail["To"])])[0][1]
    boundary = "=_report_="
    headers = "".join(f"{name}: {value}\r\n" for name, value in mail.items())
    action = "failed" if status.startswith("5") else "delayed"
    return (
        "From: Mail Delivery System <mailer-daemon@mx.example>\r\n"
        f"To: {getaddresses([str(mail['From'])])[0][1]}\r\n"
        "Subject: Undelivered Mail Returned to Sender\r\n"
        f"Date: {format_datetime(datetime.now(UTC))}\r\n"
        f"Message-ID: <report-{next(_numbers)}@mx.example>\r\n"
        "Auto-Submitted: auto-replied\r\nReturn-Path: <>\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"\r\n'
        f"\r\n--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        f"The mail to {recipient} could not be delivered.\r\n"
        f"\r\n--{boundary}\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} no such user\r\n"
        f"\r\n--{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n{headers}"
        f"\r\n--{boundary}--\r\n"
    ).encode("utf-8", "replace")


def hand_over(
    port: int,
    raw: bytes,
    recipient: str,
    sender: str = "ada@example.org",
    protocol: Literal["lmtp", "smtp"] = "lmtp",
) -> tuple[int, str]:
    """Give a mail to a listener as a mail server does; returns the code and text of its answer."""
    kind = smtplib.LMTP if protocol == "lmtp" else smtplib.SMTP
    with kind("127.0.0.1", port) as client:
        client.ehlo_or_helo_if_needed()
        code, text = client.mail(sender)
        if code == 250:
            code, text = client.rcpt(recipient)
        if code == 250:
            code, text = client.data(raw)
        return code, text.decode(errors="replace")
