"""Every part of a working desk is killed, frozen or emptied, and customers notice nothing wrong.

The long form of the first test is `tests/bench/kill.py`; both use the same desk, visitors and
ledger.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from itertools import zip_longest
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations, transcripts
from bot.database import keyring_from, make_engine, make_sessions
from bot.tables import Conversation
from tests.bench import kill
from tests.faults.desk import COMPONENTS, Desk, make_home
from tests.faults.ledger import Ledger
from tests.faults.points import WEB_POINTS, WORKER_POINTS
from tests.faults.script import Script
from tests.faults.tender import INBOX
from tests.faults.visitor import Visitor
from tests.people import make_agent
from tests.processes import wait_until_gone

pytestmark = pytest.mark.kill

ANSWERED_WITHIN_S = 90.0
LEASE = timedelta(seconds=2)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """A desk with two workers, short leases and quick sweeps."""
    with make_home() as home:
        script = Script(Path(home), lease=LEASE, sweep_s=1.0, sentence_s=0.05, drain_s=1.5)
        made = Desk(script, workers=("worker", "worker2"))
        try:
            made.start()
            yield made
        finally:
            made.abandon()


@pytest.fixture(scope="module")
def sessions(desk: Desk) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(desk.database_url)
    yield make_sessions(engine, keyring_from(desk.master_key))
    engine.dispose()


class Room:
    """The visitors of one test, with their ledger."""

    _names = iter(range(1, 100_000))

    def __init__(self, desk: Desk, http: aiohttp.ClientSession) -> None:
        self.desk = desk
        self.ledger = Ledger()
        self._http = http
        self._listeners: list[asyncio.Task[None]] = []

    async def visitor(self) -> Visitor:
        """Somebody new, who listens."""
        made = Visitor(self._http, self.desk.url, INBOX, str(next(self._names)), self.ledger)
        await made.enter()
        self._listeners.append(asyncio.create_task(made.listen()))
        return made

    async def until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + ANSWERED_WITHIN_S
        while not is_so():
            told = f"{self.ledger.summary()}, {len(self.ledger.waiting)} waiting"
            assert time.monotonic() < deadline, f"it never came to that: {told}"
            await asyncio.sleep(0.02)

    async def until_answered(self) -> None:
        await self.until(lambda: not self.ledger.waiting)

    @contextmanager
    def hung_model(self) -> Iterator[None]:
        """While the block runs, no answer gets any further."""
        file = self.desk.home / "hang"
        file.touch()
        try:
            yield
        finally:
            file.unlink()

    async def leave(self) -> None:
        for task in self._listeners:
            task.cancel()
        await asyncio.gather(*self._listeners, return_exceptions=True)


@asynccontextmanager
async def room_of(desk: Desk) -> AsyncIterator[Room]:
    async with aiohttp.ClientSession() as http:
        room = Room(desk, http)
        try:
            yield room
        finally:
            await room.leave()
        room.ledger.close()
        assert room.ledger.faults() == []


@pytest.fixture
async def room(desk: Desk) -> AsyncIterator[Room]:
    """At its end the ledger must be without a fault."""
    async with room_of(desk) as made:
        yield made


async def test_each_component_is_killed_and_every_message_is_answered_once(room: Room) -> None:
    visitors = [await room.visitor() for _ in range(4)]
    for name in COMPONENTS:
        killed = room.desk.kill(name)
        await asyncio.gather(*(visitor.say() for visitor in visitors))
        await asyncio.to_thread(room.desk.wait_for_another, name, killed)
    await room.until_answered()
    assert len(room.ledger.accepted) == len(visitors) * len(COMPONENTS)


async def test_processes_die_between_any_two_steps(room: Room) -> None:
    for web, worker in zip_longest(WEB_POINTS, WORKER_POINTS):
        visitor = await room.visitor()
        points = [point for point in (web, worker) if point]
        for point in points:
            room.desk.points.arm(point)
        await visitor.say()
        await room.until(lambda armed=points: not any(map(room.desk.points.is_armed, armed)))  # type: ignore[misc]
    await room.until_answered()


async def test_postgres_dies_in_the_middle_of_a_commit(room: Room) -> None:
    visitor = await room.visitor()
    for point in ("web.in_transaction", "worker.in_transaction"):
        room.desk.points.arm(point, room.desk.pid("postgres"))
        await visitor.say()
        await room.until(lambda armed=point: not room.desk.points.is_armed(armed))  # type: ignore[misc]
        await room.until_answered()


async def test_an_emptied_redis_loses_nothing(room: Room) -> None:
    visitors = [await room.visitor() for _ in range(5)]
    with room.hung_model():  # so that bells are waiting when they are wiped out
        for _ in range(3):
            await asyncio.gather(*(visitor.say() for visitor in visitors))
        room.desk.flush_redis()
    await room.until_answered()


async def test_the_same_event_twenty_times_at_once_is_one_turn(room: Room) -> None:
    visitor = await room.visitor()
    await visitor.say_many_times(5)
    await visitor.say_many_times(20)
    await room.until_answered()
    assert len(visitor.stream.asked) == 2


async def test_three_quick_lines_get_one_reply(room: Room) -> None:
    visitor = await room.visitor()
    with room.hung_model():
        await asyncio.gather(*(visitor.say() for _ in range(3)))
    await room.until_answered()
    assert len(visitor.stream.texts()) == 1


async def test_concurrent_senders_are_answered_in_the_order_of_the_conversation(
    room: Room,
) -> None:
    visitors = [await room.visitor() for _ in range(3)]
    await asyncio.gather(*(visitor.say() for visitor in visitors for _ in range(6)))
    await room.until_answered()


async def test_a_frozen_worker_that_wakes_after_its_lease_writes_nothing(room: Room) -> None:
    visitor = await room.visitor()
    room.desk.send("worker2", signal.SIGSTOP)
    try:
        with room.hung_model():
            await visitor.say()
            await room.until(lambda: holders(room.desk) == 1)
            room.desk.send("worker", signal.SIGSTOP)
            room.desk.send("worker2", signal.SIGCONT)
            await room.until(lambda: holders(room.desk) == 0)
        await room.until_answered()
    finally:
        for name in ("worker", "worker2"):
            room.desk.send(name, signal.SIGCONT)
    await asyncio.sleep(1.0)  # it wakes, and finds that it lost its claim
    assert room.ledger.faults() == []


async def test_sigterm_hands_a_hung_answer_to_another_worker(room: Room) -> None:
    visitor = await room.visitor()
    with room.hung_model():
        await visitor.say()
        await room.until(lambda: holders(room.desk) == 1)
        pids = [room.desk.send(name, signal.SIGTERM) for name in ("worker", "worker2")]
        left = await asyncio.to_thread(wait_until_gone, pids, 30.0)
    assert left == [], "a worker that hangs is left behind within the time of a drain"
    await room.until_answered()


@pytest.mark.parametrize("sentences", [0, 1, 3])
async def test_after_a_take_over_the_bot_says_nothing_more(
    room: Room, sessions: sessionmaker[Session], sentences: int
) -> None:
    visitor = await room.visitor()
    number = await visitor.say()
    await room.until(lambda: visitor.stream.sentences >= sentences)
    conversation = conversation_of(sessions, visitor)
    with sessions.begin() as session:
        seq = conversations.take_over(session, conversation, make_agent(session, number)).seq
    await asyncio.sleep(1.0)
    await visitor.say()
    with sessions() as session:
        later = transcripts.events_after(session, conversation, seq)
    assert [(event.kind, event.data.get("author")) for event in later] == [("message", "contact")]
    for sent in room.ledger.accepted:  # they are a person's now
        sent.answered_at = sent.answered_at or time.monotonic()


async def test_a_drained_web_process_loses_no_stream_and_no_message(room: Room) -> None:
    visitors = [await room.visitor() for _ in range(4)]
    pid = room.desk.send("web", signal.SIGTERM)
    await asyncio.gather(*(visitor.say() for visitor in visitors for _ in range(3)))
    assert await asyncio.to_thread(wait_until_gone, [pid], 30.0) == []
    await room.until_answered()


# -- the bench itself ------------------------------------------------------------------------


async def test_the_kill_bench_turns_red_on_a_planted_bug(desk: Desk) -> None:
    plan = kill.Plan(
        messages=8,
        kills=0,
        visitors=2,
        every_s=1.0,
        settle_s=2.0,
        seed=7,
        sabotage="no_dedup",
        copied=1.0,
    )
    ledger = Ledger()
    with planted(desk, ""):  # taken out again at the end, whatever comes
        await kill.attack(plan, desk, ledger)
    assert ledger.doubled


async def test_a_run_without_a_fence_is_seen(desk: Desk) -> None:
    async with aiohttp.ClientSession() as http:
        room = Room(desk, http)
        visitor = await room.visitor()
        with planted(desk, "no_fencing"):
            with room.hung_model():
                await visitor.say()
                await room.until(lambda: holders(desk) == 1)
                await visitor.say()
                await room.until(lambda: tokens(desk) >= 2)
            await room.until(lambda: bool(room.ledger.doubled))
        await room.leave()


async def test_a_run_that_repeats_itself_is_seen(desk: Desk) -> None:
    async with aiohttp.ClientSession() as http:
        room = Room(desk, http)
        visitor = await room.visitor()
        with planted(desk, "no_resume"):
            for _ in range(3):  # what another test left running may pass the point first
                desk.points.arm("worker.between_sentences")
                await visitor.say()
                await room.until_answered()
                if room.ledger.doubled:
                    break
        await room.leave()
    assert room.ledger.doubled


def holders(desk: Desk) -> int:
    """How many claims are held just now."""
    engine = make_engine(desk.database_url, pool_size=1)
    with engine.connect() as connection:
        held = connection.exec_driver_sql(
            "select count(*) from conversation where leased_until > clock_timestamp()"
        ).scalar_one()
    engine.dispose()
    return int(held)


def conversation_of(sessions: sessionmaker[Session], visitor: Visitor) -> UUID:
    """The visitor's conversation: the newest one, as tests run one after the other."""
    with sessions() as session:
        found = session.scalar(
            select(Conversation.id).order_by(Conversation.number.desc()).limit(1)
        )
    assert found is not None
    return found


def tokens(desk: Desk) -> int:
    """How many runs the newest conversation has had."""
    engine = make_engine(desk.database_url, pool_size=1)
    with engine.connect() as connection:
        taken = connection.exec_driver_sql(
            "select lease_token from conversation order by number desc limit 1"
        ).scalar_one()
    engine.dispose()
    return int(taken)


@contextmanager
def planted(desk: Desk, sabotage: str) -> Iterator[None]:
    """The bug is in the desk while the block runs."""
    desk.script.plant(sabotage)
    try:
        yield
    finally:
        desk.script.plant("")
