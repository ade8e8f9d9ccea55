"""Insights tells what really happened: conversations are held, rolled up and read over HTTP."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from bot import tallies
from bot.conversations import (
    claim_run,
    commit_sentence,
    finish_handoff,
    finish_reply,
    judge_message,
    mark_spam,
    rate_conversation,
    store_result,
)
from bot.dashboard.insights_counts import Period, read_counts
from bot.simulation.demo_days import spread_over_days
from bot.spreadsheet import inert, write_csv
from bot.tables import AnswerRun, Conversation, Event, Inbox, Message, now
from bot.tallies import roll_up
from tests.bot.dashboard.staff import SignedInDesk, sign_in
from tests.people import make_inbox, write
from tests.served import Client

LEASE = timedelta(seconds=20)


@pytest.fixture
def bea(sessions: sessionmaker[Session]) -> SignedInDesk:
    return sign_in(sessions)


@pytest.fixture
def inbox(sessions: sessionmaker[Session]) -> UUID:
    with sessions.begin() as session:
        return make_inbox(session)


def answer(session: Session, conversation_id: UUID, **columns: Any) -> UUID:
    """The bot answers; the id of its reply."""
    claim = claim_run(session, conversation_id, LEASE)
    assert claim is not None
    commit_sentence(session, claim, "Tomorrow.")
    reply_id = finish_reply(session, claim, [], "en").reply_id
    store_result(
        session, claim.run_id, {}, state="done", action="answer", reason="supported", **columns
    )
    assert reply_id is not None
    return reply_id


def hand_over(session: Session, conversation_id: UUID, reason: str) -> None:
    claim = claim_run(session, conversation_id, LEASE)
    assert claim is not None
    commit_sentence(session, claim, "A colleague will answer.")
    finish_handoff(session, claim, reason=reason, summary="", citations=[], language="de")
    store_result(session, claim.run_id, {}, state="done", action="handoff", reason=reason)


def hold(session: Session, inbox_id: UUID, contact: str) -> UUID:
    return write(session, inbox_id, "When does it come?", contact=contact).conversation_id


def counted(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        roll_up(session)


async def told(client: Client, bea: SignedInDesk, origin: str, query: str = "") -> dict[str, Any]:
    answered = await client.get(f"/desk/api/insights{query}", headers=bea.headers(origin))
    assert answered.status == 200, await answered.text()
    found: dict[str, Any] = await answered.json()
    return found


def table(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A table's rows by the keys of their columns."""
    chosen = next(each for each in found["tables"] if each["name"] == name)
    keys = [column["key"] for column in chosen["columns"]]
    return [dict(zip(keys, row, strict=True)) for row in chosen["rows"]]


def today(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in table(found, name) if row["day"] == found["last"])


