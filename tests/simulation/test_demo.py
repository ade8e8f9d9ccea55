"""The demo, filled through real processes with a scripted answer: once, and it stays."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations
from bot.dashboard.insights_counts import Period, read_counts
from bot.simulation.demo import NAMES, Summary, fill_demo
from bot.simulation.demo_days import DAYS
from bot.simulation.demo_matters import MATTERS
from bot.simulation.doors import remove_inboxes
from bot.simulation.stage import DeskDoors
from bot.tables import Agent, Contact, Conversation, Delivery, Feedback, Inbox, Message, now
from bot.tallies import roll_up
from bot.up import CHECKOUT, DEMO_CONVERSATIONS
from channels.slack.accounts import read_accounts
from tests.faults.desk import Desk

pytestmark = pytest.mark.kill
CHINESE = re.compile("[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def summary(sessions: sessionmaker[Session], doors: DeskDoors) -> Summary:
    return asyncio.run(fill_demo(sessions, doors, print, patience=timedelta(seconds=60)))


def test_the_demo_is_forty_matters_in_three_channels_and_two_languages() -> None:
    assert len(MATTERS) == DEMO_CONVERSATIONS == 40
    for channel in ("chat", "email", "slack"):
        own = [matter for matter in MATTERS if matter.channel == channel]
        chinese = sum(bool(CHINESE.search(matter.lines[0])) for matter in own)
        assert 0 < chinese < len(own) - chinese


def test_it_fills_every_page_of_a_dashboard(
    summary: Summary, sessions: sessionmaker[Session]
) -> None:
    assert summary.is_new
    assert summary.conversations == 40
    assert set(summary.channels) == {"chat", "email", "slack"}
    assert {"pending", "open", "snoozed", "resolved"} == set(summary.statuses)
    assert summary.failed_deliveries == 2  # one is refused by SMTP, one bounces
    with sessions() as session:
        found = session.scalars(select(Conversation)).all()
        messages = session.scalars(select(Message)).all()
        authors = Counter(message.author for message in messages if not message.private)
        assert min(authors["bot"], authors["contact"]) >= 30
        assert authors["agent"] >= 3
        assert any(one.private and one.author == "agent" for one in messages)
        assert sum(message.state == "draft" for message in messages) == 2
        assert any(message.is_automatic for message in messages)
        ratings = session.scalars(select(Feedback.score).where(Feedback.message_id.is_(None)))
        assert sorted(ratings) == sorted(one.rating for one in MATTERS if one.rating)
        assert len({one.assignee_id for one in found if one.assignee_id}) >= 2
        assert any(one.status == "open" and one.assignee_id is None for one in found)
        assert any(CHINESE.search(message.text) for message in messages)
        names = {contact.name for contact in session.scalars(select(Contact))}
        assert {matter.who for matter in MATTERS if matter.channel == "chat"} <= names


def test_its_conversations_lie_in_the_last_two_weeks_and_insights_agrees(
    summary: Summary, sessions: sessionmaker[Session]
) -> None:
    today = now().date()
    period = Period(today - timedelta(days=DAYS), today)
    with sessions.begin() as session:
        roll_up(session)
    with sessions() as session:
        begun = Counter(one.created_at.date() for one in session.scalars(select(Conversation)))
        written = Counter(one.created_at.date() for one in session.scalars(select(Message)))
        counts, _, _ = read_counts(session, period)
    assert len(begun) > DAYS / 2
    assert {day: sum(found.values()) for day, found in counts.begun.items()} == dict(begun)
    assert {day: sum(found.values()) for day, found in counts.by_day("messages").items()} == dict(
        written
    )


def test_nobody_is_reminded_of_those_that_wait_for_days(
    summary: Summary, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        assert conversations.remind(session) == []
        found = session.scalars(select(Conversation)).all()
        assert any(one.waiting_since and one.status == "open" for one in found)
        assert not any(one.reminded_at or one.told_waiting_at for one in found)


async def test_a_second_time_adds_nothing(
    summary: Summary, sessions: sessionmaker[Session], doors: DeskDoors
) -> None:
    again = await fill_demo(sessions, doors, print)
    assert (again.is_new, again.channels, again.statuses) == (
        False,
        summary.channels,
        summary.statuses,
    )


def test_it_stays_when_a_simulation_is_taken_away_and_its_doors_are_closed(
    summary: Summary, sessions: sessionmaker[Session]
) -> None:
    remove_inboxes(sessions)
    with sessions() as session:
        inboxes = session.scalars(select(Inbox).where(Inbox.name.in_(NAMES.all))).all()
        assert len(inboxes) == 3
        assert not any("staff_channel" in inbox.settings for inbox in inboxes)
        for account in read_accounts(session, {"SLACK_BOT_TOKEN": "xoxb-real"}):
            assert (account.bot_token, account.signing_secret) == (None, None)
        waiting = select(Delivery.id).where(Delivery.state.in_(("pending", "sending")))
        assert session.scalars(waiting).all() == []
        names = session.scalars(select(Agent.name)).all()
        assert all("demo" in name for name in names)


def test_the_command_says_what_is_there_and_ends(
    desk: Desk, summary: Summary, doors: DeskDoors, tmp_path: Path
) -> None:
    token = tmp_path / "api-token"
    token.write_text(doors.api_token)
    environ = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "FRONTDESK_HOME": str(tmp_path),
        "DATABASE_URL": desk.database_url,
        "FRONTDESK_MASTER_KEY": desk.master_key,
        "FRONTDESK_API_URL": doors.url,
        "FRONTDESK_API_TOKEN_FILE": str(token),
    }
    command = [sys.executable, "-P", "-m", "bot", "demo"]
    told = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
    assert (told.returncode, told.stderr) == (0, "")
    assert "was there already: 40 conversations" in told.stdout
