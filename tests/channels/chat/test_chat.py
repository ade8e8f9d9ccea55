"""The web chat over real HTTP, Postgres and Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from bot.app import MAX_BODY_BYTES
from bot.conversations import reply_as_agent, resolve
from bot.events import Publisher
from bot.redis_url import redis_py_url
from bot.tables import Conversation, Inbox, Message, VisitorSession
from channels.chat import streams
from tests.channels.chat.browser import Browser, client_id
from tests.channels.chat.scripted_worker import CITATION, answer_newest
from tests.people import make_agent
from tests.served import Client, app_of


@pytest.fixture
def publisher(redis_url: str) -> Iterator[Publisher]:
    made = Publisher(redis_py_url(redis_url))
    yield made
    made.close()


async def test_a_message_is_committed_before_it_is_acknowledged(
    ada: Browser, sessions: sessionmaker[Session]
) -> None:
    async with await ada.send("How long may I return a tent?") as response:
        assert response.status == 201
    with sessions() as session:
        assert session.scalars(select(Message)).one().text == "How long may I return a tent?"


async def test_the_same_client_id_five_times_and_twenty_at_once_is_one_message(
    ada: Browser, sessions: sessionmaker[Session]
) -> None:
    number = client_id()
    answers = [await ada.send("Once", number) for _ in range(5)]
    answers += await asyncio.gather(*(ada.send("Once", number) for _ in range(20)))
    assert sorted({answer.status for answer in answers}) == [200, 201]
    assert [answer.status for answer in answers].count(201) == 1
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 1


async def test_the_token_is_stored_as_a_keyed_hash_only(
    ada: Browser, sessions: sessionmaker[Session]
) -> None:
    with sessions() as session:
        row = session.scalars(select(VisitorSession)).one()
        assert ada.token.encode() not in row.token_hash
        assert len(row.token_hash) == 32


async def test_sentences_arrive_as_they_are_committed_and_then_the_citations(
    ada: Browser, sessions: sessionmaker[Session], publisher: Publisher
) -> None:
    async with ada.stream() as stream:
        await ada.send("How long may I return a tent?")
        await stream.until("message")
        await asyncio.to_thread(
            answer_newest, sessions, publisher, ["You have 60 days.", "Really."]
        )
        events = await stream.until("done")
    told = [event for event in events if event.kind in ("reply", "sentence", "done")]
    assert [event.kind for event in told] == ["reply", "sentence", "sentence", "done"]
    assert [event.data["text"] for event in told[1:3]] == ["You have 60 days.", "Really."]
    assert told[-1].data["citations"] == [
        {"title": CITATION["title"], "quote": CITATION["quote"], "url": CITATION["url"]}
    ]


async def test_of_the_rest_only_what_may_help_is_shown(
    ada: Browser, sessions: sessionmaker[Session], publisher: Publisher
) -> None:
    near, far = ({**CITATION, "used": False, "title": title} for title in ("Near", "Far"))
    citations = [{**near, "suggested": True}, far]
    async with ada.stream() as stream:
        await ada.send("How long may I return an engraved tent?")
        await stream.until("message")
        await asyncio.to_thread(
            answer_newest, sessions, publisher, ["A colleague replies."], citations
        )
        events = await stream.until("done")
    assert [each["title"] for each in events[-1].data["citations"]] == ["Near"]


async def test_last_event_id_replays_what_was_missed_and_repeats_nothing(
    ada: Browser, sessions: sessionmaker[Session]
) -> None:
    await ada.send("One")
    async with ada.stream() as stream:
        seen = (await stream.until("message"))[-1].id
    await asyncio.to_thread(answer_newest, sessions, None, ["First.", "Second."])
    async with ada.stream(seen or "") as stream:
        events = await stream.until("done")
    kinds = [event.kind for event in events if event.kind != "typing"]
    assert kinds == ["reply", "sentence", "sentence", "done"]
    ids = [event.id for event in events if event.id]
    async with ada.stream(ids[1]) as stream:
        again = await stream.until("done")
    assert [event.id for event in again if event.id] == ids[2:]


async def test_a_lost_bell_loses_nothing(
    ada: Browser, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    await ada.send("One")
    async with ada.stream() as stream:
        await stream.until("message")
        await asyncio.to_thread(answer_newest, sessions, None, ["No bell rang."])
        events = await stream.until("done")
    assert "No bell rang." in [event.data.get("text") for event in events]


async def test_a_new_conversation_after_a_resolved_one_streams_on(
    ada: Browser, sessions: sessionmaker[Session], publisher: Publisher
) -> None:
    await ada.send("One")
    async with ada.stream() as stream:
        await stream.until("message")
        with sessions.begin() as session:
            conversation = session.scalars(select(Conversation)).one()
            resolve(session, conversation.id)
            conversation.resolved_at = conversation.created_at.replace(year=2020)
        await ada.send("Two, much later")
        texts: list[str] = []
        while "Two, much later" not in texts:
            texts.append((await stream.next()).data.get("text", ""))
        await asyncio.to_thread(answer_newest, sessions, publisher, ["Heard in the second."])
        events = await stream.until("done")
    assert "Heard in the second." in [event.data.get("text") for event in events]
    history = await ada.history()
    assert [m["text"] for m in history["messages"]] == [
        "One",
        "Two, much later",
        "Heard in the second.",
    ]


async def test_history_and_stream_fit_together_while_a_reply_grows(
    ada: Browser, sessions: sessionmaker[Session], publisher: Publisher
) -> None:
    await ada.send("One")
    sentences = [f"Sentence {number}." for number in range(30)]
    writing = asyncio.create_task(asyncio.to_thread(answer_newest, sessions, publisher, sentences))
    history = await ada.history()
    while len(history["messages"]) < 2:
        history = await ada.history()
        await asyncio.sleep(0.02)
    text = history["messages"][-1]["text"]
    async with ada.stream(history["last_event_id"]) as stream:
        if history["messages"][-1]["is_growing"]:
            events = await stream.until("done")
            rest = [event.data["text"] for event in events if event.kind == "sentence"]
            text = " ".join(part for part in [text, *rest] if part)
    await writing
    assert text == " ".join(sentences)


async def test_a_visitor_reads_only_their_own_conversation(
    ada: Browser, cyd: Browser, sessions: sessionmaker[Session]
) -> None:
    await ada.send("Ada's secret")
    number = (await ada.history())["last_event_id"]
    assert (await cyd.history())["messages"] == []
    async with cyd.stream(number) as stream:
        await cyd.send("Cyd's own")
        first = (await stream.until("message"))[-1]
    assert first.data["text"] == "Cyd's own"


async def test_notes_of_the_staff_never_reach_the_visitor(
    ada: Browser, sessions: sessionmaker[Session], publisher: Publisher
) -> None:
    await ada.send("Hello")
    with sessions.begin() as session:
        conversation_id = session.scalars(select(Conversation.id)).one()
        bea = make_agent(session)
        reply_as_agent(session, conversation_id, bea, "She sounds cross.", private=True)
        publisher.advanced(reply_as_agent(session, conversation_id, bea, "Hello Ada!"))
    async with ada.stream() as stream:
        texts = []
        while "Hello Ada!" not in texts:
            texts.append((await stream.next()).data.get("text"))
    assert "She sounds cross." not in texts
    assert [m["text"] for m in (await ada.history())["messages"]] == ["Hello", "Hello Ada!"]
    assert (await ada.history())["messages"][-1]["author_name"] == "Bea"


async def test_a_person_can_be_asked_for_with_no_message_before(
    ada: Browser, sessions: sessionmaker[Session]
) -> None:
    body = {"client_id": client_id(), "text": "I would like to talk to a person."}
    async with ada.client.post("/chat/person", json=body, headers=ada.headers) as response:
        assert response.status == 201
    with sessions() as session:
        conversation = session.scalars(select(Conversation)).one()
        assert conversation.status == "open"
        assert conversation.handoff_reason == "requested"
    assert (await ada.history())["status"] == "open"


async def test_the_visitor_sees_that_the_bot_writes_until_the_reply_is_done(
    ada: Browser, sessions: sessionmaker[Session], publisher: Publisher
) -> None:
    async with ada.stream() as stream:
        await ada.send("Hello?")
        begun = (await stream.until("typing"))[-1]
        while not begun.data["is_writing"]:
            begun = (await stream.until("typing"))[-1]
        await asyncio.to_thread(answer_newest, sessions, publisher, ["Yes."])
        await stream.until("done")
        over = (await stream.until("typing"))[-1]
    assert begun.data == {"author": "bot", "is_writing": True}
    assert over.data == {"author": "bot", "is_writing": False}


async def test_typing_of_an_agent_is_told_and_the_visitors_own_is_not(
    ada: Browser, sessions: sessionmaker[Session], publisher: Publisher
) -> None:
    await ada.send("Hello?")
    with sessions() as session:
        conversation_id = session.scalars(select(Conversation.id)).one()
    async with ada.stream() as stream:
        await stream.until("typing")
        async with ada.client.post("/chat/typing", json={}, headers=ada.headers) as response:
            assert response.status == 204
        topic = f"conversation:{conversation_id}"
        publisher.publish(topic, {"typing": "agent", "name": "Bea"})
        told = (await stream.until("typing"))[-1]
    assert told.data == {"author": "agent", "author_name": "Bea", "is_writing": True}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b"\xff\xfe\x00", 400, "invalid_json"),
        (b"[]", 422, "invalid"),
        (b'{"client_id": "client-x-1", "text": "\\ud800"}', 400, "invalid_json"),
        (b'{"client_id": "client-x-1", "text": "a\\u0000b"}', 422, "refused"),
        (b'{"client_id": "client-x-1", "text": "  "}', 422, "refused"),
        (b'{"client_id": "no", "text": "x"}', 422, "invalid"),
        (b'{"client_id": "client-x-1", "text": "x", "conversation": 1}', 422, "invalid"),
        (b'{"client_id": "client-x-1", "text": "' + b"x" * 20_001 + b'"}', 422, "invalid"),
        (b'{"text": "' + b"x" * 200_000 + b'"}', 413, "too_large"),
    ],
)
async def test_what_is_refused_is_refused_with_a_clear_error(
    ada: Browser, body: bytes, status: int, code: str
) -> None:
    headers = {**ada.headers, "Content-Type": "application/json"}
    async with ada.client.post("/chat/messages", data=body, headers=headers) as response:
        assert response.status == status
        error = (await response.json())["error"]
    assert error["code"] == code
    assert error["message"]


async def test_a_form_of_another_page_is_not_a_message(ada: Browser) -> None:
    headers = {**ada.headers, "Content-Type": "text/plain"}
    async with ada.client.post("/chat/messages", data="{}", headers=headers) as response:
        assert response.status == 415


async def test_a_body_without_an_announced_length_is_cut_off_at_the_limit(ada: Browser) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65_536):
            yield b"x" * 65_536

    headers = {**ada.headers, "Content-Type": "application/json"}
    async with ada.client.post("/chat/messages", data=endless(), headers=headers) as response:
        assert response.status == 413


async def test_a_flood_is_refused_with_the_seconds_to_wait(ada: Browser) -> None:
    statuses = []
    for _ in range(40):
        async with await ada.send("flood") as response:
            statuses.append(response.status)
            if response.status == 429:
                assert int(response.headers["Retry-After"]) >= 1
                assert "Nothing was stored" in (await response.json())["error"]["message"]
                break
    assert statuses[-1] == 429
    assert statuses[:30] == [201] * 30


async def test_an_expired_session_is_over_and_a_used_one_lives_on(
    ada: Browser, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        row = session.scalars(select(VisitorSession)).one()
        started = row.expires_at
        row.expires_at = started - timedelta(days=365)
    async with ada.client.get("/chat/history", headers=ada.headers) as response:
        assert response.status == 401
    with sessions.begin() as session:
        row = session.scalars(select(VisitorSession)).one()
        row.expires_at = started - timedelta(days=3)
    await ada.history()
    with sessions() as session:
        assert session.scalars(select(VisitorSession)).one().expires_at >= started


async def test_only_allowed_pages_may_embed_the_chat(
    client: Client, inbox: str, inbox_id: UUID, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        session.get_one(Inbox, inbox_id).settings = {"allowed_origins": ["https://shop.example"]}
    evil = {"Origin": "https://evil.example"}
    async with client.post(f"/chat/{inbox}/session", json={}, headers=evil) as response:
        assert response.status == 403
    good = {"Origin": "https://shop.example"}
    async with client.post(f"/chat/{inbox}/session", json={}, headers=good) as response:
        assert response.status == 201
        token = (await response.json())["token"]
    stolen = {"Authorization": f"Bearer {token}", **evil}
    async with client.get("/chat/history", headers=stolen) as response:
        assert response.status == 403


async def test_any_page_may_read_the_chats_answers_and_none_the_apis(
    client: Client, inbox: str
) -> None:
    async with client.options("/chat/messages") as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "*"
    async with client.get("/chat/history") as response:
        assert response.status == 401
        assert response.headers["Access-Control-Allow-Origin"] == "*"
    async with client.get("/api/v1/articles") as response:
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_streams_close_when_the_process_drains(client: Client, ada: Browser) -> None:
    await ada.send("Hello")
    async with ada.stream() as stream:
        await stream.until("message")
        await app_of(client).shutdown()
        assert await stream.is_over()


async def test_the_widget_is_served_once_and_then_not_again(client: Client) -> None:
    async with client.get("/chat/widget.js") as response:
        assert response.status == 200
        assert response.content_type == "text/javascript"
        etag = response.headers["ETag"]
    async with client.get("/chat/widget.js", headers={"If-None-Match": etag}) as response:
        assert response.status == 304


def test_the_shared_look_is_no_faster_than_ten_seconds() -> None:
    assert streams.LOOK_SECONDS >= 10
