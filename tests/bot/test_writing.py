"""All that a step changed, in one statement: nothing forgotten, nothing in plain text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.conversations import RunResult, claim_run, finish_reply
from bot.conversations.steps import add_message, lock
from bot.conversations.writing import add_unread, write
from bot.tables import AnswerRun, Conversation, Event, Message, new_id
from tests.people import make_inbox
from tests.people import write as say

LEASE = timedelta(seconds=20)


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """What is sent to Postgres within the block, besides the search for data keys."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "vault." not in statement:
            sent.append(statement)

    engine = session.connection().engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def begin(session: Session) -> Conversation:
    """A conversation with Ada's first message, read from the database."""
    recorded = say(session, make_inbox(session), "Where is my parcel?")
    session.commit()
    session.expunge_all()
    return lock(session, recorded.conversation_id)


def test_new_and_changed_rows_of_many_tables_are_one_statement(session: Session) -> None:
    conversation = begin(session)
    reply = add_message(
        session, conversation, "bot", "It is on its way.", kinds=("reply", "sentence", "done")
    )
    conversation.language = "en"
    with statements(session) as sent:
        write(session)
    session.commit()
    assert len(sent) == 1
    session.expunge_all()
    assert session.get_one(Message, reply.id).text == "It is on its way."
    assert session.get_one(Conversation, conversation.id).language == "en"
    told = session.scalars(select(Event).where(Event.message_id == reply.id).order_by(Event.seq))
    assert [(one.kind, one.text) for one in told] == [
        ("reply", ""),
        ("sentence", "It is on its way."),
        ("done", ""),
    ]


def test_what_is_written_is_sealed(session: Session) -> None:
    reply = add_message(session, begin(session), "bot", "It is on its way.")
    write(session)
    query = text("select text_sealed from message where id = :id")
    assert b"on its way" not in session.execute(query, {"id": reply.id}).scalar_one()


def test_defaults_are_those_of_the_mapping(session: Session) -> None:
    conversation = begin(session)
    before = conversation.updated_at
    message = add_message(session, conversation, "bot", "Hello.")
    write(session)
    session.expire_all()
    assert (message.state, message.citations, message.private) == ("sent", [], False)
    assert message.created_at is not None
    assert conversation.updated_at > before, "what follows from any change is written too"


def test_a_row_that_was_written_is_as_one_that_was_read(session: Session) -> None:
    conversation = begin(session)
    message = add_message(session, conversation, "bot", "Hello.")
    write(session)
    assert not session.new
    assert not session.dirty
    message.state = "replaced"
    write(session)
    session.expire_all()
    assert message.state == "replaced"


def test_nothing_changed_is_no_statement(session: Session) -> None:
    conversation = begin(session)
    conversation.failures = conversation.failures
    with statements(session) as sent:
        write(session)
    assert sent == []


def test_a_row_that_was_not_read_keeps_what_is_not_set(session: Session) -> None:
    conversation = begin(session)
    claim = claim_run(session, conversation.id, LEASE)
    assert claim is not None
    session.commit()
    session.expunge_all()
    add_unread(session, run := AnswerRun(id=claim.run_id, contact_id=conversation.contact_id))
    run.action = "answer"
    write(session)
    session.expire_all()
    assert (run.action, run.state, run.conversation_id) == ("answer", "running", conversation.id)


def test_a_second_reply_to_one_message_is_refused_as_ever(session: Session) -> None:
    conversation = begin(session)
    asked = session.scalars(select(Message.id)).first()
    for _ in range(2):
        add_message(session, conversation, "bot", "Hello.", reply_to=asked)
    with pytest.raises(IntegrityError):
        write(session)


def test_a_foreign_key_is_compared_whatever_the_order(session: Session) -> None:
    conversation = begin(session)
    add_message(session, conversation, "bot", "Hello.", reply_to=new_id())
    with pytest.raises(IntegrityError):
        write(session)


def test_a_reply_that_is_whole_is_finished_with_few_statements(session: Session) -> None:
    """The lock, the look behind it, and one that writes reply, events, words and run."""
    conversation = begin(session)
    claim = claim_run(session, conversation.id, LEASE)
    assert claim is not None
    session.commit()
    session.expunge_all()
    result = RunResult({"text": "It is on its way."}, {"state": "done", "action": "answer"})
    with statements(session) as sent:
        advance = finish_reply(
            session, claim, [], "en", last="It is on its way.", run_result=result
        )
    # The time of a conversation's very first reply is noted by a statement of its own.
    assert len(sent) == 4
    run = session.get_one(AnswerRun, claim.run_id)
    assert (run.state, run.reply_id) == ("done", advance.reply_id)
    assert "on its way" in run.result
