"""Articles and conversations over the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from tests.bot.api.conftest import Bells
from tests.people import write
from tests.served import Client

ARTICLE = {"title": "Returns", "body": "You have **60 days**.", "language": "en"}


async def call(api: Client, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with api.request(method, f"/api/v1{path}", json=body) as response:
        text = await response.text()
        return response.status, await response.json() if text else None


async def test_an_article_is_put_once_and_rings_for_its_index(api: Client, bells: Bells) -> None:
    path = "/articles/shop/returns"
    assert await call(api, "PUT", path, ARTICLE) == (
        201,
        {"external_id": "returns", "is_new": True, "is_changed": True},
    )
    assert bells.wait("knowledge")[0] == "frontdesk.index_article"
    assert (await call(api, "PUT", path, ARTICLE))[1]["is_changed"] is False
    status, changed = await call(api, "PUT", path, {**ARTICLE, "body": "You have 30 days."})
    assert (status, changed["is_new"], changed["is_changed"]) == (200, False, True)


async def test_articles_are_listed_in_pages_and_deleted(api: Client, inbox: str) -> None:
    names = [f"a{number}" for number in range(5)]
    for name in names:
        await call(api, "PUT", f"/articles/shop/{name}", ARTICLE)
    await call(api, "PUT", "/articles/hidden/secret", ARTICLE)
    await call(api, "PUT", f"/inboxes/{inbox}", {"company": "Larkspur", "collections": ["shop"]})
    found, cursor = [], ""
    while cursor is not None:
        path = f"/articles?inbox={inbox}&limit=2" + (f"&cursor={cursor}" if cursor else "")
        _, page = await call(api, "GET", path)
        found += [item["external_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert found == names
    assert (await call(api, "GET", f"/index?inbox={inbox}"))[1] == {
        "articles": 5,
        "indexed": 0,
        "waiting": 5,
        "failed": 0,
        "passages": 0,
    }
    assert (await call(api, "DELETE", "/articles/shop/a0"))[0] == 204
    assert (await call(api, "DELETE", "/articles/shop/a0"))[0] == 404


async def test_the_staffs_whole_day_over_the_api(
    api: Client, sessions: sessionmaker[Session], inbox_id: UUID, bells: Bells
) -> None:
    with sessions.begin() as session:
        write(session, inbox_id, "My tent leaks.")
    _, page = await call(api, "GET", "/conversations?status=pending,open")
    number = page["items"][0]["number"]
    one = f"/conversations/{number}"
    assert (await call(api, "POST", f"{one}/take-over", {"agent": "Bea"}))[1]["assignee"] == "Bea"
    note = {"agent": "Bea", "text": "Old tent?", "private": True}
    assert (await call(api, "POST", f"{one}/messages", note))[0] == 200
    reply = {"agent": "Bea", "text": "Send it in.", "client_id": "reply-0001"}
    for _ in range(2):
        assert (await call(api, "POST", f"{one}/messages", reply))[0] == 200
    _, messages = await call(api, "GET", f"{one}/messages")
    assert [(m["author"], m["text"], m["private"]) for m in messages["items"]] == [
        ("contact", "My tent leaks.", False),
        ("agent", "Old tent?", True),
        ("agent", "Send it in.", False),
    ]
    assert (await call(api, "POST", f"{one}/assign", {"agent": None}))[1]["assignee"] is None
    with sessions.begin() as session:
        write(session, inbox_id, "And now?")
    assert (await call(api, "POST", f"{one}/give-back", {}))[1]["status"] == "pending"
    assert bells.wait()[0] == "frontdesk.answer"
    assert (await call(api, "POST", f"{one}/hand-off", {}))[1]["status"] == "open"
    assert (await call(api, "POST", f"{one}/resolve", {}))[1]["status"] == "resolved"
    status, refused = await call(api, "POST", f"{one}/take-over", {"agent": "Bea"})
    assert (status, refused["error"]["code"]) == (409, "conflict")


async def test_conversations_come_in_pages_without_gap_or_double(
    api: Client, sessions: sessionmaker[Session], inbox_id: UUID
) -> None:
    with sessions.begin() as session:
        for number in range(5):
            write(session, inbox_id, "Hello", contact=f"contact-{number}")
    _, all_of_them = await call(api, "GET", "/conversations")
    numbers = [item["number"] for item in all_of_them["items"]]
    await call(api, "POST", f"/conversations/{numbers[2]}/hand-off", {})
    found, cursor = [], ""
    while cursor is not None:
        path = "/conversations?limit=2" + (f"&cursor={cursor}" if cursor else "")
        _, page = await call(api, "GET", path)
        found += [item["number"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert found == numbers == sorted(numbers, reverse=True)


async def test_what_is_not_there_or_not_valid_is_told_in_json(api: Client) -> None:
    for method, path, body, status in [
        ("GET", "/conversations/999", None, 404),
        ("GET", "/conversations/x", None, 404),
        ("GET", "/conversations?limit=0", None, 422),
        ("GET", "/conversations?cursor=x", None, 422),
        ("GET", "/articles?cursor=x", None, 422),
        ("GET", "/articles?inbox=nowhere", None, 404),
        ("PUT", "/articles/shop/x", {"title": "x"}, 422),
        ("PUT", "/articles/shop/x", {**ARTICLE, "url": "javascript:alert(1)"}, 422),
        ("PATCH", "/articles", None, 405),
        ("GET", "/nothing", None, 404),
    ]:
        found, answer = await call(api, method, path, body)
        assert (found, bool(answer["error"]["message"])) == (status, True), path
