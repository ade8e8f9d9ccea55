"""Links to the staff by mail: written here, sent by the channels process, retried in this place.

A link is sealed while its letter waits. When the letter is sent or given up the link is erased, and
only its keyed hash is left, as of one that was handed over by hand.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.channel import DeliveryError
from bot.delivery import CLAIM_EXPIRES, SEND_TIMEOUT, backoff_s
from bot.tables import (
    Account,
    Agent,
    Invitation,
    LetterState,
    LogInLink,
    StaffLetter,
    new_id,
    now,
)

log = logging.getLogger(__name__)

SHOWN_FOR = timedelta(days=7)
TOO_LATE = "The link's time was over before it could be sent."


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter to be sent now: to whom, and the link that opens something once."""

    letter_id: UUID
    inbox_id: UUID
    kind: Literal["invitation", "link"]
    recipient: str
    name: str
    invited_by: str
    link: str
    written_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LetterView:
    """What became of a letter. `error` is of the last try; a pending one is tried again."""

    state: LetterState
    error: str
    at: datetime


class Post(Protocol):
    """Who hands letters to a mail server: the e-mail channel."""

    async def post(self, letter: Letter) -> str:
        """Send it; returns its Message-ID, the same at every attempt. Raises DeliveryError."""
        ...


def write_letter(
    session: Session,
    inbox_id: UUID,
    link: str,
    *,
    invitation_id: UUID | None = None,
    log_in_link_id: UUID | None = None,
) -> None:
    """Have this link mailed to whom the invitation or the log-in link is for."""
    letter = StaffLetter(
        id=new_id(),
        inbox_id=inbox_id,
        invitation_id=invitation_id,
        log_in_link_id=log_in_link_id,
    )
    letter.link = link
    session.add(letter)
    session.flush()


def withdraw_letters(session: Session, invitation_id: UUID) -> None:
    """Letters of this invitation that wait hold a link that opens nothing any more."""
    query = select(StaffLetter).where(
        StaffLetter.invitation_id == invitation_id, StaffLetter.state.in_(("pending", "sending"))
    )
    for letter in session.scalars(query.with_for_update()):
        _end(letter, "withdrawn", letter.error)


def latest_letters(session: Session) -> dict[UUID, LetterView]:
    """The newest letter of each invitation and of each account's log-in links; no old ones."""
    about = LogInLink.account_id
    query = (
        select(StaffLetter, about)
        .outerjoin(LogInLink, LogInLink.id == StaffLetter.log_in_link_id)
        .where(StaffLetter.state != "withdrawn", StaffLetter.created_at > now() - SHOWN_FOR)
        .order_by(StaffLetter.created_at)
    )
    return {
        letter.invitation_id or account_id: LetterView(
            letter.state, letter.error or "", letter.sent_at or letter.created_at
        )
        for letter, account_id in session.execute(query)
    }


async def send_letters(sessions: async_sessionmaker[AsyncSession], post: Post) -> int:
    """Send what is due, one claim at a time; returns how many were tried."""
    tried = 0
    while True:
        async with sessions.begin() as session:
            letter = await session.run_sync(claim_letter)
        if letter is None:
            return tried
        await _send(sessions, post, letter)
        tried += 1


