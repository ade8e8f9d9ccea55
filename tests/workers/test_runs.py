"""One run of each kind, on a real Postgres and a real Valkey, with a scripted answer."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations, transcripts
from bot.answering.outcome import AnswerRequest, AnswerStream, CheckedSentence
from bot.conversations import MAX_DEATHS, Claim, take_over
from bot.messages import ChannelName
from bot.policy import PolicySetting, with_policy
from bot.queue import BATCH, INTERACTIVE
from bot.tables import (
    AnswerRun,
    Article,
    Collection,
    Conversation,
    Inbox,
    Message,
    new_id,
    now,
)
from tests.people import incoming, make_agent, make_inbox
from tests.workers.scripted import Says, outcome, running
from workers import runs, runtime, tasks
from workers.runs import ALWAYS_RUNG, answer_ask, answer_conversation, index_articles, sweep

LONG_AGO = timedelta(minutes=1)


class Desk:
    """One inbox with Ada's conversation in it, and what a test asks about it."""

    def __init__(self, sessions: sessionmaker[Session], channel: ChannelName = "chat") -> None:
        self.sessions = sessions
        self.channel = channel
        with sessions.begin() as session:
            self.inbox = make_inbox(session, channel)

    def write(self, text: str, contact: str = "ada") -> UUID:
        message = incoming(self.inbox, text, contact=contact, channel=self.channel)
        with self.sessions.begin() as session:
            return conversations.record_incoming(session, message).conversation_id

    def claim(self, conversation_id: UUID) -> Claim | None:
        with self.sessions.begin() as session:
            return conversations.claim_run(session, conversation_id, LONG_AGO)

    def take_over(self, conversation_id: UUID) -> None:
        with self.sessions.begin() as session:
            take_over(session, conversation_id, make_agent(session))

    def let_lease_end(self, conversation_id: UUID) -> None:
        self.change(conversation_id, leased_until=now() - LONG_AGO)

    def change(self, conversation_id: UUID, **values: object) -> None:
        with self.sessions.begin() as session:
            session.execute(
                update(Conversation).where(Conversation.id == conversation_id).values(**values)
            )

    def row(self, conversation_id: UUID) -> Conversation:
        with self.sessions() as session:
            return session.get_one(Conversation, conversation_id)

    def said(self, conversation_id: UUID) -> list[tuple[str, str, bool]]:
        with self.sessions() as session:
            found = transcripts.messages_of(session, conversation_id)
            return [(m.author, m.text, m.partial) for m in found]

    def shown(self, conversation_id: UUID) -> list[str]:
        """The sentences that the visitor's stream tells, in order."""
        with self.sessions() as session:
            events = transcripts.events_after(session, conversation_id, 0)
            return [event.data["text"] for event in events if event.kind == "sentence"]

    def last_seq(self, conversation_id: UUID) -> int:
        return self.row(conversation_id).last_seq


@pytest.fixture
def desk(sessions: sessionmaker[Session]) -> Desk:
    return Desk(sessions)


def test_a_bell_answers_what_is_unanswered(desk: Desk, redis_url: str) -> None:
    conversation = desk.write("Where is my parcel?")
    with running(desk.sessions, redis_url, Says("It is on its way.", "It comes today.")) as made:
        answer_conversation(made, conversation)
    assert desk.said(conversation) == [
        ("contact", "Where is my parcel?", False),
        ("bot", "It is on its way. It comes today.", False),
    ]
    assert desk.row(conversation).unanswered_since is None


def test_the_same_bell_again_answers_nothing(desk: Desk, redis_url: str) -> None:
    conversation = desk.write("Where is my parcel?")
    with running(desk.sessions, redis_url, Says("It is on its way.")) as made:
        for _ in range(3):
            answer_conversation(made, conversation)
    assert [author for author, *_ in desk.said(conversation)] == ["contact", "bot"]


def test_a_bell_for_nothing_is_no_error(desk: Desk, redis_url: str) -> None:
    says = Says("Nobody asked.")
    with running(desk.sessions, redis_url, says) as made:
        answer_conversation(made, new_id())
    assert says.requests == []


