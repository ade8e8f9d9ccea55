"""What Prometheus reads, computed from rows that were really written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import delete, event, select, update
from sqlalchemy.orm import Session

from bot.conversations import claim_run, commit_sentence, finish_handoff, finish_reply, store_result
from bot.metrics import Metrics
from bot.tables import AnswerRun, Conversation, Delivery, Message, new_id, now
from bot.tallies import first_id_at, roll_up
from tests.people import make_inbox, write

LEASE = timedelta(seconds=20)


@pytest.fixture
def inbox(session: Session) -> UUID:
    return make_inbox(session)


def scrape(metrics: Metrics, session: Session) -> dict[str, float]:
    """Samples by their name and labels, as a Prometheus server would read them."""
    session.flush()
    rendered = metrics.render(session, {"interactive": 3, "batch": 0}, open_streams=5).decode()
    return {
        sample.name
        + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(rendered)
        for sample in family.samples
    }


def answer(session: Session, conversation_id: UUID, **columns: float) -> None:
    claim = claim_run(session, conversation_id, LEASE)
    assert claim is not None
    commit_sentence(session, claim, "Tomorrow.")
    finish_reply(session, claim, [], "en")
    store_result(
        session, claim.run_id, {}, state="done", action="answer", reason="supported", **columns
    )


def hand_over(session: Session, conversation_id: UUID, reason: str) -> None:
    claim = claim_run(session, conversation_id, LEASE)
    assert claim is not None
    commit_sentence(session, claim, "A colleague will answer.")
    finish_handoff(session, claim, reason=reason, summary="", citations=[], language="en")
    store_result(session, claim.run_id, {}, state="done", action="handoff", reason=reason)


def test_an_empty_desk_has_every_family(session: Session) -> None:
    rendered = Metrics().render(session, {}).decode()
    found = {family.name for family in text_string_to_metric_families(rendered)}
    assert found >= {
        *("frontdesk_messages", "frontdesk_messages_present", "frontdesk_queue_length"),
        *("frontdesk_unanswered_age_seconds", "frontdesk_ttft_seconds", "frontdesk_tpot_seconds"),
        *("frontdesk_tokens", "frontdesk_handoffs", "frontdesk_answers", "frontdesk_deliveries"),
        *("frontdesk_open_streams", "frontdesk_waiting", "frontdesk_conversations"),
    }


def test_messages_are_counted_by_channel_author_and_passing_state(
    session: Session, inbox: UUID
) -> None:
    answer(session, write(session, inbox, "One", contact="ada").conversation_id)
    write(session, inbox, "Two", contact="cyd")
    write(session, make_inbox(session, "email"), "Three", contact="dee")
    found = scrape(Metrics(), session)
    assert found["frontdesk_messages_total author=contact channel=chat"] == 2
    assert found["frontdesk_messages_total author=bot channel=chat"] == 1
    assert found["frontdesk_messages_total author=contact channel=email"] == 1
    assert found["frontdesk_messages_present channel=chat state=received"] == 1
    assert found["frontdesk_conversations status=pending"] == 3


def test_the_oldest_unanswered_message_has_an_age(session: Session, inbox: UUID) -> None:
    write(session, inbox, "Hello")
    session.execute(update(Conversation).values(unanswered_since=now() - timedelta(seconds=90)))
    age = scrape(Metrics(), session)["frontdesk_unanswered_age_seconds channel=chat"]
    assert 90 <= age < 180


def test_tokens_and_times_add_up(session: Session, inbox: UUID) -> None:
    for contact, ttft_ms in (("ada", 300.0), ("cyd", 700.0), ("dee", 50_000.0)):
        answer(
            session,
            write(session, inbox, "Hello", contact=contact).conversation_id,
            prompt_tokens=100,
            cached_tokens=40,
            output_tokens=21,
            retrieval_ms=100.0,
            ttft_ms=ttft_ms,
            total_ms=100.0 + ttft_ms + 20 * 15.0,
        )
    found = scrape(Metrics(), session)
    assert [found[f"frontdesk_tokens_total kind={k}"] for k in ("prompt", "cached", "output")] == [
        *(300, 120, 63),
    ]
    buckets = {le: found[f"frontdesk_ttft_seconds_bucket le={le}"] for le in ("0.25", "0.5", "1.0")}
    assert buckets == {"0.25": 0, "0.5": 1, "1.0": 2}
    assert found["frontdesk_ttft_seconds_bucket le=32.0"] == 2
    assert found["frontdesk_ttft_seconds_bucket le=+Inf"] == 3
    assert found["frontdesk_ttft_seconds_count"] == 3
    assert found["frontdesk_ttft_seconds_sum"] == pytest.approx(51.0)
    assert found["frontdesk_tpot_seconds_bucket le=0.01"] == 0
    assert found["frontdesk_tpot_seconds_bucket le=0.02"] == 3


def test_handoffs_are_counted_by_reason_and_wait(session: Session, inbox: UUID) -> None:
    for contact, reason in (("ada", "requested"), ("cyd", "requested"), ("dee", "no_evidence")):
        hand_over(session, write(session, inbox, "Hi", contact=contact).conversation_id, reason)
    found = scrape(Metrics(), session)
    assert found["frontdesk_handoffs_total reason=requested"] == 2
    assert found["frontdesk_handoffs_total reason=no_evidence"] == 1
    assert found["frontdesk_answers_total action=handoff"] == 3
    assert found["frontdesk_waiting"] == 3


def test_a_failed_run_is_counted_by_its_state(session: Session, inbox: UUID) -> None:
    write(session, inbox, "Hello")
    session.add(
        AnswerRun(id=new_id(), inbox_id=inbox, state="failed", finished_at=now(), evidence=[])
    )
    assert scrape(Metrics(), session)["frontdesk_answers_total action=failed"] == 1


def test_deliveries_are_counted_by_how_they_ended(session: Session) -> None:
    mail = make_inbox(session, "email")
    for contact in ("ada", "cyd"):
        answer(session, write(session, mail, "Hello", contact=contact).conversation_id)
    first, _second = session.scalars(select(Delivery).order_by(Delivery.id))
    first.state = "failed"
    found = scrape(Metrics(), session)
    assert found["frontdesk_deliveries_total channel=email state=failed"] == 1
    assert found["frontdesk_deliveries_due state=pending"] == 1


def test_queues_and_streams_are_told_as_given(session: Session) -> None:
    found = scrape(Metrics(), session)
    assert found["frontdesk_queue_length queue=interactive"] == 3
    assert found["frontdesk_open_streams"] == 5


def test_settled_rows_are_counted_once_and_stay_counted(session: Session, inbox: UUID) -> None:
    metrics = Metrics()
    long_ago = now() - timedelta(hours=7)
    conversation_id = write(session, inbox, "New").conversation_id
    ada = session.get_one(Conversation, conversation_id).contact_id
    old = Message(
        id=id_at(long_ago),
        conversation_id=conversation_id,
        inbox_id=inbox,
        contact_id=ada,
        seq=0,
        author="contact",
        citations=[],
    )
    old.text = "Old"
    session.add(old)
    session.add(
        AnswerRun(
            id=new_id(),
            inbox_id=inbox,
            state="done",
            action="answer",
            evidence=[],
            created_at=long_ago,
            finished_at=long_ago,
        )
    )
    name, runs = "frontdesk_messages_total author=contact channel=chat", "frontdesk_answers_total"
    assert scrape(metrics, session)[name] == 2
    roll_up(session)
    assert scrape(metrics, session)[name] == 2, "rolled up, it counts no second time"
    write(session, inbox, "Newer")
    later = scrape(metrics, session)
    assert (later[name], later[f"{runs} action=answer"]) == (3, 1)
    session.execute(delete(AnswerRun))
    assert scrape(metrics, session)[f"{runs} action=answer"] == 1, "counters never fall"
    assert scrape(Metrics(), session)[name] == 3, "another process counts the same"


def id_at(moment: datetime) -> UUID:
    return UUID(int=first_id_at(moment).int | 0x7 << 76 | 0x2 << 62)


def test_ids_of_a_moment_bound_the_ids_made_then() -> None:
    before = datetime.now(UTC)
    made = new_id()
    assert first_id_at(before) <= made < first_id_at(before + timedelta(seconds=60))


@pytest.fixture
def statements(session: Session) -> Iterator[list[str]]:
    told: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        told.append(statement)

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    yield told
    event.remove(connection, "before_cursor_execute", note)


def test_a_scrape_reads_no_sealed_column_and_asks_a_fixed_number_of_questions(
    session: Session, inbox: UUID, statements: list[str]
) -> None:
    for contact in "abcdef":
        write(session, inbox, "Hello", contact=contact)
    statements.clear()
    Metrics().render(session, {})
    assert len(statements) == 12
    assert not any("sealed" in statement for statement in statements)
