"""The simulator against real processes with a scripted answer: green, and red where a bug is."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, sessionmaker

from bot.simulation.doors import InboxNames
from bot.simulation.ledger import Ledger, Row, table
from bot.simulation.mail_world import parse, plain_text
from bot.simulation.slack_workspace import SlackWorkspace
from bot.simulation.stage import BEA, STAFF_CHANNEL, DeskDoors
from bot.simulation.world import Plan, open_world, run_world, until_doors_are_open
from bot.tables import Agent, Contact, Conversation, Inbox, new_id
from bot.up import CHECKOUT
from channels.slack.composing import TAKE_OVER
from tests.faults.desk import Desk

pytestmark = pytest.mark.kill

LASTING = timedelta(seconds=8)
PATIENCE = timedelta(seconds=120)
# Where customers are left waiting on purpose, nobody needs to wait for long.
SHORT = timedelta(seconds=20)


async def simulate(sessions: sessionmaker[Session], doors: DeskDoors, **changes: Any) -> Ledger:
    plan = Plan(**{"seed": 1, "pause_s": 0.6, "patience": PATIENCE, **changes})
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
        ledger = await simulate(
            sessions, doors, lasting=timedelta(seconds=5), patience=SHORT, channels=("chat",)
        )
    finally:
        desk.script.plant("")
    assert row_of(ledger, "chat").doubled >= 1
    assert any("stored" in fault for fault in ledger.faults())


async def test_a_conversation_by_mail_is_taken_over_in_slack_and_reads_back_as_one_thread(
    sessions: sessionmaker[Session], doors: DeskDoors
) -> None:
    names = InboxNames.of("thread")
    async with open_world(sessions, doors, names, Ledger(print)) as stage:
        await until_doors_are_open(stage, sessions, names)
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


# -- the command line --------------------------------------------------------------------------


@contextmanager
def simulate_command(
    desk: Desk, doors: DeskDoors, folder: Path, *arguments: str
) -> Iterator[subprocess.Popen[str]]:
    """`frontdesk simulate` against the desk, in a process of its own."""
    token = folder / "api-token"
    token.write_text(doors.api_token)
    environ = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "FRONTDESK_HOME": str(folder),
        "DATABASE_URL": desk.database_url,
        "FRONTDESK_MASTER_KEY": desk.master_key,
        "FRONTDESK_LMTP": f"127.0.0.1:{doors.lmtp_port}",
        "FRONTDESK_API_URL": doors.url,
        "FRONTDESK_API_TOKEN_FILE": str(token),
    }
    command = [sys.executable, "-P", "-m", "bot", "simulate", *arguments]
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def simulated_inboxes(sessions: sessionmaker[Session]) -> list[str]:
    with sessions() as session:
        query = select(Inbox.name).where(Inbox.name.startswith("simulation"))
        return list(session.scalars(query))


def test_the_command_ends_with_its_table_as_json(
    desk: Desk, sessions: sessionmaker[Session], doors: DeskDoors, tmp_path: Path
) -> None:
    asked = ("--minutes", "0.05", "--seed", "7", "--pause", "0.5", "--patience", "90", "--json")
    with simulate_command(desk, doors, tmp_path, *asked) as process:
        out, traffic = process.communicate(timeout=180)
    told = json.loads(out)
    assert (process.returncode, told["faults"], told["cut_short"]) == (0, [], False), traffic
    assert told["seed"] == 7
    rows = {row["channel"]: row for row in told["channels"]}
    assert list(rows) == ["chat", "email", "slack", "all"]
    assert all(row["sent"] >= 2 and row["lost"] == 0 == row["doubled"] for row in rows.values())
    assert "→" in traffic
    assert simulated_inboxes(sessions) == []


def test_ctrl_c_lets_the_customers_go_and_prints_what_was_seen(
    desk: Desk, sessions: sessionmaker[Session], doors: DeskDoors, tmp_path: Path
) -> None:
    with simulate_command(desk, doors, tmp_path, "--minutes", "30", "--pause", "0.5") as process:
        assert process.stdout is not None, "it was asked for"
        for line in process.stdout:
            if "from the bot" in line:
                break
        process.send_signal(signal.SIGINT)
        asked_at = time.monotonic()
        out, errors = process.communicate(timeout=60)
    assert time.monotonic() - asked_at < 30, "thirty minutes are not waited for"
    assert (process.returncode, errors) == (130, "")
    assert "stopped early" in out
    assert any(line.startswith("chat ") and line.split()[1] > "0" for line in out.splitlines())
    assert simulated_inboxes(sessions) == []


async def test_no_simulated_handoff_reaches_the_real_staff(
    desk: Desk, sessions: sessionmaker[Session], doors: DeskDoors, tmp_path: Path
) -> None:
    real = SlackWorkspace("T0REAL", "xoxb-real")
    real.add_channel("C0REALSTAFF")
    async with real.serve():
        with sessions.begin() as session:
            (tmp_path / "token").write_text(real.token)
            slack = {
                "team_id": real.team_id,
                "bot_user_id": "U0BOT",
                "bot_token": f"file:{tmp_path / 'token'}",
                "signing_secret": None,
                "api_base_url": real.api_base_url,
            }
            inbox = Inbox(
                id=new_id(),
                name="real-slack",
                channel="slack",
                settings={"slack": slack, "staff_channel": "C0REALSTAFF"},
            )
            session.add(inbox)
        try:
            ledger = await simulate(sessions, doors, lasting=timedelta(seconds=6))
        finally:
            with sessions.begin() as session:
                session.execute(delete(Inbox).where(Inbox.name == "real-slack"))
    assert ledger.faults() == []
    assert row_of(ledger, "all").handed_off >= 1
    assert real.called("chat.postMessage") == []


async def eventually(is_so: Callable[[], object], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not is_so():
            await asyncio.sleep(0.1)


def first_message_id(raw: bytes) -> str:
    return str(parse(raw)["Message-ID"])


def test_of_a_simulation_that_was_cut_short_only_what_was_seen_is_judged() -> None:
    ledger = Ledger()
    waiting, doubled = ledger.begin("chat", "asks"), ledger.begin("chat", "asks")
    ledger.mark(waiting)
    mark = ledger.mark(doubled)
    doubled.reply("one")
    ledger.close({mark: [1, 1]}, is_cut_short=True)
    assert ledger.let_go == [waiting]
    assert (row_of(ledger, "chat").lost, row_of(ledger, "chat").doubled) == (0, 1)


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
