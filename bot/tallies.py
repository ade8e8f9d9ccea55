"""What happened, counted by day: the numbers behind Insights and `/metrics`.

Messages, runs and deliveries are added up once they can no longer change; whoever needs the
newest ones counts those few himself (`count_newest`). Conversations change for long: a day is
counted anew when one of its conversations changed. A worker does both every minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
END = datetime(9999, 1, 1, tzinfo=UTC)
# Upper bounds; the last bucket has none. A bucket's label is its place.
TTFT_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
TPOT_BOUNDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.4, 0.8)
QUEUE_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
FIRST_REPLY_BOUNDS = (1, 2, 3, 5, 8, 15, 30, 60, 120, 300, 900, 1800, 3600, 14400, 43200, 86400)
"""All in seconds."""
# What is written late belongs to a transaction that began this long ago, at most.
COMMITTED_WITHIN = timedelta(minutes=5)
CONVERSATIONS = "conversations"


@dataclass(frozen=True, slots=True)
class Count:
    """`number` times `label` of `measure`, in an inbox on a day."""

    day: date
    inbox_id: UUID
    measure: str
    label: str
    number: int


@dataclass(frozen=True, slots=True)
class Source:
    """Rows that are counted once, when they are older than `settles_after`."""

    name: str
    settles_after: timedelta
    counted: str


# ids are UUIDv7: a range of ids is a range of time, and the primary key finds it.
_MESSAGES = """
    select (created_at at time zone 'UTC')::date, inbox_id, 'messages', author, count(*)
    from message where id >= :since_id and id < :until_id
    group by 1, 2, 4
"""
# The time per token is that between the first token and the end, over the tokens in between.
_RUNS = """
    with run as materialized (
        select (created_at at time zone 'UTC')::date as day, inbox_id, action, reason, state,
               prompt_tokens, cached_tokens, output_tokens, ttft_ms / 1000.0 as ttft,
               queue_ms / 1000.0 as queued,
               case when output_tokens > 1 then
                   greatest(total_ms - coalesce(retrieval_ms, 0) - ttft_ms, 0) / 1000.0
                   / (output_tokens - 1) end as tpot
        from answer_run
        where created_at >= :since and created_at < :until and finished_at is not null
    )
    select day, inbox_id, 'runs', coalesce(action, state), count(*) from run group by 1, 2, 4
    union all
    select day, inbox_id, 'handoffs', coalesce(reason, ''), count(*)
    from run where action = 'handoff' group by 1, 2, 4
    union all
    select day, inbox_id, 'tokens', kind, sum(number) from run, lateral (values
        ('prompt', prompt_tokens), ('cached', cached_tokens), ('output', output_tokens)
    ) as used (kind, number)
    group by 1, 2, 4
    union all
    select day, inbox_id, measure, width_bucket(seconds, bounds)::text, count(*)
    from run, lateral (values
        ('ttft', ttft, :ttft_bounds), ('tpot', tpot, :tpot_bounds),
        ('queue', queued, :queue_bounds)
    ) as timed (measure, seconds, bounds)
    where seconds is not null group by 1, 2, 3, 4
    union all
    select day, inbox_id, measure, '', round(sum(seconds) * 1000000)::bigint
    from run, lateral (values
        ('ttft_micros', ttft), ('tpot_micros', tpot), ('queue_micros', queued)
    ) as timed (measure, seconds)
    where seconds is not null group by 1, 2, 3
"""
_DELIVERIES = """
    select (d.created_at at time zone 'UTC')::date, c.inbox_id, 'deliveries', d.state, count(*)
    from delivery d join conversation c on c.id = d.conversation_id
    where d.id >= :since_id and d.id < :until_id and d.state in ('sent', 'failed', 'withdrawn')
    group by 1, 2, 4
"""

SOURCES = (
    Source("messages", COMMITTED_WITHIN, _MESSAGES),
    # No run lives that long, nor does a question that waits for one.
    Source("runs", timedelta(hours=1), _RUNS),
    # A delivery is retried for about two hours.
    Source("deliveries", timedelta(hours=6), _DELIVERIES),
)


# -- what settled ----------------------------------------------------------------------------


def roll_up(session: Session) -> None:
    """Bring the tallies up to date, unless another process does; the caller commits.

    Twice is harmless: a mark moves in the transaction that adds what stands before it.
    """
    for source in SOURCES:
        since = _take_mark(session, source.name)
        if since is not None:
            until = max(since, _database_time(session) - source.settles_after)
            session.execute(_adding(source), _span(since, until))
            _move_mark(session, source.name, until)
    since = _take_mark(session, CONVERSATIONS)
    if since is not None:
        until = _database_time(session)
        _recount_conversations(session, since - COMMITTED_WITHIN)
        _move_mark(session, CONVERSATIONS, until)


def hold_tallies(session: Session) -> None:
    """Nobody counts until this transaction ends: for who moves what was counted."""
    session.execute(text("select from tally_mark order by source for no key update"))


def recount_inboxes(session: Session, inbox_ids: Sequence[UUID]) -> None:
    """Count these inboxes anew, as far as the marks; for when the times of their rows were moved.

    The caller holds the tallies since before that.
    """
    ids, marks = {"inbox_ids": list(inbox_ids)}, read_marks(session)
    session.execute(text("delete from tally where inbox_id = any(:inbox_ids)"), ids)
    for source in SOURCES:
        span = _span(BEGINNING, marks.get(source.name, BEGINNING))
        session.execute(_adding(source, "where inbox_id = any(:inbox_ids)"), span | ids)
    _recount_days(session, session.execute(_DAYS_OF_INBOXES, ids).scalars().all())


def count_newest(session: Session, marks: Mapping[str, datetime]) -> Iterator[Count]:
    """What stands behind the marks."""
    for source in SOURCES:
        span = _span(marks.get(source.name, BEGINNING), END)
        for row in session.execute(text(source.counted), span):
            yield Count(row[0], row[1], row[2], row[3], int(row[4]))


def read_marks(session: Session) -> dict[str, datetime]:
    """Until when each source was counted; nothing for those that never were."""
    return {
        row.source: row.until
        for row in session.execute(text("select source, until from tally_mark"))
    }


def _take_mark(session: Session, source: str) -> datetime | None:
    """The source's mark, held until the transaction ends; None if somebody else holds it."""
    values = {"source": source, "until": BEGINNING}
    session.execute(
        text("insert into tally_mark values (:source, :until) on conflict do nothing"), values
    )
    query = text(
        "select until from tally_mark where source = :source for no key update skip locked"
    )
    return session.execute(query, values).scalar_one_or_none()


