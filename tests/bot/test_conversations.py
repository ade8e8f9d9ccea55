"""What the one writer of conversations lets happen, and what it refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations
from bot.conversations import (
    BatchGrew,
    Claim,
    ConversationError,
    RunStopped,
    claim_run,
    commit_sentence,
    finish_handoff,
    finish_reply,
    record_incoming,
)
from bot.tables import Conversation, Delivery, Message, now
from bot.transcripts import events_after, messages_of, view
from tests.people import incoming, make_agent, make_inbox, write

LEASE = timedelta(seconds=20)


@pytest.fixture
def inbox(session: Session) -> UUID:
    return make_inbox(session)


def claim(session: Session, conversation_id: UUID) -> Claim:
    claimed = claim_run(session, conversation_id, LEASE)
    assert claimed is not None
    return claimed


def texts(session: Session, conversation_id: UUID) -> list[tuple[str, str]]:
    return [(m.author, m.text) for m in messages_of(session, conversation_id)]


def test_a_message_opens_a_conversation_of_the_bots(session: Session, inbox: UUID) -> None:
    recorded = write(session, inbox, "Where is my parcel?")
    assert recorded.is_new
    assert recorded.answer_due
    seen = view(session, recorded.conversation_id)
    assert seen is not None
    assert seen.status == "pending"


def test_a_redelivered_message_is_one_message(session: Session, inbox: UUID) -> None:
    message = incoming(inbox, "Where is my parcel?")
    first, *copies = [record_incoming(session, message) for _ in range(5)]
    assert {copy.message_id for copy in copies} == {first.message_id}
    assert not any(copy.is_new for copy in copies)
    assert len(messages_of(session, first.conversation_id)) == 1


def test_twenty_copies_at_once_are_one_message(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        message = incoming(make_inbox(session), "Where is my parcel?")

    def record(_: int) -> UUID:
        try:
            with sessions.begin() as session:
                return record_incoming(session, message).message_id
        except IntegrityError:  # as intake does: the copy that was first is found now
            with sessions.begin() as session:
                return record_incoming(session, message).message_id

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(record, range(20)))
    assert len(ids) == 1
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 1
        assert session.scalar(select(func.count()).select_from(Conversation)) == 1


def test_three_quick_lines_get_one_reply(session: Session, inbox: UUID) -> None:
    for line in ("Hi", "my parcel", "is late"):
        recorded = write(session, inbox, line)
    claimed = claim(session, recorded.conversation_id)
    assert [turn.text for turn in claimed.turns] == ["Hi", "my parcel", "is late"]
    commit_sentence(session, claimed, "It will come.")
    advance = finish_reply(session, claimed, [], "en")
    assert not advance.answer_due
    assert claim_run(session, recorded.conversation_id, LEASE) is None
    assert texts(session, recorded.conversation_id)[-1] == ("bot", "It will come.")


def test_two_runs_never_hold_one_conversation(session: Session, inbox: UUID) -> None:
    recorded = write(session, inbox, "Hello")
    claim(session, recorded.conversation_id)
    assert claim_run(session, recorded.conversation_id, LEASE) is None


def test_a_run_whose_lease_was_taken_writes_nothing(session: Session, inbox: UUID) -> None:
    recorded = write(session, inbox, "Hello")
    frozen = claim(session, recorded.conversation_id)
    session.execute(update(Conversation).values(leased_until=now() - timedelta(seconds=1)))
    current = claim(session, recorded.conversation_id)
    with pytest.raises(RunStopped):
        commit_sentence(session, frozen, "I slept.")
    commit_sentence(session, current, "I am here.")
    assert texts(session, recorded.conversation_id)[-1] == ("bot", "I am here.")


def test_a_run_goes_on_after_the_sentences_of_one_that_died(session: Session, inbox: UUID) -> None:
    recorded = write(session, inbox, "Hello")
    dead = claim(session, recorded.conversation_id)
    commit_sentence(session, dead, "First.")
    write(session, inbox, "And another thing")
    session.execute(update(Conversation).values(leased_until=now() - timedelta(seconds=1)))
    heir = claim(session, recorded.conversation_id)
    assert heir.shown == ("First.",)
    commit_sentence(session, heir, "Second.")
    assert finish_reply(session, heir, [], "en").answer_due
    assert ("bot", "First. Second.") in texts(session, recorded.conversation_id)
    later = claim(session, recorded.conversation_id)
    assert later.turns[-1].text == "And another thing"


def test_what_is_written_before_anything_is_shown_joins_the_batch(
    session: Session, inbox: UUID
) -> None:
    recorded = write(session, inbox, "My parcel")
    claimed = claim(session, recorded.conversation_id)
    write(session, inbox, "is late")
    with pytest.raises(BatchGrew):
        commit_sentence(session, claimed, "Which parcel?")
    conversations.abandon_run(session, claimed, failed=False)
    again = claim(session, recorded.conversation_id)
    assert [turn.text for turn in again.turns] == ["My parcel", "is late"]


@pytest.mark.parametrize("shown", [[], ["First."]])
def test_the_last_sentence_may_come_with_the_end(
    session: Session, inbox: UUID, shown: list[str]
) -> None:
    recorded = write(session, inbox, "Hello")
    claimed = claim(session, recorded.conversation_id)
    for sentence in shown:
        commit_sentence(session, claimed, sentence)
    advance = finish_reply(session, claimed, [], "en", last="Last.")
    assert texts(session, recorded.conversation_id)[-1] == ("bot", " ".join([*shown, "Last."]))
    kinds = [event.kind for event in events_after(session, recorded.conversation_id, 0)]
    assert kinds == ["message", "reply", *["sentence" for _ in shown], "sentence", "done"]
    assert advance.seq == len(kinds)
    assert not advance.answer_due


def test_the_last_sentence_joins_the_batch_that_grew(session: Session, inbox: UUID) -> None:
    recorded = write(session, inbox, "My parcel")
    claimed = claim(session, recorded.conversation_id)
    write(session, inbox, "is late")
    with pytest.raises(BatchGrew):
        finish_reply(session, claimed, [], "en", last="Which parcel?")
    finish_reply(session, claimed, [], "en", last="Which parcel?", merge_new=False)
    again = claim(session, recorded.conversation_id)
    assert again.turns[-1].text == "is late"


@pytest.mark.parametrize("sentences_before", [0, 1, 2])
def test_after_a_take_over_the_bot_writes_nothing(
    session: Session, inbox: UUID, sentences_before: int
) -> None:
    recorded = write(session, inbox, "Hello")
    bea = make_agent(session)
    claimed = claim(session, recorded.conversation_id)
    for number in range(sentences_before):
        commit_sentence(session, claimed, f"Sentence {number}.")
    conversations.take_over(session, recorded.conversation_id, bea)
    before = texts(session, recorded.conversation_id)
    with pytest.raises(RunStopped):
        commit_sentence(session, claimed, "One more thing.")
    with pytest.raises(RunStopped):
        finish_reply(session, claimed, [], "en")
    with pytest.raises(RunStopped):
        finish_reply(session, claimed, [], "en", last="One more thing.")
    assert texts(session, recorded.conversation_id) == before
    partial = [m.partial for m in messages_of(session, recorded.conversation_id)]
    assert any(partial) == (sentences_before > 0)
    assert claim_run(session, recorded.conversation_id, LEASE) is None


def test_a_handoff_reaches_the_staff_with_its_summary(session: Session, inbox: UUID) -> None:
    recorded = write(session, inbox, "I want a person")
    claimed = claim(session, recorded.conversation_id)
    commit_sentence(session, claimed, "A colleague will answer here.")
    finish_handoff(
        session, claimed, reason="requested", summary="Wants a person.", citations=[], language="en"
    )
    seen = view(session, recorded.conversation_id)
    assert seen is not None
    assert (seen.status, seen.summary, seen.handoff_reason) == (
        "open",
        "Wants a person.",
        "requested",
    )
    assert seen.waiting_since is not None


def test_the_third_failure_in_a_row_gives_the_conversation_to_people(
    session: Session, inbox: UUID
) -> None:
    recorded = write(session, inbox, "Hello")
    for attempt in range(3):
        claimed = claim(session, recorded.conversation_id)
        advance = conversations.abandon_run(session, claimed, failed=True)
        assert advance.answer_due == (attempt < 2)
    seen = view(session, recorded.conversation_id)
    assert seen is not None
    assert (seen.status, seen.handoff_reason) == ("open", "repeated_failure")


def test_asking_for_a_person_needs_no_worker(session: Session, inbox: UUID) -> None:
    recorded = record_incoming(session, incoming(inbox, "A person please", wants_person=True))
    seen = view(session, recorded.conversation_id)
    assert seen is not None
    assert seen.status == "open"
    assert not recorded.answer_due


@pytest.mark.parametrize(
    ("text", "language"),
    [("我想找人工客服。", "zh"), ("担当者をお願いします", "ja"), ("A person please", "")],
)
def test_whoever_asks_for_a_person_is_answered_in_their_script(
    session: Session, inbox: UUID, text: str, language: str
) -> None:
    recorded = record_incoming(session, incoming(inbox, text, wants_person=True))
    assert session.get_one(Conversation, recorded.conversation_id).language == language


def test_an_automatic_message_is_stored_and_never_answered(session: Session, inbox: UUID) -> None:
    recorded = record_incoming(session, incoming(inbox, "Out of office", is_automatic=True))
    assert not recorded.answer_due
    assert claim_run(session, recorded.conversation_id, LEASE) is None
    assert len(messages_of(session, recorded.conversation_id)) == 1


def test_an_agents_reply_takes_the_conversation_and_is_written_once(
    session: Session, inbox: UUID
) -> None:
    recorded = write(session, inbox, "Hello")
    bea = make_agent(session)
    for _ in range(2):
        conversations.reply_as_agent(
            session, recorded.conversation_id, bea, "Hi, Bea here.", client_id="one"
        )
    assert texts(session, recorded.conversation_id) == [
        ("contact", "Hello"),
        ("agent", "Hi, Bea here."),
    ]
    seen = view(session, recorded.conversation_id)
    assert seen is not None
    assert (seen.status, seen.assignee, seen.waiting_since) == ("open", "Bea", None)


def test_a_visitor_never_sees_a_note(session: Session, inbox: UUID) -> None:
    recorded = write(session, inbox, "Hello")
    bea = make_agent(session)
    conversations.reply_as_agent(
        session, recorded.conversation_id, bea, "She is angry.", private=True
    )
    seen = events_after(session, recorded.conversation_id, 0)
    assert all("angry" not in str(event.data) for event in seen)
    assert len(messages_of(session, recorded.conversation_id)) == 1
    assert len(messages_of(session, recorded.conversation_id, staff=True)) == 2


def test_given_back_the_bot_answers_what_is_unanswered(session: Session, inbox: UUID) -> None:
    recorded = write(session, inbox, "Hello")
    conversations.take_over(session, recorded.conversation_id, make_agent(session))
    write(session, inbox, "Still here?")
    assert conversations.give_back(session, recorded.conversation_id).answer_due
    claimed = claim(session, recorded.conversation_id)
    assert [turn.text for turn in claimed.turns] == ["Hello", "Still here?"]


def test_a_message_to_a_resolved_conversation_opens_it_again(session: Session, inbox: UUID) -> None:
    recorded = write(session, inbox, "Hello")
    conversations.resolve(session, recorded.conversation_id)
    again = write(session, inbox, "One more question")
    assert again.conversation_id == recorded.conversation_id
    assert again.answer_due


def test_long_after_a_new_conversation_points_back(session: Session, inbox: UUID) -> None:
    recorded = write(session, inbox, "Hello")
    conversations.resolve(session, recorded.conversation_id)
    session.execute(update(Conversation).values(resolved_at=now() - timedelta(days=30)))
    session.expire_all()
    again = write(session, inbox, "A year later")
    assert again.conversation_id != recorded.conversation_id
    newer = session.get_one(Conversation, again.conversation_id)
    assert newer.previous_id == recorded.conversation_id


def test_a_resolved_conversation_cannot_be_taken_over(session: Session, inbox: UUID) -> None:
    recorded = write(session, inbox, "Hello")
    conversations.resolve(session, recorded.conversation_id)
    with pytest.raises(ConversationError):
        conversations.take_over(session, recorded.conversation_id, make_agent(session))


def test_events_replay_exactly_what_was_committed(session: Session, inbox: UUID) -> None:
    recorded = write(session, inbox, "Hello")
    claimed = claim(session, recorded.conversation_id)
    commit_sentence(session, claimed, "One.")
    commit_sentence(session, claimed, "Two.")
    finish_reply(session, claimed, [{"title": "T"}], "en")
    events = events_after(session, recorded.conversation_id, 0)
    assert [(e.seq, e.kind) for e in events] == [
        (1, "message"),
        (2, "reply"),
        (3, "sentence"),
        (4, "sentence"),
        (5, "done"),
    ]
    assert [e.data.get("text") for e in events[2:4]] == ["One.", "Two."]
    assert events_after(session, recorded.conversation_id, 3) == events[3:]


def test_a_snoozed_conversation_wakes_with_the_contacts_message(
    session: Session, inbox: UUID
) -> None:
    recorded = write(session, inbox, "Hello")
    conversations.take_over(session, recorded.conversation_id, make_agent(session))
    conversations.snooze(session, recorded.conversation_id, now() + timedelta(days=1))
    write(session, inbox, "Hello?")
    seen = view(session, recorded.conversation_id)
    assert seen is not None
    assert seen.status == "open"


def test_a_snooze_that_is_over_opens_the_conversation(session: Session, inbox: UUID) -> None:
    recorded = write(session, inbox, "Hello")
    conversations.take_over(session, recorded.conversation_id, make_agent(session))
    conversations.snooze(session, recorded.conversation_id, now() - timedelta(seconds=1))
    assert [a.conversation_id for a in conversations.wake_snoozed(session)] == [
        recorded.conversation_id
    ]


def test_a_farewell_by_mail_is_delivered_though_people_own_the_conversation(
    session: Session,
) -> None:
    inbox = make_inbox(session, "email")
    recorded = record_incoming(session, incoming(inbox, "A person!", channel="email"))
    claimed = claim(session, recorded.conversation_id)
    commit_sentence(session, claimed, "A colleague will answer.")
    finish_handoff(session, claimed, reason="requested", summary="", citations=[], language="en")
    delivery = session.scalars(select(Delivery)).one()
    conversation = session.get_one(Conversation, recorded.conversation_id)
    session.refresh(delivery)
    assert delivery.epoch == conversation.epoch
