"""Customers in Slack, and Slack's own bad days: each function is one story."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from bot.simulation.ledger import Exchange
from bot.simulation.slack_events import sign
from bot.simulation.slack_workspace import BOT_USER, SlackWorkspace
from bot.simulation.stage import BEA, SHOP_CHANNEL, STAFF_CHANNEL, Stage

ANSWERED_WITHIN_S = 300.0
LOOK_EVERY_S = 0.3
TOO_OLD_S = 600.0
GUESS = "a guess"
# A person answers no card within the moment in which its post is still being confirmed.
BEA_READS_S = 4.0


async def arrive(stage: Stage) -> str:
    """Somebody new in the workspace, with direct messages to the bot; returns their id."""
    number = len(stage.slack.users)
    user = stage.slack.add_user(f"U0CUSTOMER{number}", f"Customer {number}")
    stage.slack.open_direct(user)
    stage.slack.add_channel(SHOP_CHANNEL, user)
    return user


def direct_of(user: str) -> str:
    """The channel of somebody's direct messages."""
    return f"D{user[1:]}"


async def follow(
    stage: Stage, exchange: Exchange, channel: str, thread_ts: str | None = None
) -> None:
    """Note the bot's posts in a place until the exchange is settled. One delivery is one reply."""
    seen: dict[tuple[str, int], str] = {}
    deadline = time.monotonic() + ANSWERED_WITHIN_S
    quiet_until = 0.0
    while time.monotonic() < deadline and not 0 < quiet_until < time.monotonic():
        for post in stage.slack.posts(channel, thread_ts):
            delivery, part = _delivery_of(post)
            if seen.setdefault((delivery, part), post["ts"]) != post["ts"]:
                stage.ledger.double(exchange, f"post {post['ts']} repeats part {part}")
                seen[delivery, part] = post["ts"]
            elif part == 0 and delivery not in exchange.replies:
                exchange.reply(delivery, "person" if post["text"].startswith("Bea") else "bot")
        if exchange.is_settled and not quiet_until:
            quiet_until = time.monotonic() + 2.0
        elif not exchange.is_settled:
            quiet_until = 0.0
        await asyncio.sleep(LOOK_EVERY_S)


def _delivery_of(post: dict[str, Any]) -> tuple[str, int]:
    payload = (post.get("metadata") or {}).get("event_payload") or {}
    return str(payload.get("delivery", post["ts"])), int(payload.get("part", 0))


# -- the stories -----------------------------------------------------------------------------


async def writes_directly(stage: Stage) -> None:
    """A direct message."""
    user, exchange = await arrive(stage), stage.ledger.begin("slack", "direct message")
    await stage.events.write(user, direct_of(user), stage.ask(exchange))
    await follow(stage, exchange, direct_of(user))


async def mentions_in_a_channel(stage: Stage) -> None:
    """A mention comes as two events; the answer belongs to its thread."""
    user, exchange = await arrive(stage), stage.ledger.begin("slack", "mention")
    text = f"<@{BOT_USER}> {stage.ask(exchange)}"
    message, _ = await stage.events.write(user, SHOP_CHANNEL, text)
    await stage.events.tell(message, SHOP_CHANNEL, type="app_mention")
    await follow(stage, exchange, SHOP_CHANNEL, message["ts"])


async def is_told_many_times(stage: Stage) -> None:
    """Slack delivers one event ten times at once."""
    user, exchange = await arrive(stage), stage.ledger.begin("slack", "told ten times")
    message = stage.slack.say(user, direct_of(user), stage.ask(exchange))
    event = stage.events.message_event(message, direct_of(user))
    envelope = stage.events.envelope(event)
    await asyncio.gather(*(stage.events.deliver(envelope) for _ in range(10)))
    await follow(stage, exchange, direct_of(user))


async def is_told_late(stage: Stage) -> None:
    """The line broke in the first delivery; only Slack's retry arrives."""
    user, exchange = await arrive(stage), stage.ledger.begin("slack", "first delivery failed")
    message = stage.slack.say(user, direct_of(user), stage.ask(exchange))
    event = stage.events.message_event(message, direct_of(user))
    body = json.dumps(stage.events.envelope(event)).encode()
    with contextlib.suppress(OSError):
        await _break_off(stage, body)
    retry = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
    await stage.events.post("/slack/events", body, headers=retry)
    await follow(stage, exchange, direct_of(user))


