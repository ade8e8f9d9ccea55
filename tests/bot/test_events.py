"""Bells for browsers: heard by who listens, kept by nobody, made good after a break."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from bot import events
from bot.events import Advance, Hub, Publisher, conversation_topic, run_topic
from bot.redis_url import redis_py_url
from tests.faults.desk import make_home
from tests.faults.valkey import OwnValkey

WITHIN_S = 20.0


@pytest.fixture
def publisher(redis_url: str) -> Iterator[Publisher]:
    made = Publisher(redis_url)
    yield made
    made.close()


@pytest.fixture
async def hub(redis_url: str) -> AsyncIterator[Hub]:
    made = Hub(redis_url)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def valkey() -> Iterator[OwnValkey]:
    with make_home() as home:
        made = OwnValkey(Path(home))
        yield made
        made.stop()


async def heard(queue: asyncio.Queue[dict[str, Any]]) -> dict[str, Any]:
    return await asyncio.wait_for(queue.get(), WITHIN_S)


async def test_a_bell_is_heard_by_who_listens_to_its_topic(hub: Hub, publisher: Publisher) -> None:
    conversation, other = uuid4(), uuid4()
    async with hub.listen(conversation_topic(conversation)) as queue:
        assert await heard(queue) == {}, "at first: look, for bells may have been missed"
        publisher.advanced(Advance(other, 1))
        publisher.advanced(Advance(conversation, 7))
        assert await heard(queue) == {"seq": 7}
        assert queue.empty()


async def test_one_queue_hears_several_topics(hub: Hub, publisher: Publisher) -> None:
    run, conversation = uuid4(), uuid4()
    async with hub.listen(run_topic(run), conversation_topic(conversation)) as queue:
        assert await heard(queue) == {}
        publisher.publish(run_topic(run), {"sentence": "你好"})
        publisher.advanced(Advance(conversation, 2))
        assert [await heard(queue), await heard(queue)] == [{"sentence": "你好"}, {"seq": 2}]


async def test_nobody_listens_after_the_block(hub: Hub) -> None:
    topic = conversation_topic(uuid4())
    async with hub.listen(topic):
        assert topic in hub._listeners
    assert topic not in hub._listeners


async def test_a_full_queue_forgets_bells_and_breaks_nothing(hub: Hub) -> None:
    topic = conversation_topic(uuid4())
    async with hub.listen(topic) as queue:
        for _ in range(queue.maxsize + 10):
            hub.wake_all()
        assert queue.full()


def test_redis_keeps_nothing_of_what_was_published(publisher: Publisher, redis_url: str) -> None:
    publisher.publish(run_topic(uuid4()), {"sentence": "Rumpelstilzchen"})
    client = redis.Redis.from_url(redis_py_url(redis_url))
    assert client.dbsize() == 0
    client.close()


async def test_after_redis_was_killed_everybody_looks_again(valkey: OwnValkey) -> None:
    hub, publisher = Hub(valkey.url), Publisher(valkey.url)
    await hub.start()
    conversation = uuid4()
    async with hub.listen(conversation_topic(conversation)) as queue:
        assert await heard(queue) == {}
        valkey.kill()
        publisher.advanced(Advance(conversation, 3))  # nobody hears this one
        valkey.start()
        assert await heard(queue) == {}
        for _ in range(200):
            publisher.advanced(Advance(conversation, 4))
            await asyncio.sleep(0.05)
            if not queue.empty():
                break
        assert await heard(queue) == {"seq": 4}
    await hub.close()
    publisher.close()


async def test_a_redis_that_hangs_is_left_and_found_again(
    valkey: OwnValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection through a firewall that forgot it looks the same: open, and silent."""
    monkeypatch.setattr(events, "QUIET_SECONDS", 0.2)
    hub = Hub(valkey.url)
    await hub.start()
    async with hub.listen("any") as queue:
        assert await heard(queue) == {}
        valkey.freeze()
        await asyncio.sleep(1.0)
        valkey.wake()
        assert await heard(queue) == {}
    await hub.close()


def test_without_redis_a_bell_is_logged_once_and_nothing_breaks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAUSE_SECONDS", 60.0)
    nobody = Publisher(f"unix://{tmp_path}/nobody.sock")
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            nobody.advanced(Advance(uuid4(), 1))
    assert caplog.text.count("bell not rung") == 1
    nobody.close()
