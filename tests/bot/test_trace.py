"""A trace tells every hop of a message in order, and why its answer is what it is."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker

from bot.conversations import (
    abandon_run,
    claim_run,
    commit_sentence,
    finish_reply,
    record_incoming,
    reply_as_agent,
    store_result,
)
from bot.messages import ChannelName
from bot.sealing import keyring_of
from bot.settings import Settings
from bot.tables import AnswerRun, Conversation, DataKey, Delivery, Inbox, Message, new_id, now
from bot.tracing import GONE, TraceError, conversation_lines, trace
from tests.people import incoming, make_agent, make_inbox
from tests.shell import shell_on

LEASE = timedelta(seconds=20)
PASSAGE = {
    "passage_id": "019ab3c4-1111-7222-8333-444455556666",
    "external_id": "returns",
    "title": "Returns",
    "heading": "How long",
    "score": 0.912,
    "cosine": 0.88,
    "lexical": 0.5,
}
RESULT = {
    "query": "return shoes",
    "rejected": [{"text": "You have 90 days.", "check": "figures"}],
    "citations": [{"title": "Returns", "used": True}],
}


def ada_is_answered(session: Session, channel: ChannelName = "chat") -> UUID:
    """One question, a run that died, a run that answered in two sentences."""
    inbox = make_inbox(session, channel)
    message = incoming(inbox, "How long can I return shoes?", channel=channel)
    recorded = record_incoming(session, message)
    died = claim_run(session, recorded.conversation_id, LEASE)
    assert died is not None
    abandon_run(session, died, failed=True)
    session.get_one(AnswerRun, died.run_id).state = "failed"
    claim = claim_run(session, recorded.conversation_id, LEASE)
    assert claim is not None
    commit_sentence(session, claim, "You have 30 days.")
    commit_sentence(session, claim, "Shoes must be unworn.")
    finish_reply(session, claim, [], "en")
    store_result(
        session,
        claim.run_id,
        RESULT,
        state="done",
        reply_id=reply_of(session, recorded.conversation_id),
        action="answer",
        reason="supported",
        confidence=0.93,
        language="en",
        model="some-model",
        evidence=[PASSAGE],
        prompt_tokens=310,
        cached_tokens=120,
        output_tokens=25,
        retrieval_ms=35.0,
        queue_ms=2.0,
        ttft_ms=310.0,
        first_sentence_ms=640.0,
        total_ms=900.0,
    )
    session.flush()
    return recorded.conversation_id


def reply_of(session: Session, conversation_id: UUID) -> UUID:
    return session.scalars(
        select(Message.id).where(
            Message.conversation_id == conversation_id, Message.author == "bot"
        )
    ).one()


def test_every_hop_is_told_in_the_order_it_happened(session: Session) -> None:
    (message,) = trace(session, ada_is_answered(session)).messages
    assert [hop.name for hop in message.hops] == [
        *("sent", "recorded", "run claimed", "run claimed", "sentence 1", "sentence 2", "done"),
    ]
    assert [hop.at for hop in message.hops] == sorted(hop.at for hop in message.hops)
    assert message.hops[0].after_ms == 0
    assert message.reply == "You have 30 days. Shoes must be unworn."


def test_the_run_tells_passages_decision_rejections_model_and_cost(session: Session) -> None:
    (message,) = trace(session, ada_is_answered(session)).messages
    failed, done = message.runs
    assert (failed.state, done.state) == ("failed", "done")
    assert (done.action, done.reason, done.confidence) == ("answer", "supported", 0.93)
    assert done.passages == (PASSAGE,)
    assert done.rejected[0]["check"] == "figures"
    assert (done.prompt_tokens, done.cached_tokens, done.output_tokens) == (310, 120, 25)
    assert (done.retrieval_ms, done.ttft_ms, done.first_sentence_ms) == (35.0, 310.0, 640.0)
    text = "\n".join(conversation_lines(trace(session, message_conversation(session))))
    for told in ("return shoes", "0.912", "Returns / How long", "figures: You have 90 days."):
        assert told in text


def message_conversation(session: Session) -> UUID:
    return session.scalars(select(Conversation.id)).one()


def test_a_second_question_has_its_own_runs(session: Session) -> None:
    conversation_id = ada_is_answered(session)
    inbox = session.scalars(select(Inbox.id)).one()
    record_incoming(session, incoming(inbox, "And socks?"))
    claim = claim_run(session, conversation_id, LEASE)
    assert claim is not None
    first, second = trace(session, conversation_id).messages
    assert [run.id for run in second.runs] == [claim.run_id]
    assert claim.run_id not in {run.id for run in first.runs}


def test_an_answer_by_a_person_is_a_hop_too(session: Session) -> None:
    inbox = make_inbox(session)
    recorded = record_incoming(session, incoming(inbox, "Hello?"))
    reply_as_agent(session, recorded.conversation_id, make_agent(session), "Hello Ada.")
    ada, bea = trace(session, recorded.conversation_id).messages
    assert ada.hops[-1].name == "answered by agent"
    assert (bea.author, bea.text, bea.runs) == ("agent", "Hello Ada.", ())


def test_a_delivery_is_the_last_hop_where_a_channel_pushes(session: Session) -> None:
    conversation_id = ada_is_answered(session, "email")
    delivery = session.scalars(select(Delivery)).one()
    delivery.state, delivery.attempts, delivery.sent_at = "sent", 2, now()
    session.flush()
    (message,) = trace(session, conversation_id).messages
    assert message.hops[-1].name == "delivered"
    assert message.deliveries[0]["attempts"] == 2


def test_an_erased_contacts_trace_keeps_its_times_and_loses_its_text(session: Session) -> None:
    conversation_id = ada_is_answered(session)
    scope = session.get_one(Conversation, conversation_id).key_scope
    session.execute(delete(DataKey).where(DataKey.scope == scope))
    session.commit()
    session.expire_all()
    keyring_of(session).forget()
    (message,) = trace(session, conversation_id).messages
    assert message.text == GONE
    assert len(message.hops) == 7
    assert message.runs[1].rejected == ()


def test_there_is_nothing_to_trace_under_an_unknown_id(session: Session) -> None:
    with pytest.raises(TraceError):
        trace(session, new_id())


# -- the command -----------------------------------------------------------------------------


def test_an_operator_traces_by_number_by_id_and_by_run(
    settings: Settings, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        conversation_id = ada_is_answered(session)
        number = session.get_one(Conversation, conversation_id).number
        run_id = session.scalars(select(AnswerRun.id).where(AnswerRun.state == "done")).one()
    shell = shell_on(settings)
    by_number = shell.run("trace", str(number))
    assert by_number.status == 0
    assert by_number.out == shell.run("trace", str(conversation_id)).out
    assert "decision  answer: supported" in shell.run("trace", str(run_id)).out


def test_the_trace_as_json_is_one_object(
    settings: Settings, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        number = session.get_one(Conversation, ada_is_answered(session)).number
    traced = json.loads(shell_on(settings).run("trace", str(number), "--json").out)
    (message,) = traced["messages"]
    assert message["runs"][1]["passages"] == [PASSAGE]
    assert datetime.fromisoformat(message["hops"][0]["at"]).tzinfo is not None


@pytest.mark.parametrize("name", ["12345", "nonsense", "019ab3c4-1111-7222-8333-444455556666"])
def test_what_cannot_be_traced_is_one_line(settings: Settings, name: str) -> None:
    finished = shell_on(settings).run("trace", name)
    assert finished.status == 1
    assert len(finished.err.splitlines()) == 1
