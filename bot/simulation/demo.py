"""Fills a fictional shop with forty conversations, through the same doors as real ones.

Simulated customers write by chat, e-mail and Slack in two languages, the running desk answers
them, and a few colleagues take over, note, snooze and resolve. Then they are moved back into the
last two weeks, as if they had come one after the other (`demo_days`). The conversations stay; the
doors that they came by are closed at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations
from bot.agents import find_or_add_agent
from bot.conversations import SIMULATED, STAFF_CHANNEL, STAFF_OF, keyed_hash
from bot.policy import PolicySetting, with_policy
from bot.simulation import slack_customers
from bot.simulation.chat_customers import FlakyBrowser
from bot.simulation.demo_days import spread_over_days
from bot.simulation.demo_matters import MATTERS, Matter
from bot.simulation.doors import InboxNames, connect_inboxes, remove_inboxes
from bot.simulation.ledger import Ledger
from bot.simulation.mail_customers import Correspondent
from bot.simulation.mail_world import MailWorld, bounce_of
from bot.simulation.slack_events import SlackEvents
from bot.simulation.slack_workspace import SlackWorkspace
from bot.simulation.stage import BEA, DeskDoors, Stage
from bot.simulation.stage import STAFF_CHANNEL as STAFF_PLACE
from bot.simulation.world import until_doors_are_open
from bot.tables import ContactIdentity, Conversation, Delivery, Inbox, Message, now

NAMES = InboxNames("demo-chat", "demo-email", "demo-slack")
COMPANY, ADDRESS, TEAM = "Larkspur Outdoor", "support@larkspur-demo.example", "T0DEMO"
BEA_NAME, DAN_NAME = "Bea Hartmann (demo)", "Dan Okafor (demo)"
FILLED = "demo_filled"
AT_ONCE = 3
LOOK_EVERY_S = 0.2
LETTER_WITHIN_S = 20.0
# Moved into the past, they would all be reminded of at once, through doors that are closed by then.
UNHURRIED = PolicySetting(remind_after_minutes=0, tell_after_minutes=0)
AS_DRAFTS = UNHURRIED.model_copy(update={"mode": "draft"})


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands in the demo's inboxes. `is_new` says whether it was filled just now."""

    channels: dict[str, int]
    statuses: dict[str, int]
    failed_deliveries: int
    is_new: bool

    @property
    def conversations(self) -> int:
        return sum(self.channels.values())

    def lines(self) -> list[str]:
        """The same in words."""
        channels = ", ".join(f"{name} {count}" for name, count in self.channels.items())
        statuses = ", ".join(f"{name} {count}" for name, count in self.statuses.items())
        begin = "The demo shop has" if self.is_new else "The demo shop was there already:"
        return [
            f"{begin} {self.conversations} conversations: {channels}.",
            f"They are {statuses}; {self.failed_deliveries} deliveries failed, on purpose.",
        ]


async def fill_demo(
    sessions: sessionmaker[Session],
    doors: DeskDoors,
    show: Callable[[str], None] = lambda line: None,
    patience: timedelta = timedelta(minutes=3),
) -> Summary:
    """Fill the demo's inboxes once; a second call only tells what is there.

    Who is not answered within the patience goes on all the same. What an interrupted call left
    is taken away first. Raises SimulationError where the desk does not see the inboxes.
    """
    if await asyncio.to_thread(_is_filled, sessions):
        return await asyncio.to_thread(_summarize, sessions, is_new=False)
    await asyncio.to_thread(remove_inboxes, sessions, "demo")
    async with _open_doors(sessions, doors) as stage:
        await until_doors_are_open(stage, sessions, NAMES)
        await asyncio.to_thread(_set_policy, sessions, NAMES.all, UNHURRIED)
        demo = _Demo(sessions, stage, patience, show)
        mixed = random.Random(0).sample(MATTERS, len(MATTERS))
        await demo.tell([matter for matter in mixed if matter.then != "draft"])
        await asyncio.to_thread(_set_policy, sessions, [NAMES.email], AS_DRAFTS)
        await demo.tell([matter for matter in MATTERS if matter.then == "draft"])
        await demo.until_delivered()
    await asyncio.to_thread(_spread, sessions)
    await asyncio.to_thread(_close_doors, sessions)
    return await asyncio.to_thread(_summarize, sessions, is_new=True)


