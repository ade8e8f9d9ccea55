"""Mailboxes are read by IMAP: nothing lost over outages, nothing twice, flagged when kept."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations
from bot.simulation.mail_world import MailWorld
from bot.tables import ForgottenMail, MailboxWatermark
from channels.email import listening
from channels.email.mailboxes import Secrets, ServerSetting, connect_mailbox, find_mailbox
from tests.channels.email.desk import Desk, eventually


async def is_read(desk: Desk) -> None:
    """Wait until the mailbox was looked into once."""

    def looked() -> bool:
        with desk.sessions() as session:
            rows = session.scalars(select(MailboxWatermark)).all()
            return bool(rows) and all(row.read_at is not None for row in rows)

    await eventually(looked)


async def test_a_new_mail_becomes_a_message_and_is_flagged(desk: Desk) -> None:
    ada = desk.world.customer("ada@example.org", "Ada")
    async with desk.listen():
        await is_read(desk)
        uid = await desk.world.post(ada.write(desk.world.company, "Can I return my tent?"))
        await eventually(lambda: desk.texts() == ["Can I return my tent?"])
        await eventually(lambda: desk.world.imap.seen(desk.world.company))
    assert await desk.world.imap.seen(desk.world.company) == {uid}


async def test_mails_from_before_the_mailbox_was_connected_are_left_alone(desk: Desk) -> None:
    ada = desk.world.customer("ada@example.org")
    await desk.world.post(ada.write(desk.world.company, "An old matter."))
    async with desk.listen():
        await is_read(desk)
        await desk.world.post(ada.write(desk.world.company, "A new matter."))
        await eventually(desk.texts)
    assert desk.texts() == ["A new matter."]


def reading_error(desk: Desk) -> str:
    """What the staff is told of the mailbox."""
    with desk.sessions() as session:
        return session.scalars(select(MailboxWatermark.error)).one() or ""


async def test_what_came_during_an_outage_is_read_afterwards(desk: Desk) -> None:
    ada = desk.world.customer("ada@example.org")
    async with desk.listen():
        await is_read(desk)
        await desk.world.imap.stop()
        for number in range(5):
            await desk.world.post(ada.write(desk.world.company, f"During the outage {number}"))
        await eventually(lambda: "does not answer" in reading_error(desk))
        assert desk.texts() == []
        await desk.world.imap.start()
        await eventually(lambda: len(desk.texts()) == 5)
    assert desk.texts() == [f"During the outage {number}" for number in range(5)]


async def test_a_connection_that_comes_when_nobody_waits_any_more_is_freed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entered, go_on, freed = threading.Event(), threading.Event(), threading.Event()

    class Slow:
        def __init__(self, *_: object) -> None:
            entered.set()
            go_on.wait(10)

        def release(self) -> None:
            freed.set()

    monkeypatch.setattr(listening, "ImapConnection", Slow)
    thread = listening._Thread()
    connecting = asyncio.create_task(thread.connect(ServerSetting(host="localhost", port=993), 1.0))
    assert await asyncio.to_thread(entered.wait, 10)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    go_on.set()
    thread.leave()
    assert await asyncio.to_thread(freed.wait, 10)


async def test_what_came_while_the_desk_was_down_for_weeks_is_read_afterwards(desk: Desk) -> None:
    ada = desk.world.customer("ada@example.org")
    async with desk.listen():
        await is_read(desk)
    with desk.sessions.begin() as session:
        row = session.scalars(select(MailboxWatermark)).one()
        row.since = datetime.now(UTC) - timedelta(days=60)
    for day in (40, 20, 1):
        received = datetime.now(UTC) - timedelta(days=day)
        await desk.world.post(ada.write(desk.world.company, f"{day} days ago"), received)
    async with desk.listen():
        await eventually(lambda: len(desk.texts()) == 3)
    assert desk.texts() == ["40 days ago", "20 days ago", "1 days ago"]


async def test_a_cut_line_is_mended_and_nothing_is_read_twice(desk: Desk) -> None:
    ada = desk.world.customer("ada@example.org")
    async with desk.listen():
        await is_read(desk)
        for number in range(6):
            await desk.world.post(ada.write(desk.world.company, f"Mail {number}"))
            desk.world.imap.cut_lines()
            await asyncio.sleep(0.1)
        await eventually(lambda: len(desk.texts()) >= 6)
        await asyncio.sleep(0.6)
    assert sorted(desk.texts()) == [f"Mail {number}" for number in range(6)]


async def test_a_new_uidvalidity_reads_again_without_doubling(desk: Desk) -> None:
    ada = desk.world.customer("ada@example.org")
    async with desk.listen():
        await is_read(desk)
        await desk.world.post(ada.write(desk.world.company, "First"))
        await eventually(lambda: desk.texts() == ["First"])
        await desk.world.imap.renumber(desk.world.company)
        await desk.world.post(ada.write(desk.world.company, "Second"))
        await eventually(lambda: len(desk.texts()) >= 2)
        await asyncio.sleep(0.6)
    assert desk.texts() == ["First", "Second"]


async def test_a_new_uidvalidity_does_not_bring_in_what_is_older_than_the_connection(
    desk: Desk,
) -> None:
    ada = desk.world.customer("ada@example.org")
    long_ago = datetime.now(UTC) - timedelta(days=30)
    await desk.world.post(ada.write(desk.world.company, "Answered by people long ago"), long_ago)
    async with desk.listen():
        await is_read(desk)
        await desk.world.imap.renumber(desk.world.company)
        await desk.world.post(ada.write(desk.world.company, "New"))
        await eventually(desk.texts)
    assert desk.texts() == ["New"]


async def test_a_mail_without_a_message_id_is_not_doubled_either(desk: Desk) -> None:
    raw = (
        b"From: ada@example.org\r\nTo: support@shop.example\r\nSubject: Hi\r\n\r\nNo id at all\r\n"
    )
    async with desk.listen():
        await is_read(desk)
        await desk.world.post(raw)
        await eventually(desk.texts)
        await desk.world.imap.renumber(desk.world.company)
        await asyncio.sleep(1.0)
    assert desk.texts() == ["No id at all"]


async def test_a_mail_is_flagged_only_after_its_row_is_committed(desk: Desk) -> None:
    """The database refuses the message; the mail stays unread until it does not."""
    ada = desk.world.customer("ada@example.org")
    async with desk.listen():
        await is_read(desk)
        with desk.sessions.begin() as session:
            session.execute(text("alter table message add constraint closed check (seq < 0)"))
        await desk.world.post(ada.write(desk.world.company, "Do not lose me"))
        await asyncio.sleep(1.0)
        assert await desk.world.imap.seen(desk.world.company) == set()
        assert desk.texts() == []
        with desk.sessions.begin() as session:
            session.execute(text("alter table message drop constraint closed"))
        await eventually(lambda: desk.texts() == ["Do not lose me"])
        await eventually(lambda: desk.world.imap.seen(desk.world.company))


async def test_two_processes_read_one_mailbox_once(desk: Desk) -> None:
    ada = desk.world.customer("ada@example.org")
    async with desk.listen(), desk.listen():
        await is_read(desk)
        await asyncio.sleep(0.7)
        assert desk.world.imap.lines == 1, "the other process stands by"
        for number in range(5):
            await desk.world.post(ada.write(desk.world.company, f"Mail {number}"))
        await eventually(lambda: len(desk.texts()) >= 5)
        await asyncio.sleep(0.5)
    assert sorted(desk.texts()) == [f"Mail {number}" for number in range(5)]


async def test_when_the_reading_process_dies_another_takes_the_mailbox(desk: Desk) -> None:
    ada = desk.world.customer("ada@example.org")
    async with desk.listen() as second:
        async with desk.listen():
            await is_read(desk)
        await desk.world.post(ada.write(desk.world.company, "Who reads me?"))
        await eventually(lambda: desk.texts() == ["Who reads me?"])
        assert not second.done()


async def test_a_deleted_conversation_is_not_imported_again(desk: Desk) -> None:
    ada = desk.world.customer("ada@example.org")
    async with desk.listen():
        await is_read(desk)
        await desk.world.post(ada.write(desk.world.company, "Delete me, please"))
        await eventually(desk.texts)
        with desk.sessions.begin() as session:
            conversations.delete_conversation(session, desk.conversations()[0].id)
        await desk.world.imap.renumber(desk.world.company)
        await desk.world.post(ada.write(desk.world.company, "Another matter"))
        await eventually(desk.texts)
        await asyncio.sleep(0.5)
    assert desk.texts() == ["Another matter"]
    with desk.sessions() as session:
        forgotten = session.scalars(select(ForgottenMail)).one()
    assert len(forgotten.mail_hash) == 32, "nothing but a keyed hash is kept"


async def test_several_mailboxes_are_read_each_into_its_inbox(
    desk: Desk, sessions: sessionmaker[Session]
) -> None:
    await desk.world.imap.add_user("sales@shop.example", "another password")
    with sessions.begin() as session:
        setting = find_mailbox(session, desk.inbox_id).setting
        sales = setting.model_copy(
            update={
                "address": "sales@shop.example",
                "login": setting.login.model_copy(update={"user": "sales@shop.example"}),
            }
        )
        sales_id = connect_mailbox(session, "sales", sales, Secrets(password="another password"))
    ada = desk.world.customer("ada@example.org")
    async with desk.listen():
        await eventually(lambda: desk.world.imap.lines == 2)
        await is_read(desk)
        await desk.world.post(ada.write(desk.world.company, "To support"))
        await desk.world.imap.append("sales@shop.example", ada.write("sales@shop.example", "To s"))
        await eventually(lambda: len(desk.texts()) == 2)
    assert {c.inbox_id for c in desk.conversations()} == {desk.inbox_id, sales_id}


async def test_a_wrong_password_is_told_to_the_operator_and_mended_without_a_restart(
    desk: Desk,
) -> None:
    await desk.world.imap.add_user(desk.world.company, "changed at the provider")

    def error() -> str | None:
        with desk.sessions() as session:
            row = session.scalars(select(MailboxWatermark)).one_or_none()
            return row.error if row else None

    async with desk.listen():
        await eventually(error)
        assert error() == "The IMAP server refuses the log-in."
        with desk.sessions.begin() as session:
            setting = find_mailbox(session, desk.inbox_id).setting
            connect_mailbox(session, "support", setting, Secrets("changed at the provider"))
        await eventually(lambda: error() is None)


async def test_a_mail_that_vanished_meanwhile_is_passed_over(world: MailWorld, desk: Desk) -> None:
    ada = world.customer("ada@example.org")
    async with desk.listen():
        await is_read(desk)
    gone = await world.post(ada.write(world.company, "Gone"))
    await world.post(ada.write(world.company, "Here"))
    await world.imap.expunge(world.company, gone)
    async with desk.listen():
        await eventually(desk.texts)
    assert desk.texts() == ["Here"]
