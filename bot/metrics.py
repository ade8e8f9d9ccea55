"""Prometheus metrics, counted in Postgres when they are scraped.

So they are right for any number of processes, and survive restarts. Every web process tells the
same totals: aggregate them with `max`, never with `sum`. What is older than a few hours stands
added up in the tallies (`bot.tallies`); only what came since is counted row by row.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from prometheus_client import generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector, CollectorRegistry
from sqlalchemy import text
from sqlalchemy.orm import Session

from bot.tallies import TPOT_BOUNDS, TTFT_BOUNDS, count_newest, read_marks

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]
Totals = Counter[tuple[str, Labels]]
"""Sums by (measure, labels)."""


@dataclass(slots=True)
class Metrics:
    """One process's scrapes; `render` may be called from any thread."""

    _marks: dict[str, datetime] | None = None
    _settled: Totals = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def render(
        self, session: Session, queue_lengths: Mapping[str, int], open_streams: int = 0
    ) -> bytes:
        """All metrics in Prometheus' text format.

        The session should see one moment (REPEATABLE READ): else what is rolled up meanwhile is
        missed or counted twice, for this scrape.
        """
        with self._lock:
            totals = self._totals(session)
        families = [
            *_totals_families(totals),
            *_present_families(session),
            *_queue_families(queue_lengths, open_streams),
        ]
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Families(families))
        return generate_latest(registry)

    def _totals(self, session: Session) -> Totals:
        """What is in the tallies, read anew when they grew, and what came since."""
        marks = read_marks(session)
        if marks != self._marks:
            self._settled, self._marks = _read_tallies(session), marks
        return self._settled + _count_newest(session, marks)


@dataclass(frozen=True, slots=True, eq=False)
class _Families(Collector):
    families: Sequence[Metric]

    def collect(self) -> Iterator[Metric]:
        yield from self.families


# -- totals ----------------------------------------------------------------------------------

_MEASURES = (
    *("messages", "runs", "handoffs", "tokens", "deliveries"),
    *("ttft", "ttft_micros", "tpot", "tpot_micros"),
)
_BY_CHANNEL = frozenset({"messages", "deliveries"})
_TALLIES = text(
    """
    select inbox_id, measure, label, sum(count) from tally
    where measure = any(:measures) group by 1, 2, 3
    """
)
_CHANNELS = text("select id, channel from inbox")


def _read_tallies(session: Session) -> Totals:
    found = session.execute(_TALLIES, {"measures": list(_MEASURES)})
    return _summed(session, ((inbox, name, label, n) for inbox, name, label, n in found))


def _count_newest(session: Session, marks: Mapping[str, datetime]) -> Totals:
    newest = list(count_newest(session, marks))
    return _summed(session, ((c.inbox_id, c.measure, c.label, c.number) for c in newest))


def _summed(session: Session, counts: Iterable[tuple[UUID, str, str, int]]) -> Totals:
    channels = {row.id: row.channel for row in session.execute(_CHANNELS)}
    totals: Totals = Counter()
    for inbox_id, measure, label, number in counts:
        labels = (channels[inbox_id], label) if measure in _BY_CHANNEL else (label,)
        totals[measure, labels] += int(number)
    return totals


def _totals_families(totals: Totals) -> Iterator[Metric]:
    for name, what, labels, measure in (
        ("messages", "Messages by channel and who wrote them", ["channel", "author"], "messages"),
        ("answers", "Finished runs by what they did", ["action"], "runs"),
        ("handoffs", "Conversations the bot handed to people", ["reason"], "handoffs"),
        ("tokens", "Tokens of the language model", ["kind"], "tokens"),
        ("deliveries", "Deliveries that ended", ["channel", "state"], "deliveries"),
    ):
        family = CounterMetricFamily(f"frontdesk_{name}", what, labels=labels)
        for values, count in _of(totals, measure):
            family.add_metric(values, count)
        yield family
    yield _histogram("ttft_seconds", "Time to first token", totals, "ttft", TTFT_BOUNDS)
    yield _histogram("tpot_seconds", "Time per output token", totals, "tpot", TPOT_BOUNDS)


