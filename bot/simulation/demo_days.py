"""Moves the demo's conversations back into the last two weeks, after the real pipeline made them.

Each conversation moves as a whole: every time in every row of it by the same span, so that who
wrote first, how long an answer took and how long somebody waited stay what they were. The tallies
are counted anew in the same transaction, and Insights never sees one without the other.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    DateTime,
    Interval,
    Table,
    Uuid,
    bindparam,
    select,
    update,
)
from sqlalchemy.orm import Session

from bot.tables import Base, Contact, Conversation, Message
from bot.tallies import hold_tallies, recount_inboxes

DAYS = 14
# Whom nobody has answered yet did not write two weeks ago.
DAYS_OF_OPEN = 4
# How busy an hour of the day is (UTC) beside the others: a wave before noon and one after lunch.
BUSY = (0, 0, 0, 0, 0, 0, 1, 3, 7, 10, 12, 9, 6, 8, 11, 10, 7, 5, 3, 2, 2, 1, 1, 0)
WEEKEND = 0.3
# These lie ahead, whenever the conversation was: when it comes back, when something ends.
AHEAD = {"snoozed_until", "leased_until", "expires_at"}


def spread_over_days(session: Session, inbox_ids: Sequence[UUID]) -> None:
    """Give the conversations of these inboxes plausible times; the caller commits.

    Nothing may be under way in them. Who wrote first still wrote first, among those that are
    settled and among those that still wait.
    """
    hold_tallies(session)
    found = session.execute(
        select(Conversation.id, Conversation.status, Conversation.created_at)
        .where(Conversation.inbox_id.in_(inbox_ids))
        .order_by(Conversation.created_at, Conversation.number)
        .with_for_update()
    ).all()
    if not found:
        return
    dice, until = random.Random(7), min(row.created_at for row in found)
    waiting = [row for row in found if row.status in ("open", "snoozed")]
    settled = [row for row in found if row not in waiting]
    for rows, days in ((settled, DAYS), (waiting, DAYS_OF_OPEN)):
        for row, begins_at in zip(rows, plausible_times(len(rows), days, until, dice), strict=True):
            _move(session, row.id, begins_at - row.created_at)
    session.expire_all()
    recount_inboxes(session, inbox_ids)


def plausible_times(count: int, days: int, until: datetime, dice: random.Random) -> list[datetime]:
    """So many times of the days before `until`, in order, as people write to a shop."""
    begin = until.astimezone(UTC) - timedelta(days=days)
    hours = [begin + timedelta(hours=number) for number in range(24 * days)]
    chosen = dice.choices(hours, [_weight(hour) for hour in hours], k=count)
    return sorted(hour + timedelta(seconds=dice.randrange(3600)) for hour in chosen)


def _weight(hour: datetime) -> float:
    return BUSY[hour.hour] * (WEEKEND if hour.isoweekday() > 5 else 1.0)


def _move(session: Session, conversation_id: UUID, by: timedelta) -> None:
    values = {"moved": conversation_id, "span": by}
    for table in Base.metadata.sorted_tables:
        times = [column for column in table.columns if _is_a_past_time(column)]
        which = _rows_of(table)
        if times and which is not None:
            moved = {column: column + _SPAN for column in times}
            session.execute(update(table).where(which).values(moved), values)


_MOVED: BindParameter[UUID] = bindparam("moved", type_=Uuid())
_SPAN: BindParameter[timedelta] = bindparam("span", type_=Interval())


def _is_a_past_time(column: Column[object]) -> bool:
    return isinstance(column.type, DateTime) and column.name not in AHEAD


def _rows_of(table: Table) -> ColumnElement[bool] | None:
    """Which of a table's rows belong to the conversation; None where none can."""
    names = table.columns.keys()
    if table is Conversation.__table__:
        return table.c.id == _MOVED
    if "conversation_id" in names:
        return table.c.conversation_id == _MOVED
    if "message_id" in names:
        messages = select(Message.id).where(Message.conversation_id == _MOVED)
        return table.c.message_id.in_(messages)
    contacts = select(Conversation.contact_id).where(Conversation.id == _MOVED)
    if table is Contact.__table__:
        return table.c.id.in_(contacts)
    return table.c.contact_id.in_(contacts) if "contact_id" in names else None