def test_what_comes_before_the_first_sentence_joins_the_answer(desk: Desk, redis_url: str) -> None:
    conversation = desk.write("Hello.")
    says = Says("Both at once.", before={0: lambda: void(desk.write("And a question."))})
    with running(desk.sessions, redis_url, says) as made:
        answer_conversation(made, conversation)
    assert [text for _, text, _ in desk.said(conversation)] == [
        "Hello.",
        "And a question.",
        "Both at once.",
    ]
    assert [request.unanswered for request in says.requests] == [1, 2]


def test_somebody_who_never_stops_writing_is_answered_all_the_same(
    desk: Desk, redis_url: str
) -> None:
    conversation = desk.write("line 0")
    says = Says("At last.")

    def write_more() -> None:
        desk.write(f"line {len(says.requests)}")
        says.before[0] = write_more

    says.before[0] = write_more
    with running(desk.sessions, redis_url, says) as made:
        answer_conversation(made, conversation)
        assert made.queue.lengths()[INTERACTIVE] > 0, "the last line is rung for"
    assert "At last." in [text for _, text, _ in desk.said(conversation)]


def test_what_comes_after_the_first_sentence_is_rung_for_and_answered_next(
    desk: Desk, redis_url: str
) -> None:
    conversation = desk.write("First.")
    says = Says("One.", "Two.", before={1: lambda: void(desk.write("Second."))})
    with running(desk.sessions, redis_url, says) as made:
        answer_conversation(made, conversation)
        assert made.queue.lengths()[INTERACTIVE] == 1
        answer_conversation(made, conversation)
    assert [text for _, text, _ in desk.said(conversation)] == [
        "First.",
        "One. Two.",
        "Second.",
        "One. Two.",
    ]
    assert [turn.text for turn in says.requests[1].turns] == ["First.", "One. Two.", "Second."]


def test_a_reply_that_came_between_stands_before_the_question_it_did_not_answer(
    desk: Desk, redis_url: str
) -> None:
    conversation = desk.write("First.")
    claim = desk.claim(conversation)
    assert claim is not None
    desk.write("Second.")
    with desk.sessions.begin() as session:
        conversations.commit_sentence(session, claim, "One.", merge_new=False)
        conversations.finish_reply(session, claim, [], "en")
    following = desk.claim(conversation)
    assert following is not None
    assert [turn.text for turn in following.turns] == ["First.", "One.", "Second."]


@pytest.mark.parametrize("point", [0, 1, 2])
def test_after_a_take_over_the_run_writes_nothing_more(
    desk: Desk, redis_url: str, point: int
) -> None:
    conversation = desk.write("Where is my parcel?")
    seen: list[int] = []

    def take() -> None:
        desk.take_over(conversation)
        seen.append(desk.last_seq(conversation))

    says = Says("One.", "Two.", before={point: take})
    with running(desk.sessions, redis_url, says) as made:
        answer_conversation(made, conversation)
        answer_conversation(made, conversation)
    assert desk.last_seq(conversation) == seen[0]
    assert desk.shown(conversation) == ["One.", "Two."][:point]
    replies = [told for told in desk.said(conversation) if told[0] == "bot"]
    assert replies == ([] if point == 0 else [("bot", " ".join(["One.", "Two."][:point]), True)])


@pytest.mark.parametrize("point", [0, 1, 2])
def test_a_run_that_lost_its_lease_leaves_the_reply_to_the_next(
    desk: Desk, redis_url: str, point: int
) -> None:
    """The first run freezes at a point; another takes over and finishes; then the first wakes."""
    conversation = desk.write("Where is my parcel?")
    other = Says("One.", "Two.")

    def let_another_finish() -> None:
        desk.let_lease_end(conversation)
        with running(desk.sessions, redis_url, other) as made:
            answer_conversation(made, conversation)

    frozen = Says("One.", "Two.", before={point: let_another_finish})
    with running(desk.sessions, redis_url, frozen) as made:
        answer_conversation(made, conversation)
    assert desk.shown(conversation) == ["One.", "Two."]
    assert desk.said(conversation)[1:] == [("bot", "One. Two.", False)]
    assert other.requests[0].shown == ("One.", "Two.")[:point]


