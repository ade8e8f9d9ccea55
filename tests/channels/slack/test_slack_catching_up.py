"""What was written while Frontdesk was away for longer than Slack retries."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot import conversations
from bot.channel import DeliveryError
from bot.simulation.slack_workspace import BOT_USER
from bot.tables import Conversation, now
from channels.slack import catching_up
from channels.slack.accounts import Account
from channels.slack.catching_up import CatchingUp
from tests.channels.slack.desk import SlackDesk


async def catch_up(desk: SlackDesk) -> int:
    """What the channels process does when it starts."""
    desk.channel.routes(desk.parts.intake.receive)
    account = await account_of(desk)
    return await CatchingUp(desk.parts.sessions, desk.channel._api, desk.channel._hear).catch_up(
        account
    )


async def account_of(desk: SlackDesk) -> Account:
    account = await desk.accounts.of_inbox(desk.inbox_id)
    assert account is not None
    return account


def texts(desk: SlackDesk, author: str = "contact") -> list[str]:
    return [text for writer, text in desk.messages() if writer == author]


async def test_direct_messages_of_an_outage_are_taken_in_once_and_in_order(
    desk: SlackDesk,
) -> None:
    await desk.direct("Hello")
    for text in ("One", "Two", "Three"):
        desk.workspace.say("U0ADA", "D0ADA", text)
    for _ in range(2):
        await catch_up(desk)
    assert texts(desk) == ["Hello", "One", "Two", "Three"]
    assert len(desk.conversations()) == 1


async def test_a_mention_and_an_answer_in_a_thread_are_taken_in_and_chatter_is_not(
    desk: SlackDesk,
) -> None:
    root, _ = await desk.mention("How long?")
    desk.workspace.say("U0ADA", "C0SHOP", "And by post?", thread_ts=root["ts"])
    desk.workspace.say("U0CYD", "C0SHOP", "Not to the bot", thread_ts=root["ts"])
    desk.workspace.say("U0ADA", "C0SHOP", "Lunch?")
    desk.workspace.say("U0CYD", "C0SHOP", f"<@{BOT_USER}> My turn")
    desk.workspace.say("U0CYD", "C0SHOP", f"<@{BOT_USER}> A robot's", bot_id="B0OTHER")
    for _ in range(2):
        await catch_up(desk)
    assert sorted(texts(desk)) == ["And by post?", "How long?", "My turn"]
    assert len(desk.conversations()) == 2


async def test_what_was_said_before_the_bot_was_named_stays_unread(desk: SlackDesk) -> None:
    before = desk.workspace.say("U0ADA", "C0SHOP", "I tell Cyd something")
    await desk.mention("How long?", thread_ts=before["ts"])
    await catch_up(desk)
    assert texts(desk) == ["How long?"]


async def test_an_answer_of_the_staff_under_a_card_is_taken_in_once(desk: SlackDesk) -> None:
    await desk.direct("Where is my parcel?")
    desk.hand_off()
    await desk.deliver()
    (card,) = desk.workspace.posts("C0STAFF")
    desk.workspace.say("U0BEA", "C0STAFF", "I am on it.", thread_ts=card["ts"])
    for _ in range(2):
        await catch_up(desk)
    assert texts(desk, "agent") == ["I am on it."]


async def test_a_deleted_conversation_does_not_come_back(desk: SlackDesk) -> None:
    await desk.direct("First")
    await desk.mention("Forget this", user="U0CYD")
    await desk.direct("Forget that, too", user="U0CYD")
    with desk.sessions.begin() as session:
        for found in session.scalars(select(Conversation).order_by(Conversation.number)).all()[1:]:
            conversations.delete_conversation(session, found.id)
    await desk.mention("Second")
    await catch_up(desk)
    assert texts(desk) == ["First", "Second"]


async def test_what_is_older_than_three_days_is_left_alone(
    desk: SlackDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.direct("Hello")
    desk.workspace.say("U0ADA", "D0ADA", "Too old by now")
    later = now() + timedelta(days=4)
    monkeypatch.setattr(catching_up, "now", lambda: later)
    await catch_up(desk)
    assert texts(desk) == ["Hello"]


async def test_a_missing_scope_is_told_and_stops_nothing(
    desk: SlackDesk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.direct("Hello")
    desk.workspace.say("U0ADA", "D0ADA", "Missed")
    desk.workspace.fail("conversations.history", "missing_scope", times=2)
    with pytest.raises(DeliveryError, match="missing_scope"):
        await catch_up(desk)
    listening = asyncio.create_task(desk.channel.listen(desk.parts.intake.receive))
    try:
        await desk.workspace.wait_for(lambda: "not caught up" in caplog.text)
        assert not listening.done()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_the_channels_process_catches_up_when_it_starts(desk: SlackDesk) -> None:
    await desk.direct("Hello")
    desk.workspace.say("U0ADA", "D0ADA", "Missed")
    listening = asyncio.create_task(desk.channel.listen(desk.parts.intake.receive))
    try:
        await desk.workspace.wait_for(lambda: texts(desk) == ["Hello", "Missed"])
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
