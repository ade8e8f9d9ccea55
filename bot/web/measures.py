"""`/metrics` for Prometheus, to whoever holds an API token: it tells how much business there is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from aiohttp import web
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bot.events import Hub
from bot.metrics import CONTENT_TYPE, Metrics
from bot.queue import Queue
from bot.web.rules import access

log = logging.getLogger(__name__)


class Measures:
    """Counts at each scrape; while Redis is away all but the queues is told."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], queue: Queue, hub: Hub) -> None:
        self._sessions = sessions
        self._queue = queue
        self._hub = hub
        self._metrics = Metrics()

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [web.get("/metrics", self.tell)]

    @access("token")
    async def tell(self, _request: web.Request) -> web.Response:
        """All metrics in Prometheus' text format."""
        lengths = await self._lengths()
        async with self._sessions() as session:
            await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            body = await session.run_sync(
                self._metrics.render, lengths, open_streams=self._hub.listeners
            )
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    async def _lengths(self) -> Mapping[str, int]:
        try:
            return await asyncio.to_thread(self._queue.lengths)
        except (OperationalError, RedisError, OSError) as error:
            log.warning("queues not counted error=%s", type(error).__name__)
            return {}
