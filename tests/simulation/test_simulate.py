"""The simulator against real processes with a scripted answer: green, and red where a bug is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from bot.api_tokens import ensure_token, new_token
from bot.database import keyring_from, make_engine, make_sessions
from bot.simulation.doors import InboxNames
from bot.simulation.ledger import Ledger, Row, table
from bot.simulation.mail_world import parse, plain_text
from bot.simulation.stage import BEA, STAFF_CHANNEL, DeskDoors
from bot.simulation.world import Plan, open_world, run_world, until_doors_are_open
from bot.tables import Agent, Contact, Conversation, Inbox
from channels.slack.composing import TAKE_OVER
from tests.faults.desk import Desk, make_home
from tests.faults.script import Script
from tests.faults.tender import CHANNELS

pytestmark = pytest.mark.kill

LASTING = timedelta(seconds=8)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """All processes of a desk, the channels process too."""
    with make_home() as home:
        script = Script(Path(home), sentence_s=0.02, sweep_s=2.0, answers_anything=True)
        made = Desk(script, workers=("worker", CHANNELS))
        try:
            made.start()
            yield made
        finally:
            made.abandon()


@pytest.fixture(scope="module")
def sessions(desk: Desk) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(desk.database_url)
    yield make_sessions(engine, keyring_from(desk.master_key))
    engine.dispose()


@pytest.fixture(scope="module")
def doors(desk: Desk, sessions: sessionmaker[Session]) -> DeskDoors:
    token = new_token()
    with sessions.begin() as session:
        ensure_token(session, "operator", token)
    return DeskDoors(desk.url, token, desk.lmtp_port)


async def simulate(sessions: sessionmaker[Session], doors: DeskDoors, **changes: Any) -> Ledger:
    plan = Plan(seed=1, pause_s=0.6, patience=timedelta(seconds=120), **changes)
    ledger = await run_world(sessions, doors, plan, print)
    print(table(ledger))
    return ledger


def row_of(ledger: Ledger, channel: str) -> Row:
    return next(row for row in ledger.rows() if row.channel == channel)


async def test_nothing_is_lost_and_nothing_comes_twice_on_any_channel(
    sessions: sessionmaker[Session], doors: DeskDoors
) -> None:
    ledger = await simulate(sessions, doors, lasting=LASTING)
    assert ledger.faults() == []
    for channel in ("chat", "email", "slack"):
        row = row_of(ledger, channel)
        assert (row.sent >= 5, row.by_bot >= 2, row.refused >= 1) == (True, True, True), row
    everything = row_of(ledger, "all")
    assert everything.handed_off >= 1
    assert everything.by_person >= 1
    assert everything.loops_stopped == everything.loops >= 1
    assert everything.left_alone >= 1
    with sessions() as session:  # nothing of the simulation stays
        names = session.scalars(select(Inbox.name).where(Inbox.name.startswith("simulation")))
        assert list(names) == []
        for kind in (Conversation, Contact, Agent):
            assert session.scalar(select(func.count()).select_from(kind)) == 0


async def test_a_desk_that_forgets_client_ids_turns_it_red(
    desk: Desk, sessions: sessionmaker[Session], doors: DeskDoors
) -> None:
    desk.script.plant("no_dedup")
    try:
        ledger = await simulate(sessions, doors, lasting=timedelta(seconds=5), channels=("chat",))
    finally:
        desk.script.plant("")
    assert row_of(ledger, "chat").doubled >= 1
    assert any("stored" in fault for fault in ledger.faults())


async def test_a_conversation_by_mail_is_taken_over_in_slack_and_reads_back_as_one_thread(
    sessions: sessionmaker[Session], doors: DeskDoors
) -> None:
    names = InboxNames.of("thread")
    async with open_world(sessions, doors, names, Ledger(print)) as stage:
        await until_doors_are_open(stage)
        ada = stage.mail.customer("ada@customers.example", "Ada")
        first = ada.write(stage.mail.company, "Can I reach you by phone?", subject="My tent")
        await stage.mail.post(first)
        await eventually(lambda: stage.slack.posts(STAFF_CHANNEL) and ada.letters)
        (card,) = stage.slack.posts(STAFF_CHANNEL)
        await stage.events.click(BEA, STAFF_CHANNEL, card, TAKE_OVER)
        said = "This is Bea. I will call you at ten."
        await stage.events.write(BEA, STAFF_CHANNEL, said, thread_ts=card["ts"])
        await eventually(lambda: len(ada.letters) == 2)
        letter = ada.letters[-1]
        assert said in plain_text(letter)
        assert first_message_id(first) in str(letter["References"])
        assert letter["Auto-Submitted"] is None
        await stage.mail.post(ada.reply(letter, "Ten is fine."))
        await eventually(lambda: len(stage.slack.posts(STAFF_CHANNEL, card["ts"])) == 1)
        (notice,) = stage.slack.posts(STAFF_CHANNEL, card["ts"])
        assert "Ten is fine." in notice["text"]
        found = (await stage.get("/conversations"))["items"]
        assert [(one["inbox"], one["channel"], one["status"]) for one in found] == [
            (names.email, "email", "open")
        ]
        assert found[0]["assignee"] == "Bea (simulated)"
        messages = (await stage.get(f"/conversations/{found[0]['number']}/messages"))["items"]
        told = [(one["author"], one["text"]) for one in messages if not one["private"]]
        assert [author for author, _ in told] == ["contact", "bot", "agent", "contact"]
        assert [told[0][1], told[2][1], told[3][1]] == [
            "Can I reach you by phone?",
            said,
            "Ten is fine.",
        ]
        assert len(ada.letters) == 2


async def eventually(is_so: Callable[[], object], within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while not is_so():
            await asyncio.sleep(0.1)


def first_message_id(raw: bytes) -> str:
    return str(parse(raw)["Message-ID"])


# -- the ledger ------------------------------------------------------------------------------


def test_a_message_without_an_answer_is_lost() -> None:
    ledger = Ledger()
    mark = ledger.mark(ledger.begin("chat", "asks"))
    ledger.close({mark: [1]})
    assert row_of(ledger, "chat").lost == 1


def test_a_message_that_is_not_stored_is_lost_and_one_stored_twice_is_doubled() -> None:
    ledger = Ledger()
    newsletter, other = (ledger.begin("email", "newsletter", "silence") for _ in range(2))
    ledger.mark(newsletter)
    twice = ledger.mark(other)
    ledger.close({twice: [1, 1]})
    assert (row_of(ledger, "email").lost, row_of(ledger, "email").doubled) == (1, 1)


def test_one_reply_too_many_is_doubled_and_so_is_one_where_none_belongs() -> None:
    ledger = Ledger()
    question, absence = ledger.begin("slack", "asks"), ledger.begin("email", "away", "silence")
    for key in ("first", "second"):
        question.reply(key)
    question.reply("second")
    absence.reply("any")
    assert (row_of(ledger, "slack").doubled, row_of(ledger, "email").doubled) == (2, 1)


def test_an_answer_in_another_conversation_is_a_fault() -> None:
    ledger = Ledger()
    first = ledger.begin("email", "asks")
    second = ledger.begin("email", "follows up", follows=first)
    marks = [ledger.mark(first), ledger.mark(second)]
    first.reply("one")
    second.reply("two")
    ledger.close({marks[0]: [1], marks[1]: [2]})
    assert "split" in ledger.faults()[0]


@pytest.mark.parametrize(("replies", "stopped"), [(3, 1), (4, 0), (0, 0)])
def test_a_loop_has_stopped_after_at_most_three_replies(replies: int, stopped: int) -> None:
    ledger = Ledger()
    robot = ledger.begin("email", "robot", "loop")
    for number in range(replies):
        robot.reply(str(number))
    robot.moved_at -= 600
    ledger.close({})
    assert row_of(ledger, "email").loops_stopped == stopped
    assert bool(ledger.faults()) == (not stopped)
