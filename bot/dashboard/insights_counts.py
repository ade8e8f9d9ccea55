"""The tallies of a period in memory: sums by day and label, and quantiles of histograms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from bot.tallies import CONVERSATIONS, count_newest, read_marks


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `first` to `last`, both counted in; of one inbox, or of all."""

    first: date
    last: date
    inbox_id: UUID | None = None

    @property
    def days(self) -> list[date]:
        count = (self.last - self.first).days + 1
        return [self.first + timedelta(days=number) for number in range(count)]

    @property
    def before(self) -> Period:
        """As many days, ending where this one begins."""
        length = timedelta(days=(self.last - self.first).days + 1)
        return Period(self.first - length, self.first - timedelta(days=1), self.inbox_id)

    def holds(self, day: date, inbox_id: UUID) -> bool:
        return self.first <= day <= self.last and self.inbox_id in (None, inbox_id)


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers by measure and label: of each day, of each inbox, and conversations of both."""

    days: dict[str, dict[date, Counter[str]]] = field(default_factory=dict)
    inboxes: dict[str, dict[UUID, Counter[str]]] = field(default_factory=dict)
    begun: dict[date, Counter[UUID]] = field(default_factory=dict)

    def add(self, day: date, measure: str, label: str, number: int) -> None:
        self.days.setdefault(measure, {}).setdefault(day, Counter())[label] += number

    def add_to_inbox(self, inbox_id: UUID, measure: str, label: str, number: int) -> None:
        self.inboxes.setdefault(measure, {}).setdefault(inbox_id, Counter())[label] += number

    def total(self, measure: str) -> int:
        return sum(self.by_label(measure).values())

    def by_label(self, measure: str) -> Counter[str]:
        return sum(self.by_day(measure).values(), Counter())

    def by_day(self, measure: str) -> dict[date, Counter[str]]:
        return self.days.get(measure, {})

    def by_inbox(self, measure: str) -> dict[UUID, Counter[str]]:
        return self.inboxes.get(measure, {})


# Summed up in Postgres, as far as the page needs them apart.
_TALLIES = text(
    """
    with found as (
        select * from tally
        where day between :before and :last
          and (cast(:inbox_id as uuid) is null or inbox_id = :inbox_id)
    )
    select case when day >= :first then day end as day, null as inbox_id, measure, label,
           sum(count)::bigint
    from found group by 1, 3, 4
    union all
    select null, inbox_id, measure, label, sum(count)::bigint
    from found
    where day >= :first and measure in ('conversations', 'outcome', 'first_reply', 'csat')
    group by 2, 3, 4
    union all
    select day, inbox_id, measure, '', count
    from found where day >= :first and measure = 'conversations'
    """
)


def read_counts(session: Session, period: Period) -> tuple[Counts, Counts, datetime | None]:
    """What happened in the period and in the one before, and when it was last counted."""
    marks = read_marks(session)
    now, before = Counts(), Counts()
    for day, inbox_id, measure, label, number in session.execute(_TALLIES, _span(period)):
        if inbox_id is None:
            (now if day else before).add(day or period.before.first, measure, label, number)
        elif day is None:
            now.add_to_inbox(inbox_id, measure, label, number)
        else:
            now.begun.setdefault(day, Counter())[inbox_id] += number
    for count in count_newest(session, marks):
        for found, span in ((now, period), (before, period.before)):
            if span.holds(count.day, count.inbox_id):
                found.add(count.day, count.measure, count.label, count.number)
    return now, before, marks.get(CONVERSATIONS)


def _span(period: Period) -> dict[str, object]:
    return {
        "before": period.before.first,
        "first": period.first,
        "last": period.last,
        "inbox_id": period.inbox_id,
    }


def quantile(buckets: Counter[str], bounds: Sequence[float], share: float) -> float | None:
    """About where `share` of the values lie below, in the bounds' unit; None without values.

    Within its bucket a value is taken to lie evenly between the bounds; above the last one it is
    told as that bound.
    """
    wanted = share * sum(buckets.values())
    if not wanted:
        return None
    passed = 0
    for place, bound in enumerate(bounds):
        here = buckets[str(place)]
        if here and passed + here >= wanted:
            below = bounds[place - 1] if place else 0.0
            return float(below + (bound - below) * (wanted - passed) / here)
        passed += here
    return float(bounds[-1])