async def is_rate_limited(stage: Stage) -> None:
    """Slack says 429 to the answer, and once drops it after it was posted."""
    user, exchange = await arrive(stage), stage.ledger.begin("slack", "429 and a lost answer")
    stage.slack.fail("chat.postMessage", "rate_limited", retry_after_s=1)
    stage.slack.fail("chat.postMessage", "drop_after")
    await stage.events.write(user, direct_of(user), stage.ask(exchange))
    await follow(stage, exchange, direct_of(user))


async def is_another_bot(stage: Stage) -> None:
    """Messages of bots, and edits, are not answered."""
    user = await arrive(stage)
    message = stage.slack.say(user, direct_of(user), "Beep.", bot_id="B0OTHER")
    answer = await stage.events.tell(message, direct_of(user))
    edit = {**message, "subtype": "message_changed", "hidden": True}
    await stage.events.tell(edit, direct_of(user))
    await asyncio.sleep(2.0)
    is_silent = answer.is_taken and not stage.slack.posts(direct_of(user))
    stage.ledger.refuse("slack", "another bot's message", is_refused=is_silent)


async def signs_badly(stage: Stage) -> None:
    """Requests that are not Slack's, or too old."""
    user = await arrive(stage)
    message = stage.slack.say(user, direct_of(user), "Let me in.")
    event = stage.events.message_event(message, direct_of(user))
    body = json.dumps(stage.events.envelope(event)).encode()
    forged = await stage.events.post("/slack/events", body, secret=GUESS)
    stage.ledger.refuse("slack", "a bad signature", is_refused=forged.status == 401)
    old = await stage.events.post("/slack/events", body, sent_at=time.time() - TOO_OLD_S)
    stage.ledger.refuse("slack", "an old request", is_refused=old.status == 401)


async def _break_off(stage: Stage, body: bytes) -> None:
    """A signed request of which only half arrives."""
    url, stamp = urlsplit(stage.doors.url), str(int(time.time()))
    _, writer = await asyncio.open_connection(url.hostname, url.port or 80)
    head = (
        f"POST /slack/events HTTP/1.1\r\nHost: {url.netloc}\r\n"
        f"X-Slack-Request-Timestamp: {stamp}\r\n"
        f"X-Slack-Signature: {sign(stage.events.signing_secret, stamp, body)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body[: len(body) // 2])
    await writer.drain()
    writer.close()


STORIES = (
    writes_directly,
    signs_badly,
    is_told_many_times,
    mentions_in_a_channel,
    is_told_late,
    is_another_bot,
    is_rate_limited,
)


# -- the staff -------------------------------------------------------------------------------


async def answer_handoffs(stage: Stage) -> None:
    """Bea reads the cards and the notices of the staff's channel and answers under them."""
    read: set[str] = set()
    async with asyncio.TaskGroup() as group:
        while True:
            for post in stage.slack.posts(STAFF_CHANNEL):
                if post["ts"] not in read:
                    read.add(post["ts"])
                    group.create_task(_answer_post(stage, post))
            await asyncio.sleep(LOOK_EVERY_S)


async def _answer_post(stage: Stage, post: dict[str, Any]) -> None:
    found = stage.ledger.find(json.dumps([post["text"], post.get("blocks", [])]))
    if found is None or found[0] in found[1].handed_off:
        return
    mark, exchange = found
    is_first = not exchange.is_handed_off
    stage.ledger.hand_off(exchange, mark)
    if exchange.wants != "answer" or not exchange.people_answer or not is_first:
        return
    exchange.expect_person()
    await asyncio.sleep(BEA_READS_S)
    if "frontdesk_take_over" in _buttons(post.get("blocks", [])):
        await stage.events.click(BEA, STAFF_CHANNEL, post, "frontdesk_take_over")
    text = f"This is Bea: I have looked into it, {exchange.marks[-1]}."
    root = post.get("thread_ts") or post["ts"]
    _, taken = await stage.events.write(BEA, STAFF_CHANNEL, text, thread_ts=root)
    if not taken.is_taken:
        told = f"{exchange}: Bea's answer was not taken ({taken.status})"
        stage.ledger.wrong.append(("slack", told))


def _buttons(blocks: Sequence[dict[str, Any]]) -> list[str]:
    return [
        element["action_id"]
        for block in blocks
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def people(slack: SlackWorkspace) -> None:
    """The channels and the staff of the workspace."""
    slack.add_user(BEA, "Bea (simulated)")
    slack.add_channel(STAFF_CHANNEL, BEA)
    slack.add_channel(SHOP_CHANNEL)
