"""How far each mailbox was read, and by which process: the rows of `mailbox_watermark`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.tables import MailboxWatermark, now

# Mails that the server got a little before the mailbox was connected still count as new: its
# clock may be wrong, and it tells whole seconds.
OLDER_AT_MOST = timedelta(hours=1)


class LeaseLost(Exception):
    """Another process reads this mailbox now."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """Everything up to `last_uid` was stored; what the server got before `since` is left alone."""

    uid_validity: int
    last_uid: int
    since: datetime


def acquire(session: Session, inbox_id: UUID, folder: str, holder: str, length: timedelta) -> bool:
    """Become the reader of a mailbox, or stay it; False while another process is."""
    row = {
        "inbox_id": inbox_id,
        "folder": folder,
        "uid_validity": 0,
        "last_uid": 0,
        "since": now() - OLDER_AT_MOST,
    }
    session.execute(insert(MailboxWatermark).values(**row).on_conflict_do_nothing())
    current = func.clock_timestamp()
    taken = session.execute(
        update(MailboxWatermark)
        .where(
            MailboxWatermark.inbox_id == inbox_id,
            MailboxWatermark.folder == folder,
            or_(
                MailboxWatermark.holder == holder,
                MailboxWatermark.leased_until.is_(None),
                MailboxWatermark.leased_until < current,
            ),
        )
        .values(holder=holder, leased_until=current + length)
        .returning(MailboxWatermark.inbox_id)
    )
    return taken.one_or_none() is not None


def begin(
    session: Session, inbox_id: UUID, folder: str, holder: str, validity: int, highest: int
) -> Watermark:
    """Where to go on in the folder as the server shows it now. Raises LeaseLost.

    The first time it is after the last mail: what was there before was answered by people. After
    a change of UIDVALIDITY all is read once more; what is known is not stored twice.
    """
    row = _held(session, inbox_id, folder, holder)
    if row.uid_validity == 0:
        row.last_uid = highest
    elif row.uid_validity != validity or row.last_uid > highest:
        row.last_uid = 0
    row.uid_validity = validity
    session.flush()
    return Watermark(validity, row.last_uid, row.since)


def advance(session: Session, inbox_id: UUID, folder: str, holder: str, last_uid: int) -> None:
    """Everything up to this UID is committed. Raises LeaseLost."""
    row = _held(session, inbox_id, folder, holder)
    row.last_uid = last_uid
    row.read_at = now()
    session.flush()


def note_success(session: Session, inbox_id: UUID, folder: str, holder: str) -> None:
    """The mailbox was looked into and nothing is wrong. Raises LeaseLost."""
    row = _held(session, inbox_id, folder, holder)
    row.read_at = now()
    row.error = row.error_since = None
    session.flush()


def note_error(session: Session, inbox_id: UUID, folder: str, error: str) -> None:
    """For the operator: why the mailbox is not read, since when."""
    row = session.get(MailboxWatermark, (inbox_id, folder))
    if row is not None:
        row.error = error[:300]
        row.error_since = row.error_since or now()
        session.flush()


def release(session: Session, inbox_id: UUID, folder: str, holder: str) -> None:
    """Let the next process begin at once."""
    session.execute(
        update(MailboxWatermark)
        .where(
            MailboxWatermark.inbox_id == inbox_id,
            MailboxWatermark.folder == folder,
            MailboxWatermark.holder == holder,
        )
        .values(leased_until=None)
    )


def read_from(session: Session, inbox_id: UUID, folder: str, since: datetime) -> None:
    """Have all mails read that the server got after `since`; for `mail connect --since`."""
    row = {"inbox_id": inbox_id, "folder": folder, "uid_validity": 1, "last_uid": 0, "since": since}
    statement = insert(MailboxWatermark).values(**row)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[MailboxWatermark.inbox_id, MailboxWatermark.folder],
            set_={"since": since, "last_uid": 0},
        )
    )


def _held(session: Session, inbox_id: UUID, folder: str, holder: str) -> MailboxWatermark:
    query = (
        select(MailboxWatermark)
        .where(
            MailboxWatermark.inbox_id == inbox_id,
            MailboxWatermark.folder == folder,
            MailboxWatermark.holder == holder,
            MailboxWatermark.leased_until > func.clock_timestamp(),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = session.scalars(query).one_or_none()
    if row is None:
        raise LeaseLost
    return row
