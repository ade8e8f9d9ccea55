"""The modes of an inbox: drafts wait for a person, acknowledgements promise one, hours are told."""

from __future__ import annotations

import io
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations, transcripts
from bot.answering.acknowledge import acknowledge
from bot.answering.answer import answer
from bot.answering.outcome import AnswerRequest, Outcome
from bot.conversations import Recorded, record_incoming
from bot.events import Publisher
from bot.hours import Opening
from bot.messages import Turn
from bot.policy import PolicyError, PolicySetting, policy_of, with_policy
from bot.queue import Queue
from bot.staff_terminal import StaffTerminal
from bot.tables import Delivery, Inbox, Message, now
from tests.people import incoming, make_agent, make_inbox


@pytest.fixture
def inbox_id(session: Session) -> UUID:
    return make_inbox(session, "email")


def use(session: Session, inbox_id: UUID, setting: PolicySetting) -> None:
    inbox = session.get_one(Inbox, inbox_id)
    inbox.settings = with_policy(inbox.settings, setting)
    session.flush()


def write(session: Session, inbox_id: UUID, text: str) -> Recorded:
    return record_incoming(
        session, incoming(inbox_id, text, contact="ada@example.org", channel="email")
    )


def draft(session: Session, conversation_id: UUID, text: str = "You have 60 days.") -> None:
    claim = conversations.claim_run(session, conversation_id, timedelta(seconds=30))
    assert claim is not None
    conversations.commit_sentence(session, claim, text)
    conversations.finish_reply(session, claim, [], "en")


@pytest.fixture
def drafted(session: Session, inbox_id: UUID) -> Recorded:
    """A mail of Ada's in an inbox of drafts, and the bot's draft."""
    use(session, inbox_id, PolicySetting(mode="draft"))
    recorded = write(session, inbox_id, "How long?")
    draft(session, recorded.conversation_id)
    return recorded


def view(session: Session, conversation_id: UUID) -> transcripts.ConversationView:
    found = transcripts.view(session, conversation_id)
    assert found is not None
    return found


def sent(session: Session) -> list[str]:
    query = select(Message).join(Delivery, Delivery.message_id == Message.id)
    return [message.text for message in session.scalars(query)]


def test_a_draft_waits_and_nothing_is_sent(session: Session, drafted: Recorded) -> None:
    assert sent(session) == []
    found = view(session, drafted.conversation_id)
    assert (found.status, found.handoff_reason) == ("open", "draft")
    messages = transcripts.messages_of(session, drafted.conversation_id, staff=True)
    assert [(m.author, m.state, m.private) for m in messages] == [
        ("contact", "received", False),
        ("bot", "draft", True),
    ]


def test_the_customer_never_sees_a_draft(session: Session, drafted: Recorded) -> None:
    messages = transcripts.messages_of(session, drafted.conversation_id)
    assert [m.author for m in messages] == ["contact"]
    events = transcripts.events_after(session, drafted.conversation_id, 0)
    assert "60 days" not in str([event.data for event in events])


def test_an_approved_draft_goes_out_as_the_persons(session: Session, drafted: Recorded) -> None:
    bea = make_agent(session)
    conversations.approve_draft(session, drafted.conversation_id, bea)
    assert sent(session) == ["You have 60 days."]
    reply = transcripts.messages_of(session, drafted.conversation_id)[-1]
    assert (reply.author, reply.author_name) == ("agent", "Bea")
    with pytest.raises(conversations.ConversationError, match="No draft waits"):
        conversations.approve_draft(session, drafted.conversation_id, bea)


def test_an_edited_draft_goes_out_in_the_persons_words(session: Session, drafted: Recorded) -> None:
    conversations.approve_draft(
        session, drafted.conversation_id, make_agent(session), "Sixty days, dear Ada."
    )
    assert sent(session) == ["Sixty days, dear Ada."]


def test_a_discarded_draft_is_not_sent_and_the_person_owns_it(
    session: Session, drafted: Recorded
) -> None:
    conversations.discard_draft(session, drafted.conversation_id, make_agent(session))
    assert sent(session) == []
    assert view(session, drafted.conversation_id).assignee == "Bea"


def test_after_an_approval_the_next_mail_is_drafted_again(
    session: Session, inbox_id: UUID, drafted: Recorded
) -> None:
    advance = conversations.approve_draft(session, drafted.conversation_id, make_agent(session))
    assert not advance.answer_due
    recorded = write(session, inbox_id, "And a rucksack?")
    assert recorded.conversation_id == drafted.conversation_id
    assert recorded.answer_due
    draft(session, recorded.conversation_id, "The same.")
    assert sent(session) == ["You have 60 days."]
    assert view(session, drafted.conversation_id).handoff_reason == "draft"


def test_what_came_after_the_draft_is_still_unanswered_once_it_is_approved(
    session: Session, inbox_id: UUID, drafted: Recorded
) -> None:
    write(session, inbox_id, "One more thing")
    advance = conversations.approve_draft(session, drafted.conversation_id, make_agent(session))
    assert advance.answer_due


