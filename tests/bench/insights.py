"""How long Insights and `/metrics` take on a desk with a million messages.

    python -m tests.bench.insights [--messages 1000000] [--days 90]

Rows are generated in Postgres (texts are a byte: nothing here reads them), a quarter as many
conversations and runs, and a few deliveries. Told: the first count of all, the count a worker
makes every minute, a page of Insights, a scrape, and the plans of the readings.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from bot import migrate
from bot.dashboard.insights import read_insights
from bot.dashboard.insights_counts import _TALLIES, Period
from bot.database import keyring_from, make_engine, make_sessions
from bot.local import LocalServers
from bot.metrics import _CONVERSATIONS, _PRESENT, _WAITING, Metrics
from bot.sealing import MasterKey
from bot.tallies import roll_up

# As bot.tables.new_id makes them: 48 bits of milliseconds, then what tells rows apart.
_ID = """(lpad(to_hex((extract(epoch from {at}) * 1000)::bigint), 12, '0')
          || '7' || substr(md5({seed}::text), 1, 3) || '8'
          || substr(md5({seed}::text), 4, 15))::uuid"""
_CONVERSATION_ID = _ID.format(at="at", seed="'c' || n")
FILL = (
    "insert into inbox (id, name, channel, company, settings, created_at) "
    "select gen_random_uuid(), 'inbox-' || n, (array['chat', 'email', 'slack'])[1 + n % 3], '', "
    "'{}', now() from generate_series(1, 6) n",
    "insert into contact (id, created_at) values ('00000000-0000-7000-8000-000000000001', now())",
    f"""
    create temp table made as
    select n, at, {_CONVERSATION_ID} as id, inboxes[1 + n % 6] as inbox_id
    from (select n, now() - interval '1 day' * (:days * (1 - n::float8 / :conversations)) as at
          from generate_series(1, :conversations) n) x,
         (select array_agg(id) as inboxes from inbox) i
    """,
    """
    insert into conversation (id, inbox_id, contact_id, thread_hash, thread_sealed, status, epoch,
        language, handoff_reason, failures, last_seq, lease_token, first_reply_at, resolved_at,
        waiting_since, unanswered_since, created_at, updated_at)
    select id, inbox_id, '00000000-0000-7000-8000-000000000001', '\\x01', '\\x01',
        case when n > :conversations - 300 then 'open' when n % 3 = 0 then 'pending'
             else 'resolved' end,
        1, (array['en', 'de', 'zh'])[1 + n % 3],
        case when n % 4 = 0 then (array['requested', 'no_evidence'])[1 + n % 2] end, 0, 4, 1,
        at + interval '1 second' * (n % 90), case when n % 3 > 0 then at end,
        case when n > :conversations - 300 then at end, null, at, at
    from made
    """,
    f"""
    insert into message (id, conversation_id, inbox_id, contact_id, seq, author, private,
        is_automatic, text_sealed, state, partial, citations, sent_at, created_at)
    select {_ID.format(at="at", seed="'m' || n || '-' || s")}, id, inbox_id,
        '00000000-0000-7000-8000-000000000001', s, (array['contact', 'bot'])[1 + s % 2], false,
        false, '\\x01', 'sent', false, '[]', at, at
    from made, generate_series(1, 4) s
    """,
    f"""
    insert into answer_run (id, inbox_id, conversation_id, contact_id, state, action, reason,
        prompt_tokens, cached_tokens, output_tokens, queue_ms, retrieval_ms, ttft_ms, total_ms,
        evidence, created_at, started_at, finished_at)
    select {_ID.format(at="at", seed="'r' || n")}, inbox_id, id,
        '00000000-0000-7000-8000-000000000001', 'done',
        case when n % 4 = 0 then 'handoff' else 'answer' end, 'supported',
        1900, 1100, 60 + n % 60, n % 500, 30, 200 + n % 900, 3000 + n % 900, '[]', at, at, at
    from made
    """,
)


def timed(what: str, action: Callable[[], object], times: int = 5) -> None:
    """Print the median of some runs, and the first of them."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        took.append(1000 * (time.perf_counter() - started))
    print(f"{what:44} first {took[0]:8.1f} ms   median {sorted(took)[len(took) // 2]:8.1f} ms")


def explain(session: Session, what: str, query: object, values: dict[str, object]) -> None:
    lines = session.execute(text(f"explain (analyze, costs off, timing off) {query}"), values)
    plan = [row[0] for row in lines]
    print(f"\n{what}")
    for line in plan:
        print(f"    {line}")


def fill(session: Session, messages: int, days: int) -> None:
    values = {"conversations": messages // 4, "days": days}
    for statement in FILL:
        used = {name: value for name, value in values.items() if f":{name}" in statement}
        session.execute(text(statement), used)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fd-", ignore_cleanup_errors=True) as home:
        servers = LocalServers(Path(home), durable=False)
        servers.start()
        try:
            bench(servers.database_url, asked.messages, asked.days)
        finally:
            servers.stop()


def bench(database_url: str, messages: int, days: int) -> None:
    migrate.upgrade(database_url)
    engine = make_engine(database_url)
    sessions = make_sessions(engine, keyring_from(MasterKey.generate()))
    started = time.perf_counter()
    with sessions.begin() as session:
        fill(session, messages, days)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))
    print(f"{messages:,} messages of {days} days made in {time.perf_counter() - started:.0f} s")

    def count() -> None:
        with sessions.begin() as session:
            roll_up(session)

    def scrape(metrics: Metrics) -> None:
        with sessions() as session:
            metrics.render(session, {})

    def read(period: Period) -> None:
        with sessions() as session:
            read_insights(session, period, None)

    timed("a scrape while nothing is rolled up", lambda: scrape(Metrics()), 2)
    timed("the first count of everything", count, 1)
    timed("the count of every minute", count)
    metrics = Metrics()
    timed("a scrape", lambda: scrape(metrics), 9)
    today = datetime.now(UTC).date()
    for span in (7, 30, 90, 365):
        period = Period(today - timedelta(days=span - 1), today)
        timed(f"Insights of {span} days", lambda period=period: read(period))  # type: ignore[misc]
    with sessions() as session:
        values: dict[str, object] = {
            "before": today - timedelta(days=180),
            "first": today - timedelta(days=90),
            "last": today,
            "inbox_id": None,
        }
        explain(session, "Insights: the tallies", _TALLIES, values)
        explain(session, "Metrics: conversations by status", _CONVERSATIONS, {})
        explain(session, "Metrics: messages in a passing state", _PRESENT, {})
        explain(session, "Metrics: who waits", _WAITING, {})
    engine.dispose()


if __name__ == "__main__":
    main()
