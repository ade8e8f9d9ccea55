"""Prometheus metrics, counted in Postgres when they are scraped.

So they are right for any number of processes, and survive restarts. Every web process tells the
same totals: aggregate them with `max`, never with `sum`. Rows older than a few hours no longer
change what is counted of them; a process counts those once and remembers.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# A delivery is retried for about two hours, and no run lives that long.
SETTLED_AFTER = timedelta(hours=6)
# Upper bounds in seconds; the last bucket, +Inf, follows by itself.
TTFT_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
TPOT_BOUNDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.4, 0.8)
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)

Labels = tuple[str, ...]
Totals = Counter[tuple[str, Labels]]
"""Sums by (measure, labels)."""


@dataclass(slots=True)
class Metrics:
    """One process's scrapes; `render` may be called from any thread."""

    _settled_until: datetime = BEGINNING
    _settled: Totals = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def render(
        self, session: Session, queue_lengths: Mapping[str, int], open_streams: int = 0
    ) -> bytes:
        """All metrics in Prometheus' text format."""
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
        """What was settled before, plus what is young enough to change."""
        until = max(_database_time(session) - SETTLED_AFTER, self._settled_until)
        self._settled += _count(session, self._settled_until, until)
        self._settled_until = until
        return self._settled + _count(session, until, None)


@dataclass(frozen=True, slots=True, eq=False)
class _Families(Collector):
    families: Sequence[Metric]

    def collect(self) -> Iterator[Metric]:
        yield from self.families


# -- totals ----------------------------------------------------------------------------------

_MESSAGES = text(
    """
    select i.channel, m.author, count(*)
    from message m join inbox i on i.id = m.inbox_id
    where m.id >= :since_id and m.id < :until_id
    group by 1, 2
    """
)
# ids are UUIDv7: a range of ids is a range of time, and the primary key finds it.

_RUNS = text(
    """
    select coalesce(action, ''), coalesce(reason, ''), state, count(*),
           sum(prompt_tokens), sum(cached_tokens), sum(output_tokens)
    from answer_run
    where created_at >= :since and created_at < :until and finished_at is not null
    group by 1, 2, 3
    """
)

_TTFT = text(
    """
    select width_bucket(ttft_ms / 1000.0, :bounds), count(*), sum(ttft_ms) / 1000.0
    from answer_run
    where created_at >= :since and created_at < :until and finished_at is not null
      and ttft_ms is not null
    group by 1
    """
)

# The time between the first token and the end, over the tokens in between.
_TPOT = text(
    """
    with decoded as (
        select greatest(total_ms - coalesce(retrieval_ms, 0) - ttft_ms, 0) / 1000.0
               / (output_tokens - 1) as tpot
        from answer_run
        where created_at >= :since and created_at < :until and finished_at is not null
          and ttft_ms is not null and total_ms is not null and output_tokens > 1
    )
    select width_bucket(tpot, :bounds), count(*), sum(tpot) from decoded group by 1
    """
)

_DELIVERIES = text(
    """
    select i.channel, d.state, count(*)
    from delivery d
    join conversation c on c.id = d.conversation_id join inbox i on i.id = c.inbox_id
    where d.id >= :since_id and d.id < :until_id and d.state in ('sent', 'failed', 'withdrawn')
    group by 1, 2
    """
)


def _count(session: Session, since: datetime, until: datetime | None) -> Totals:
    """Sums over the rows made from `since` to `until` (None: to the last)."""
    last = datetime(9999, 1, 1, tzinfo=UTC)
    spans = {"since": since, "until": until or last}
    ids = {"since_id": first_id_at(since), "until_id": first_id_at(until or last)}
    found: Totals = Counter()
    for channel, author, count in session.execute(_MESSAGES, ids):
        found["messages", (channel, author)] += count
    for action, reason, state, count, prompt, cached, output in session.execute(_RUNS, spans):
        found["runs", (action or state,)] += count
        found["tokens", ("prompt",)] += int(prompt)
        found["tokens", ("cached",)] += int(cached)
        found["tokens", ("output",)] += int(output)
        if action == "handoff":
            found["handoffs", (reason,)] += count
    for channel, state, count in session.execute(_DELIVERIES, ids):
        found["deliveries", (channel, state)] += count
    for name, query, bounds in (("ttft", _TTFT, TTFT_BOUNDS), ("tpot", _TPOT, TPOT_BOUNDS)):
        for bucket, count, total in session.execute(query, {**spans, "bounds": list(bounds)}):
            found[name, (str(bucket),)] += count
            found[f"{name}_micros", ()] += round(float(total) * 1_000_000)
    return found


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
    total = totals[f"{measure}_micros", ()] / 1_000_000
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
    where c.unanswered_since is not null or c.waiting_since is not null
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


def _database_time(session: Session) -> datetime:
    found: datetime = session.execute(text("select clock_timestamp()")).scalar_one()
    return found


def first_id_at(moment: datetime) -> UUID:
    """The smallest UUIDv7 of a moment (RFC 9562, section 5.7)."""
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=(milliseconds & (2**48 - 1)) << 80)
