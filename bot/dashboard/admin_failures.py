"""What did not work: replies that did not arrive, and work of ours that failed; each again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import admin_payloads as payloads
from bot.dashboard.failed_tasks import KINDS, Kind, TaskAgain, failed_tasks, run_again
from bot.dashboard.payloads import Nothing
from bot.dashboard.signed_in import signed_in
from bot.delivery import FailedDelivery, failed_deliveries, send_again
from bot.events import Publisher
from bot.privacy.audit import Actor, note
from bot.queue import Queue
from bot.web.addressed import uuid_of
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MOST = 200


class AdminFailures:
    """The routes of the page Failures."""

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], queue: Queue, publisher: Publisher
    ) -> None:
        self._sessions = sessions
        self._queue = queue
        self._publisher = publisher

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/desk/api/admin/deliveries", self.list_deliveries),
            web.post("/desk/api/admin/deliveries/{delivery}/send-again", self.send_again),
            web.get("/desk/api/admin/tasks", self.list_tasks),
            web.post("/desk/api/admin/tasks/{kind}/{id}/run-again", self.run_again),
        ]

    @access("supervisor")
    async def list_deliveries(self, _request: web.Request) -> web.Response:
        """Replies that were given up, the latest first."""
        async with self._sessions() as session:
            found = await session.run_sync(failed_deliveries, MOST)
        return answer_with(payloads.DeliveriesOut(items=[_delivery(each) for each in found]))

    @access("supervisor")
    async def send_again(self, request: web.Request) -> web.Response:
        """It is due from now on."""
        wanted = uuid_of(request, "delivery")
        await read_json(request, Nothing, 1024)
        async with self._sessions.begin() as session:
            await session.run_sync(_send_again, signed_in(request).actor, wanted)
        return web.Response(status=204)

    @access("supervisor")
    async def list_tasks(self, _request: web.Request) -> web.Response:
        """Answers that were given up, articles that could not be read, files not fetched."""
        async with self._sessions() as session:
            found = await session.run_sync(failed_tasks, MOST)
        items = [
            payloads.TaskRow(
                kind=task.kind,
                id=str(task.id),
                about=task.about,
                conversation=task.conversation,
                error=task.error,
                at=task.at,
            )
            for task in found
        ]
        return answer_with(payloads.TasksOut(items=items))

    @access("supervisor")
    async def run_again(self, request: web.Request) -> web.Response:
        """Committed first, then rung for."""
        kind, wanted = _kind(request.match_info["kind"]), uuid_of(request, "id")
        await read_json(request, Nothing, 1024)
        async with self._sessions.begin() as session:
            again = await session.run_sync(_run_again, signed_in(request).actor, kind, wanted)
        await asyncio.to_thread(self._ring, again)
        return web.Response(status=204)

    def _ring(self, again: TaskAgain) -> None:
        if again.advance is not None:
            self._publisher.advanced(again.advance)
        if again.article_id is not None:
            self._queue.enqueue_index(again.article_id)
        if again.conversation_id is not None and again.channel is not None:
            self._queue.enqueue_answer(again.conversation_id, again.channel)


def _send_again(session: Session, actor: Actor, delivery_id: UUID) -> None:
    if not send_again(session, delivery_id):
        raise _nothing()
    note(session, actor, "delivery.send-again", str(delivery_id))


def _run_again(session: Session, actor: Actor, kind: Kind, wanted: UUID) -> TaskAgain:
    again = run_again(session, kind, wanted)
    if again is None:
        raise _nothing()
    note(session, actor, "task.run-again", str(wanted), {"kind": kind})
    return again


def _delivery(found: FailedDelivery) -> payloads.DeliveryRow:
    return payloads.DeliveryRow(
        id=str(found.id),
        conversation=found.conversation,
        inbox=found.inbox,
        channel=found.channel,
        author=found.author,
        attempts=found.attempts,
        error=found.error,
        created_at=found.created_at,
    )


def _kind(text: str) -> Kind:
    if text not in KINDS:
        raise _nothing()
    return KINDS[text]


def _nothing() -> Refusal:
    return Refusal(404, "not_found", "There is nothing here that failed, or not any more.")
