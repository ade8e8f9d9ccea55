"""Failed deliveries over the API: the list, and send again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bot.api import models
from bot.api.endpoints import CURSOR, LIMIT, Endpoint, answer_with, read_limit
from bot.delivery import FailedDelivery, failed_deliveries, send_again
from bot.web.addressed import uuid_of
from bot.web.bodies import read_json
from bot.web.refusals import Refusal
from bot.web.rules import access


class Deliveries:
    """The endpoints."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    def endpoints(self) -> Sequence[Endpoint]:
        return [
            Endpoint(
                "GET",
                "/deliveries/failed",
                self.list_failed,
                "List replies that did not arrive, the latest first.",
                models.FailedDeliveryPage,
                query=[CURSOR, LIMIT],
            ),
            Endpoint(
                "POST",
                "/deliveries/{delivery}/send-again",
                self.send_again,
                "Try a failed delivery anew.",
                None,
                body=models.Nothing,
                status=204,
            ),
        ]

    @access("token")
    async def list_failed(self, request: web.Request) -> web.Response:
        """A page; the cursor is the time of the last one of the page before."""
        limit, before = read_limit(request), _read_cursor(request)
        async with self._sessions() as session:
            found = await session.run_sync(failed_deliveries, limit + 1, before)
        items = [_delivery(each) for each in found[:limit]]
        more = len(found) > limit
        return answer_with(
            models.FailedDeliveryPage(
                items=items, next_cursor=items[-1].created_at.isoformat() if more else None
            )
        )

    @access("token")
    async def send_again(self, request: web.Request) -> web.Response:
        """It is due from now on."""
        await read_json(request, models.Nothing, 1024)
        delivery_id = uuid_of(request, "delivery")
        async with self._sessions.begin() as session:
            if not await session.run_sync(send_again, delivery_id):
                raise _nothing()
        return web.Response(status=204)


def _read_cursor(request: web.Request) -> datetime | None:
    text = request.query.get("cursor")
    if text is None:
        return None
    try:
        cursor = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Refusal(422, "invalid", "cursor: not one that this API gave.") from error
    if cursor.tzinfo is None:
        raise Refusal(422, "invalid", "cursor: not one that this API gave.")
    return cursor


def _delivery(found: FailedDelivery) -> models.FailedDelivery:
    return models.FailedDelivery(
        id=str(found.id),
        conversation=found.conversation,
        inbox=found.inbox,
        channel=found.channel,
        author=found.author,
        attempts=found.attempts,
        error=found.error,
        created_at=found.created_at,
    )


def _nothing() -> Refusal:
    return Refusal(404, "not_found", "There is no failed delivery of this id.")
