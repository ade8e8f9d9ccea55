"""Posting to Slack so that a crash doubles nothing: before a retry, look for what arrived."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp

from bot.channel import DeliveryError
from bot.messages import Reply
from bot.tables import now
from channels.slack.accounts import API, Account
from channels.slack.composing import Post, compose, delivery_of, metadata_of, notice_text, part_of
from channels.slack.hearing import Place
from channels.slack.web_api import CALL_SECONDS, WebApi, retry_after

log = logging.getLogger(__name__)

# Our clock and Slack's may differ by so much when "since the first try" is asked for.
CLOCKS_DIFFER = timedelta(minutes=2)
TRIED_AT_ONCE = timedelta(seconds=30)
PAGE, MAX_PAGES = 100, 20
WEBHOOK_HOST = "https://hooks.slack.com/"
POSTED_BY_WEBHOOK = "webhook"
# Nothing that was written pings or fetches: names stay text, addresses are not unfurled.
QUIET = {"parse": "none", "link_names": False}


class Posting:
    """Sends and revises posts over the Web API."""

    def __init__(self, api: WebApi) -> None:
        self._api = api

    async def send(self, account: Account, reply: Reply) -> str:
        """Post what has not arrived yet; returns `channel/ts` of the first part."""
        place = place_of(reply)
        posts = compose(reply)
        arrived = await self._arrived(account, place, reply) if is_retry(reply) else {}
        for post in posts:
            if post.part not in arrived:
                arrived[post.part] = await self._post(account, place, reply, post)
        return f"{place.channel}/{arrived[0]}"

    async def revise(self, account: Account, external_id: str, reply: Reply) -> None:
        """Replace the first part; later parts are posted once the reply is finished."""
        at = Place.parse(external_id)
        first, *rest = compose(reply)
        await self._api.call(
            account,
            "chat.update",
            channel=at.channel,
            ts=at.thread_ts,
            text=first.text,
            blocks=list(first.blocks) or None,
            metadata=metadata_of(reply, 0),
            **QUIET,
        )
        if rest:
            place = place_of(reply)
            arrived = await self._arrived(account, place, reply)
            for post in rest:
                if post.part not in arrived:
                    await self._post(account, place, reply, post)

    async def notify(self, account: Account, reply: Reply) -> str:
        """Tell of a handoff by the incoming webhook, which takes text and answers nothing."""
        url = account.webhook_url
        if url is None or not _is_webhook(account, url):
            raise DeliveryError("The incoming webhook's URL is none of Slack's.", permanent=False)
        if reply.card is None:
            return POSTED_BY_WEBHOOK
        body = {"text": notice_text(reply.card), "unfurl_links": False, "unfurl_media": False}
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(url, json=body, allow_redirects=False) as response,
            ):
                _check_webhook(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise DeliveryError(f"webhook: {type(error).__name__}", permanent=False) from error
        return POSTED_BY_WEBHOOK

    async def since(
        self, account: Account, place: Place, reply: Reply
    ) -> AsyncIterator[dict[str, Any]]:
        """Messages at a place since the delivery was noted."""
        assert reply.queued_at is not None, "a delivery knows when it was noted"
        window = {
            "channel": place.channel,
            "oldest": f"{(reply.queued_at - CLOCKS_DIFFER).timestamp():.6f}",
            "include_all_metadata": True,
            "limit": PAGE,
        }
        method = "conversations.history"
        if place.thread_ts is not None:
            method, window["ts"] = "conversations.replies", place.thread_ts
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._api.call(account, method, cursor=cursor, **window)
            for message in page.get("messages", ()):
                yield message
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return

    async def delivery_at(self, account: Account, channel: str, ts: str) -> str | None:
        """The delivery that a message of our own shows by its metadata; None if it shows none.

        Any app can write such metadata, so the message must be this bot's. Raises DeliveryError.
        """
        page = await self._api.call(
            account,
            "conversations.replies",
            channel=channel,
            ts=ts,
            limit=1,
            include_all_metadata=True,
        )
        for message in page.get("messages", ()):
            writer = (message.get("bot_id"), message.get("user"))
            is_own = None not in writer and writer == (account.bot_id, account.bot_user_id)
            if message.get("ts") == ts and is_own:
                return delivery_of(message)
        return None

    async def _arrived(self, account: Account, place: Place, reply: Reply) -> dict[int, str]:
        """The parts of a reply that earlier tries posted, with their `ts`."""
        arrived: dict[int, str] = {}
        async for message in self.since(account, place, reply):
            part = part_of(message, reply)
            if part is not None:
                arrived[part] = str(message["ts"])
        if arrived:
            log.info("reconciled delivery=%s parts=%d", reply.delivery_id, len(arrived))
        return arrived

    async def _post(self, account: Account, place: Place, reply: Reply, post: Post) -> str:
        posted = await self._api.call(
            account,
            "chat.postMessage",
            channel=place.channel,
            thread_ts=place.thread_ts,
            text=post.text,
            blocks=list(post.blocks) or None,
            metadata=metadata_of(reply, post.part),
            unfurl_links=False,
            unfurl_media=False,
            **QUIET,
        )
        return str(posted["ts"])


def place_of(reply: Reply) -> Place:
    """Where a reply goes: under the card, into the customer's thread, or into the channel.

    Direct messages are one conversation; who wrote in a thread there is answered in it.
    """
    if reply.thread is not None:
        return Place.parse(reply.thread)
    place = Place.parse(reply.destination)
    if reply.kind == "reply" and place.thread_ts is None and reply.in_reply_to:
        _channel, _ts, *root = reply.in_reply_to.partition("#")[0].split("/")
        return Place(place.channel, root[0] if root else None)
    return place


def is_retry(reply: Reply) -> bool:
    """Whether it may have arrived before: tried before, or noted so long ago that it may have
    been, for instance when a person has a failed delivery sent again."""
    assert reply.queued_at is not None, "a delivery knows when it was noted"
    return reply.attempt > 1 or now() - reply.queued_at > TRIED_AT_ONCE


def _is_webhook(account: Account, url: str) -> bool:
    return (
        url.startswith(WEBHOOK_HOST)
        if account.api_base_url == API
        else account.is_trusted_host(url)
    )


def _check_webhook(response: aiohttp.ClientResponse) -> None:
    if response.status == 429:
        wait_s = retry_after(response.headers)
        raise DeliveryError("webhook: rate_limited", permanent=False, retry_after_s=wait_s)
    if response.status != 200:
        is_gone = response.status in (403, 404, 410)
        raise DeliveryError(f"webhook: status {response.status}", permanent=is_gone)
