"""Bells carry ids only, ring in their queue, and never hold up who rings."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from bot import queue as queue_module
from bot.messages import ChannelName
from bot.queue import ANSWER_TASK, BATCH, INTERACTIVE, KNOWLEDGE, Queue
from bot.redis_url import redis_py_url
from tests.faults.desk import make_home
from tests.faults.valkey import OwnValkey


@pytest.fixture
def queue(redis_url: str) -> Iterator[Queue]:
    made = Queue(redis_url)
    yield made
    made.close()


@pytest.fixture
def valkey() -> Iterator[OwnValkey]:
    with make_home() as home:
        made = OwnValkey(Path(home))
        yield made
        made.stop()


def waiting(redis_url: str, queue: str) -> list[dict[str, Any]]:
    """The raw messages of a queue."""
    client = redis.Redis.from_url(redis_py_url(redis_url))
    raw: Any = client.lrange(f"frontdesk:{queue}", 0, -1)
    client.close()
    return [json.loads(one) for one in raw]


@pytest.mark.parametrize(
    ("channel", "name"), [("chat", INTERACTIVE), ("slack", INTERACTIVE), ("email", BATCH)]
)
def test_a_bell_rings_in_the_queue_of_its_channel(
    queue: Queue, channel: ChannelName, name: str
) -> None:
    assert queue.enqueue_answer(uuid4(), channel)
    assert queue.lengths() == {INTERACTIVE: 0, BATCH: 0, KNOWLEDGE: 0} | {name: 1}


def test_a_bell_carries_an_id_and_nothing_else(queue: Queue, redis_url: str) -> None:
    conversation = uuid4()
    queue.enqueue_answer(conversation, "chat")
    [bell] = waiting(redis_url, INTERACTIVE)
    arguments, options, _ = json.loads(base64.b64decode(bell["body"]))
    assert bell["headers"]["task"] == ANSWER_TASK
    assert (arguments, options) == ([str(conversation)], {})


def test_questions_and_articles_have_bells_of_their_own(queue: Queue) -> None:
    queue.enqueue_ask(uuid4())
    queue.enqueue_index(uuid4())
    assert queue.lengths() == {INTERACTIVE: 1, BATCH: 0, KNOWLEDGE: 1}


def test_without_redis_a_bell_is_logged_and_nothing_breaks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = Queue(f"redis+socket://{tmp_path}/nobody.sock?virtual_host=0")
    conversation = uuid4()
    with caplog.at_level(logging.WARNING):
        assert not nobody.enqueue_answer(conversation, "chat")
    assert f"bell not rung task={ANSWER_TASK} id={conversation}" in caplog.text
    assert nobody.ping_workers(0.1) == []
    nobody.close()


def test_after_redis_was_killed_bells_ring_again(
    valkey: OwnValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "PAUSE_SECONDS", 0.0)
    queue = Queue(valkey.url)
    assert queue.enqueue_answer(uuid4(), "chat")
    valkey.kill()
    assert not queue.enqueue_answer(uuid4(), "chat")
    assert not queue.enqueue_answer(uuid4(), "chat")
    assert queue.ping_workers(0.1) == []
    valkey.start()
    assert queue.enqueue_answer(uuid4(), "chat")
    queue.close()


def test_a_redis_that_hangs_is_not_asked_by_each_bell(
    valkey: OwnValkey, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every acknowledgement of a message would wait for it."""
    monkeypatch.setattr(queue_module, "PAUSE_SECONDS", 60.0)
    queue = Queue(valkey.url)
    assert queue.enqueue_answer(uuid4(), "chat")
    valkey.freeze()
    with caplog.at_level(logging.WARNING):
        assert [queue.enqueue_answer(uuid4(), "chat") for _ in range(20)] == [False] * 20
    valkey.wake()
    assert caplog.text.count("bell not rung") == 1, "only the first one tried"
    queue.close()
