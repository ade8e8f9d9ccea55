"""One conversation over real HTTP: notes, drafts, files, presence, the raw draft, reminders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from aiohttp import FormData
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from bot.answering.engine import Limits, Prompt
from bot.conversations import (
    block_contact,
    claim_run,
    finish_reply,
    hand_off,
    remind,
    unblock_contact,
)
from bot.dashboard.sessions import revoke
from bot.events import Publisher
from bot.policy import PolicySetting, with_policy
from bot.tables import AuditEntry, Conversation, Delivery, Inbox, Message, now
from tests.bot.dashboard.desk import Desk, client_id
from tests.bot.dashboard.test_inbox import waiting
from tests.people import make_inbox, write
from workers.watched import Watched


@dataclass(frozen=True)
class Said:
    author: str
    private: bool
    text: str


def messages_of(sessions: sessionmaker[Session], number: int) -> list[Said]:
    with sessions() as session:
        query = (
            select(Message)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .where(Conversation.number == number)
            .order_by(Message.seq)
        )
        return [Said(each.author, each.private, each.text) for each in session.scalars(query)]


def id_of(sessions: sessionmaker[Session], number: int) -> UUID:
    with sessions() as session:
        return session.scalars(select(Conversation.id).where(Conversation.number == number)).one()


async def test_a_note_calls_a_colleague_and_no_customer_is_sent_it(
    bea: Desk, sam: Desk, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        mail = make_inbox(session, "email")
    number = waiting(sessions, mail, "ada@example.org")
    await bea.do(
        f"/conversations/{number}/notes", text="@Sam, is this covered?", client_id=client_id()
    )
    assert await sam.numbers("mentions") == [number]
    assert await bea.numbers("mentions") == []
    view = await sam.get(f"/conversations/{number}")
    assert view["messages"][-1]["private"] is True
    assert await sam.numbers("mentions") == [], "whoever opens it has seen the call"
    with sessions() as session:
        assert session.scalars(select(Delivery)).all() == []


async def test_a_draft_is_sent_as_it_is_edited_or_discarded(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        inbox = session.get_one(Inbox, chat)
        inbox.settings = with_policy(inbox.settings, PolicySetting(mode="draft"))
    for contact, asked, text in (
        ("ada", {"path": "approve"}, "You have 60 days."),
        ("eve", {"path": "approve", "text": "You have 60 days, Eve."}, "You have 60 days, Eve."),
        ("dan", {"path": "discard"}, None),
    ):
        with sessions.begin() as session:
            recorded = write(session, chat, "How long?", contact)
            number = session.get_one(Conversation, recorded.conversation_id).number
            claim = claim_run(session, recorded.conversation_id, timedelta(seconds=30))
            assert claim is not None
            finish_reply(session, claim, [], "en", last="You have 60 days.")
        [row] = [
            row
            for row in (await bea.get("/inbox", view="unassigned"))["items"]
            if row["number"] == number
        ]
        assert row["has_draft"] is True
        body = {name: value for name, value in asked.items() if name != "path"}
        await bea.do(f"/conversations/{number}/draft/{asked['path']}", **body)
        public = [m for m in messages_of(sessions, number) if m.author == "agent"]
        assert [message.text for message in public] == ([text] if text else [])


async def test_files_go_out_with_a_reply_and_come_back_as_downloads(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    number = waiting(sessions, chat, "ada")
    form = FormData(quote_fields=False)  # browsers send names as they are
    form.add_field("text", "The label is attached.")
    form.add_field("client_id", client_id())
    form.add_field(
        "file", b"<script>1</script>", filename="../la bel.html", content_type="text/html"
    )
    status, row = await bea.ask("POST", f"/conversations/{number}/reply", data=form)
    assert status == 200, row
    view = await bea.get(f"/conversations/{number}")
    message = view["messages"][-1]
    [file] = message["files"]
    assert (file["name"], file["size_bytes"]) == ("la bel.html", 18)
    path = f"/desk/api/conversations/{number}/messages/{message['id']}/files/{file['id']}"
    async with bea.client.get(path, headers=bea.person.headers(bea.origin)) as response:
        assert await response.read() == b"<script>1</script>"
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment")


async def test_two_who_look_at_once_see_each_other(
    bea: Desk, sam: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    number = waiting(sessions, chat, "ada")
    async with bea.watch(number) as of_bea, sam.watch(number) as of_sam:
        assert [each["name"] for each in (await of_bea.hear("presence"))["others"]] == ["Sam"]
        assert [each["name"] for each in (await of_sam.hear("presence"))["others"]] == ["Bea"]
        await sam.do(f"/conversations/{number}/presence", doing="writing")
        [other] = (await of_bea.hear("presence"))["others"]
        assert other["doing"] == "writing"
    async with bea.watch(number) as alone:
        while (await alone.hear("presence"))["others"]:
            pass  # Sam's stream ends a moment after he has left it


async def test_the_raw_draft_reaches_the_staff_and_no_customer(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session], redis_url: str
) -> None:
    with sessions.begin() as session:
        recorded = write(session, chat, "How long may I return a tent?")
        number = session.get_one(Conversation, recorded.conversation_id).number
        claim = claim_run(session, recorded.conversation_id, timedelta(seconds=30))
    assert claim is not None
    publisher = Publisher(redis_url)
    engine = Watched(SaysWords(), publisher, claim.conversation_id, claim.run_id)
    async with bea.watch(number) as stream:
        await stream.hear("counts")
        raw = "".join(engine.generate(Prompt("", (), "?"), Limits(110)))
        heard = ""
        while heard != raw:
            heard += (await stream.hear("raw"))["raw"]
    assert raw == "You have 90 days, or so the model says."
    engine.generate(Prompt("", (), "?"), Limits(2))  # a yes or no is no draft
    publisher.close()
    texts = [message.text for message in messages_of(sessions, number)]
    assert texts == ["How long may I return a tent?"]


class SaysWords:
    """An engine that says one sentence, word by word."""

    remote = False
    model_name = "says-words"

    def generate(self, prompt: Prompt, limits: Limits) -> SaysWords:
        return self

    def __iter__(self):  # type: ignore[no-untyped-def]
        yield from ("You have ", "90 days, ", "or so the model says.")

    @property
    def usage(self):  # type: ignore[no-untyped-def]
        raise AssertionError("nobody asks here")

    def cancel(self) -> None: ...

    def close(self) -> None: ...


async def test_a_conversation_resumes_after_the_last_event_and_repeats_nothing(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    number = waiting(sessions, chat, "ada")
    view = await bea.get(f"/conversations/{number}")
    await bea.do(f"/conversations/{number}/notes", text="While away", client_id=client_id())
    async with bea.watch(number, after=view["seq"]) as stream:
        told = await stream.hear("messages")
    assert [message["text"] for message in told["messages"]] == ["While away"]


@pytest.mark.parametrize("language", ["en", "zh", "xx"])
async def test_what_nobody_answers_is_told_to_the_staff_and_to_the_customer_once(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session], language: str
) -> None:
    late, fresh = waiting(sessions, chat, "ada", 20), waiting(sessions, chat, "eve", 1)
    with sessions.begin() as session:
        session.execute(update(Conversation).values(language=language))
    for _ in range(2):
        with sessions.begin() as session:
            remind(session)
    assert [m.author for m in messages_of(sessions, fresh)] == ["contact"]
    told = messages_of(sessions, late)
    assert [(m.author, m.private) for m in told] == [
        ("contact", False), ("system", True), ("system", False),
    ]  # fmt: skip
    assert told[1].text == "Nobody has answered for 20 minutes."
    assert ("忘" if language == "zh" else "forgotten") in told[2].text
    [row] = [r for r in (await bea.get("/inbox"))["items"] if r["number"] == late]
    assert row["is_reminded"] is True
    assert row["preview"]["author"] == "contact", "a reminder hides nothing that was said"


async def test_nobody_is_mailed_about_waiting(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        mail = make_inbox(session, "email")
    number = waiting(sessions, mail, "ada@example.org", 60 * 24)
    with sessions.begin() as session:
        remind(session)
    assert [(m.author, m.private) for m in messages_of(sessions, number)][1:] == [("system", True)]


async def test_a_blocked_contact_is_heard_and_answered_by_nobody(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    number = waiting(sessions, chat, "cyd")
    contact = (await bea.get(f"/conversations/{number}"))["row"]["contact"]["id"]
    assert (await bea.do(f"/contacts/{contact}/block"))["is_blocked"] is True
    with sessions.begin() as session:
        recorded = write(session, chat, "Buy my pills", "cyd")
    assert recorded.answer_due is False
    assert await bea.numbers("all") == []
    assert await bea.numbers("spam") == [number]
    assert messages_of(sessions, number)[-1].text == "Buy my pills"
    await bea.do(f"/contacts/{contact}/unblock")
    await bea.do(f"/conversations/{number}/not-spam")
    with sessions.begin() as session:
        write(session, chat, "Sorry", "cyd")
    assert await bea.numbers("unassigned") == [number]


async def test_a_blocked_contact_begins_no_conversation_that_anybody_works_on(
    chat: UUID, sessions: sessionmaker[Session], bea: Desk
) -> None:
    number = waiting(sessions, chat, "cyd")
    await bea.do(f"/conversations/{number}/resolve")
    with sessions.begin() as session:
        conversation = session.get_one(Conversation, id_of(sessions, number))
        block_contact(session, conversation.contact_id)
        conversation.resolved_at = now() - timedelta(days=30)
    with sessions.begin() as session:
        recorded = write(session, chat, "It is me again", "cyd")
        assert recorded.answer_due is False
        unblock_contact(session, session.get_one(Conversation, recorded.conversation_id).contact_id)
    assert await bea.numbers("all") == []


async def test_macros_are_filled_in_and_values_are_no_placeholders(
    bea: Desk, sam: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    number = waiting(sessions, chat, "ada")
    text = "Hello {contact_first|there}, {agent} of {company} here about {number}. {unknown}"
    status, _ = await bea.ask("POST", "/macros", json={"name": "Greet", "text": text})
    assert status == 403, "supervisors write macros"
    macro = await sam.do("/macros", name="Greet", text=text)
    status, _ = await sam.ask("POST", "/macros", json={"name": "Greet", "text": "again"})
    assert status == 409
    path = f"/conversations/{number}/macros/{macro['id']}"
    filled = (await bea.get(path))["text"]
    assert filled.startswith("Hello there, Bea of inbox-")
    assert filled.endswith(f"about {number}. {{unknown}}")
    contact = (await bea.get(f"/conversations/{number}"))["row"]["contact"]["id"]
    status, _ = await bea.ask("PUT", f"/contacts/{contact}/name", json={"name": "{agent} Ada"})
    assert status == 200
    assert (await bea.get(path))["text"].startswith("Hello {agent}, Bea")
    with sessions() as session:
        noted = [(entry.action, entry.subject) for entry in session.scalars(select(AuditEntry))]
    assert noted == [("macro.add", macro["id"]), ("contact.name", contact)]


async def test_give_back_reopen_assign_and_tags(
    bea: Desk, sam: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    number = waiting(sessions, chat, "ada")
    row = await bea.do(f"/conversations/{number}/assign", agent_id=str(sam.person.agent_id))
    assert row["assignee"]["name"] == "Sam"
    assert (await bea.do(f"/conversations/{number}/assign", agent_id=None))["assignee"] is None
    assert (await bea.do(f"/conversations/{number}/give-back"))["status"] == "pending"
    row = await bea.do(f"/conversations/{number}/tags", add=["Refund", "vip"])
    assert row["tags"] == ["refund", "vip"]
    row = await bea.do(f"/conversations/{number}/tags", remove=["vip"])
    assert row["tags"] == ["refund"]
    await bea.do(f"/conversations/{number}/resolve")
    row = await bea.do(f"/conversations/{number}/reopen")
    assert (row["status"], row["assignee"]["name"]) == ("open", "Bea")
    status, body = await bea.ask("POST", f"/conversations/{number}/draft/approve", json={})
    assert (status, body["error"]["code"]) == (409, "conflict")


async def test_a_stream_ends_when_its_session_is_revoked(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    async with bea.watch() as stream:
        await stream.hear("counts")
        with sessions.begin() as session:
            revoke(session, bea.person.account_id, bea.person.session_id)
        with pytest.raises(AssertionError, match="the stream ended"):
            await stream.hear("nothing")


async def test_waiting_for_us_alone_is_no_reason_to_tell_the_customer(
    chat: UUID, sessions: sessionmaker[Session], bea: Desk
) -> None:
    number = waiting(sessions, chat, "ada", 30)
    await bea.do(f"/conversations/{number}/reply", text="One moment.", client_id=client_id())
    with sessions.begin() as session:
        conversation = session.get_one(Conversation, id_of(sessions, number))
        conversation.waiting_since = now() - timedelta(minutes=30)  # as after a snooze
        hand_off(session, conversation.id, "again")
    with sessions.begin() as session:
        remind(session)
    authors = [(m.author, m.private) for m in messages_of(sessions, number)]
    assert ("system", False) not in authors
    assert ("system", True) in authors