@contextlib.asynccontextmanager
async def _open_doors(sessions: sessionmaker[Session], doors: DeskDoors) -> AsyncIterator[Stage]:
    mail, slack = MailWorld(company=ADDRESS), SlackWorkspace(TEAM, f"xoxb-{secrets.token_hex(16)}")
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(mail)
        await stack.enter_async_context(slack.serve())
        slack_customers.people(slack)
        slack.add_user(BEA, BEA_NAME)
        signing = secrets.token_hex(16)
        events = SlackEvents(
            doors.url, signing, slack, team_id=TEAM, retries_after_s=(0.5, 2.0, 4.0)
        )
        http = await stack.enter_async_context(aiohttp.ClientSession())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="frontdesk-demo-"))
        await asyncio.to_thread(
            connect_inboxes,
            *(sessions, NAMES, mail, slack, events, Path(folder)),
            mark="demo",
            company=COMPANY,
        )
        dice = random.Random(0)
        yield Stage(doors, NAMES.chat, Ledger(), mail, slack, events, http, dice)


class _Demo:
    """The customers and the colleagues of one filling."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        stage: Stage,
        patience: timedelta,
        show: Callable[[str], None],
    ) -> None:
        self._sessions = sessions
        self._stage = stage
        self._patience_s = patience.total_seconds()
        self._show = show
        self._told = 0
        self._free = asyncio.Semaphore(AT_ONCE)

    async def tell(self, matters: list[Matter]) -> None:
        """All of these, a few at once."""
        async with asyncio.TaskGroup() as group:
            for matter in matters:
                group.create_task(self._tell_one(matter))

    async def until_delivered(self) -> None:
        """Until no reply is under way any more."""
        await self._until(lambda: asyncio.to_thread(_is_delivered, self._sessions))

    async def _tell_one(self, matter: Matter) -> None:
        ways = {"chat": self._by_chat, "email": self._by_mail, "slack": self._by_slack}
        async with self._free:
            conversation_id = await ways[matter.channel](matter)
            if conversation_id is not None:
                await self._attend(matter, conversation_id)
        self._told += 1
        self._show(f"conversation {self._told} of {len(MATTERS)}: {matter.channel}, {matter.then}")

    async def _by_chat(self, matter: Matter) -> UUID | None:
        exchange = self._stage.ledger.begin("chat", "demo", most=9)
        found: UUID | None = None
        who = FlakyBrowser(self._stage, exchange, name=matter.who)
        async with who.visiting() as browser:
            for count, line in enumerate(matter.lines, start=1):
                is_wish = matter.wants_person and count == len(matter.lines)
                await browser.say(line, path="/chat/person" if is_wish else "/chat/messages")
                await self._until(lambda: _soon(browser.conversation))
                found = await self._until_answered(("number", browser.conversation or 0), count)
        return found

    async def _by_mail(self, matter: Matter) -> UUID | None:
        who = Correspondent.arrive(self._stage)
        customer, mail = who.customer, self._stage.mail
        customer.name = matter.who
        who.begin("demo")
        if matter.then == "fail":
            mail.smtp.refused[customer.address] = "550 5.1.1 Nobody of that name is here"
        found: UUID | None = None
        for count, line in enumerate(matter.lines, start=1):
            headers = _NEWSLETTER if matter.then == "newsletter" else None
            letter = customer.letters[-1] if customer.letters else None
            raw = (
                customer.write(ADDRESS, line, subject=matter.subject, headers=headers)
                if letter is None
                else customer.reply(letter, line)
            )
            await mail.post(raw)
            found = await self._until_answered(("address", customer.address), count)
            if matter.then in ("leave", "resolve", "bounce", "away"):
                await self._until(lambda: _soon(len(customer.letters)), LETTER_WITHIN_S)
        if customer.letters and matter.then == "bounce":
            await mail.post(bounce_of(customer.letters[-1]))
        if customer.letters and matter.then == "away":
            absent = {"Auto-Submitted": "auto-replied", "Subject": "Out of office"}
            text = "I am out of the office until Monday."
            answered = customer.letters[-1]
            await mail.post(customer.write(ADDRESS, text, answers=answered, headers=absent))
        return found

    async def _by_slack(self, matter: Matter) -> UUID | None:
        slack = self._stage.slack
        user = await slack_customers.arrive(self._stage)
        slack.add_user(user, matter.who)
        found: UUID | None = None
        for count, line in enumerate(matter.lines, start=1):
            await self._stage.events.write(user, slack_customers.direct_of(user), line)
            found = await self._until_answered(("address", user), count)
        return found

    async def _attend(self, matter: Matter, conversation_id: UUID) -> None:
        """What colleagues do about it."""
        if matter.then == "slack":
            await self._answer_in_slack(conversation_id)
        else:
            await asyncio.to_thread(_act, self._sessions, matter, conversation_id)

    async def _answer_in_slack(self, conversation_id: UUID) -> None:
        def hand_off() -> int:
            with self._sessions.begin() as session:
                conversations.hand_off(session, conversation_id, "requested")
                return session.get_one(Conversation, conversation_id).number

        number = await asyncio.to_thread(hand_off)

        def cards() -> list[dict[str, Any]]:
            posts = self._stage.slack.posts(STAFF_PLACE)
            return [post for post in posts if f"onversation {number} " in post["text"] + " "]

        if await self._until(lambda: _soon(cards()), LETTER_WITHIN_S):
            card = cards()[0]
            events = self._stage.events
            await events.click(BEA, STAFF_PLACE, card, "frontdesk_take_over")
            text = "Bea here: I have asked our buyers and will write to you today."
            await events.write(BEA, STAFF_PLACE, text, thread_ts=card["ts"])

    async def _until_answered(self, key: tuple[str, str | int], count: int) -> UUID | None:
        """The conversation, once its first `count` messages are answered, or the patience over."""
        await self._until(lambda: asyncio.to_thread(_is_answered, self._sessions, key, count))
        return await asyncio.to_thread(_find_id, self._sessions, key)

    async def _until(self, look: Callable[[], Any], within_s: float | None = None) -> bool:
        deadline = time.monotonic() + (within_s or self._patience_s)
        while time.monotonic() < deadline:
            if await look():
                return True
            await asyncio.sleep(LOOK_EVERY_S)
        return False


_NEWSLETTER = {
    "List-Id": "<news.outdoor.example>",
    "List-Unsubscribe": "<https://outdoor.example/leave>",
    "Precedence": "bulk",
    "Auto-Submitted": "auto-generated",
}


async def _soon(found: object) -> object:
    return found


# -- what stands in the database -----------------------------------------------------------------


def _of_demo() -> Any:
    return Conversation.inbox_id.in_(select(Inbox.id).where(Inbox.name.in_(NAMES.all)))


def _find(session: Session, key: tuple[str, str | int]) -> Conversation | None:
    """The demo's conversation of this number, or the newest with a customer of this address."""
    kind, value = key
    query = select(Conversation).where(_of_demo())
    if kind == "number":
        query = query.where(Conversation.number == value)
    else:
        address = keyed_hash(session, "address", str(value))
        query = query.join(
            ContactIdentity, ContactIdentity.contact_id == Conversation.contact_id
        ).where(ContactIdentity.address_hash == address)
    return session.scalars(query.order_by(Conversation.number.desc()).limit(1)).one_or_none()


