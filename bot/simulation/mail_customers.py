"""Customers who write mails, and machines that do: each function is one story."""

from __future__ import annotations

import asyncio
import contextlib
import html
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import getaddresses

from bot.simulation.ledger import Exchange, Wanted
from bot.simulation.mail_world import Customer, bounce_of, hand_over, plain_text
from bot.simulation.stage import Stage

ANSWERED_WITHIN_S = 300.0
# A robot writes no more after this: the loop was not stopped, and everybody has seen it.
MOST_ROBOT_MAILS = 8
TRY_AGAIN_S = 1.0
LMTP_SHARE = 0.4


@dataclass(slots=True)
class Correspondent:
    """A customer and what they wait for: letters are noted for the newest exchange."""

    stage: Stage
    customer: Customer
    exchanges: list[Exchange] = field(default_factory=list)

    @classmethod
    def arrive(cls, stage: Stage) -> Correspondent:
        """Somebody new, with an address of their own."""
        number = len(stage.mail.customers) + 1
        customer = stage.mail.customer(f"customer-{number}@customers.example", f"Customer {number}")
        made = cls(stage, customer)
        customer.robot = lambda _customer, mail: made.take(mail)
        return made

    def begin(
        self, story: str, wants: Wanted = "answer", follows: Exchange | None = None
    ) -> Exchange:
        """A new matter of this customer's."""
        ledger = self.stage.ledger
        exchange = ledger.begin("email", story, wants, follows=follows)
        self.exchanges.append(exchange)
        return exchange

    def take(self, mail: EmailMessage) -> None:
        """A letter arrived. What the bot writes says so (RFC 3834); all else is a person's."""
        key = str(mail["Message-ID"])
        if mail["Auto-Submitted"]:
            self.exchanges[-1].reply(key)
        else:
            waiting = [e for e in self.exchanges if e.asked_of_people > e.count("person")]
            (waiting or self.exchanges[-1:])[0].reply(key, "person")

    async def send(self, raw: bytes) -> None:
        """Post a mail: into the mailbox, or by LMTP as the company's mail server does."""
        stage = self.stage
        if stage.doors.lmtp_port is None or stage.dice.random() > LMTP_SHARE:
            await stage.mail.post(raw)
        else:
            await hand_over_until_taken(stage, raw, self.customer.address)

    async def answer(self, exchange: Exchange) -> EmailMessage | None:
        """The letter that answers an exchange, when it is there; None if none comes."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(exchange.answered.wait(), ANSWERED_WITHIN_S)
        return self.customer.letters[-1] if self.customer.letters else None

    async def ask(self, story: str) -> Exchange:
        """Begin with a question."""
        exchange = self.begin(story)
        text = self.stage.ask(exchange)
        await self.send(self.customer.write(self.stage.mail.company, text))
        return exchange


async def hand_over_until_taken(stage: Stage, raw: bytes, sender: str) -> None:
    """By LMTP; a 4xx is asked again, as mail servers do. Raises ValueError where it is refused."""
    assert stage.doors.lmtp_port is not None, "the caller has looked"
    while True:
        code, text = await asyncio.to_thread(
            hand_over, stage.doors.lmtp_port, raw, stage.mail.company, sender
        )
        if code == 250:
            return
        if code >= 500:
            raise ValueError(f"LMTP: {code} {text}")
        await asyncio.sleep(TRY_AGAIN_S)


# -- the stories -----------------------------------------------------------------------------


async def asks(stage: Stage) -> None:
    """A question."""
    who = Correspondent.arrive(stage)
    await who.answer(await who.ask("asks"))


async def is_delivered_twice(stage: Stage) -> None:
    """The same mail arrives three times, by all ways there are."""
    who = Correspondent.arrive(stage)
    exchange = who.begin("delivered three times")
    raw = who.customer.write(stage.mail.company, stage.ask(exchange))
    await asyncio.gather(who.send(raw), stage.mail.post(raw), stage.mail.post(raw))
    await who.answer(exchange)


async def follows_up(stage: Stage) -> None:
    """An answer is answered, with its text quoted below."""
    who = Correspondent.arrive(stage)
    first = await who.ask("asks")
    if (letter := await who.answer(first)) is not None:
        exchange = who.begin("follows up", follows=first)
        await who.send(who.customer.reply(letter, stage.ask(exchange)))
        await who.answer(exchange)


async def uses_outlook(stage: Stage) -> None:
    """Outlook drops References, and quotes without a mark at each line."""
    who = Correspondent.arrive(stage)
    first = await who.ask("asks")
    if (letter := await who.answer(first)) is not None:
        exchange = who.begin("follows up in Outlook", follows=first)
        await who.send(_outlook_reply(who.customer, letter, stage.ask(exchange)))
        await who.answer(exchange)


async def uses_apple_mail(stage: Stage) -> None:
    """Apple Mail writes HTML beside the text, with the quote in a box of its own."""
    who = Correspondent.arrive(stage)
    first = await who.ask("asks")
    if (letter := await who.answer(first)) is not None:
        exchange = who.begin("follows up in Apple Mail", follows=first)
        await who.send(_apple_reply(who.customer, letter, stage.ask(exchange)))
        await who.answer(exchange)


async def is_out_of_office(stage: Stage) -> None:
    """The customer's mail program answers the answer, once."""
    who = Correspondent.arrive(stage)
    first = await who.ask("asks, then leaves")
    if (letter := await who.answer(first)) is not None:
        absent = who.begin("out of office", "silence", follows=first)
        text = f"{absent.greeting()} I am out of the office until Monday."
        subject = f"Automatic reply: {letter['Subject']}"
        headers = {"Auto-Submitted": "auto-replied", "Subject": subject}
        raw = who.customer.write(stage.mail.company, text, answers=letter, headers=headers)
        await who.send(raw)


