"""A chat's transcript as a mail: all that the customer saw, and nothing that can run."""

from __future__ import annotations

from bot import conversations
from bot.conversations import record_incoming, reply_as_agent, send_transcript
from bot.simulation.mail_world import plain_text
from bot.tables import Conversation, Inbox
from tests.channels.email.desk import Desk
from tests.people import incoming, make_agent, make_inbox

HOSTILE = "```\n<script>alert(1)</script> ![x](https://evil.example/x.png) **"


async def test_a_transcript_holds_what_the_customer_saw_and_no_note(desk: Desk) -> None:
    desk.world.customer("ada@example.org", "Ada")
    with desk.sessions.begin() as session:
        chat = make_inbox(session)
        conversation_id = record_incoming(session, incoming(chat, HOSTILE)).conversation_id
        bea = make_agent(session)
        reply_as_agent(session, conversation_id, bea, "between us", private=True)
        reply_as_agent(session, conversation_id, bea, "We **mend** it.")
        send_transcript(session, conversation_id, "ada@example.org", desk.inbox_id)
    await desk.deliver()
    mail = desk.world.customers["ada@example.org"].letters[0]
    with desk.sessions() as session:
        company = session.get_one(Inbox, desk.inbox_id).company or "The Shop"
        assert session.get_one(Conversation, conversation_id).inbox_id == chat
    assert mail["Subject"] == f"Your chat with {company}"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["In-Reply-To"] is None
    text = plain_text(mail)
    assert "> We **mend** it." in text
    assert "**Bea**" in text
    assert "between us" not in mail.as_string()
    assert "ask for a person" not in text  # it is no answer of the bot's
    html = mail.get_body(("html",))
    assert html is not None
    content = html.get_content()
    assert "<strong>mend</strong>" in content  # the open fence before it ended with its message
    assert "<script" not in content
    assert "<img" not in content


async def test_a_take_over_does_not_hold_back_what_the_customer_asked_for(desk: Desk) -> None:
    desk.world.customer("ada@example.org", "Ada")
    with desk.sessions.begin() as session:
        chat = make_inbox(session)
        conversation_id = record_incoming(session, incoming(chat, "Hello")).conversation_id
        send_transcript(session, conversation_id, "ada@example.org", desk.inbox_id)
        conversations.take_over(session, conversation_id, make_agent(session))
    await desk.deliver()
    assert len(desk.world.customers["ada@example.org"].letters) == 1