def test_a_draft_that_was_given_back_is_replaced_by_another(
    session: Session, drafted: Recorded
) -> None:
    conversations.give_back(session, drafted.conversation_id)
    draft(session, drafted.conversation_id, "A better one.")
    states = [
        (m.text, m.state)
        for m in transcripts.messages_of(session, drafted.conversation_id, staff=True)
        if m.author == "bot"
    ]
    assert states == [("You have 60 days.", "replaced"), ("A better one.", "draft")]


def test_a_handoff_in_an_inbox_of_drafts_sends_nothing(session: Session, inbox_id: UUID) -> None:
    use(session, inbox_id, PolicySetting(mode="draft"))
    recorded = write(session, inbox_id, "Something hard")
    claim = conversations.claim_run(session, recorded.conversation_id, timedelta(seconds=30))
    assert claim is not None
    conversations.commit_sentence(session, claim, "A colleague will reply.")
    conversations.finish_handoff(
        session, claim, reason="no_evidence", summary="Hard", citations=[], language="en"
    )
    assert sent(session) == []
    assert view(session, recorded.conversation_id).handoff_reason == "no_evidence"


def request(**more: object) -> AnswerRequest:
    return AnswerRequest(
        inbox_id=UUID(int=1),
        company="The Shop",
        turns=(Turn("contact", "I want to speak to a person, please."),),
        timeout=timedelta(seconds=5),
        **more,  # type: ignore[arg-type]
    )


class NoKnowledge:
    def search(self, *_: object) -> list[object]:
        return []

    def sentence_scores(self, _query: str, sentences: list[str]) -> list[float]:
        return [0.0 for _ in sentences]


def test_an_acknowledgement_promises_a_person_and_hands_over() -> None:
    said, outcome = list(acknowledge(request(), NoKnowledge(), None))  # type: ignore[arg-type]
    assert isinstance(outcome, Outcome)
    assert (outcome.action, outcome.reason) == ("handoff", "acknowledged")
    assert "colleague" in outcome.text
    own = list(acknowledge(request(acknowledgement="Got it."), NoKnowledge(), None))  # type: ignore[arg-type]
    assert own[0].text == "Got it."
    assert said is not outcome


@pytest.fixture
def closed() -> Opening:
    return Opening(now() + timedelta(hours=12), "We celebrate.")


def test_outside_hours_a_handoff_says_when_somebody_is_there(closed: Opening) -> None:
    outcome = list(answer(request(opening=closed), NoKnowledge(), None))[-1]  # type: ignore[arg-type]
    assert isinstance(outcome, Outcome)
    assert outcome.action == "handoff"
    assert "We celebrate." in outcome.text
    assert f"{closed.opens_at:%H:%M}" in outcome.text
    open_now = list(answer(request(), NoKnowledge(), None))[-1]  # type: ignore[arg-type]
    assert isinstance(open_now, Outcome)
    assert "We celebrate." not in open_now.text


def test_who_asks_for_a_person_outside_hours_is_told_when(session: Session) -> None:
    inbox_id = make_inbox(session)
    tomorrow = (now() + timedelta(days=1)).date()
    today = now().date()
    setting = PolicySetting(
        hours="mon-sun 00:00-24:00",
        holidays=[{"day": today.isoformat(), "text": "A day off."}],  # type: ignore[list-item]
    )
    use(session, inbox_id, setting)
    recorded = record_incoming(session, incoming(inbox_id, "", wants_person=True))
    told = transcripts.messages_of(session, recorded.conversation_id)[-1]
    assert told.author == "system"
    assert "A day off." in told.text
    assert str(tomorrow.day) in told.text


def test_a_policy_that_cannot_be_used_says_where() -> None:
    with pytest.raises(PolicyError, match="mode"):
        policy_of({"policy": {"mode": "shout"}}, "email")
    with pytest.raises(PolicyError, match="Europe/Berlin"):
        policy_of({"policy": {"hours": "mon 09:00-17:00", "zone": "Nowhere"}}, "email")


def test_the_terminal_shows_approves_and_discards_drafts(
    sessions: sessionmaker[Session], redis_url: str
) -> None:
    with sessions.begin() as session:
        inbox_id = make_inbox(session, "email")
        use(session, inbox_id, PolicySetting(mode="draft"))
        recorded = write(session, inbox_id, "How long?")
        draft(session, recorded.conversation_id)
        number = view(session, recorded.conversation_id).number
    out = io.StringIO()
    publisher, queue = Publisher(redis_url), Queue(redis_url)
    terminal = StaffTerminal(sessions, publisher, queue, "Bea", out)
    terminal.show_waiting()
    terminal.show(number)
    assert "draft: approve it" in out.getvalue()
    terminal.approve(number, None)
    with sessions() as session:
        assert sent(session) == ["You have 60 days."]
    terminal.delete(number)
    with sessions() as session:
        assert session.scalars(select(Message)).all() == []
    publisher.close()
    queue.close()