def _find_id(sessions: sessionmaker[Session], key: tuple[str, str | int]) -> UUID | None:
    with sessions() as session:
        found = _find(session, key)
        return found.id if found else None


def _is_answered(sessions: sessionmaker[Session], key: tuple[str, str | int], count: int) -> bool:
    with sessions() as session:
        found = _find(session, key)
        if found is None or found.unanswered_since is not None:
            return False
        query = select(func.count()).where(
            Message.conversation_id == found.id, Message.author == "contact"
        )
        return (session.scalar(query) or 0) >= count


def _is_delivered(sessions: sessionmaker[Session]) -> bool:
    with sessions() as session:
        under_way = select(Delivery.id).join(
            Conversation, Conversation.id == Delivery.conversation_id
        )
        waits = Delivery.state.in_(("pending", "sending"))
        return session.scalar(under_way.where(_of_demo(), waits).limit(1)) is None


def _act(sessions: sessionmaker[Session], matter: Matter, conversation_id: UUID) -> None:
    """What a colleague does at their desk."""
    with sessions.begin() as session:
        bea = find_or_add_agent(session, BEA_NAME)
        dan = find_or_add_agent(session, DAN_NAME)
        if matter.then == "wait":
            conversations.hand_off(session, conversation_id, "requested")
        elif matter.then == "take":
            conversations.take_over(session, conversation_id, dan)
            note = "Asked the carrier for the damage report."
            conversations.reply_as_agent(session, conversation_id, dan, note, private=True)
        elif matter.then == "answer":
            text = "This is Bea: I am looking into it and will write again within the hour."
            conversations.reply_as_agent(session, conversation_id, bea, text)
            note = "Dan, please call the workshop."
            conversations.reply_as_agent(session, conversation_id, bea, note, private=True)
        elif matter.then == "snooze":
            conversations.take_over(session, conversation_id, bea)
            conversations.snooze(session, conversation_id, now() + timedelta(days=1))
        elif matter.then == "resolve":
            conversations.resolve(session, conversation_id)
        elif matter.helped_by and session.get_one(Conversation, conversation_id).status == "open":
            conversations.reply_as_agent(session, conversation_id, bea, matter.helped_by)
            conversations.resolve(session, conversation_id)
        if matter.rating:
            conversations.rate_conversation(session, conversation_id, matter.rating, "")