async def bounces(stage: Stage) -> None:
    """The answer comes back: nobody lives there any more."""
    who = Correspondent.arrive(stage)
    first = await who.ask("has a dead address")
    first.people_answer = False
    if (letter := await who.answer(first)) is not None:
        report = who.begin("bounce", "silence")
        report.unmarked = 1
        await stage.mail.post(bounce_of(letter))


async def is_a_newsletter(stage: Stage) -> None:
    """A mailing to many."""
    who = Correspondent.arrive(stage)
    exchange = who.begin("newsletter", "silence")
    headers = {
        "List-Id": "<news.customers.example>",
        "List-Unsubscribe": "<https://customers.example/leave>",
        "Precedence": "bulk",
        "Auto-Submitted": "auto-generated",
    }
    text = f"{exchange.greeting()} All our offers of the week!"
    await who.send(who.customer.write(stage.mail.company, text, headers=headers))


async def is_a_robot(stage: Stage) -> None:
    """A machine that answers everything, with every header stripped that would say so."""
    who = Correspondent.arrive(stage)
    exchange = who.begin("robot without headers", "loop")

    def answer(_customer: Customer, mail: EmailMessage) -> bytes | None:
        who.take(mail)
        if len(exchange.marks) >= MOST_ROBOT_MAILS:
            return None
        text = f"{exchange.greeting()} Thank you for your mail."
        return who.customer.write(stage.mail.company, text, subject=str(mail["Subject"]))

    who.customer.robot = answer
    await who.send(who.customer.write(stage.mail.company, stage.ask(exchange)))


async def is_misaddressed(stage: Stage) -> None:
    """The company's mail server hands over what is for nobody here."""
    if stage.doors.lmtp_port is not None:
        who = Correspondent.arrive(stage)
        recipient = f"nobody.{stage.mail.company}"
        raw = who.customer.write(recipient, "Is anybody there?")
        code, _ = await asyncio.to_thread(hand_over, stage.doors.lmtp_port, raw, recipient)
        stage.ledger.refuse("email", "a wrong recipient by LMTP", is_refused=code == 550)


# -- what mail programs make of an answer ----------------------------------------------------


def _outlook_reply(customer: Customer, letter: EmailMessage, text: str) -> bytes:
    headed = (
        f"From: {letter['From']}\nSent: Monday, 23 November 2026 10:00\n"
        f"To: {letter['To']}\nSubject: {letter['Subject']}\n"
    )
    quoted = f"{headed}\n{plain_text(letter)}"
    raw = customer.write(
        _target(letter),
        f"{text}\n\n________________________________\n{quoted}",
        subject=f"RE: {letter['Subject']}",
        answers=letter,
        headers={
            "Thread-Topic": str(letter["Subject"]),
            "Thread-Index": "AQHbS1mUlAtEdWk=",
            "X-Mailer": "Microsoft Outlook 16.0",
        },
    )
    return _without(raw, b"References")


def _apple_reply(customer: Customer, letter: EmailMessage, text: str) -> bytes:
    quoted = plain_text(letter)
    who = getaddresses([str(letter["From"])])[0]
    said = f"On 23 Nov 2026, at 10:00, {who[0]} <{who[1]}> wrote:"
    lines = "\n".join(f"> {line}" for line in quoted.splitlines())
    marked = (
        f"<html><body><div>{html.escape(text)}</div><br><div><blockquote type='cite'>"
        f"<div>{html.escape(said)}</div><div>{html.escape(quoted)}</div></blockquote></div>"
        "</body></html>"
    )
    raw = customer.write(
        _target(letter),
        f"{text}\n\n{said}\n\n{lines}\n",
        subject=f"Re: {letter['Subject']}",
        answers=letter,
        headers={"X-Mailer": "Apple Mail (2.3774.600.62)"},
    )
    boundary = "Apple-Mail=_0001"
    head, _, body = _without(raw, b"In-Reply-To").partition(b"\r\n\r\n")
    inner = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-")]
    outer = [line for line in head.split(b"\r\n") if line not in inner]
    return b"\r\n".join(
        [
            *outer,
            f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'.encode(),
            f"--{boundary}".encode(),
            *inner,
            b"",
            body,
            f"--{boundary}".encode(),
            b"Content-Type: text/html; charset=utf-8",
            b"Content-Transfer-Encoding: 8bit\r\n",
            marked.encode(),
            f"--{boundary}--\r\n".encode(),
        ]
    )


def _target(letter: EmailMessage) -> str:
    return getaddresses([str(letter.get("Reply-To") or letter["From"])])[0][1]


def _without(raw: bytes, name: bytes) -> bytes:
    """A mail without a header; lines of headers are not folded here."""
    head, _, body = raw.partition(b"\r\n\r\n")
    kept = [line for line in head.split(b"\r\n") if not line.startswith(name + b":")]
    return b"\r\n".join(kept) + b"\r\n\r\n" + body


STORIES = (
    asks,
    is_a_robot,
    follows_up,
    is_delivered_twice,
    is_out_of_office,
    uses_outlook,
    is_misaddressed,
    is_a_newsletter,
    uses_apple_mail,
    bounces,
)
