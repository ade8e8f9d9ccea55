"""`POST /api/v1/ask`: a question through the queue to a worker, its sentences back as they come."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.api.endpoints import Endpoint, QueryParameter, answer_with
from bot.api.inboxes import inbox_id_of
from bot.api.models import AskAnswer, AskRequest
from bot.events import Hub, run_topic
from bot.queue import Queue
from bot.tables import AnswerRun, new_id
from bot.web.bodies import read_json
from bot.web.event_stream import HEARTBEAT_SECONDS, next_payload, open_stream
from bot.web.refusals import Refusal
from bot.web.rules import access

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
LOOK_SECONDS = 5.0
# The worker keeps the deadline itself; this much more is for the queue and the way back.
GRACE_SECONDS = 5.0
DEADLINE_TEXT = {
    "zh": "抱歉，我没能及时查到答案。您的问题已保存，同事会继续跟进。",
    "en": "Sorry, I could not find the answer in time. A colleague will look into your question.",
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A checked sentence, as the worker published it."""

    text: str


class Ask:
    """The endpoint; `timeout_s` is how long a worker may take."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        hub: Hub,
        queue: Queue,
        timeout_s: float,
    ) -> None:
        self._sessions = sessions
        self._hub = hub
        self._queue = queue
        self._timeout_s = timeout_s + GRACE_SECONDS

    def endpoints(self) -> Sequence[Endpoint]:
        return [
            Endpoint(
                "POST",
                "/ask",
                self.ask,
                "Answer a question from an inbox's articles.",
                AskAnswer,
                body=AskRequest,
                query=[
                    QueryParameter(
                        "stream",
                        "1 gives server-sent events: `sentence` {text} as each is checked, "
                        "then one `result`, which is the answer.",
                    )
                ],
                streams=True,
            )
        ]

    @access("token")
    async def ask(self, request: web.Request) -> web.StreamResponse:
        """The answer as JSON, or sentence by sentence with `?stream=1`."""
        asked = await read_json(request, AskRequest, MAX_BODY_BYTES)
        _check_turns(asked)
        run_id = new_id()
        async with self._hub.listen(run_topic(run_id)) as bells:
            async with self._sessions.begin() as session:
                await session.run_sync(write_question, run_id, asked)
            await asyncio.to_thread(self._queue.enqueue_ask, run_id)
            follow = self._follow(run_id, bells, asked)
            if request.query.get("stream") not in (None, "", "0"):
                return await _stream(request, follow)
            answer = [item async for item in follow if isinstance(item, AskAnswer)][-1]
            return answer_with(answer)

    async def _follow(
        self, run_id: UUID, bells: asyncio.Queue[dict[str, Any]], asked: AskRequest
    ) -> AsyncIterator[Sentence | AskAnswer | None]:
        """Sentences, then the answer; None now and then, to keep a stream alive."""
        deadline = time.monotonic() + self._timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            payload = await next_payload(bells, min(left_s, LOOK_SECONDS))
            if payload and "sentence" in payload:
                yield Sentence(payload["sentence"])
                continue
            async with self._sessions() as session:
                answer = await session.run_sync(read_answer, run_id)
            if answer is not None:
                yield answer
                return
            yield None
        async with self._sessions.begin() as session:
            await session.run_sync(give_up, run_id)
        log.warning("no answer in time run=%s", run_id)
        yield _too_late(run_id, asked, self._timeout_s)


def write_question(session: Session, run_id: UUID, asked: AskRequest) -> None:
    """A sealed answer_run that waits for a worker. Raises a 404 Refusal without the inbox."""
    run = AnswerRun(id=run_id, inbox_id=inbox_id_of(session, asked.inbox), state="queued")
    run.request = json.dumps(asked.model_dump(include={"messages", "locale"}), ensure_ascii=False)
    session.add(run)
    session.flush()


def read_answer(session: Session, run_id: UUID) -> AskAnswer | None:
    """The stored answer, once the run is done."""
    run = session.get(AnswerRun, run_id, populate_existing=True)
    if run is None or not run.result:
        return None
    return AskAnswer.model_validate_json(run.result)


def give_up(session: Session, run_id: UUID) -> None:
    """Nobody waits any more: a worker that has not begun need not begin."""
    session.execute(
        update(AnswerRun)
        .where(AnswerRun.id == run_id, AnswerRun.state == "queued")
        .values(state="abandoned")
    )


async def _stream(
    request: web.Request, follow: AsyncIterator[Sentence | AskAnswer | None]
) -> web.StreamResponse:
    async with open_stream(request) as stream:
        last_beat = time.monotonic()
        async for item in follow:
            if isinstance(item, Sentence):
                await stream.send("sentence", {"text": item.text})
            elif item is not None:
                await stream.send("result", item.model_dump(mode="json"))
            elif time.monotonic() - last_beat > HEARTBEAT_SECONDS:
                last_beat = time.monotonic()
                await stream.beat()
    return stream.response


def _check_turns(asked: AskRequest) -> None:
    if asked.messages[-1].role not in ("user", "contact"):
        raise Refusal(422, "invalid", "messages: the last one must be the customer's (`user`).")
    if any("\x00" in turn.text for turn in asked.messages):
        raise Refusal(422, "invalid", "messages: a text holds a NUL character.")


def _too_late(run_id: UUID, asked: AskRequest, waited_s: float) -> AskAnswer:
    language = "zh" if _is_chinese(asked) else "en"
    return AskAnswer(
        action="handoff",
        text=DEADLINE_TEXT[language],
        confidence=0.0,
        citations=[],
        language=language,
        reason="deadline",
        run_id=str(run_id),
        timings={"total_ms": round(waited_s * 1000, 1)},
    )


def _is_chinese(asked: AskRequest) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in asked.messages[-1].text)