def _move_mark(session: Session, source: str, until: datetime) -> None:
    session.execute(
        text("update tally_mark set until = :until where source = :source"),
        {"source": source, "until": until},
    )


def _adding(source: Source, of: str = "") -> TextClause:
    return text(
        f"""
        insert into tally (day, inbox_id, measure, label, count)
        select * from ({source.counted}) as found (day, inbox_id, measure, label, count)
        {of}
        on conflict (day, inbox_id, measure, label)
        do update set count = tally.count + excluded.count
        """  # noqa: S608 - our own three queries
    )


def _span(since: datetime, until: datetime) -> dict[str, object]:
    return {
        "since": since,
        "until": until,
        "since_id": first_id_at(since),
        "until_id": first_id_at(until),
        "ttft_bounds": list(TTFT_BOUNDS),
        "tpot_bounds": list(TPOT_BOUNDS),
        "queue_bounds": list(QUEUE_BOUNDS),
    }


def first_id_at(moment: datetime) -> UUID:
    """The smallest UUIDv7 of a moment (RFC 9562, section 5.7)."""
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=(milliseconds & (2**48 - 1)) << 80)


def _database_time(session: Session) -> datetime:
    found: datetime = session.execute(text("select clock_timestamp()")).scalar_one()
    return found


# -- conversations ---------------------------------------------------------------------------

_CHANGED_DAYS = text(
    """
    select distinct (created_at at time zone 'UTC')::date
    from conversation where updated_at >= :since
    """
)
_DAYS_OF_INBOXES = text(
    """
    select distinct (created_at at time zone 'UTC')::date
    from conversation where inbox_id = any(:inbox_ids)
    """
)
_FORGET_DAYS = text("delete from tally where day = any(:days) and measure = any(:measures)")
CONVERSATION_MEASURES = (
    *("conversations", "outcome", "handoff_reason", "language"),
    *("first_reply", "csat"),
)

# What became of a conversation. With people: whenever it was in their hands. Else the bot had it
# alone, and the customer confirmed that it helped, denied it, or said neither.
_COUNT_DAYS = """
    with judged as materialized (
        select f.conversation_id,
               max(f.score) filter (where f.message_id is null) as rating,
               bool_or(f.score = -1 or (f.message_id is null and f.score <= 2)) as denied,
               bool_or(case when f.message_id is null then f.score >= 4 else f.score = 1 end)
                   as confirmed
        from feedback f
        join conversation c on c.id = f.conversation_id
        where (c.created_at at time zone 'UTC')::date = any(:days)
        group by 1
    ),
    begun as materialized (
        select d.day, c.inbox_id, c.language, c.handoff_reason, j.rating,
               extract(epoch from c.first_reply_at - c.created_at)::float8 as reply_s,
               case when c.handoff_reason is not null or c.assignee_id is not null then 'people'
                    when c.first_reply_at is null then 'unanswered'
                    when j.denied then 'denied'
                    when j.confirmed then 'confirmed'
                    else 'bot' end as outcome
        from unnest(cast(:days as date[])) as d (day)
        join conversation c on c.created_at >= d.day at time zone 'UTC'
                           and c.created_at < (d.day + 1) at time zone 'UTC'
        left join judged j on j.conversation_id = c.id
        where c.spam_at is null
    )
    insert into tally (day, inbox_id, measure, label, count)
    select day, inbox_id, 'conversations', '', count(*) from begun group by 1, 2
    union all
    select day, inbox_id, 'outcome', outcome, count(*) from begun group by 1, 2, 4
    union all
    select day, inbox_id, 'handoff_reason', handoff_reason, count(*)
    from begun where handoff_reason is not null group by 1, 2, 4
    union all
    select day, inbox_id, 'language', language, count(*) from begun group by 1, 2, 4
    union all
    select day, inbox_id, 'first_reply', width_bucket(reply_s, :bounds)::text, count(*)
    from begun where reply_s is not null group by 1, 2, 4
    union all
    select day, inbox_id, 'csat', rating::text, count(*)
    from begun where rating is not null group by 1, 2, 4
"""


def _recount_conversations(session: Session, since: datetime) -> None:
    _recount_days(session, session.execute(_CHANGED_DAYS, {"since": since}).scalars().all())


def _recount_days(session: Session, days: Sequence[date]) -> None:
    if days:
        session.execute(_FORGET_DAYS, {"days": list(days), "measures": list(CONVERSATION_MEASURES)})
        bounds = [float(bound) for bound in FIRST_REPLY_BOUNDS]
        session.execute(text(_COUNT_DAYS), {"days": list(days), "bounds": bounds})
