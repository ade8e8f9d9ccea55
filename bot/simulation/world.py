"""A simulation from beginning to end: doors open, customers come, and the ledger is closed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import secrets
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot.messages import ChannelName
from bot.simulation import chat_customers, mail_customers, slack_customers
from bot.simulation.doors import InboxNames, questions_of, temporary_inboxes
from bot.simulation.ledger import CHANNELS, Ledger, first_mark
from bot.simulation.mail_world import MailWorld
from bot.simulation.slack_events import SlackEvents
from bot.simulation.slack_workspace import SlackWorkspace
from bot.simulation.stage import QUESTIONS, DeskDoors, Stage
from bot.tables import Inbox, MailboxWatermark

Story = Callable[[Stage], Awaitable[None]]
STORIES: dict[ChannelName, Sequence[Story]] = {
    "chat": chat_customers.STORIES,
    "email": mail_customers.STORIES,
    "slack": slack_customers.STORIES,
}
DOORS_OPEN_WITHIN_S = 60.0
LOOK_EVERY_S = 1.0
READ_WITHIN_S = 60.0


class SimulationError(Exception):
    """The simulation cannot run; the message says what to look at."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long customers come, how they are drawn, and how long answers are waited for.

    So many customers of a channel are served at once at most: a slow model is not flooded.
    Setting `stop` ends it at once: whoever is still served is let go.
    """

    lasting: timedelta = timedelta(minutes=1)
    channels: tuple[ChannelName, ...] = CHANNELS
    seed: int = 0
    pause_s: float = 2.0
    at_once: int = 4
    patience: timedelta = timedelta(minutes=3)
    quiet_s: float = 4.0
    stop: asyncio.Event = field(default_factory=asyncio.Event)


async def run_world(
    sessions: sessionmaker[Session],
    doors: DeskDoors,
    plan: Plan,
    show: Callable[[str], None] = lambda line: None,
) -> Ledger:
    """Let customers write to a running desk, and return what came of it.

    Raises SimulationError where the desk does not see the temporary inboxes. However this
    ends, they are removed.
    """
    ledger = Ledger(show)
    names = InboxNames.of(secrets.token_hex(3))
    async with open_world(sessions, doors, names, ledger, plan.seed) as stage:
        opening = until_doors_are_open(stage, sessions, names, plan.channels)
        if await _before_stop(plan, opening):
            staff = asyncio.create_task(slack_customers.answer_handoffs(stage))
            try:
                deadline = time.monotonic() + (plan.lasting + plan.patience).total_seconds()
                await _before_stop(plan, _let_customers_come(stage, plan, deadline))
                await _before_stop(plan, _until_quiet(stage, plan, names, deadline))
            finally:
                staff.cancel()
                await asyncio.gather(staff, return_exceptions=True)
        await _close(stage, plan, names)
    return ledger


async def _before_stop(plan: Plan, work: Coroutine[None, None, None]) -> bool:
    """Do the work; let go of it where somebody asks to stop, and return False then."""
    task, stop = asyncio.create_task(work), asyncio.create_task(plan.stop.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        is_done = task.done()
        for each in (task, stop):
            each.cancel()
        await asyncio.wait({task, stop})
    if not task.cancelled():
        task.result()  # what went wrong is raised here
    return is_done and not plan.stop.is_set()


async def _close(stage: Stage, plan: Plan, names: InboxNames) -> None:
    """Judge what was seen. Who stops early wants the table even of a desk that is away by now."""
    is_cut_short = plan.stop.is_set()
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            stored = await read_stored(stage, names)
    except (aiohttp.ClientError, TimeoutError):
        if not is_cut_short:
            raise
        stored = {}
    stage.ledger.close(stored, is_cut_short=is_cut_short)


@contextlib.asynccontextmanager
async def open_world(
    sessions: sessionmaker[Session],
    doors: DeskDoors,
    names: InboxNames,
    ledger: Ledger,
    seed: int = 0,
) -> AsyncIterator[Stage]:
    """All servers of the world outside, and the desk connected to them, while the block lasts."""
    suffix = names.chat.rpartition("-")[2]
    mail = MailWorld(company=f"support@simulation-{suffix}.example")
    slack = SlackWorkspace(f"T0SIM{suffix.upper()}", f"xoxb-simulated-{secrets.token_hex(16)}")
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(mail)
        await stack.enter_async_context(slack.serve())
        slack_customers.people(slack)
        secret = secrets.token_hex(16)
        events = SlackEvents(
            doors.url, secret, slack, team_id=slack.team_id, retries_after_s=(0.5, 2.0, 4.0)
        )
        http = await stack.enter_async_context(aiohttp.ClientSession())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="frontdesk-simulation-"))
        # Connecting asks the workspace who it is, so this loop must go on meanwhile.
        inboxes = temporary_inboxes(sessions, names, mail, slack, events, Path(folder))
        await asyncio.to_thread(inboxes.__enter__)
        stack.push_async_callback(_leave, inboxes)
        found = await asyncio.to_thread(questions_of, sessions)
        dice = random.Random(seed)
        yield Stage(doors, names.chat, ledger, mail, slack, events, http, dice, found or QUESTIONS)


async def _leave(inboxes: contextlib.AbstractContextManager[None]) -> None:
    await asyncio.shield(asyncio.to_thread(inboxes.__exit__, None, None, None))


async def until_doors_are_open(
    stage: Stage,
    sessions: sessionmaker[Session],
    names: InboxNames,
    channels: Sequence[ChannelName] = CHANNELS,
) -> None:
    """The desk looks for new inboxes every few seconds. Raises SimulationError."""
    challenge = json.dumps({"type": "url_verification", "challenge": "open?"}).encode()
    deadline = time.monotonic() + DOORS_OPEN_WITHIN_S
    stage.ledger.tell("", "waiting for the desk to see the temporary inboxes")
    while "email" in channels and not await asyncio.to_thread(_is_read, sessions, names.email):
        _give_up_after(deadline, "The channels process does not read the temporary mailbox")
        await asyncio.sleep(0.2)
    while (await stage.events.post("/slack/events", challenge)).status != 200:
        _give_up_after(deadline, "The web process does not take the temporary workspace's events")
        await asyncio.sleep(0.5)


def _is_read(sessions: sessionmaker[Session], name: str) -> bool:
    """Whether the mailbox was opened: what lay in it before then is nobody's question."""
    query = select(MailboxWatermark.uid_validity).join(Inbox, Inbox.id == MailboxWatermark.inbox_id)
    with sessions() as session:
        return any(session.scalars(query.where(Inbox.name == name)))