def test_a_run_goes_on_where_one_that_died_stopped(desk: Desk, redis_url: str) -> None:
    conversation = desk.write("Where is my parcel?")
    claim = desk.claim(conversation)
    assert claim is not None
    with desk.sessions.begin() as session:
        conversations.commit_sentence(session, claim, "One.")
    desk.let_lease_end(conversation)
    desk.write("And my invoice?")
    with running(desk.sessions, redis_url, Says("One.", "Two.")) as made:
        answer_conversation(made, conversation)
    assert desk.shown(conversation) == ["One.", "Two."]
    assert desk.row(conversation).unanswered_since is not None, "the new line is still due"


def test_an_answer_that_breaks_three_times_goes_to_people(desk: Desk, redis_url: str) -> None:
    conversation = desk.write("Where is my parcel?")

    def fail() -> None:
        raise RuntimeError("a bug")

    for attempt in range(1, 4):
        with running(desk.sessions, redis_url, Says("Never.", before={0: fail})) as made:
            with pytest.raises(RuntimeError):
                answer_conversation(made, conversation)
            assert made.queue.lengths()[INTERACTIVE] == min(attempt, 2), "two tries are rung for"
    row = desk.row(conversation)
    assert (row.status, row.handoff_reason) == ("open", "repeated_failure")


def test_what_ends_worker_after_worker_goes_to_people(desk: Desk) -> None:
    conversation = desk.write("Where is my parcel?")
    claims = 0
    while desk.claim(conversation) is not None:
        claims += 1
        assert claims <= MAX_DEATHS, "it never went to people"
        desk.let_lease_end(conversation)
    row = desk.row(conversation)
    assert claims == MAX_DEATHS
    assert (row.status, row.handoff_reason) == ("open", "repeated_failure")


def test_a_failing_database_is_not_counted_against_the_answer(desk: Desk, redis_url: str) -> None:
    conversation = desk.write("Where is my parcel?")

    def lose_connection() -> None:
        raise OperationalError("select 1", {}, Exception("server closed the connection"))

    with running(desk.sessions, redis_url, Says("One.", before={0: lose_connection})) as made:
        with pytest.raises(OperationalError):
            answer_conversation(made, conversation)
        assert made.queue.lengths()[INTERACTIVE] == 0, "the sweep rings, after a pause"
        assert desk.row(conversation).failures == 0
        answer_conversation(made, conversation)
    assert desk.shown(conversation) == ["One."]


def test_a_handoff_tells_the_customer_and_gives_the_conversation_to_people(
    desk: Desk, redis_url: str
) -> None:
    conversation = desk.write("I want a person.")
    with running(desk.sessions, redis_url, Says("A person comes.", action="handoff")) as made:
        answer_conversation(made, conversation)
    with desk.sessions() as session:
        seen = transcripts.view(session, conversation)
    assert seen is not None
    assert (seen.status, seen.summary) == ("open", "Ada asks.")
    assert desk.said(conversation)[-1] == ("bot", "A person comes.", False)


def test_the_run_is_kept_with_its_result(desk: Desk, redis_url: str) -> None:
    conversation = desk.write("Where is my parcel?")
    with running(desk.sessions, redis_url, Says("It is on its way.")) as made:
        answer_conversation(made, conversation)
    with desk.sessions() as session:
        run = session.scalars(select(AnswerRun)).one()
        assert (run.state, run.action) == ("done", "answer")
        assert json.loads(run.result)["text"] == "It is on its way."
        assert session.get_one(Message, run.reply_id).text == "It is on its way."


# -- the sweep -------------------------------------------------------------------------------


def test_the_sweep_rings_for_what_is_due_and_nobody_holds(desk: Desk, redis_url: str) -> None:
    lost = desk.write("My bell was lost.", contact="ada")
    held = desk.write("Somebody answers me.", contact="bob")
    desk.write("I have just come.", contact="eve")
    desk.claim(held)
    for conversation in (lost, held):
        desk.change(conversation, unanswered_since=now() - LONG_AGO)
    with running(desk.sessions, redis_url, Says()) as made:
        sweep(made)
        assert made.queue.lengths()[INTERACTIVE] == 1