def _set_policy(
    sessions: sessionmaker[Session], names: Sequence[str], policy: PolicySetting
) -> None:
    with sessions.begin() as session:
        for inbox in session.scalars(select(Inbox).where(Inbox.name.in_(names))):
            inbox.settings = with_policy(inbox.settings, policy)


def _spread(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        query = select(Inbox.id).where(Inbox.name.in_(NAMES.all))
        spread_over_days(session, session.scalars(query).all())


def _close_doors(sessions: sessionmaker[Session]) -> None:
    """The worlds outside are gone: nothing is listened to, and no handoff calls anybody."""
    closed = dict.fromkeys(("bot_token", "signing_secret", "webhook_url"))
    with sessions.begin() as session:
        for inbox in session.scalars(select(Inbox).where(Inbox.name.in_(NAMES.all))):
            kept = {
                name: value
                for name, value in inbox.settings.items()
                if name not in (STAFF_CHANNEL, STAFF_OF, "email", "email_secret")
            }
            if inbox.channel == "email":
                kept["email"] = {"address": ADDRESS, "display_name": COMPANY}
            if inbox.channel == "slack":
                kept["slack"] = {"team_id": TEAM, **closed}
            inbox.settings = {**kept, SIMULATED: "demo", FILLED: True}


def _is_filled(sessions: sessionmaker[Session]) -> bool:
    with sessions() as session:
        query = select(Inbox.id).where(Inbox.settings.contains({FILLED: True}))
        return len(session.scalars(query).all()) == len(NAMES.all)


def _summarize(sessions: sessionmaker[Session], *, is_new: bool) -> Summary:
    with sessions() as session:
        query = select(Inbox.channel, Conversation.status).join(
            Conversation, Conversation.inbox_id == Inbox.id
        )
        found = [(channel, status) for channel, status in session.execute(query.where(_of_demo()))]
        failed = select(func.count(Delivery.id)).join(
            Conversation, Conversation.id == Delivery.conversation_id
        )
        count = session.scalar(failed.where(_of_demo(), Delivery.state == "failed")) or 0
    channels = Counter(str(channel) for channel, _ in found)
    statuses = Counter(str(status) for _, status in found)
    return Summary(dict(channels), dict(statuses), count, is_new)
