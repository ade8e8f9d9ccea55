"""Budgets stop what no header stops (promise 10): loops, floods, over threads and mailboxes."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations
from bot.policy import BudgetSetting, PolicySetting, with_policy
from bot.simulation.mail_world import Customer
from bot.tables import AutomaticReply, Inbox
from tests.channels.email.desk import Desk, eventually
from tests.people import make_agent, make_inbox, write

TO = "support@shop.example"
ROUNDS = 12


def set_budgets(sessions: sessionmaker[Session], desk: Desk, **budgets: int) -> None:
    with sessions.begin() as session:
        inbox = session.get_one(Inbox, desk.inbox_id)
        setting = PolicySetting(budgets=BudgetSetting(**budgets))
        inbox.settings = with_policy(inbox.settings, setting)


async def run_loop(desk: Desk, robot: Customer) -> None:
    """Two bots, until nothing moves any more, or far too long."""
    async with desk.listen():
        await eventually(desk.is_read)
        await desk.world.post(robot.write(TO, "I am a robot and I answer everything."))
        await eventually(desk.texts)
        for _ in range(ROUNDS):
            desk.answer("An answer that the robot answers.")
            await desk.deliver()
            await asyncio.sleep(0.4)


def stripped(robot: Customer, mail: EmailMessage) -> bytes:
    """An answer without a header that says so, and to From: nothing names the thread."""
    return robot.write(TO, "Thank you for your mail.", subject=str(mail["Subject"]))


_count = iter(range(1, 1000))


def with_another_subject(robot: Customer, mail: EmailMessage) -> bytes:
    """The same with a number of its own each time, as ticket systems write."""
    number = next(_count)
    return robot.write(TO, f"We received your mail {number}.", subject=f"[#{number}] Re: Ticket")


def with_any_subject(robot: Customer, mail: EmailMessage) -> bytes:
    """Nothing is ever the same."""
    word = "".join(chr(97 + next(_count) * 7 % 26) for _ in range(9))
    return robot.write(TO, f"{word} {word}", subject=word)


def polite(robot: Customer, mail: EmailMessage) -> bytes:
    """An answer that keeps the thread, but says nowhere that a machine wrote it."""
    return robot.reply(mail, "Thank you for your mail.")


@pytest.mark.parametrize("answer", [stripped, with_another_subject, with_any_subject, polite])
async def test_two_bots_without_any_telling_header_stop_at_three_replies(
    desk: Desk, answer: object
) -> None:
    robot = desk.world.customer("robot@example.org", "Robot", answer)  # type: ignore[arg-type]
    await run_loop(desk, robot)
    assert len(robot.letters) == 3
    stopped = [c for c in desk.conversations() if c.status == "open"]
    assert len(stopped) == 1
    assert str(stopped[0].handoff_reason).startswith("budget_")


async def test_a_bot_that_says_so_is_not_answered_at_all(desk: Desk) -> None:
    raw = desk.world.customer("robot@example.org").write(
        TO, "I am away", headers={"Auto-Submitted": "auto-replied"}
    )
    await desk.take(raw)
    assert desk.answer() == 0
    assert desk.texts() == ["I am away"]


def age_ledger(desk: Desk, by: timedelta) -> None:
    with desk.sessions.begin() as session:
        session.execute(update(AutomaticReply).values(created_at=AutomaticReply.created_at - by))


async def test_a_sender_gets_five_an_hour_and_twenty_a_day(desk: Desk) -> None:
    ada = desk.world.customer("ada@example.org")
    answered = []
    for hour in range(6):
        made = 0
        for number in range(8):
            word = chr(97 + hour) * 3 + chr(97 + number) * 3
            await desk.take(ada.write(TO, f"Question {word}", subject=f"About {word}"))
            made += desk.answer()
            age_ledger(desk, timedelta(minutes=4))
        answered.append(made)
        age_ledger(desk, timedelta(minutes=30))
    assert answered == [5, 5, 5, 5, 0, 0]


async def test_a_person_who_writes_starts_the_thread_anew(
    desk: Desk, sessions: sessionmaker[Session]
) -> None:
    set_budgets(sessions, desk, per_sender_10_minutes=100, per_sender_hour=100)
    ada = desk.world.customer("ada@example.org")
    await desk.take(ada.write(TO, "One"))
    for number in range(3):
        assert desk.answer() == 1
        await desk.deliver()
        await desk.take(ada.reply(ada.letters[-1], f"More {number}"))
    conversation = desk.conversations()[0]
    assert (len(ada.letters), conversation.handoff_reason) == (3, None)
    assert desk.answer() == 0
    assert desk.conversations()[0].handoff_reason == "budget_thread"
    with sessions.begin() as session:
        conversations.reply_as_agent(session, conversation.id, make_agent(session), "Bea here.")
        conversations.give_back(session, conversation.id)
    await desk.deliver()
    await desk.take(ada.reply(ada.letters[-1], "Thank you, and one more"))
    assert desk.answer() == 1


async def test_a_mailbox_has_a_budget_too_and_all_is_stored(
    desk: Desk, sessions: sessionmaker[Session]
) -> None:
    set_budgets(sessions, desk, per_mailbox_hour=4)
    for number in range(10):
        customer = desk.world.customer(f"somebody{number}@example.org")
        await desk.take(customer.write(TO, f"Question {number}"))
    assert desk.answer() == 4
    reasons = [c.handoff_reason for c in desk.conversations()]
    assert reasons.count("budget_mailbox") == 6
    assert len(desk.texts()) == 10


async def test_workers_at_the_same_time_do_not_overdraw(
    desk: Desk, sessions: sessionmaker[Session]
) -> None:
    set_budgets(sessions, desk, per_sender_10_minutes=3, per_thread=100)
    ada = desk.world.customer("ada@example.org")
    for number in range(8):
        await desk.take(ada.write(TO, "Hello", subject=chr(97 + number) * 9))
    ids = [c.id for c in desk.conversations()]

    def claim(conversation_id: object) -> bool:
        with sessions.begin() as session:
            found = conversations.claim_run(
                session,
                conversation_id,  # type: ignore[arg-type]
                timedelta(seconds=30),
            )
        return found is not None

    with ThreadPoolExecutor(4) as workers:
        assert sum(workers.map(claim, ids)) == 3


async def test_a_run_that_died_is_not_counted_twice(desk: Desk) -> None:
    ada = desk.world.customer("ada@example.org")
    await desk.take(ada.write(TO, "Hello"))
    conversation_id = desk.conversations()[0].id
    for _ in range(3):
        with desk.sessions.begin() as session:
            assert conversations.claim_run(session, conversation_id, timedelta(0)) is not None
    with desk.sessions() as session:
        assert session.query(AutomaticReply).count() == 1


async def test_a_chat_has_no_budget(sessions: sessionmaker[Session]) -> None:
    made = 0
    with sessions.begin() as session:
        inbox_id = make_inbox(session)
        for number in range(10):
            recorded = write(session, inbox_id, f"Line {number}")
            claim = conversations.claim_run(
                session, recorded.conversation_id, timedelta(seconds=30)
            )
            assert claim is not None
            conversations.commit_sentence(session, claim, "Yes.")
            conversations.finish_reply(session, claim, [], "en")
            made += 1
    assert made == 10
