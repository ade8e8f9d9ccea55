"""Replies as mails: what stands in them, and what happens when they cannot be sent."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from bot import conversations
from bot.delivery import failed_deliveries, send_again
from bot.simulation.mail_world import parse, plain_text
from bot.simulation.smtp_sink import Failure
from bot.tables import Delivery, Message
from channels.email.compose import OutgoingMail, Quoted, compose, render
from channels.email.mail import OwnMail
from channels.email.mailboxes import connect_mailbox, find_mailbox
from channels.email.reading import read_mail
from channels.email.threading_tokens import ThreadTokens
from tests.channels.email.desk import Desk, eventually
from tests.people import make_agent

TO = "support@shop.example"
TOKENS = ThreadTokens(b"a key of the tests, 32 bytes long")
THREAD = TOKENS.make_thread("a conversation")
MAIL = OutgoingMail(
    from_address=TO,
    from_name="The Shop",
    to_address="ada@example.org",
    reply_to=TO,
    subject="Tent",
    message_id=TOKENS.sign_message_id(THREAD, UUID(int=7), "shop.example"),
    in_reply_to="1@example.org",
    references=(TOKENS.sign_root_id(THREAD, "shop.example"),),
    sent_at=datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
    text="You have 60 days.",
    is_automatic=True,
    language="en",
    quoted=Quoted("Ada", datetime(2026, 11, 23, 8, 0, tzinfo=UTC), "How long?\nThank you"),
)


async def write(desk: Desk, text: str = "How long?", **more: object) -> None:
    ada = desk.world.customer("ada@example.org", "Ada")
    await desk.take(ada.write(TO, text, subject="Tent", **more))  # type: ignore[arg-type]


async def test_a_reply_of_the_bots_says_that_a_machine_wrote_it(desk: Desk) -> None:
    await write(desk, message_id="<first@example.org>")
    desk.answer("You have **60 days**.")
    await desk.deliver()
    mail = desk.world.customers["ada@example.org"].letters[0]
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["Subject"] == "Re: Tent"
    assert mail["In-Reply-To"] == "<first@example.org>"
    assert str(mail["References"]).split()[-1] == "<first@example.org>"
    assert "The Shop" in str(mail["From"])
    text = plain_text(mail)
    assert text.startswith("You have **60 days**.")
    assert "> How long?" in text
    html = mail.get_body(("html",))
    assert html is not None
    assert "<strong>60 days</strong>" in html.get_content()


async def test_what_it_rests_on_and_what_may_help_is_named_below(desk: Desk) -> None:
    told = {"external_id": "a", "title": "Returns", "quote": "q", "score": 0.9, "used": True}
    near = {**told, "title": "Tents", "quote": "Dry it.", "used": False, "suggested": True}
    link = {**near, "title": "Engraving", "url": "/help/engraving"}
    await write(desk)
    desk.answer("A colleague will reply.", [told, near, link, {**near, "suggested": False}])
    await desk.deliver()
    lines = plain_text(desk.world.customers["ada@example.org"].letters[0]).splitlines()
    below = lines[lines.index("From our help centre:") + 1 :]
    assert below[:2] == ["- Returns", "- Tents: Dry it."]
    assert re.fullmatch(r"- Engraving: http.+/help/engraving", below[2])
    assert below[3] == ""


async def test_a_persons_reply_is_theirs_and_not_automatic(desk: Desk) -> None:
    await write(desk)
    with desk.sessions.begin() as session:
        agent = make_agent(session)
        conversations.reply_as_agent(session, desk.conversations()[0].id, agent, "Hello, Bea here.")
    await desk.deliver()
    mail = desk.world.customers["ada@example.org"].letters[0]
    assert mail["Auto-Submitted"] is None
    assert "Bea (The Shop)" in str(mail["From"])


async def test_a_kill_between_sending_and_marking_sends_the_same_message_id_again(
    desk: Desk,
) -> None:
    await write(desk)
    desk.answer()
    await desk.deliver()
    with desk.sessions.begin() as session:  # as a process leaves it that dies after the 250
        session.execute(update(Delivery).values(state="sending", external_id=None))
    desk.make_due()
    await desk.deliver()
    first, second = desk.world.customers["ada@example.org"].letters
    assert first["Message-ID"] == second["Message-ID"]
    assert first.as_bytes() == second.as_bytes()


async def test_an_answer_that_got_lost_on_the_line_is_sent_again_under_the_same_id(
    desk: Desk,
) -> None:
    await write(desk)
    desk.answer()
    desk.world.smtp.failures.append(Failure("data", trouble="lose-answer"))
    await desk.deliver()
    assert desk.deliveries()[0][0] == "pending"
    desk.make_due()
    await desk.deliver()
    letters = desk.world.customers["ada@example.org"].letters
    assert len({str(letter["Message-ID"]) for letter in letters}) == 1
    assert desk.deliveries()[0][:2] == ("sent", 2)


@pytest.mark.parametrize("where", ["mail", "rcpt", "data"])
async def test_4xx_is_tried_again_and_5xx_is_not(desk: Desk, where: str) -> None:
    await write(desk)
    desk.answer()
    desk.world.smtp.failures.append(Failure(where, "451 4.7.1 Greylisted"))  # type: ignore[arg-type]
    await desk.deliver()
    state, _, error = desk.deliveries()[0]
    assert state == "pending"
    assert error is not None
    assert "451" in error
    desk.world.smtp.failures.append(Failure(where, "550 5.1.1 ada@example.org unknown"))  # type: ignore[arg-type]
    desk.make_due()
    await desk.deliver()
    state, attempts, error = desk.deliveries()[0]
    assert (state, attempts) == ("failed", 2)
    assert error is not None
    assert "550" in error
    assert "ada@example.org" not in error, "the server's words may hold an address"


async def test_a_server_that_drops_the_line_or_is_away_is_tried_again(desk: Desk) -> None:
    await write(desk)
    desk.answer()
    desk.world.smtp.failures.append(Failure("data", trouble="drop"))
    await desk.deliver()
    assert desk.deliveries()[0][0] == "pending"
    await desk.world.smtp.stop()
    desk.make_due()
    await desk.deliver()
    assert desk.deliveries()[0][0] == "pending"
    await desk.world.smtp.start()
    desk.make_due()
    await desk.deliver()
    assert desk.deliveries()[0][0] == "sent"


async def test_a_server_that_hangs_is_given_up_for_now(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.email.submission.TIMEOUT_S", 0.5)
    await write(desk)
    desk.answer()
    desk.world.smtp.failures.append(Failure("data", trouble="hang"))
    await asyncio.wait_for(desk.deliver(), 10)
    assert desk.deliveries()[0][0] == "pending"


async def test_a_wrong_password_loses_no_reply(desk: Desk) -> None:
    desk.world.smtp.users = {TO: "another"}
    await write(desk)
    desk.answer()
    await desk.deliver()
    state, _, error = desk.deliveries()[0]
    assert state == "pending"
    assert error == "The mail server refuses the log-in (535)."


async def test_a_reply_to_nobody_fails_for_good(desk: Desk) -> None:
    await desk.take(b"Subject: Who am I\r\n\r\nGuess.\r\n")
    with desk.sessions.begin() as session:
        agent = make_agent(session)
        conversations.reply_as_agent(session, desk.conversations()[0].id, agent, "Who are you?")
    await desk.deliver()
    assert desk.deliveries()[0][0] == "failed"


async def test_a_failed_reply_is_shown_and_can_be_sent_again(desk: Desk) -> None:
    await write(desk)
    desk.answer()
    desk.world.smtp.refused["ada@example.org"] = "550 5.2.1 disabled"
    await desk.deliver()
    with desk.sessions.begin() as session:
        (failed,) = failed_deliveries(session)
        assert (failed.author, failed.inbox) == ("bot", "support")
        assert "550 5.2.1" in failed.error
        note = session.scalars(select(Message).where(Message.author == "system")).one()
        assert note.private
        assert send_again(session, failed.id)
        assert not send_again(session, failed.id), "once"
    desk.world.smtp.refused.clear()
    await desk.deliver()
    assert desk.deliveries()[0][0] == "sent"


async def test_the_plus_address_stands_in_reply_to_where_the_mailbox_has_one(desk: Desk) -> None:
    with desk.sessions.begin() as session:
        setting = find_mailbox(session, desk.inbox_id).setting
        changed = setting.model_copy(
            update={"plus_addressing": True, "list_unsubscribe": "mailto:stop@shop.example"}
        )
        connect_mailbox(session, "support", changed, None)
    await write(desk)
    desk.answer()
    await desk.deliver()
    letter = desk.world.customers["ada@example.org"].letters[0]
    assert "support+" in str(letter["Reply-To"])
    assert letter["List-Unsubscribe"] == "<mailto:stop@shop.example>"


async def test_one_channel_that_hangs_does_not_keep_back_the_others(desk: Desk) -> None:
    from bot.app import deliver_until

    for number in range(2):
        ada = desk.world.customer(f"ada{number}@example.org")
        await desk.take(ada.write(TO, "How long?"))
    desk.answer()
    desk.world.smtp.failures.append(Failure("data", trouble="hang"))
    stop = asyncio.Event()
    running = asyncio.create_task(
        deliver_until(stop, desk.async_sessions, {"email": desk.channel()})
    )
    await eventually(lambda: len(desk.world.smtp.letters) == 1)
    stop.set()
    await desk.world.smtp.stop()
    await running


# -- compose alone ---------------------------------------------------------------------------


def test_composing_twice_gives_the_same_bytes() -> None:
    assert compose(MAIL).as_bytes() == compose(MAIL).as_bytes()


@pytest.mark.parametrize("evil", ["x\r\nBcc: cyd@example.org", "x\nSubject: y", "x\x0bBcc: c@d"])
def test_nothing_of_a_customers_becomes_a_header(evil: str) -> None:
    quoted = Quoted(evil, MAIL.sent_at, evil)
    mail = replace(
        MAIL, subject=evil, from_name=evil, in_reply_to=evil, references=(evil,), quoted=quoted
    )
    read = parse(compose(mail).as_bytes())
    assert read["Bcc"] is None
    assert len(read.get_all("Subject", [])) == 1
    assert read["In-Reply-To"] is None


@pytest.mark.parametrize(
    "address", ["ada", "ada@example.org\r\nBcc: c@d.e", "a b@c.d", "<a@b>", "a@b,c@d", "@"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="cannot be written to"):
        compose(replace(MAIL, to_address=address))


@pytest.mark.parametrize(
    "payload",
    [
        "<script>alert(1)</script>",
        "![x](https://evil.example/pixel.png)",
        "[x](javascript:alert(1))",
        '<img src="https://evil.example/x">',
        "<a href='data:text/html,x'>y</a>",
    ],
)
def test_no_text_runs_or_fetches_anything(payload: str) -> None:
    html = compose(
        replace(MAIL, text=payload, quoted=Quoted(payload, MAIL.sent_at, payload))
    ).get_body(("html",))
    assert html is not None
    told = html.get_content()
    assert "<script" not in told
    assert "<img" not in told
    assert 'href="javascript' not in told
    assert 'href="data' not in told
    assert "<img" not in render(payload)


WORDS = st.text(st.characters(categories=["L", "N"], max_codepoint=0x9FFF), min_size=1, max_size=12)
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), min_size=1, max_size=4).map(
    "\n".join
)


@settings(max_examples=80, deadline=None)
@given(text=TEXTS, subject=st.text(max_size=60), quoted=TEXTS, automatic=st.booleans())
def test_reading_what_was_composed_keeps_thread_and_text(
    text: str, subject: str, quoted: str, automatic: bool
) -> None:
    mail = replace(
        MAIL,
        text=text,
        subject=subject,
        is_automatic=automatic,
        quoted=Quoted("Ada", MAIL.sent_at, quoted),
        in_reply_to=MAIL.message_id,
    )
    raw = compose(mail).as_bytes()
    read = read_mail(raw, OwnMail((), TOKENS))
    assert read.thread.match == THREAD
    assert " ".join(read.visible_text.split()) == " ".join(text.split())
    assert read.message_id == MAIL.message_id


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=300), name=st.text(max_size=80), subject=st.text(max_size=200))
def test_any_text_makes_a_mail_that_can_be_sent(text: str, name: str, subject: str) -> None:
    mail = replace(
        MAIL, text=text, from_name=name, subject=subject, quoted=Quoted(name, MAIL.sent_at, text)
    )
    raw = compose(mail).as_bytes()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert read["To"].addresses[0].addr_spec == "ada@example.org"
    assert [part.get_content_type() for part in read.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