@pytest.mark.parametrize("is_counted_before", [True, False])
async def test_conversations_that_are_spread_over_days_are_told_on_those_days(
    client: Client,
    origin: str,
    bea: SignedInDesk,
    inbox: UUID,
    sessions: sessionmaker[Session],
    is_counted_before: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with sessions.begin() as session:
        other = make_inbox(session, "email")
        for number in range(6):
            answer(session, hold(session, inbox, f"ada{number}"), prompt_tokens=100)
        hand_over(session, hold(session, inbox, "ben"), "requested")
        answer(session, hold(session, other, "cem"))
        before = spans_of(session)
    if is_counted_before:
        with monkeypatch.context() as patched:  # a day on, when all of it has settled
            patched.setattr(tallies, "_database_time", lambda _: now() + timedelta(days=1))
            counted(sessions)
    with sessions.begin() as session:
        spread_over_days(session, [inbox])
        assert spans_of(session) == before
        days = Counter(
            each.created_at.date() for each in session.scalars(of_inbox(Conversation, inbox))
        )
        written = Counter(
            each.created_at.date() for each in session.scalars(of_inbox(Message, inbox))
        )
    assert len(days) > 1
    if not is_counted_before:
        counted(sessions)
    first = (now() - timedelta(days=20)).date()
    found = await told(client, bea, origin, f"?from={first}&to={now().date()}&inbox={inbox}")
    shown = {
        row.pop("day"): sum(number for number in row.values() if number)
        for row in table(found, "channels")
    }
    assert {day: number for day, number in shown.items() if number} == {
        day.isoformat(): count for day, count in days.items()
    }
    with sessions() as session:
        period = Period(first, now().date(), inbox)
        counts, _, _ = read_counts(session, period)
        everything, _, _ = read_counts(session, Period(first, now().date()))
    by_day = {day: sum(each.values()) for day, each in counts.by_day("messages").items()}
    assert by_day == dict(written)
    assert counts.by_label("runs") == {"answer": 6, "handoff": 1}
    assert counts.by_label("tokens")["prompt"] == 600
    assert everything.total("conversations") == 8  # the other inbox's is counted as before
    assert everything.by_label("runs") == {"answer": 7, "handoff": 1}


def of_inbox(kind: Any, inbox_id: UUID) -> Any:
    return select(kind).where(kind.inbox_id == inbox_id)


def spans_of(session: Session) -> dict[UUID, list[timedelta]]:
    """Of each conversation, how long after its beginning everything in it happened."""
    spans: dict[UUID, list[timedelta]] = {}
    for one in session.scalars(select(Conversation)):
        messages = session.scalars(select(Message).where(Message.conversation_id == one.id))
        runs = session.scalars(select(AnswerRun).where(AnswerRun.conversation_id == one.id))
        events = session.scalars(select(Event).where(Event.conversation_id == one.id))
        times = [
            *(time for each in messages for time in (each.created_at, each.sent_at)),
            *(time for each in runs for time in (each.created_at, each.started_at)),
            *(each.created_at for each in events),
            *(one.first_reply_at, one.waiting_since, one.updated_at),
        ]
        spans[one.id] = sorted(time - one.created_at for time in times if time is not None)
    return spans


async def test_it_tells_who_answered_and_what_the_customer_said_of_it(
    client: Client,
    origin: str,
    bea: SignedInDesk,
    inbox: UUID,
    sessions: sessionmaker[Session],
) -> None:
    with sessions.begin() as session:
        mail = make_inbox(session, "email")
        confirmed, denied, silent, handed, waits = (
            hold(session, inbox, contact) for contact in ("ada", "ben", "cem", "dee", "eli")
        )
        judge_message(session, confirmed, answer(session, confirmed), 1, "")
        rate_conversation(session, confirmed, 5, "")
        judge_message(session, denied, answer(session, denied), -1, "wrong day")
        rate_conversation(session, denied, 2, "")
        answer(session, silent)
        hand_over(session, handed, "requested")
        hand_over(session, hold(session, mail, "fay"), "requested")
        mark_spam(session, hold(session, inbox, "spammer"))
        assert waits
    counted(sessions)
    found = await told(client, bea, origin)
    assert today(found, "outcomes") == {
        "day": found["last"],
        **{"confirmed": 1, "bot": 1, "denied": 1, "people": 2, "unanswered": 1},
    }
    assert today(found, "channels") == {"day": found["last"], "chat": 5, "email": 1}
    assert table(found, "handoffs") == [{"label": "The customer asked for a person", "count": 2}]
    assert {row["label"]: row["count"] for row in table(found, "languages")} == {
        **{"en": 3, "de": 2, "Not known": 1},
    }
    assert today(found, "csat") == {"day": found["last"], "score": 3.5, "ratings": 2}
    summary = found["summary"]
    assert (summary["conversations"], summary["score"], summary["ratings"]) == (6, 3.5, 2)
    assert summary["alone_share"] == pytest.approx(2 / 5)
    assert summary["confirmed_share"] == pytest.approx(1 / 5)
    assert summary["first_reply_s"] <= 2
    assert found["before"]["conversations"] == 0
    only_mail = await told(client, bea, origin, f"?inbox={mail}")
    assert only_mail["summary"]["conversations"] == 1
    assert [row["inbox"] for row in table(only_mail, "inboxes")] == ["inbox-2"] or len(
        table(only_mail, "inboxes")
    ) == 1


async def test_a_conversation_that_changes_later_is_counted_anew_and_never_twice(
    client: Client,
    origin: str,
    bea: SignedInDesk,
    inbox: UUID,
    sessions: sessionmaker[Session],
) -> None:
    with sessions.begin() as session:
        conversation_id = hold(session, inbox, "ada")
        session.execute(
            update(Conversation).values(created_at=Conversation.created_at - timedelta(days=3))
        )
    for _ in range(3):
        counted(sessions)
    before = await told(client, bea, origin)
    day = str((datetime.now(UTC) - timedelta(days=3)).date())
    assert {row["day"]: row["unanswered"] for row in table(before, "outcomes")}[day] == 1
    with sessions.begin() as session:
        answer(session, conversation_id)
    counted(sessions)
    after = {row["day"]: row for row in table(await told(client, bea, origin), "outcomes")}
    assert (after[day]["bot"], after[day]["unanswered"]) == (1, 0)


async def test_tokens_and_times_are_told_at_once_and_the_same_once_they_are_rolled_up(
    client: Client,
    origin: str,
    bea: SignedInDesk,
    inbox: UUID,
    sessions: sessionmaker[Session],
) -> None:
    with sessions.begin() as session:
        for contact, ttft_ms in (("ada", 300.0), ("ben", 700.0)):
            answer(
                session,
                hold(session, inbox, contact),
                prompt_tokens=100,
                cached_tokens=40,
                output_tokens=21,
                retrieval_ms=100.0,
                queue_ms=80.0,
                ttft_ms=ttft_ms,
                total_ms=100.0 + ttft_ms + 20 * 15.0,
            )
    fresh = await told(client, bea, origin)
    used = today(fresh, "tokens")
    assert (used["prompt"], used["cached"], used["output"]) == (200, 80, 42)
    assert 0.25 <= today(fresh, "ttft")["p50"] <= 0.5
    assert 0.5 <= today(fresh, "ttft")["p95"] <= 1.0
    assert 0.01 <= today(fresh, "tpot")["p50"] <= 0.02
    assert 0.05 <= today(fresh, "queue")["p50"] <= 0.1
    with sessions.begin() as session:  # so old that they are settled
        earlier = timedelta(hours=2)
        session.execute(update(AnswerRun).values(created_at=AnswerRun.created_at - earlier))
        session.execute(update(Message).values(created_at=Message.created_at - earlier))
    counted(sessions)
    counted(sessions)
    settled = await told(client, bea, origin)
    assert settled["summary"]["tokens"] == fresh["summary"]["tokens"] == 242


async def test_a_table_is_exported_and_an_inbox_named_like_a_formula_stays_text(
    client: Client, origin: str, bea: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        session.add(Inbox(name='=HYPERLINK("http://evil.example","Ada")', channel="chat"))
    answered = await client.get(
        "/desk/api/insights/inboxes.csv?from=2026-01-01&to=2026-01-31",
        headers=bea.headers(origin),
    )
    assert answered.content_type == "text/csv"
    assert answered.headers["Content-Disposition"].startswith("attachment;")
    rows = list(csv.reader(io.StringIO((await answered.read()).decode("utf-8-sig"))))
    assert rows[0][0] == "Inbox"
    assert rows[1][0] == '\'=HYPERLINK("http://evil.example","Ada")'


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1+cmd", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1", "|calc", "%0A"]
)
def test_no_cell_begins_a_formula(text: str) -> None:
    rows = list(csv.reader(io.StringIO(write_csv(["a"], [[text]]).decode("utf-8-sig"), newline="")))
    assert rows[1][0] == f"'{text}"


def test_numbers_stay_numbers_and_harmless_text_stays_as_it_is() -> None:
    assert write_csv(["n", "t"], [[-1.5, "plain"], [None, 'a "b"']]).decode("utf-8-sig") == (
        '"n","t"\r\n-1.5,"plain"\r\n"","a ""b"""\r\n'
    )
    assert inert("Ada = Bea") == "Ada = Bea"


@pytest.mark.parametrize(
    "query",
    ["?from=yesterday", "?from=2026-02-01&to=2026-01-01", "?from=2020-01-01", "?inbox=x"],
)
async def test_a_period_that_makes_no_sense_is_refused(
    client: Client, origin: str, bea: SignedInDesk, query: str
) -> None:
    answered = await client.get(f"/desk/api/insights{query}", headers=bea.headers(origin))
    assert answered.status == 422


async def test_who_is_not_signed_in_learns_nothing(client: Client) -> None:
    for path in ("/desk/api/insights", "/desk/api/insights/inboxes.csv"):
        assert (await client.get(path)).status == 401
