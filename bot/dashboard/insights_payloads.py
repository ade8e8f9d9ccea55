"""What the page Insights is told: a summary, and tables that its plots are drawn from."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

Cell = str | float | None


class Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Column(Model):
    """`unit` says how its numbers are read: a number of things, seconds, a share of one, money."""

    key: str
    label: str
    unit: Literal["text", "day", "count", "seconds", "share", "score", "money"]


class Table(Model):
    """The numbers of one plot, row by row; None where there is nothing to tell."""

    name: str
    title: str
    columns: list[Column]
    rows: list[list[Cell]]


class Summary(Model):
    """A period in a line; shares are of what the bot or people answered."""

    conversations: int
    alone_share: float | None
    confirmed_share: float | None
    first_reply_s: float | None
    score: float | None
    ratings: int
    tokens: int
    cost: float | None


class InboxName(Model):
    id: str
    name: str
    channel: str


class Insights(Model):
    """`counted_at` is when conversations were last counted; None before the first time."""

    first: date
    last: date
    inboxes: list[InboxName]
    counted_at: datetime | None
    currency: str | None
    summary: Summary
    before: Summary
    tables: list[Table]