def test_the_sweep_rings_again_once_a_lease_has_ended(desk: Desk, redis_url: str) -> None:
    conversation = desk.write("Its worker died.")
    desk.claim(conversation)
    desk.change(
        conversation, unanswered_since=now() - LONG_AGO, leased_until=now() - timedelta(seconds=1)
    )
    with running(desk.sessions, redis_url, Says("Here I am.")) as made:
        sweep(made)
        assert made.queue.lengths()[INTERACTIVE] == 1
        answer_conversation(made, conversation)
    assert desk.shown(conversation) == ["Here I am."]


def test_sweeps_do_not_flood_a_queue_that_is_long_already(
    desk: Desk, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "ENOUGH_BELLS", 30)
    for number in range(40):
        conversation = desk.write("Hello.", contact=f"contact-{number}")
        desk.change(conversation, unanswered_since=now() - LONG_AGO)
    with running(desk.sessions, redis_url, Says()) as made:
        sweep(made)
        assert made.queue.lengths()[INTERACTIVE] == 30
        sweep(made)
        assert made.queue.lengths()[INTERACTIVE] == 30 + ALWAYS_RUNG, "the oldest always"


def test_the_sweep_rings_for_mail_in_its_own_queue(
    sessions: sessionmaker[Session], redis_url: str
) -> None:
    desk = Desk(sessions, "email")
    conversation = desk.write("A letter.")
    desk.change(conversation, unanswered_since=now() - LONG_AGO)
    with running(sessions, redis_url, Says()) as made:
        sweep(made)
        assert made.queue.lengths() == {INTERACTIVE: 0, BATCH: 1, "knowledge": 0}


# -- batch and knowledge ---------------------------------------------------------------------


def test_one_bell_answers_all_mail_that_waits(
    sessions: sessionmaker[Session], redis_url: str
) -> None:
    desk = Desk(sessions, "email")
    letters = [desk.write("A letter.", contact=f"contact-{number}") for number in range(3)]
    with running(sessions, redis_url, Says("Thank you.")) as made:
        answer_conversation(made, letters[0], queue=BATCH)
    assert [desk.shown(letter) for letter in letters] == [["Thank you."]] * 3


def test_mail_without_a_free_slot_waits_for_who_has_one(
    sessions: sessionmaker[Session], redis_url: str
) -> None:
    desk = Desk(sessions, "email")
    letter = desk.write("A letter.")
    says = Says("Thank you.")
    with running(sessions, redis_url, says) as made:
        made.batch_slots.acquire()
        answer_conversation(made, letter, queue=BATCH)
        assert says.requests == []
        made.batch_slots.release()
        answer_conversation(made, letter, queue=BATCH)
    assert desk.shown(letter) == ["Thank you."]


def test_the_queue_that_rang_decides_whether_a_slot_is_needed(
    sessions: sessionmaker[Session], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)  # Celery wants to be configured even to call a task
    desk = Desk(sessions, "email")
    letter = desk.write("A letter.")
    with running(sessions, redis_url, Says("Thank you.")) as made:
        runtime.use(made)
        made.batch_slots.acquire()
        tasks.answer.apply([str(letter)], routing_key=BATCH, throw=True)
        assert desk.shown(letter) == []
        made.batch_slots.release()
        tasks.answer.apply([str(letter)], routing_key=BATCH, throw=True)
    assert desk.shown(letter) == ["Thank you."]


def test_a_sentence_that_is_the_last_is_stored_with_the_end(desk: Desk, redis_url: str) -> None:
    conversation = desk.write("Hello")
    seqs: list[int] = []

    def fixed(request: AnswerRequest, *_: object) -> AnswerStream:
        yield CheckedSentence("First.", None, verbatim=True)
        seqs.append(desk.last_seq(conversation))
        yield CheckedSentence("Good day.", None, verbatim=False, is_last=True)
        seqs.append(desk.last_seq(conversation))
        yield outcome("First. Good day.", "clarify")

    with running(desk.sessions, redis_url, fixed) as made:
        answer_conversation(made, conversation)
    assert seqs == [3, 3]
    assert desk.shown(conversation) == ["First.", "Good day."]
    assert desk.said(conversation)[-1] == ("bot", "First. Good day.", False)


def test_a_chat_needs_no_slot_of_the_mail(desk: Desk, redis_url: str) -> None:
    conversation = desk.write("Where is my parcel?")
    with running(desk.sessions, redis_url, Says("Here.")) as made:
        made.batch_slots.acquire()
        answer_conversation(made, conversation)
    assert desk.shown(conversation) == ["Here."]


