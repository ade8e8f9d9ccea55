"""`POST /api/v1/ask` through the real queue; a scripted worker at its other end."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot.api import ask
from bot.app import build_web
from bot.conversations import store_result
from bot.events import Publisher, run_topic
from bot.settings import Settings
from bot.tables import AnswerRun
from tests.bot.api.conftest import Bells
from tests.served import Client

RESULT: dict[str, Any] = {
    "action": "answer",
    "text": "You have 60 days. Sale items have 30.",
    "confidence": 0.93,
    "citations": [
        {
            "external_id": "returns",
            "title": "Returning an item",
            "quote": "You have **60 days**.",
            "score": 0.93,
            "used": True,
            "suggested": False,
            "url": "/help/returns",
        }
    ],
    "language": "en",
    "timings": {"total_ms": 12.5, "ttft_ms": None},
    "reason": "evidence",
    "summary": "for the staff only",
}


def work(sessions: sessionmaker[Session], redis_url: str, bells: Bells) -> dict[str, Any]:
    """One run of the scripted worker; returns the request that it read."""
    task, argument = bells.wait()
    assert task == "frontdesk.ask"
    run_id = UUID(argument)
    publisher = Publisher(redis_url)
    with sessions.begin() as session:
        run = session.get_one(AnswerRun, run_id)
        asked: dict[str, Any] = json.loads(run.request)
        run.state = "running"
    for sentence in ("You have 60 days.", "Sale items have 30."):
        publisher.publish(run_topic(run_id), {"sentence": sentence})
    with sessions.begin() as session:
        store_result(session, run_id, {**RESULT, "run_id": argument}, state="done")
    publisher.publish(run_topic(run_id), {"done": True})
    publisher.close()
    return asked


def question(inbox: str, text: str = "How long may I return a tent?") -> dict[str, Any]:
    return {"inbox": inbox, "messages": [{"role": "user", "text": text}]}


async def test_a_question_is_answered_by_a_worker(
    api: Client, inbox: str, sessions: sessionmaker[Session], redis_url: str, bells: Bells
) -> None:
    working = asyncio.create_task(asyncio.to_thread(work, sessions, redis_url, bells))
    async with api.post("/api/v1/ask", json=question(inbox)) as response:
        assert response.status == 200, await response.text()
        answer = await response.json()
    assert (await working)["messages"][0]["text"] == "How long may I return a tent?"
    assert {name: answer[name] for name in RESULT if name != "summary"} == {
        name: value for name, value in RESULT.items() if name != "summary"
    }
    assert "summary" not in answer
    assert UUID(answer["run_id"])


async def test_sentences_are_streamed_before_the_result(
    api: Client, inbox: str, sessions: sessionmaker[Session], redis_url: str, bells: Bells
) -> None:
    working = asyncio.create_task(asyncio.to_thread(work, sessions, redis_url, bells))
    async with api.post("/api/v1/ask?stream=1", json=question(inbox)) as response:
        assert response.content_type == "text/event-stream"
        blocks = (await response.text()).split("\n\n")
    await working
    events = [block.split("\n") for block in blocks if block.startswith("event: ")]
    assert [event[0] for event in events] == [
        "event: sentence",
        "event: sentence",
        "event: result",
    ]
    assert json.loads(events[0][1].removeprefix("data: ")) == {"text": "You have 60 days."}
    assert json.loads(events[-1][1].removeprefix("data: "))["action"] == "answer"


async def test_a_lost_bell_does_not_lose_the_answer(
    api: Client,
    inbox: str,
    sessions: sessionmaker[Session],
    bells: Bells,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ask, "LOOK_SECONDS", 0.2)

    def work_in_silence() -> None:
        _, argument = bells.wait()
        with sessions.begin() as session:
            store_result(session, UUID(argument), {**RESULT, "run_id": argument}, state="done")

    working = asyncio.create_task(asyncio.to_thread(work_in_silence))
    async with api.post("/api/v1/ask", json=question(inbox)) as response:
        assert (await response.json())["action"] == "answer"
    await working


@pytest.mark.parametrize(("text", "language"), [("Anyone?", "en"), ("有人吗？", "zh")])
async def test_nobody_answers_in_time_is_a_handoff_and_the_run_is_given_up(
    settings: Settings,
    token: str,
    inbox: str,
    sessions: sessionmaker[Session],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    language: str,
) -> None:
    monkeypatch.setattr(ask, "GRACE_SECONDS", 0.3)
    app = build_web(replace(settings, answer_timeout_s=0))
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        TestClient(TestServer(app), headers=headers) as api,
        api.post("/api/v1/ask", json=question(inbox, text)) as response,
    ):
        answer = await response.json()
    assert (answer["action"], answer["reason"]) == ("handoff", "deadline")
    assert answer["language"] == language
    with sessions() as session:
        run = session.scalars(select(AnswerRun)).one()
        assert run.state == "abandoned"
        assert text.encode() not in (run.request_sealed or b"")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"inbox": "nowhere", "messages": [{"role": "user", "text": "x"}]}, 404),
        ({"inbox": "x", "messages": []}, 422),
        ({"inbox": "x", "messages": [{"role": "bot", "text": "x"}]}, 422),
        ({"inbox": "x", "messages": [{"role": "user", "text": "a\x00"}]}, 422),
        ({"inbox": "x", "messages": [{"role": "system", "text": "x"}]}, 422),
        ({"inbox": "x", "messages": [{"role": "user", "text": "x"}], "model": "y"}, 422),
    ],
)
async def test_a_question_that_cannot_be_asked_is_refused(
    api: Client, body: dict[str, Any], status: int
) -> None:
    async with api.post("/api/v1/ask", json=body) as response:
        assert response.status == status
        assert (await response.json())["error"]["message"]
