"""Tables of the insights: daily counts of what happened, and how far it was counted."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Date, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bot.tables.base import Base


class Tally(Base):
    """How often something happened in an inbox on a day (UTC); `bot.tallies` says what.

    `label` tells the kinds of a measure apart: the author of messages, a histogram's bucket.
    """

    __tablename__ = "tally"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    inbox_id: Mapped[UUID] = mapped_column(
        ForeignKey("inbox.id", ondelete="CASCADE"), primary_key=True
    )
    measure: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class TallyMark(Base):
    """Until when the rows of a source are in the tallies."""

    __tablename__ = "tally_mark"

    source: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]
