"""The least that echoes through a database, a queue and a stream: what the echo is measured by.

`python -m tests.bench.peer web|worker`. aiohttp takes a message, inserts it and pushes its id to
Redis; another process takes the id, inserts the reply and publishes it; the stream tells it. No
encryption, no sessions, no leases, no retries, no history, one statement a step.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import defaultdict
from typing import Any

import psycopg
import redis
import redis.asyncio
import uvloop
from aiohttp import web
from psycopg_pool import AsyncConnectionPool

from bot.redis_url import redis_py_url

QUEUE, BELL = "peer:queue", "peer:bell"
SCHEMA = """
create table if not exists peer_message (
    id bigint generated always as identity primary key,
    visitor text not null,
    author text not null,
    body text not null,
    reply_to bigint unique
)
"""


def conninfo() -> str:
    return os.environ["DATABASE_URL"].replace("postgresql+psycopg://", "postgresql://")


class Peer:
    """The web process."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[asyncio.Queue[str]]] = defaultdict(set)
        self._redis = redis.asyncio.Redis.from_url(
            redis_py_url(os.environ["REDIS_URL"]), socket_timeout=None
        )
        self._pool = AsyncConnectionPool(conninfo(), min_size=10, max_size=20, open=False)

    def application(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.post("/say", self.say), web.get("/events", self.events)])
        app.cleanup_ctx.append(self._run)
        return app

    async def say(self, request: web.Request) -> web.Response:
        told = await request.json()
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "insert into peer_message (visitor, author, body) values (%s, 'contact', %s)"
                " returning id",
                (told["visitor"], told["text"]),
            )
            row = await cursor.fetchone()
        assert row is not None
        await self._redis.lpush(QUEUE, row[0])
        return web.json_response({"id": row[0]}, status=201)

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._listeners[request.query["visitor"]].add(queue)
        while True:
            body = await queue.get()
            data = json.dumps({"text": body})
            await response.write(f"event: sentence\ndata: {data}\n\n".encode())

    async def _run(self, _app: web.Application) -> Any:
        await self._pool.open()
        hearing = asyncio.create_task(self._hear())
        yield
        hearing.cancel()
        await self._pool.close()
        await self._redis.aclose()

    async def _hear(self) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.subscribe(BELL)
            async for message in pubsub.listen():
                if message["type"] == "message":
                    await self._tell(int(message["data"]))

    async def _tell(self, reply_id: int) -> None:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "select visitor, body from peer_message where id = %s", (reply_id,)
            )
            row = await cursor.fetchone()
        assert row is not None
        for queue in self._listeners[row[0]]:
            queue.put_nowait(row[1])


def work() -> None:
    """The worker process: one message after the other, for ever."""
    # Waits as long as it takes; redis-py would give up after some seconds.
    client = redis.Redis.from_url(redis_py_url(os.environ["REDIS_URL"]), socket_timeout=None)
    with psycopg.connect(conninfo(), autocommit=True) as connection:
        while True:
            taken: Any = client.brpop([QUEUE])
            reply = connection.execute(
                "insert into peer_message (visitor, author, body, reply_to)"
                " select visitor, 'bot', 'This answers ' || body, id"
                " from peer_message where id = %s returning id",
                (int(taken[1]),),
            ).fetchone()
            assert reply is not None
            client.publish(BELL, reply[0])


def main() -> None:
    if sys.argv[1] == "worker":
        work()
    else:
        with psycopg.connect(conninfo()) as connection:
            connection.execute(SCHEMA)
        web.run_app(
            Peer().application(),
            host="127.0.0.1",
            port=int(os.environ["FRONTDESK_PORT"]),
            print=None,
            access_log=None,
            loop=uvloop.new_event_loop(),
        )


if __name__ == "__main__":
    main()
