"""The API's routes, its guard and its own description."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bot.api.articles import Articles
from bot.api.ask import Ask
from bot.api.deliveries import Deliveries
from bot.api.desk import Desk
from bot.api.endpoints import HOLDER, Endpoint
from bot.api.openapi import make_document
from bot.api.originals import Originals
from bot.api_tokens import find_holder
from bot.events import Hub, Publisher
from bot.queue import Queue
from bot.web.rules import access, bearer_token, unauthorized


class Api:
    """Everything under /api/v1."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        hub: Hub,
        queue: Queue,
        publisher: Publisher,
        *,
        answer_timeout_s: float,
        version: str,
    ) -> None:
        self._sessions = sessions
        self._endpoints: list[Endpoint] = [
            *Ask(sessions, hub, queue, answer_timeout_s).endpoints(),
            *Articles(sessions, queue).endpoints(),
            *Desk(sessions, queue, publisher).endpoints(),
            *Originals(sessions).endpoints(),
            *Deliveries(sessions).endpoints(),
            Endpoint("GET", "/openapi.json", self.describe, "This document.", None, is_public=True),
        ]
        self._version = version

    @cached_property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document; made when somebody asks for it first."""
        return make_document(self._endpoints, self._version)

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [endpoint.route for endpoint in self._endpoints]

    async def authenticate(self, request: web.Request) -> None:
        """The guard of `token` routes."""
        token = bearer_token(request)
        async with self._sessions() as session:
            holder = await session.run_sync(find_holder, token)
        if holder is None:
            raise unauthorized("The API token is wrong or was revoked.")
        request[HOLDER] = holder

    @access("public")
    async def describe(self, _request: web.Request) -> web.Response:
        """The OpenAPI document."""
        return web.json_response(text=json.dumps(self.document, ensure_ascii=False))
