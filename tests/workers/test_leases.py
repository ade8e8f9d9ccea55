"""Claims are held while their runs go on, and by nobody else after."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations, transcripts
from bot.conversations import Claim, RunStopped
from bot.tables import Conversation, now
from tests.people import make_inbox, write
from tests.workers.scripted import Says, running
from workers import leases as leases_module
from workers import runtime as runtime_module
from workers.leases import Leases
from workers.runs import answer_conversation

SHORT = timedelta(seconds=1)


def wait_until(is_so: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


@pytest.fixture
def conversation(sessions: sessionmaker[Session]) -> UUID:
    with sessions.begin() as session:
        return write(session, make_inbox(session), "Where is my parcel?").conversation_id


def claim(sessions: sessionmaker[Session], conversation: UUID) -> Claim:
    with sessions.begin() as session:
        claimed = conversations.claim_run(session, conversation, SHORT)
    assert claimed is not None
    return claimed


def ends_at(sessions: sessionmaker[Session], conversation: UUID) -> object:
    with sessions() as session:
        return session.get_one(Conversation, conversation).leased_until


def test_a_claim_that_is_kept_outlives_its_lease(
    sessions: sessionmaker[Session], conversation: UUID
) -> None:
    held = claim(sessions, conversation)
    first_end = ends_at(sessions, conversation)
    leases = Leases(sessions, SHORT)
    leases.start()
    with leases.keep(held):
        wait_until(lambda: ends_at(sessions, conversation) != first_end)
    leases.stop()
    with sessions.begin() as session:
        assert conversations.commit_sentence(session, held, "Still mine.").seq > 0


def test_a_claim_that_nobody_keeps_ends_by_itself(
    sessions: sessionmaker[Session], conversation: UUID
) -> None:
    held = claim(sessions, conversation)
    lost_at = time.monotonic()
    taken: list[Claim] = []

    def is_taken() -> bool:
        with sessions.begin() as session:
            found = conversations.claim_run(session, conversation, SHORT)
        taken.extend([found] if found else [])
        return bool(taken)

    wait_until(is_taken)
    assert time.monotonic() - lost_at > SHORT.total_seconds() / 2
    with sessions.begin() as session, pytest.raises(RunStopped):
        conversations.commit_sentence(session, held, "Too late.")


def test_renewing_goes_on_after_the_database_was_away(
    sessions: sessionmaker[Session], conversation: UUID
) -> None:
    held = claim(sessions, conversation)
    leases = Leases(sessions, SHORT)
    leases.start()
    with leases.keep(held):
        with sessions() as session:
            session.execute(
                text(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and pid <> pg_backend_pid()"
                )
            )
            session.commit()
        end = ends_at(sessions, conversation)
        wait_until(lambda: ends_at(sessions, conversation) != end)
    leases.stop()


def test_one_claim_that_cannot_be_renewed_does_not_end_the_others(
    sessions: sessionmaker[Session], conversation: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any error of the database: the pool may be empty, a statement may be cancelled."""
    held = claim(sessions, conversation)
    renewed: list[Claim] = []

    def renew(session: Session, claim: Claim, length: timedelta) -> bool:
        renewed.append(claim)
        session.execute(text("select 1 / 0"))
        return True

    monkeypatch.setattr(leases_module, "renew_lease", renew)
    leases = Leases(sessions, SHORT / 10)
    leases.start()
    with leases.keep(held):
        wait_until(lambda: len(renewed) >= 3)
    leases.stop()


def test_what_is_handed_back_can_be_claimed_at_once_and_written_no_more(
    sessions: sessionmaker[Session], conversation: UUID
) -> None:
    with sessions.begin() as session:
        held = conversations.claim_run(session, conversation, timedelta(hours=1))
    assert held is not None
    leases = Leases(sessions)
    with leases.keep(held):
        [(back, advance)] = leases.hand_back()
        assert (back, advance.answer_due) == (held, True)
        assert claim(sessions, conversation).token > held.token
        with sessions.begin() as session, pytest.raises(RunStopped):
            conversations.commit_sentence(session, held, "Too late.")


def test_a_drain_gives_a_hung_answer_to_another_worker_and_leaves(
    sessions: sessionmaker[Session],
    redis_url: str,
    conversation: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime_module, "LEAVE_SECONDS", 0.05)
    hung, woken, left = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        hung.set()
        woken.wait(60)

    with running(sessions, redis_url, Says("One.", "Two.", before={1: hang})) as made:
        made.drain_seconds, made.leave = 0.05, left.set
        run = threading.Thread(target=answer_conversation, args=(made, conversation))
        run.start()
        assert hung.wait(30)
        made.drain()
        assert left.wait(30), "who hangs is left behind"
        assert made.queue.lengths()["interactive"] == 1, "the bell for another worker"
        with running(sessions, redis_url, Says("One.", "Two.")) as other:
            answer_conversation(other, conversation)
        woken.set()
        run.join()
    with sessions() as session:
        events = transcripts.events_after(session, conversation, 0)
    told = [event.data["text"] for event in events if event.kind == "sentence"]
    assert told == ["One.", "Two."]


def test_a_second_signal_does_not_begin_a_second_drain(
    sessions: sessionmaker[Session], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_module, "LEAVE_SECONDS", 0.0)
    left: list[float] = []
    with running(sessions, redis_url, Says()) as made:
        made.drain_seconds, made.leave = 0.05, lambda: left.append(now().timestamp())
        for _ in range(3):
            made.drain()
        wait_until(lambda: bool(left))
        time.sleep(0.2)
    assert len(left) == 1
