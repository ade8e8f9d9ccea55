"""Who joins which conversation (promise 14): signatures with their sender, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.simulation.mail_world import Customer, bounce_of
from bot.tables import ContactIdentity, Conversation, Delivery, Message, Original, now
from channels.email.mailboxes import find_mailbox, thread_tokens
from tests.channels.email.desk import Desk

TO = "support@shop.example"


async def answered(desk: Desk, text: str = "You have 60 days.") -> tuple[Customer, EmailMessage]:
    """Ada wrote, the bot answered, the answer arrived."""
    ada = desk.world.customer("ada@example.org", "Ada")
    await desk.take(ada.write(TO, "How long may I take to return a tent?", subject="Tent"))
    assert desk.answer(text) == 1
    assert await desk.deliver() == 1
    return ada, ada.letters[0]


def notes(desk: Desk) -> list[str]:
    with desk.sessions() as session:
        query = select(Message).where(Message.private.is_(True)).order_by(Message.created_at)
        return [message.text for message in session.scalars(query)]


async def test_a_reply_joins_its_conversation(desk: Desk) -> None:
    ada, letter = await answered(desk)
    await desk.take(ada.reply(letter, "And a rucksack?"))
    assert len(desk.conversations()) == 1
    assert desk.texts()[-1] == "And a rucksack?"


async def test_a_reply_that_kept_only_the_references_joins_too(desk: Desk) -> None:
    """Outlook rewrites In-Reply-To at times; relays give our mails another Message-ID."""
    ada, letter = await answered(desk)
    raw = ada.write(
        TO, "And a rucksack?", subject="AW: Tent", headers={"References": letter["References"]}
    )
    await desk.take(raw)
    assert len(desk.conversations()) == 1


async def test_a_reply_with_no_header_left_but_the_plus_address_joins(desk: Desk) -> None:
    ada, _ = await answered(desk)
    with desk.sessions.begin() as session:
        tokens = thread_tokens(session)
        thread = session.scalars(select(Conversation)).one().thread
    await desk.take(ada.write(tokens.sign_plus_address(thread, TO), "And a rucksack?"))
    assert len(desk.conversations()) == 1


async def test_a_forged_sender_with_a_stolen_token_is_put_apart_and_staff_are_told(
    desk: Desk,
) -> None:
    _, letter = await answered(desk)
    cyd = desk.world.customer("cyd@example.org", "Cyd")
    await desk.take(cyd.reply(letter, "What did she write before?"))
    first, second = desk.conversations()
    assert first.contact_id != second.contact_id
    assert (second.status, second.handoff_reason) == ("open", "sender_mismatch")
    assert f"answers conversation {first.number}" in notes(desk)[0]
    assert desk.answer() == 0, "the bot leaves it to people"


async def test_a_quoted_number_a_subject_or_a_guessed_address_never_joins(desk: Desk) -> None:
    ada, letter = await answered(desk)
    number = desk.conversations()[0].number
    guesses = [
        ada.write(TO, f"About conversation {number}", subject=f"Re: Tent [#{number}]"),
        ada.write(f"support+{'a' * 32}@shop.example", "Guessed"),
        ada.write(TO, "Altered", headers={"In-Reply-To": str(letter["Message-ID"]).upper()[:-30]}),
    ]
    for raw in guesses:
        await desk.take(raw)
    assert len(desk.conversations()) == 4


async def test_being_in_copy_grants_nothing(desk: Desk) -> None:
    ada, letter = await answered(desk)
    cyd = desk.world.customer("cyd@example.org", "Cyd")
    await desk.take(
        ada.reply(letter, "With Cyd in copy").replace(b"To:", b"Cc: cyd@example.org\r\nTo:", 1)
    )
    await desk.take(cyd.reply(letter, "I am in copy"))
    conversations = desk.conversations()
    assert len(conversations) == 2
    assert desk.answer() == 1
    await desk.deliver()
    assert cyd.letters == [], "nothing of Ada's goes to Cyd"


async def test_our_own_sent_ids_name_the_conversation_as_well(desk: Desk) -> None:
    ada, _ = await answered(desk)
    with desk.sessions.begin() as session:
        session.execute(update(Delivery).values(external_id="rewritten@relay.example"))
    raw = ada.write(TO, "More", headers={"In-Reply-To": "<rewritten@relay.example>"})
    await desk.take(raw)
    assert len(desk.conversations()) == 1


async def test_a_token_of_another_inbox_does_not_join_here(desk: Desk) -> None:
    _, letter = await answered(desk)
    with desk.sessions.begin() as session:
        from channels.email.mailboxes import connect_mailbox

        setting = find_mailbox(session, desk.inbox_id).setting
        other = connect_mailbox(
            session, "other", setting.model_copy(update={"address": "o@shop.example"}), None
        )
    ada = desk.world.customer("ada@example.org")
    await desk.mail_intake.take(other, ada.reply(letter, "Elsewhere"))
    assert {c.inbox_id for c in desk.conversations()} == {desk.inbox_id, other}


async def test_a_reply_after_a_week_begins_a_new_conversation_that_points_back(desk: Desk) -> None:
    ada, letter = await answered(desk)
    with desk.sessions.begin() as session:
        long_ago = now() - timedelta(days=30)
        session.execute(update(Conversation).values(status="resolved", resolved_at=long_ago))
    await desk.take(ada.reply(letter, "One more thing"))
    first, second = desk.conversations()
    assert second.previous_id == first.id


async def test_an_out_of_office_is_stored_shown_and_not_answered(desk: Desk) -> None:
    ada, letter = await answered(desk)
    with desk.sessions.begin() as session:
        session.execute(update(Conversation).values(status="resolved", resolved_at=now()))
    headers = {"Auto-Submitted": "auto-replied", "In-Reply-To": str(letter["Message-ID"])}
    raw = ada.write(TO, "I am away.", subject="Automatic reply: Tent", headers=headers)
    await desk.take(raw)
    assert desk.texts()[-1] == "I am away."
    assert [c.status for c in desk.conversations()] == ["resolved"], "it opens nothing again"
    assert desk.answer() == 0


async def test_a_bounce_marks_the_delivery_and_the_address_and_answers_nobody(desk: Desk) -> None:
    _, letter = await answered(desk)
    raw = bounce_of(letter, "5.1.1")
    await desk.take(raw)
    await desk.take(raw)
    state, _, error = desk.deliveries()[0]
    assert (state, error) == ("failed", "The mail came back: 5.1.1")
    with desk.sessions() as session:
        identity = session.scalars(select(ContactIdentity)).one()
        assert (identity.bounce_status, identity.bounced_at is not None) == ("5.1.1", True)
    assert len(desk.conversations()) == 1
    assert len(notes(desk)) == 1, "the staff reads it, once"
    assert desk.answer() == 0


async def test_a_delayed_mail_is_no_failed_mail(desk: Desk) -> None:
    _, letter = await answered(desk)
    await desk.take(bounce_of(letter, "4.4.1"))
    assert desk.deliveries()[0][0] == "sent"


async def test_a_form_mailer_speaks_for_the_customer_it_names(desk: Desk) -> None:
    with desk.sessions.begin() as session:
        from channels.email.mailboxes import connect_mailbox

        setting = find_mailbox(session, desk.inbox_id).setting
        changed = setting.model_copy(update={"gateways": ["form@shop.example"]})
        connect_mailbox(session, "support", changed, None)
    form = desk.world.customer("form@shop.example")
    await desk.take(form.write(TO, "From the form", headers={"Reply-To": "ada@example.org"}))
    await desk.take(
        desk.world.customer("cyd@example.org").write(
            TO, "Not a gateway", headers={"Reply-To": "ada@example.org"}
        )
    )
    with desk.sessions() as session:
        assert addresses(session) == ["ada@example.org", "cyd@example.org"]


def addresses(session: Session) -> list[str]:
    return sorted(identity.address for identity in session.scalars(select(ContactIdentity)))


async def test_the_full_text_is_kept_beside_the_new_words(desk: Desk) -> None:
    ada, letter = await answered(desk)
    await desk.take(ada.reply(letter, "And a rucksack?"))
    with desk.sessions() as session:
        message = session.scalars(
            select(Message).where(Message.author == "contact").order_by(Message.seq.desc()).limit(1)
        ).one()
        original = session.get_one(Original, message.id)
        assert message.text == "And a rucksack?"
        assert "You have 60 days." in original.full_text