def _give_up_after(deadline: float, what: str) -> None:
    if time.monotonic() > deadline:
        raise SimulationError(f"{what}: is everything up? `./frontdesk doctor` tells.")


async def _let_customers_come(stage: Stage, plan: Plan, deadline: float) -> None:
    """Every channel's stories in turn, until the time is over; then those who came finish."""
    ends_at = time.monotonic() + plan.lasting.total_seconds()
    async with asyncio.TaskGroup() as group:
        for channel in plan.channels:
            coming = _tell_stories(stage, plan, channel, ends_at, deadline)
            group.create_task(coming)


async def _tell_stories(
    stage: Stage, plan: Plan, channel: ChannelName, ends_at: float, deadline: float
) -> None:
    free = asyncio.Semaphore(plan.at_once)

    async def tell(story: Story) -> None:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await story(stage)
        except TimeoutError:
            stage.ledger.tell(channel, f"! {story.__name__}: waited long enough")
        except (ValueError, OSError, aiohttp.ClientError) as error:
            stage.ledger.wrong.append((channel, f"{story.__name__}: {error}"))
        finally:
            free.release()

    async with asyncio.TaskGroup() as group:
        for story in itertools.cycle(STORIES[channel]):
            await free.acquire()
            if time.monotonic() >= ends_at:
                return
            group.create_task(tell(story))
            await asyncio.sleep(plan.pause_s * stage.dice.uniform(0.7, 1.3))


async def _until_quiet(stage: Stage, plan: Plan, names: InboxNames, deadline: float) -> None:
    """Wait for what is under way, and then for what might come twice."""
    ledger, told = stage.ledger, -1
    while time.monotonic() < deadline:
        stored = await read_stored(stage, names)
        left = len(ledger.waiting) + len(ledger.missing(stored))
        if not left:
            break
        if left != told:
            ledger.tell("", f"waiting for {left} more")
            told = left
        await asyncio.sleep(LOOK_EVERY_S)
    await asyncio.sleep(plan.quiet_s)


async def read_stored(stage: Stage, names: InboxNames) -> dict[str, list[int]]:
    """By the desk's own API: in which conversations the message of each mark stands."""
    stored: dict[str, list[int]] = defaultdict(list)
    for number in await _conversations(stage, names):
        found = await stage.get(f"/conversations/{number}/messages?limit=200")
        for message in found["items"]:
            mark = first_mark(message["text"])
            if mark is not None and message["author"] == "contact":
                stored[mark].append(number)
    return dict(stored)


async def _conversations(stage: Stage, names: InboxNames) -> list[int]:
    """The numbers of the simulated conversations; before the first one there are only others."""
    numbers: list[int] = []
    cursor = ""
    while True:
        page = await stage.get(f"/conversations?limit=200{cursor}")
        own = [one["number"] for one in page["items"] if one["inbox"] in names.all]
        numbers += own
        if not own or page["next_cursor"] is None:
            return numbers
        cursor = f"&cursor={page['next_cursor']}"
