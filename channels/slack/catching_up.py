"""Reads what was written in Slack while Frontdesk was away for longer than Slack retries.

No watermark is kept apart: in each place the newest message that is stored is how far it was read.
What was ignored before is ignored again by the same rules, and what is stored is known by its id.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.conversations import UNDER_CARD, is_forgotten
from bot.tables import Conversation, Delivery, Message, now
from channels.slack.accounts import Account
from channels.slack.hearing import Heard, Ignored, Place, hear
from channels.slack.payloads import MessageEvent
from channels.slack.web_api import WebApi

log = logging.getLogger(__name__)

# An answer to what is older than this would be a surprise.
LOOK_BACK = timedelta(days=3)
# Places where nobody wrote for longer than this are not asked for.
KNOWN_FOR = timedelta(days=30)
MOST_MESSAGES, MOST_CARDS = 5_000, 100
PAGE, MAX_PAGES = 100, 10

Hear = Callable[[Account, Heard], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Spot:
    """A channel, or one of its threads, and the `ts` up to which it was read."""

    place: Place
    since: str


class CatchingUp:
    """Asks for the history of known places and hands on what is new in it."""

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], api: WebApi, hear_again: Hear
    ) -> None:
        self._sessions = sessions
        self._api = api
        self._hear_again = hear_again

    async def catch_up(self, account: Account) -> int:
        """Take in what was missed; returns how many messages were looked at.

        Raises DeliveryError where Slack does not tell: a scope is missing, or it is too much.
        """
        async with self._sessions() as session:
            spots = await session.run_sync(find_spots, account)
        looked_at = 0
        for spot in spots:
            for event in sorted(await self._missed(account, spot), key=lambda one: float(one.ts)):
                looked_at += 1
                heard = hear(event, account)
                if not isinstance(heard, Ignored) and not await self._is_forgotten(account, heard):
                    await self._hear_again(account, heard)
        if looked_at:
            log.info("caught up inbox=%s messages=%d", account.inbox_id, looked_at)
        return looked_at

    async def _missed(self, account: Account, spot: Spot) -> list[MessageEvent]:
        place = spot.place
        window: dict[str, Any] = {"channel": place.channel, "oldest": spot.since, "limit": PAGE}
        method = "conversations.history"
        if place.thread_ts is not None:
            method, window["ts"] = "conversations.replies", place.thread_ts
        found: list[MessageEvent] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._api.call(account, method, cursor=cursor, **window)
            found += _events(place.channel, page.get("messages", ()))
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return [event for event in found if float(event.ts) > float(spot.since)]

    async def _is_forgotten(self, account: Account, heard: Heard) -> bool:
        async with self._sessions() as session:
            return await session.run_sync(is_forgotten, account.inbox_id, heard.external_id)


def find_spots(session: Session, account: Account) -> list[Spot]:
    """The places where customers of this account wrote, and the threads of cards that are open."""
    oldest = f"{(now() - LOOK_BACK).timestamp():.6f}"
    newest: dict[Place, str] = {}
    for place, ts in (*_customers(session, account), *_cards(session, account)):
        newest[place] = max(newest.get(place, oldest), ts, key=float)
    return [Spot(place, since) for place, since in newest.items()]


def _customers(session: Session, account: Account) -> Iterator[tuple[Place, str]]:
    query = (
        select(Message.external_id)
        .where(
            Message.inbox_id == account.inbox_id,
            Message.author == "contact",
            Message.external_id.is_not(None),
            Message.created_at > now() - KNOWN_FOR,
        )
        .order_by(Message.created_at.desc())
        .limit(MOST_MESSAGES)
    )
    for external_id in session.scalars(query):
        channel, ts, *root = str(external_id).partition("#")[0].split("/")
        if root:
            yield Place(channel, root[0]), ts
        else:
            yield Place(channel), ts
            if not channel.startswith("D"):  # the thread that a mention begins
                yield Place(channel, ts), ts


def _cards(session: Session, account: Account) -> Iterator[tuple[Place, str]]:
    query = (
        select(Delivery.external_id, Delivery.conversation_id)
        .join(Conversation, Conversation.id == Delivery.conversation_id)
        .where(
            Delivery.kind == "card",
            Delivery.via_inbox_id == account.inbox_id,
            Delivery.external_id.like(f"{account.staff_channel}/%"),
            Delivery.created_at > now() - KNOWN_FOR,
            Conversation.status.in_(("open", "snoozed")),
        )
        .order_by(Delivery.created_at.desc())
        .limit(MOST_CARDS)
    )
    cards = session.execute(query).all()
    for external_id, conversation_id in cards:
        place = Place.parse(str(external_id))
        yield place, str(place.thread_ts)
        written = select(Message.client_id).where(
            Message.conversation_id == conversation_id,
            Message.client_id.startswith(f"{UNDER_CARD}{place.channel}/"),
        )
        for client_id in session.scalars(written):
            yield place, str(client_id).split("/")[1]


def _events(channel: str, messages: Iterable[dict[str, Any]]) -> Iterator[MessageEvent]:
    """Messages of a history as the events that would have told of them."""
    for message in messages:
        try:
            event = MessageEvent.model_validate({**message, "type": "message", "channel": channel})
            float(event.ts)
        except (ValidationError, ValueError):
            continue
        yield event
