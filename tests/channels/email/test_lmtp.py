"""The LMTP and SMTP listener: refused early, 250 after the commit, 451 while Postgres is away."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from bot.database import keyring_from, make_async_engine, make_async_sessions
from bot.machine import find_free_port
from bot.simulation.mail_world import hand_over
from bot.tables import Attachment, ContactIdentity, Message, Original
from channels.email.adapter import Listening
from channels.email.lmtp import Address, MailListener
from tests.channels.email.desk import Desk, eventually

TO = "support@shop.example"


@pytest.fixture
async def port(desk: Desk) -> AsyncIterator[int]:
    """Where the desk listens for LMTP."""
    found = find_free_port("127.0.0.1")
    desk.listening = Listening(Address("127.0.0.1", found))
    async with desk.listen():
        await eventually(lambda: is_open(found))
        yield found


async def is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def give(port: int, raw: bytes, to: str = TO, sender: str = "ada@example.org") -> str:
    # Threads of its own: the listener, in the same process here, needs the default ones.
    with ThreadPoolExecutor(1) as thread:
        loop = asyncio.get_running_loop()
        code, told = await loop.run_in_executor(thread, hand_over, port, raw, to, sender)
    return f"{code} {told}"


async def test_a_mail_is_stored_before_it_is_accepted(desk: Desk, port: int) -> None:
    raw = desk.world.customer("ada@example.org").write(TO, "Where is my parcel?")
    assert (await give(port, raw)).startswith("250")
    assert desk.texts() == ["Where is my parcel?"]


async def test_a_mail_to_the_plus_address_comes_in_too(desk: Desk, port: int) -> None:
    raw = desk.world.customer("ada@example.org").write(TO, "Hello")
    assert (await give(port, raw, "Support+anything@shop.example")).startswith("250")


async def test_a_wrong_recipient_is_refused_at_rcpt(desk: Desk, port: int) -> None:
    def try_it() -> tuple[int, bytes]:
        with smtplib.LMTP("127.0.0.1", port) as client:
            client.ehlo_or_helo_if_needed()
            client.mail("ada@example.org")
            return client.rcpt("nobody@shop.example")

    code, told = await asyncio.to_thread(try_it)
    assert (code, told[:5]) == (550, b"5.1.1")


async def test_one_recipient_a_transaction_the_rest_is_asked_for_again(
    desk: Desk, port: int
) -> None:
    def try_it() -> list[int]:
        with smtplib.LMTP("127.0.0.1", port) as client:
            client.ehlo_or_helo_if_needed()
            client.mail("ada@example.org")
            return [client.rcpt(TO)[0], client.rcpt(TO)[0], client.rcpt("x@shop.example")[0]]

    assert await asyncio.to_thread(try_it) == [250, 452, 452]


async def test_the_same_mail_twenty_times_at_once_is_one_message(desk: Desk, port: int) -> None:
    raw = desk.world.customer("ada@example.org").write(TO, "Only once")
    told = await asyncio.gather(*(give(port, raw) for _ in range(20)))
    # Those for whom there was no connection are asked to come again, as a mail server does.
    assert {answer[:3] for answer in told} <= {"250", "451"}
    assert sum(answer.startswith("250") for answer in told) >= 16, "the others are not kept waiting"
    assert (await give(port, raw)) == "250 2.0.0 known"
    assert desk.texts() == ["Only once"]


async def test_another_mail_with_the_same_message_id_is_not_lost(desk: Desk, port: int) -> None:
    ada, cyd = desk.world.customer("ada@example.org"), desk.world.customer("cyd@example.org")
    await give(port, ada.write(TO, "Mine", message_id="<1@localhost>"))
    await give(port, cyd.write(TO, "Mine too", message_id="<1@localhost>"))
    assert sorted(desk.texts()) == ["Mine", "Mine too"]


async def test_a_mail_that_is_too_large_is_refused(desk: Desk) -> None:
    listener = MailListener(desk.mail_intake.take, desk.channel()._find_mailboxes, max_bytes=10_000)
    server = await listener.start(Address("127.0.0.1", 0))
    port = server.sockets[0].getsockname()[1]
    raw = desk.world.customer("ada@example.org").write(TO, "x" * 20_000)
    assert (await give(port, raw)).startswith("552")
    assert desk.texts() == []
    server.close()


async def test_while_the_database_is_away_the_mail_is_asked_for_again(
    desk: Desk, port: int, master_key: str
) -> None:
    raw = desk.world.customer("ada@example.org").write(TO, "Come again")
    with desk.sessions.begin() as session:
        session.execute(text("alter table message add constraint closed check (seq < 0)"))
    assert (await give(port, raw)).startswith("451")
    with desk.sessions.begin() as session:
        session.execute(text("alter table message drop constraint closed"))
    assert (await give(port, raw)).startswith("250")
    assert desk.texts() == ["Come again"]


async def test_without_any_database_even_the_recipient_must_wait(
    desk: Desk, master_key: str
) -> None:
    engine = make_async_engine("postgresql+psycopg://x:y@127.0.0.1:1/none")
    desk.async_sessions = make_async_sessions(engine, keyring_from(master_key))
    channel = desk.channel()
    listener = MailListener(desk.mail_intake.take, channel._find_mailboxes)
    server = await listener.start(Address("127.0.0.1", 0))
    port = server.sockets[0].getsockname()[1]
    assert (await give(port, b"Subject: x\r\n\r\nhi\r\n")).startswith("451")
    server.close()
    await engine.dispose()


async def test_the_original_is_kept_whole_and_sealed(
    desk: Desk, port: int, sessions: sessionmaker[Session]
) -> None:
    raw = desk.world.customer("ada@example.org").write(TO, "marker-5521 in the mail")
    await give(port, raw)
    with sessions() as session:
        original = session.scalars(select(Original)).one()
        assert original.raw.rstrip() == raw.rstrip()
        assert "marker-5521" in original.full_text
        for table in ("original", "message", "contact_identity"):
            rows = session.execute(text(f"select t::text from {table} t")).scalars().all()
            stored = "".join(str(row) for row in rows)
            assert b"marker-5521".hex() not in stored
            assert "marker-5521" not in stored
            assert "ada@example.org" not in stored


async def test_any_byte_string_is_a_message(desk: Desk, port: int) -> None:
    for raw in (b"\r\n", b"\xff\xfe\x00 no header at all\r\n", b"From: <<>>\r\nTo: \x80\r\n\r\n"):
        assert (await give(port, raw)).startswith("250")
    with desk.sessions() as session:
        assert len(session.scalars(select(Original)).all()) == 3


async def test_a_mail_from_nobody_goes_to_people_unanswered(desk: Desk, port: int) -> None:
    await give(port, b"Subject: Who am I\r\n\r\nGuess.\r\n")
    assert [(c.status, c.handoff_reason) for c in desk.conversations()] == [
        ("open", "unknown_sender")
    ]
    assert desk.answer() == 0


async def test_a_program_in_an_attachment_is_marked(desk: Desk, port: int) -> None:
    raw = (
        b"From: ada@example.org\r\nTo: support@shop.example\r\nMessage-ID: <att@example.org>\r\n"
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nSee my file\r\n"
        b'--b\r\nContent-Type: application/pdf; name="bill.pdf.exe"\r\n'
        b'Content-Disposition: attachment; filename="bill.pdf.exe"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAAEAAAA\r\n--b--\r\n"
    )
    await give(port, raw)
    with desk.sessions() as session:
        attachment = session.scalars(select(Attachment)).one()
        assert attachment.name == "bill.pdf.exe"
        assert attachment.warning
        assert ".exe" in attachment.warning


async def test_mail_marks_an_address_as_alive_again(desk: Desk, port: int) -> None:
    ada = desk.world.customer("ada@example.org")
    await give(port, ada.write(TO, "Hello"))
    with desk.sessions.begin() as session:
        identity = session.scalars(select(ContactIdentity)).one()
        identity.bounced_at, identity.bounce_status = identity.created_at, "5.1.1"
    await give(port, ada.write(TO, "I am here"))
    with desk.sessions() as session:
        assert session.scalars(select(ContactIdentity)).one().bounced_at is None


async def test_the_listener_speaks_smtp_where_it_is_told_to(desk: Desk) -> None:
    port = find_free_port("127.0.0.1")
    desk.listening = Listening(Address("127.0.0.1", port), "smtp")
    raw = desk.world.customer("ada@example.org").write(TO, "By SMTP")
    async with desk.listen():
        await eventually(lambda: is_open(port))
        code, _ = await asyncio.to_thread(hand_over, port, raw, TO, "ada@example.org", "smtp")
    assert code == 250
    with desk.sessions() as session:
        assert [m.text for m in session.scalars(select(Message))] == ["By SMTP"]


async def test_a_second_process_stands_by_for_the_port(desk: Desk) -> None:
    port = find_free_port("127.0.0.1")
    desk.listening = Listening(Address("127.0.0.1", port))
    async with desk.listen(), desk.listen() as second:
        await eventually(lambda: is_open(port))
        await asyncio.sleep(0.3)
        assert not second.done()
