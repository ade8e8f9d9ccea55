"""What every mail goes through, from whichever listener: read, place, store, commit."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from bot.channel import Receive
from bot.conversations import Recorded, record_bounce
from bot.events import Advance, Publisher
from bot.letters import mark_returned
from channels.email.mail import Envelope, MailMessage, OwnMail, ThreadMatch
from channels.email.mailboxes import Mailbox, find_mailbox, own_mail
from channels.email.placing import Forgotten, Placed, ReportOf, ReturnedLetter, place, quoted_letter
from channels.email.reading import read_mail

log = logging.getLogger(__name__)

Taken = Literal["stored", "known", "forgotten"]
KNOWN_FOR_S = 5.0
QUOTED = "It was answered with the link in it, so the link was ended."
# Reading and storing take a core's time: more at once would only keep other work waiting.
AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class _Known:
    """A mailbox as it was a moment ago; a flood of mails does not ask for it each time."""

    until: float
    mailbox: Mailbox
    own: OwnMail


class MailIntake:
    """Takes mails in; when `take` returns, what it says is committed."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        threaded: sessionmaker[Session],
        publisher: Publisher,
        receive: Receive,
    ) -> None:
        self._sessions = sessions
        # What places a mail reads only, and each statement may stand alone: no round trip for
        # a transaction's begin and end.
        engine = threaded.kw["bind"].execution_options(isolation_level="AUTOCOMMIT")
        self._reads = sessionmaker(**(threaded.kw | {"bind": engine}))
        self._publisher = publisher
        self._receive = receive
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._known: dict[UUID, _Known] = {}

    async def take(self, inbox_id: UUID, raw: bytes, envelope: Envelope | None = None) -> Taken:
        """Store one mail. Raises SQLAlchemyError when the database is away: ask for it again."""
        async with self._slots:
            mailbox, own = await self._mailbox(inbox_id)
            placed, letter_id = await asyncio.to_thread(
                self._read_and_place, mailbox, own, raw, envelope
            )
            if letter_id is not None:  # before anybody can read the link in the conversation
                await self._end_link(letter_id, QUOTED)
            return await self._store(placed)

    def _read_and_place(
        self, mailbox: Mailbox, own: OwnMail, raw: bytes, envelope: Envelope | None
    ) -> tuple[Placed, UUID | None]:
        mail = read_safely(raw, own, envelope)
        with self._reads() as session:
            return place(session, mailbox, mail, raw), quoted_letter(session, mail)

    async def _store(self, placed: Placed) -> Taken:
        if isinstance(placed, Forgotten):
            return "forgotten"
        if isinstance(placed, ReturnedLetter):
            await self._note_return(placed)
            return "forgotten"
        if isinstance(placed, ReportOf):
            recorded = await self._record_report(placed)
            await asyncio.to_thread(
                self._publisher.advanced, Advance(recorded.conversation_id, recorded.seq)
            )
        else:
            recorded = await self._receive(placed)
        return "stored" if recorded.is_new else "known"

    async def _note_return(self, returned: ReturnedLetter) -> None:
        if returned.notice.is_permanent:
            status = returned.notice.status or "no reason given"
            await self._end_link(returned.letter_id, f"The mail came back: {status}")

    async def _end_link(self, letter_id: UUID, told: str) -> None:
        async with self._sessions.begin() as session:
            await session.run_sync(mark_returned, letter_id, told)

    async def _record_report(self, report: ReportOf) -> Recorded:
        def record(session: Session) -> Recorded:
            return record_bounce(session, report.message, report.conversation_id, report.notice)

        try:
            async with self._sessions.begin() as session:
                return await session.run_sync(record)
        except IntegrityError:  # a copy came in at the same time: now it is there to be found
            async with self._sessions.begin() as session:
                return await session.run_sync(record)

    async def _mailbox(self, inbox_id: UUID) -> tuple[Mailbox, OwnMail]:
        known = self._known.get(inbox_id)
        if known is not None and known.until > time.monotonic():
            return known.mailbox, known.own
        async with self._sessions.begin() as session:
            mailbox = await session.run_sync(find_mailbox, inbox_id)
            own = await session.run_sync(own_mail, mailbox)
        self._known[inbox_id] = _Known(time.monotonic() + KNOWN_FOR_S, mailbox, own)
        return mailbox, own


def read_safely(raw: bytes, own: OwnMail, envelope: Envelope | None) -> MailMessage:
    """Read a mail; one that reading should fail on is kept unread rather than lost."""
    try:
        return read_mail(raw, own, envelope)
    except Exception:  # a mail that blocks its mailbox for ever is worse than one unread
        digest = hashlib.sha256(raw).hexdigest()[:40]
        log.exception("a mail could not be read sha256=%s size=%d", digest, len(raw))
        return MailMessage(
            message_id=f"{digest}@unread",
            from_address=None,
            from_name=None,
            from_doubt="the mail could not be read",
            to=(),
            cc=(),
            reply_to=(),
            subject="",
            date=None,
            in_reply_to=(),
            references=(),
            thread=ThreadMatch(None, "none"),
            automatic=False,
            reasons=("unreadable",),
            bounce=None,
            visible_text="(This mail could not be read; the original is kept.)",
            full_text="",
            quoted_chars=0,
            attachments=(),
        )
