"""Originals, files, drafts, failed deliveries, policies and deletion over the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations
from bot.conversations import record_incoming
from bot.messages import Attachment, IncomingMessage, OriginalMessage
from bot.policy import PolicySetting, with_policy
from bot.tables import Conversation, Delivery, Inbox, Message, now
from tests.people import make_inbox
from tests.served import Client

RAW = b"From: ada@example.org\r\nSubject: <script>\r\n\r\nHello\r\n> quoted\r\n"


@pytest.fixture
def mail(sessions: sessionmaker[Session]) -> IncomingMessage:
    """A mail of Ada's with a file, stored."""
    with sessions.begin() as session:
        message = IncomingMessage(
            inbox_id=make_inbox(session, "email"),
            channel="email",
            external_id="mail:1",
            thread="a-thread",
            contact="ada@example.org",
            text="Hello",
            sent_at=now(),
            attachments=(
                Attachment("bill.exe", "application/x-dosexec", b"MZ\x00\xff", "It can run."),
            ),
            original=OriginalMessage(
                "message/rfc822", RAW, "Hello\n> quoted", {"subject": "<script>"}, "script"
            ),
        )
        record_incoming(session, message)
    return message


async def messages(api: Client) -> list[dict[str, Any]]:
    async with api.get("/api/v1/conversations/1/messages") as response:
        assert response.status == 200
        items: list[dict[str, Any]] = (await response.json())["items"]
        return items


async def test_the_whole_mail_is_one_step_away(api: Client, mail: IncomingMessage) -> None:
    (message,) = await messages(api)
    assert (message["text"], message["has_original"]) == ("Hello", True)
    place = f"/api/v1/conversations/1/messages/{message['id']}"
    async with api.get(f"{place}/full-text") as response:
        told = await response.json()
        assert told["full_text"] == "Hello\n> quoted"
        assert told["headers"] == {"subject": "<script>"}
    async with api.get(f"{place}/original") as response:
        assert await response.read() == RAW
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_file_is_a_download_with_its_warning(api: Client, mail: IncomingMessage) -> None:
    (message,) = await messages(api)
    (file,) = message["attachments"]
    assert (file["name"], file["size_bytes"], file["warning"]) == ("bill.exe", 4, "It can run.")
    place = f"/api/v1/conversations/1/messages/{message['id']}/attachments/{file['id']}"
    async with api.get(place) as response:
        assert await response.read() == b"MZ\x00\xff"
        assert response.content_type == "application/octet-stream"
    async with api.get(place.replace("/conversations/1/", "/conversations/2/")) as response:
        assert response.status == 404, "not through another conversation"


async def test_a_stranger_reads_none_of_it(client: Client, mail: IncomingMessage) -> None:
    for path in ("full-text", "original", "attachments/x"):
        async with client.get(f"/api/v1/conversations/1/messages/x/{path}") as response:
            assert response.status == 401


async def test_failed_deliveries_are_listed_and_sent_again(
    api: Client, mail: IncomingMessage, sessions: sessionmaker[Session]
) -> None:
    reply(sessions)
    with sessions.begin() as session:
        session.execute(update(Delivery).values(state="failed", error="550", attempts=1))
    async with api.get("/api/v1/deliveries/failed") as response:
        (failed,) = (await response.json())["items"]
    assert (failed["conversation"], failed["error"], failed["author"]) == (1, "550", "bot")
    async with api.post(f"/api/v1/deliveries/{failed['id']}/send-again", json={}) as response:
        assert response.status == 204
    async with api.post(f"/api/v1/deliveries/{failed['id']}/send-again", json={}) as response:
        assert response.status == 404
    with sessions() as session:
        delivery = session.scalars(select(Delivery)).one()
        assert (delivery.state, delivery.attempts) == ("pending", 0)


async def test_failed_deliveries_come_in_pages(
    api: Client, mail: IncomingMessage, sessions: sessionmaker[Session]
) -> None:
    for number in range(5):
        with sessions.begin() as session:
            conversation_id = session.scalars(select(Conversation.id)).one()
            agent = conversations_agent(session)
            conversations.reply_as_agent(session, conversation_id, agent, f"Reply {number}")
    with sessions.begin() as session:
        session.execute(update(Delivery).values(state="failed"))
    seen: list[str] = []
    cursor = ""
    for _ in range(5):
        async with api.get("/api/v1/deliveries/failed?limit=2" + cursor) as response:
            page = await response.json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor'].replace('+', '%2B')}"
    assert len(seen) == len(set(seen)) == 5


def conversations_agent(session: Session) -> UUID:
    from bot.agents import find_or_add_agent

    return find_or_add_agent(session, "Bea")


def reply(sessions: sessionmaker[Session], text: str = "You have 60 days.") -> None:
    with sessions.begin() as session:
        conversation_id = session.scalars(select(Conversation.id)).one()
        claim = conversations.claim_run(session, conversation_id, timedelta(seconds=30))
        assert claim is not None
        conversations.commit_sentence(session, claim, text)
        conversations.finish_reply(session, claim, [], "en")


async def test_a_draft_is_approved_over_the_api(
    api: Client, mail: IncomingMessage, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        inbox = session.get_one(Inbox, mail.inbox_id)
        inbox.settings = with_policy({}, PolicySetting(mode="draft"))
    reply(sessions)
    assert [m["state"] for m in await messages(api)] == ["received", "draft"]
    body = {"agent": "Bea", "text": "Sixty days."}
    async with api.post("/api/v1/conversations/1/draft/approve", json=body) as response:
        assert response.status == 200
    with sessions() as session:
        delivery = session.scalars(select(Delivery)).one()
        assert session.get_one(Message, delivery.message_id).text == "Sixty days."
    body = {"agent": "Bea"}
    async with api.post("/api/v1/conversations/1/draft/discard", json=body) as response:
        assert response.status == 409


async def test_a_policy_is_set_with_the_inbox_and_a_wrong_one_refused(
    api: Client, sessions: sessionmaker[Session]
) -> None:
    policy = {"mode": "acknowledge", "hours": "mon-fri 09:00-17:00", "zone": "Europe/Berlin"}
    async with api.put("/api/v1/inboxes/help", json={"policy": policy}) as response:
        assert response.status == 200
    wrong = {**policy, "hours": "always"}
    async with api.put("/api/v1/inboxes/help", json={"policy": wrong}) as response:
        assert response.status == 422
        assert "mon-fri" in (await response.json())["error"]["message"]
    with sessions() as session:
        inbox = session.scalars(select(Inbox).where(Inbox.name == "help")).one()
        assert inbox.settings["policy"]["mode"] == "acknowledge"


async def test_a_deleted_conversation_is_gone(
    api: Client, mail: IncomingMessage, sessions: sessionmaker[Session]
) -> None:
    reply(sessions)
    async with api.delete("/api/v1/conversations/1") as response:
        assert response.status == 204
    async with api.get("/api/v1/conversations/1") as response:
        assert response.status == 404
    with sessions() as session:
        assert session.scalars(select(Message)).all() == []
        assert conversations.is_forgotten(session, mail.inbox_id, "mail:1")