def claim_letter(session: Session) -> Letter | None:
    """Take one due letter for this process; what opens nothing any more is not sent."""
    query = (
        select(StaffLetter)
        .where(StaffLetter.state.in_(("pending", "sending")), StaffLetter.next_attempt_at <= now())
        .order_by(StaffLetter.next_attempt_at)
        .limit(1)
    )
    row = session.scalars(query.with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    letter = _invitation(session, row) if row.invitation_id else _log_in_link(session, row)
    if letter is None:
        _end(row, "failed" if row.error else "withdrawn", row.error and f"{TOO_LATE} {row.error}")
        session.flush()
        return claim_letter(session)
    row.state = "sending"
    row.attempts += 1
    row.next_attempt_at = now() + CLAIM_EXPIRES
    return letter


def mark_returned(session: Session, letter_id: UUID, told: str) -> None:
    """The link came back to the company's mailbox: whoever reads there must not use it."""
    row = session.get_one(StaffLetter, letter_id, with_for_update=True)
    if row.invitation_id is not None:
        invitation = session.get_one(Invitation, row.invitation_id, with_for_update=True)
        invitation.token_hash = secrets.token_bytes(32)  # still open: a new link can be made
    elif row.log_in_link_id is not None:
        link = session.get_one(LogInLink, row.log_in_link_id, with_for_update=True)
        link.used_at = link.used_at or now()
    _end(row, "failed", told)
    log.warning("returned letter=%s", letter_id)


def find_letter(session: Session, external_ids: Sequence[str]) -> UUID | None:
    """The letter that was sent under one of these Message-IDs."""
    query = select(StaffLetter.id).where(StaffLetter.external_id.in_(external_ids))
    return session.scalars(query.limit(1)).one_or_none()


def _invitation(session: Session, row: StaffLetter) -> Letter | None:
    query = (
        select(Invitation, Agent.name)
        .outerjoin(Agent, Agent.id == Invitation.invited_by)
        .where(
            Invitation.id == row.invitation_id,
            Invitation.used_at.is_(None),
            Invitation.withdrawn_at.is_(None),
            Invitation.expires_at > now(),
        )
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    invitation, invited_by = found
    return Letter(
        letter_id=row.id,
        inbox_id=row.inbox_id,
        kind="invitation",
        recipient=invitation.email,
        name=invitation.name,
        invited_by=invited_by or "",
        link=row.link,
        written_at=row.created_at,
        expires_at=invitation.expires_at,
    )


def _log_in_link(session: Session, row: StaffLetter) -> Letter | None:
    query = (
        select(LogInLink, Account, Agent.name)
        .join(Account, Account.id == LogInLink.account_id)
        .join(Agent, Agent.id == Account.agent_id)
        .where(
            LogInLink.id == row.log_in_link_id,
            LogInLink.used_at.is_(None),
            LogInLink.expires_at > now(),
            Account.removed_at.is_(None),
        )
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    link, account, name = found
    return Letter(
        letter_id=row.id,
        inbox_id=row.inbox_id,
        kind="link",
        recipient=account.email,
        name=name,
        invited_by="",
        link=row.link,
        written_at=row.created_at,
        expires_at=link.expires_at,
    )


async def _send(sessions: async_sessionmaker[AsyncSession], post: Post, letter: Letter) -> None:
    try:
        async with asyncio.timeout(SEND_TIMEOUT.total_seconds()):
            external_id = await post.post(letter)
    except TimeoutError:
        error = DeliveryError("The mail server did not answer.", permanent=False)
        await _fail(sessions, letter, error)
    except DeliveryError as error:
        await _fail(sessions, letter, error)
    except SQLAlchemyError:
        raise  # the database's failure: the claim runs out and is taken again
    except Exception as error:  # one letter that cannot be sent must not keep back the others
        log.exception("unforeseen error letter=%s", letter.letter_id)
        told = f"Something broke on our side ({type(error).__name__})."
        await _fail(sessions, letter, DeliveryError(told, permanent=False))
    else:
        async with sessions.begin() as session:
            await session.run_sync(_mark_sent, letter.letter_id, external_id)
        log.info("sent letter=%s", letter.letter_id)


async def _fail(
    sessions: async_sessionmaker[AsyncSession], letter: Letter, error: DeliveryError
) -> None:
    async with sessions.begin() as session:
        await session.run_sync(_mark_failed, letter, error)
    log.warning("not sent letter=%s permanent=%s", letter.letter_id, error.permanent)


def _mark_sent(session: Session, letter_id: UUID, external_id: str) -> None:
    row = session.get_one(StaffLetter, letter_id, with_for_update=True)
    row.external_id = external_id
    row.sent_at = now()
    if row.state == "sending":  # else it was withdrawn while it went out
        _end(row, "sent", None)


def _mark_failed(session: Session, letter: Letter, error: DeliveryError) -> None:
    row = session.get_one(StaffLetter, letter.letter_id, with_for_update=True)
    if row.state != "sending":  # withdrawn meanwhile
        return
    told = str(error)[:500]
    again_at = now() + timedelta(seconds=error.retry_after_s or backoff_s(row.attempts))
    if error.permanent or again_at >= letter.expires_at:
        _end(row, "failed", told)
    else:
        row.state, row.error, row.next_attempt_at = "pending", told, again_at


def _end(row: StaffLetter, state: LetterState, error: str | None) -> None:
    row.state, row.error, row.link_sealed = state, error, None
