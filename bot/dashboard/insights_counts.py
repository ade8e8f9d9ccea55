"""The tallies of a period in memory: sums by day and label, and quantiles of histograms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from bot.tallies import count_newest, read_marks

Cell = tuple[date, UUID, str]


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
    """Numbers by measure, then by day, inbox and label."""

    measures: dict[str, Counter[Cell]] = field(default_factory=dict)

    def add(self, day: date, inbox_id: UUID, measure: str, label: str, number: int) -> None:
        self.measures.setdefault(measure, Counter())[day, inbox_id, label] += number

    def total(self, measure: str, labels: Iterable[str] | None = None) -> int:
        wanted = None if labels is None else set(labels)
        return sum(n for (_, _, label), n in self._of(measure) if wanted is None or label in wanted)

    def by_label(self, measure: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for (_, _, label), number in self._of(measure):
            found[label] += number
        return found

    def by_day(self, measure: str) -> dict[date, Counter[str]]:
        found: dict[date, Counter[str]] = {}
        for (day, _, label), number in self._of(measure):
            found.setdefault(day, Counter())[label] += number
        return found

    def by_inbox(self, measure: str) -> dict[UUID, Counter[str]]:
        found: dict[UUID, Counter[str]] = {}
        for (_, inbox_id, label), number in self._of(measure):
            found.setdefault(inbox_id, Counter())[label] += number
        return found

    def by_day_and_inbox(self, measure: str) -> dict[date, Counter[UUID]]:
        found: dict[date, Counter[UUID]] = {}
        for (day, inbox_id, _), number in self._of(measure):
            found.setdefault(day, Counter())[inbox_id] += number
        return found

    def _of(self, measure: str) -> Iterable[tuple[Cell, int]]:
        return self.measures.get(measure, Counter()).items()


_TALLIES = text(
    """
    select day, inbox_id, measure, label, count from tally
    where day between :first and :last
      and (cast(:inbox_id as uuid) is null or inbox_id = :inbox_id)
    """
)


def read_counts(session: Session, period: Period) -> tuple[Counts, Counts, datetime | None]:
    """What happened in the period and in the one before, and when it was last counted."""
    marks = read_marks(session)
    now, before = Counts(), Counts()
    values = {"first": period.before.first, "last": period.last, "inbox_id": period.inbox_id}
    for day, inbox_id, measure, label, number in session.execute(_TALLIES, values):
        (now if day >= period.first else before).add(day, inbox_id, measure, label, number)
    for count in count_newest(session, marks):
        for found, span in ((now, period), (before, period.before)):
            if span.holds(count.day, count.inbox_id):
                found.add(count.day, count.inbox_id, count.measure, count.label, count.number)
    return now, before, marks.get("conversations")


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
