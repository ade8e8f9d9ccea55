"""Whatever channel it came by: stored, committed, rung for, and only then acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from bot.events import Publisher
from bot.intake import BATCH_RINGS_EVERY_S, Intake, MessageRefused
from bot.messages import MAX_TEXT_CHARS, ChannelName
from bot.queue import BATCH, INTERACTIVE, Queue
from bot.tables import Conversation, Message
from tests.people import incoming, make_inbox


class Desk:
    """An intake with what stands behind it."""

    def __init__(self, intake: Intake, queue: Queue, sessions: sessionmaker[Session]) -> None:
        self.receive = intake.receive
        self.queue = queue
        self.sessions = sessions

    def inbox(self, channel: ChannelName = "chat") -> UUID:
        with self.sessions.begin() as session:
            return make_inbox(session, channel)

    def count(self) -> int:
        with self.sessions() as session:
            return session.scalar(select(func.count()).select_from(Message)) or 0


@pytest.fixture
def desk(redis_url: str, sessions: sessionmaker[Session]) -> Iterator[Desk]:
    with open_desk(redis_url, sessions) as made:
        yield made


@pytest.fixture
def nobody(tmp_path: Path) -> str:
    """The address of a Redis that is not there."""
    return f"redis+socket://{tmp_path}/nobody.sock?virtual_host=0"


@contextmanager
def open_desk(redis_url: str, sessions: sessionmaker[Session]) -> Iterator[Desk]:
    with (
        closing(Queue(redis_url)) as queue,
        closing(Publisher(redis_url)) as publisher,
        closing(Intake(sessions, queue, publisher)) as intake,
    ):
        yield Desk(intake, queue, sessions)


async def test_a_message_is_committed_when_receive_returns(desk: Desk) -> None:
    recorded = await desk.receive(incoming(desk.inbox(), "Where is my parcel?"))
    with desk.sessions() as another:
        assert another.get_one(Message, recorded.message_id).text == "Where is my parcel?"
    assert desk.queue.lengths()[INTERACTIVE] == 1


async def test_mail_rings_in_the_queue_of_mail(desk: Desk) -> None:
    await desk.receive(incoming(desk.inbox("email"), "A letter.", channel="email"))
    assert desk.queue.lengths() == {INTERACTIVE: 0, BATCH: 1, "knowledge": 0}


async def test_the_same_event_five_times_is_one_turn(desk: Desk) -> None:
    message = incoming(desk.inbox(), "Where is my parcel?")
    seen = [await desk.receive(message) for _ in range(5)]
    assert [one.is_new for one in seen] == [True, False, False, False, False]
    assert len({one.message_id for one in seen}) == 1
    assert desk.count() == 1


async def test_twenty_copies_at_once_are_one_turn(desk: Desk) -> None:
    message = incoming(desk.inbox(), "Where is my parcel?")
    seen = await asyncio.gather(*(desk.receive(message) for _ in range(20)))
    assert sum(one.is_new for one in seen) == 1
    assert len({one.seq for one in seen}) == 1
    assert desk.count() == 1


async def test_twenty_first_messages_of_one_contact_are_one_conversation(desk: Desk) -> None:
    inbox = desk.inbox()
    seen = await asyncio.gather(*(desk.receive(incoming(inbox, f"{n}")) for n in range(20)))
    assert len({one.conversation_id for one in seen}) == 1
    assert len({one.seq for one in seen}) == 20
    with desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Conversation)) == 1


async def test_a_redelivery_rings_again_while_the_answer_is_due(desk: Desk) -> None:
    """The first bell may be the one that was lost."""
    message = incoming(desk.inbox(), "Where is my parcel?")
    await desk.receive(message)
    await desk.receive(message)
    assert desk.queue.lengths()[INTERACTIVE] == 2


async def test_without_redis_a_message_is_taken_all_the_same(
    nobody: str, sessions: sessionmaker[Session]
) -> None:
    with open_desk(nobody, sessions) as desk:
        recorded = await desk.receive(incoming(desk.inbox(), "Where is my parcel?"))
        assert (recorded.is_new, recorded.answer_due) == (True, True)
        with desk.sessions() as session:
            conversation = session.get_one(Conversation, recorded.conversation_id)
        assert conversation.unanswered_since is not None, "the sweep will find it"


async def test_who_asks_for_a_person_needs_no_bell(desk: Desk) -> None:
    recorded = await desk.receive(incoming(desk.inbox(), "", wants_person=True))
    assert not recorded.answer_due
    assert desk.queue.lengths()[INTERACTIVE] == 0


@pytest.mark.parametrize("text", ["", " \n\t", "a\x00b", "x" * (MAX_TEXT_CHARS + 1)])
async def test_what_cannot_be_taken_is_refused_and_not_stored(desk: Desk, text: str) -> None:
    with pytest.raises(MessageRefused):
        await desk.receive(incoming(desk.inbox(), text))
    assert desk.count() == 0


async def test_a_burst_of_mail_rings_twice_at_once_and_at_its_end(desk: Desk) -> None:
    """Whoever answers a mail goes on to the next: a bell for each would keep chats waiting."""
    inbox = desk.inbox("email")
    for number in range(8):
        await desk.receive(
            incoming(inbox, "A letter.", contact=f"ada{number}@example.org", channel="email")
        )
    rung = desk.queue.lengths()[BATCH]
    assert rung < 8
    await asyncio.sleep(2 * BATCH_RINGS_EVERY_S)
    assert rung < desk.queue.lengths()[BATCH] <= 8, "the last of them rang late"