def _histogram(
    name: str, what: str, totals: Totals, measure: str, bounds: Sequence[float]
) -> HistogramMetricFamily:
    """width_bucket's n-th bucket ends below the n-th bound; Prometheus' buckets add up."""
    counts = {int(values[0]): count for values, count in _of(totals, measure)}
    buckets, running = [], 0
    for place, bound in enumerate([*map(str, bounds), "+Inf"]):
        running += counts.get(place, 0)
        buckets.append((bound, running))
    total = totals[f"{measure}_micros", ("",)] / 1_000_000
    family = HistogramMetricFamily(f"frontdesk_{name}", what)
    family.add_metric([], buckets, sum_value=total)
    return family


def _of(totals: Totals, measure: str) -> list[tuple[Labels, int]]:
    return sorted((labels, count) for (name, labels), count in totals.items() if name == measure)


# -- the present -----------------------------------------------------------------------------

_PRESENT = text(
    """
    select i.channel, m.state, count(*), extract(epoch from clock_timestamp() - min(m.created_at))
    from conversation c
    join inbox i on i.id = c.inbox_id
    join message m on m.conversation_id = c.id and m.state in ('received', 'growing')
    where c.unanswered_since is not null
       or (c.status = 'open' and c.waiting_since is not null)
    group by 1, 2
    """
)
_UNANSWERED = text(
    """
    select i.channel, extract(epoch from clock_timestamp() - min(c.unanswered_since))
    from conversation c join inbox i on i.id = c.inbox_id
    where c.unanswered_since is not null and c.status = 'pending'
    group by 1
    """
)
_CONVERSATIONS = text("select status, count(*) from conversation group by 1")
_WAITING = text(
    """
    select count(*), coalesce(extract(epoch from clock_timestamp() - min(waiting_since)), 0)
    from conversation where status = 'open' and waiting_since is not null
    """
)
_DUE_DELIVERIES = text(
    """
    select state, count(*) from delivery where state in ('pending', 'sending') group by 1
    """
)


def _present_families(session: Session) -> Iterator[Metric]:
    messages = GaugeMetricFamily(
        "frontdesk_messages_present",
        "Messages in a state that passes: received (not answered), growing (being written)",
        labels=["channel", "state"],
    )
    for channel, state, count, _age in session.execute(_PRESENT):
        messages.add_metric([channel, state], count)
    yield messages
    age = GaugeMetricFamily(
        "frontdesk_unanswered_age_seconds",
        "Age of the oldest message that the bot owes an answer",
        labels=["channel"],
    )
    for channel, seconds in session.execute(_UNANSWERED):
        age.add_metric([channel], float(seconds))
    yield age
    statuses = GaugeMetricFamily(
        "frontdesk_conversations", "Conversations by status", labels=["status"]
    )
    for status, count in session.execute(_CONVERSATIONS):
        statuses.add_metric([status], count)
    yield statuses
    count, seconds = session.execute(_WAITING).one()
    yield _gauge("frontdesk_waiting", "Conversations that wait for a person", count)
    yield _gauge("frontdesk_waiting_age_seconds", "How long the first of them waits", seconds)
    due = GaugeMetricFamily("frontdesk_deliveries_due", "Deliveries under way", labels=["state"])
    for state, number in session.execute(_DUE_DELIVERIES):
        due.add_metric([state], number)
    yield due


def _queue_families(queue_lengths: Mapping[str, int], open_streams: int) -> Iterator[Metric]:
    lengths = GaugeMetricFamily(
        "frontdesk_queue_length", "Bells that wait for a worker", labels=["queue"]
    )
    for queue, length in sorted(queue_lengths.items()):
        lengths.add_metric([queue], length)
    yield lengths
    yield _gauge("frontdesk_open_streams", "Event streams of this process", open_streams)


def _gauge(name: str, what: str, value: Any) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, value=float(value))
