"""`frontdesk ask` against a running web process, with a worker whose answer is written down."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot.api_tokens import ensure_token, new_token
from bot.app import build_web
from bot.ask_command import Event, read_events
from bot.conversations import store_result
from bot.events import Publisher, run_topic
from bot.settings import Settings
from bot.tables import AnswerRun, Inbox
from tests.people import make_inbox
from tests.shell import Finished, Shell

ANSWER = {
    "action": "answer",
    "text": "You have 30 days. Shoes must be unworn.",
    "confidence": 0.93,
    "citations": [
        {"external_id": "r", "title": "Returns\x1b[2J", "quote": "q", "score": 0.9, "used": True},
        {"external_id": "s", "title": "Sizes", "quote": "q", "score": 0.2, "used": False},
        {
            **{"external_id": "x", "title": "Exchanges", "quote": "q", "score": 0.3},
            **{"used": False, "suggested": True},
        },
    ],
    "language": "en",
    "reason": "supported",
    "timings": {"total_ms": 900.0},
}


class ScriptedWorker(threading.Thread):
    """Answers the next question that waits in the database with these sentences."""

    def __init__(self, sessions: sessionmaker[Session], redis_url: str, *sentences: str) -> None:
        super().__init__(daemon=True)
        self._sessions = sessions
        self._publisher = Publisher(redis_url)
        self._sentences = sentences
        self.asked = ""

    def run(self) -> None:
        with closing(self._publisher):
            while (run_id := self._find()) is None:
                threading.Event().wait(0.02)
            for sentence in self._sentences:
                self._publisher.publish(run_topic(run_id), {"sentence": sentence})
            with self._sessions.begin() as session:
                store_result(session, run_id, {**ANSWER, "run_id": str(run_id)}, state="done")
            self._publisher.publish(run_topic(run_id), {"done": True})

    def _find(self) -> UUID | None:
        with self._sessions() as session:
            run = session.scalars(select(AnswerRun)).first()
            self.asked = run.request if run is not None else ""
            return run.id if run is not None else None


@pytest.fixture
async def shell(
    settings: Settings, sessions: sessionmaker[Session], tmp_path: Path
) -> AsyncIterator[Shell]:
    """A shell that finds a web process and its token."""
    token_file = tmp_path / "api-token"
    token_file.write_text(new_token(), encoding="utf-8")
    with sessions.begin() as session:
        ensure_token(session, "operator", token_file.read_text(encoding="utf-8"))
        session.get_one(Inbox, make_inbox(session)).name = "website"
    async with TestServer(build_web(settings)) as server:
        yield Shell(
            {
                "FRONTDESK_API_URL": str(server.make_url("")),
                "FRONTDESK_API_TOKEN_FILE": str(token_file),
            }
        )


@pytest.fixture
def worker(sessions: sessionmaker[Session], settings: Settings) -> ScriptedWorker:
    made = ScriptedWorker(
        sessions, settings.redis_url or "", "You have 30 days.", "Shoes must be unworn."
    )
    made.start()
    return made


async def ask(shell: Shell, *arguments: str) -> Finished:
    return await asyncio.to_thread(shell.run, "ask", *arguments)


async def test_an_answer_comes_with_the_sources_it_rests_on(
    shell: Shell, worker: ScriptedWorker
) -> None:
    finished = await ask(shell, "How long can I return shoes?")
    assert finished.status == 0
    assert finished.out.splitlines() == [
        "You have 30 days. Shoes must be unworn.",
        "  [1] Returns␛[2J  0.90",
        "  [3] Exchanges  0.30",
    ]
    assert json.loads(worker.asked)["messages"] == [
        {"role": "user", "text": "How long can I return shoes?"}
    ]


async def test_with_json_the_last_line_is_exactly_the_response(
    shell: Shell, worker: ScriptedWorker
) -> None:
    finished = await ask(shell, "How long?", "--json", "--locale", "en")
    response = json.loads(finished.out.splitlines()[-1])
    assert {name: response[name] for name in ("action", "text", "confidence")} == {
        "action": "answer",
        "text": "You have 30 days. Shoes must be unworn.",
        "confidence": 0.93,
    }
    assert [citation["used"] for citation in response["citations"]] == [True, False, False]
    assert [each["suggested"] for each in response["citations"]] == [False, False, True]
    assert json.loads(worker.asked)["locale"] == "en"


async def test_an_unknown_inbox_is_one_line(shell: Shell) -> None:
    finished = await ask(shell, "Hello?", "--inbox", "nowhere")
    assert finished.status == 1
    assert finished.err == "frontdesk: There is no inbox named 'nowhere'. There are: website.\n"


async def test_a_desk_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x" * 40, encoding="utf-8")
    shell = Shell(
        {"FRONTDESK_API_URL": "http://127.0.0.1:1", "FRONTDESK_API_TOKEN_FILE": str(token)}
    )
    finished = await ask(shell, "Hello?")
    assert finished.status == 1
    assert "does not answer" in finished.err
    assert len(finished.err.splitlines()) == 1


async def test_metrics_are_told_to_who_holds_the_token_and_to_nobody_else(shell: Shell) -> None:
    token = Path(shell.environ["FRONTDESK_API_TOKEN_FILE"]).read_text(encoding="utf-8")
    address = shell.environ["FRONTDESK_API_URL"].rstrip("/") + "/metrics"
    async with aiohttp.ClientSession() as client:
        async with client.get(address) as refused:
            assert refused.status == 401
        async with client.get(address, headers={"Authorization": f"Bearer {token}"}) as told:
            assert told.status == 200
            body = await told.text()
    found = {family.name for family in text_string_to_metric_families(body)}
    assert {"frontdesk_messages", "frontdesk_open_streams", "frontdesk_queue_length"} <= found


# -- the stream ------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.sampled_from(["sentence", "result"]), st.dictionaries(st.text(), st.text()))
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_events_read_back_as_they_were_written(
    events: list[tuple[str, dict[str, str]]], end: str
) -> None:
    lines = [
        f"event: {name}{end}:a comment{end}data: {json.dumps(data)}{end}{end}"
        for name, data in events
    ]
    stream = io.BytesIO("".join(lines).encode())
    assert list(read_events(stream)) == [Event(name, data) for name, data in events]


def test_an_event_that_was_cut_off_is_no_event() -> None:
    assert list(read_events(io.BytesIO(b'event: result\ndata: {"a": 1}\n'))) == []
