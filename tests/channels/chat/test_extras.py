"""What a visitor does beside writing, over real HTTP: only ever in their own thread."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import FormData
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from bot.conversations import reply_as_agent
from bot.messages import Attachment as IncomingFile
from bot.tables import Attachment, Conversation, Delivery, Event, Feedback, Inbox, Message, new_id
from channels.chat import uploads
from channels.chat.appearance import AppearanceError, WidgetSetting, widget_of, with_widget
from tests.channels.chat.browser import Browser, client_id
from tests.channels.chat.scripted_worker import answer_newest
from tests.people import make_agent

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32


def form(text: str, *files: tuple[str, str, bytes], number: str | None = None) -> FormData:
    made = FormData(default_to_multipart=True)
    made.add_field("message", json.dumps({"client_id": number or client_id(), "text": text}))
    for name, media_type, content in files:
        made.add_field("file", content, filename=name, content_type=media_type)
    return made


async def post(browser: Browser, path: str, body: Any) -> tuple[int, Any]:
    kind = {"data": body} if isinstance(body, FormData) else {"json": body}
    async with browser.client.post(f"/chat/{path}", headers=browser.headers, **kind) as response:
        return response.status, await response.json() if response.status != 204 else None


async def fetch(browser: Browser, file_id: str) -> tuple[int, bytes]:
    path = f"/chat/files/{file_id}"
    async with browser.client.get(path, headers=browser.headers) as response:
        return response.status, await response.read()


# -- files -----------------------------------------------------------------------------------


async def test_a_file_is_sealed_told_to_the_stream_and_read_back_by_its_visitor_alone(
    ada: Browser, cyd: Browser, sessions: sessionmaker[Session]
) -> None:
    async with ada.stream() as stream:
        assert (await post(ada, "files", form("See", ("tent.png", "image/png", PNG))))[0] == 201
        told = (await stream.until("message"))[-1].data["files"]
    assert [(file["name"], file["media_type"]) for file in told] == [("tent.png", "image/png")]
    assert (await ada.history())["messages"][0]["files"] == told
    assert await fetch(ada, told[0]["id"]) == (200, PNG)
    assert (await fetch(cyd, told[0]["id"]))[0] == 404
    with sessions() as session:
        row = session.scalars(select(Attachment)).one()
        assert b"PNG" not in row.content_sealed
        assert b"tent" not in row.name_sealed


async def test_a_file_of_a_private_note_is_not_the_visitors(
    ada: Browser, sessions: sessionmaker[Session]
) -> None:
    await ada.send("Hello")
    with sessions.begin() as session:
        conversation = session.scalars(select(Conversation.id)).one()
        secret = [IncomingFile("secret.txt", "text/plain", b"secret")]
        reply_as_agent(
            session, conversation, make_agent(session), "note", private=True, attachments=secret
        )
    with sessions() as session:
        file_id = session.scalars(select(Attachment.id)).one()
    assert (await fetch(ada, str(file_id)))[0] == 404


async def test_the_same_upload_twice_is_one_message(
    ada: Browser, sessions: sessionmaker[Session]
) -> None:
    number = client_id()
    for expected in (201, 200):
        again = form("Once", ("a.txt", "text/plain", b"a"), number=number)
        assert (await post(ada, "files", again))[0] == expected
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Attachment)) == 1


@pytest.mark.parametrize(
    ("name", "declared", "content", "stored", "warned"),
    [
        ("a.png", "image/png", b"<html><script>1</script>", "text/html", False),
        ("bill.pdf.exe", "application/pdf", b"MZ\x90\0\0", "application/x-msdownload", True),
        ("../../etc/passwd", "text/plain", b"root:x", "text/plain", False),
        ("voice.webm", "audio/webm", b"\x1aE\xdf\xa3" + b"webm" * 9, "audio/webm", False),
        ("", "", b"\0\1\2\3", "application/octet-stream", False),
    ],
)
async def test_a_file_is_typed_by_what_it_holds(
    ada: Browser,
    sessions: sessionmaker[Session],
    name: str,
    declared: str,
    content: bytes,
    stored: str,
    warned: bool,
) -> None:
    declared = declared or "application/octet-stream"
    body = form("", (name or "x", declared, content))
    assert (await post(ada, "files", body))[0] == 201
    with sessions() as session:
        row = session.scalars(select(Attachment)).one()
        assert row.media_type == stored
        assert "/" not in row.name
        assert bool(row.warning) == warned


async def test_files_keep_their_order(ada: Browser) -> None:
    names = [f"{number}.txt" for number in range(5)]
    await post(ada, "files", form("", *((name, "text/plain", b"x") for name in names)))
    files = (await ada.history())["messages"][0]["files"]
    assert [file["name"] for file in files] == names


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (form("no file"), 422),
        (form("", *[("a.txt", "text/plain", b"x")] * 6), 413),
        (form("x" * 20_001, ("a.txt", "text/plain", b"x")), 422),
        ({"client_id": "client-1", "text": "json"}, 415),
    ],
)
async def test_what_is_no_form_with_files_is_refused(ada: Browser, body: Any, status: int) -> None:
    assert (await post(ada, "files", body))[0] == status


async def test_too_large_files_are_refused_and_nothing_is_stored(
    ada: Browser, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_FILE_BYTES", 1000)
    monkeypatch.setattr(uploads, "MAX_ALL_BYTES", 1500)
    one = form("", ("a.bin", "image/png", b"x" * 1001))
    two = form("", ("a.bin", "image/png", b"x" * 900), ("b.bin", "image/png", b"x" * 900))
    for body in (one, two):
        assert (await post(ada, "files", body))[0] == 413
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 0


# -- judgements ------------------------------------------------------------------------------


async def answered(browser: Browser, sessions: sessionmaker[Session]) -> str:
    """The id of the bot's reply to the browser's question."""
    await browser.send("How long?")
    await asyncio.to_thread(answer_newest, sessions, None, ["60 days."])
    found: str = (await browser.history())["messages"][-1]["id"]
    return found


async def test_a_judgement_can_be_changed_and_comes_back_with_the_history(
    ada: Browser, sessions: sessionmaker[Session]
) -> None:
    reply = await answered(ada, sessions)
    for score in (1, -1):
        body = {"message_id": reply, "score": score, "reason": "why"}
        assert (await post(ada, "feedback", body))[0] == 204
    assert (await ada.history())["messages"][-1]["feedback"] == -1
    with sessions() as session:
        assert session.scalars(select(Feedback)).one().reason == "why"
        kinds = session.scalars(select(Event.kind).order_by(Event.seq)).all()
        assert kinds[-2:] == ["feedback", "feedback"]  # the staff's pages hear of it


async def test_nobody_judges_what_is_not_theirs(
    ada: Browser, cyd: Browser, sessions: sessionmaker[Session]
) -> None:
    reply = await answered(ada, sessions)
    question = (await ada.history())["messages"][0]["id"]
    assert (await post(cyd, "feedback", {"message_id": reply, "score": 1}))[0] == 404
    assert (await post(ada, "feedback", {"message_id": question, "score": 1}))[0] == 409
    assert (await post(ada, "feedback", {"message_id": str(uuid4()), "score": 1}))[0] == 404
    assert (await post(ada, "feedback", {"message_id": reply, "score": 5}))[0] == 422
    with sessions() as session:
        assert session.scalars(select(Feedback)).all() == []


async def test_a_rating_is_of_the_latest_conversation_and_the_last_one_stands(
    ada: Browser, cyd: Browser, sessions: sessionmaker[Session]
) -> None:
    assert (await post(cyd, "rating", {"score": 5}))[0] == 409  # nothing was said
    await answered(ada, sessions)
    assert (await post(ada, "end", {}))[0] == 204
    assert (await ada.history())["status"] == "resolved"
    for score in (2, 5):
        assert (await post(ada, "rating", {"score": score, "comment": "so"}))[0] == 204
    assert (await ada.history())["rating"] == 5
    assert (await post(ada, "rating", {"score": 6}))[0] == 422
    with sessions() as session:
        row = session.scalars(select(Feedback)).one()
        assert (row.score, row.reason, row.message_id) == (5, "so", None)


# -- who is there, and logging out -----------------------------------------------------------


async def test_the_stream_tells_who_is_there(ada: Browser, sessions: sessionmaker[Session]) -> None:
    await ada.send("Hello")
    with sessions.begin() as session:
        bea = make_agent(session)
        reply_as_agent(session, session.scalars(select(Conversation.id)).one(), bea, "Here")
    async with ada.stream() as stream:
        assert (await stream.until("person"))[-1].data == {"name": "Bea"}
    assert (await ada.history())["assignee"] == "Bea"


async def test_a_session_that_logged_out_opens_nothing_any_more(ada: Browser, cyd: Browser) -> None:
    await ada.send("Mine")
    assert (await post(ada, "logout", {}))[0] == 204
    async with ada.client.get("/chat/history", headers=ada.headers) as response:
        assert response.status == 401
    assert (await cyd.history())["messages"] == []


# -- the transcript --------------------------------------------------------------------------


@pytest.fixture
def mailbox_id(sessions: sessionmaker[Session]) -> UUID:
    smtp = {"host": "127.0.0.1", "port": 25, "security": "none"}
    with sessions.begin() as session:
        row = Inbox(id=new_id(), name="mail", channel="email", company="Shop")
        row.settings = {"email": {"address": "support@shop.example", "smtp": smtp}}
        session.add(row)
    return row.id


async def test_a_transcript_needs_a_mailbox_and_a_conversation(ada: Browser) -> None:
    body = {"address": "ada@example.org"}
    assert (await post(ada, "transcript", body))[0] == 409
    assert (await post(ada, "transcript", {"address": "ada\n@example.org"}))[0] == 422


async def test_a_transcript_is_noted_once_and_not_for_ever(
    ada: Browser, mailbox_id: UUID, sessions: sessionmaker[Session]
) -> None:
    await answered(ada, sessions)
    for _ in range(3):
        assert (await post(ada, "transcript", {"address": "ada@example.org"}))[0] == 204
    assert (await post(ada, "transcript", {"address": "ada@example.org"}))[0] == 429
    with sessions() as session:
        delivery = session.scalars(select(Delivery)).one()
        assert (delivery.kind, delivery.via_inbox_id) == ("transcript", mailbox_id)


async def test_strangers_are_not_flooded_with_transcripts(
    ada: Browser, inbox: str, mailbox_id: UUID, sessions: sessionmaker[Session]
) -> None:
    statuses = []
    for _ in range(6):
        someone = await Browser.visit(ada.client, inbox)
        await someone.send("Hello")
        statuses.append((await post(someone, "transcript", {"address": "cyd@example.org"}))[0])
    assert statuses == [204] * 5 + [409]


# -- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"accent": "red"},
        {"unknown": 1},
        {"avatar": "AAAA"},
        {"avatar": "%%%"},
        {"avatar": "A" * 100_000},
        {"texts": {"english": {}}},
        {"prechat": {"fields": []}},
        {"prechat": {"fields": [{"key": "No Key"}]}},
        {"prechat": {"fields": [{"key": "same"}, {"key": "same"}]}},
        {"prechat": {"fields": [{"key": "about", "kind": "choice"}]}},
        {"bot_name": "two\nlines"},
    ],
)
def test_wrong_settings_are_refused_with_their_place(wrong: dict[str, Any]) -> None:
    with pytest.raises(AppearanceError, match=next(iter(wrong))):
        widget_of({"widget": wrong})


def test_settings_come_back_as_they_were_stored() -> None:
    setting = WidgetSetting(accent="#123456", texts={"de": {"title": "Hallo"}})  # type: ignore[dict-item]
    stored = with_widget({"other": 1}, setting)
    assert stored == {
        "other": 1,
        "widget": {"accent": "#123456", "texts": {"de": {"title": "Hallo"}}},
    }
    assert widget_of(stored) == setting


async def test_the_front_tells_no_secret(
    ada: Browser, inbox: str, inbox_id: UUID, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        row = session.get_one(Inbox, inbox_id)
        row.settings = {"chat_identity_secret": "sealed", "widget": {"accent": "#123456"}}
    async with ada.client.get(f"/chat/{inbox}") as response:
        text = await response.text()
    assert json.loads(text)["widget"]["accent"] == "#123456"
    assert "sealed" not in text
    async with ada.client.get(f"/chat/{inbox}/avatar") as response:
        assert response.status == 404