def test_an_article_that_breaks_does_not_keep_back_the_others(
    sessions: sessionmaker[Session], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sessions.begin() as session:
        collection = Collection(id=new_id(), name="help")
        session.add(collection)
        session.flush()
        ids = [add_article(session, collection.id, f"article-{number}") for number in range(3)]
    monkeypatch.setattr(runs, "index_article", break_for(ids[1]))
    with running(sessions, redis_url, Says()) as made:
        index_articles(made, ids[0])
    with sessions() as session:
        errors = {row.id: row.index_error for row in session.scalars(select(Article))}
    assert errors == {ids[0]: "seen", ids[1]: "ZeroDivisionError", ids[2]: "seen"}


def add_article(session: Session, collection_id: UUID, name: str) -> UUID:
    article = Article(
        id=new_id(),
        collection_id=collection_id,
        external_id=name,
        title=name,
        body="Text.",
        content_hash=name,
    )
    session.add(article)
    session.flush()
    return article.id


def break_for(broken: UUID) -> object:
    def index(sessions: sessionmaker[Session], _embedder: object, article_id: UUID) -> None:
        if article_id == broken:
            raise ZeroDivisionError
        with sessions.begin() as session:
            session.get_one(Article, article_id).index_error = "seen"

    return index


# -- a question of `ask` ---------------------------------------------------------------------


def test_an_ask_is_answered_once(desk: Desk, redis_url: str) -> None:
    run_id = ask(desk, "Where is my parcel?")
    says = Says("Here.")
    with running(desk.sessions, redis_url, says) as made:
        for _ in range(3):
            answer_ask(made, run_id)
    with desk.sessions() as session:
        run = session.get_one(AnswerRun, run_id)
        assert run.state == "done"
        assert json.loads(run.result)["text"] == "Here."
    assert len(says.requests) == 1


def test_conversations_and_asks_are_answered_where_the_inbox_is_sure_enough(
    desk: Desk, redis_url: str
) -> None:
    with desk.sessions.begin() as session:
        inbox = session.scalars(select(Inbox)).one()
        inbox.settings = with_policy(inbox.settings, PolicySetting(answer_at=0.8))
    conversation, run_id, says = desk.write("Where?"), ask(desk, "Where is it?"), Says("Here.")
    with running(desk.sessions, redis_url, says) as made:
        answer_conversation(made, conversation)
        answer_ask(made, run_id)
    assert [request.answer_at for request in says.requests] == [0.8, 0.8]


def test_an_ask_that_breaks_is_told_as_failed(desk: Desk, redis_url: str) -> None:
    run_id = ask(desk, "Where is my parcel?")

    def fail() -> None:
        raise RuntimeError("a bug")

    with (
        running(desk.sessions, redis_url, Says("Never.", before={0: fail})) as made,
        pytest.raises(RuntimeError),
    ):
        answer_ask(made, run_id)
    with desk.sessions() as session:
        assert session.get_one(AnswerRun, run_id).state == "failed"


def test_a_lost_ask_is_rung_for_again(desk: Desk, redis_url: str) -> None:
    run_id = ask(desk, "Where is my parcel?")
    with desk.sessions.begin() as session:
        session.get_one(AnswerRun, run_id).created_at = now() - LONG_AGO
    with running(desk.sessions, redis_url, Says()) as made:
        sweep(made)
        assert made.queue.lengths()[INTERACTIVE] == 1


def test_logs_name_ids_and_never_what_was_said(
    desk: Desk, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="workers")
    conversation = desk.write("My secret is Rumpelstilzchen.")
    with running(desk.sessions, redis_url, Says("Yours is Rumpelstilzchen.")) as made:
        answer_conversation(made, conversation)
    assert str(conversation) in caplog.text
    assert "Rumpelstilzchen" not in caplog.text


def ask(desk: Desk, text: str) -> UUID:
    run = AnswerRun(id=new_id(), inbox_id=desk.inbox, state="queued", evidence=[])
    with desk.sessions.begin() as session:
        session.add(run)
        run.request = json.dumps({"messages": [{"role": "user", "text": text}], "locale": None})
    return run.id


def void(_result: object) -> None:
    """Let go of a result, so that a lambda can be a step."""
