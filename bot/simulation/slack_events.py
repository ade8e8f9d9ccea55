"""What Slack sends to a desk: signed events with its three retries, and clicks on buttons."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.simulation.slack_workspace import APP, BOT_USER, TEAM, SlackWorkspace

# Slack tries again at once, after a minute and after five; a test need not wait so long.
RETRIES_AFTER_S = (0.0, 60.0, 300.0)
ANSWER_WITHIN_S = 3.0


@dataclass(frozen=True)
class Answer:
    """How the desk answered a request; `status` is 0 where it did not. Times are seconds."""

    status: int
    body: str
    took_s: float
    tries: int = 1

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300


class SlackEvents:
    """Signs and sends, as one Slack app that is installed in a workspace."""

    def __init__(
        self,
        desk_url: str,
        signing_secret: str,
        workspace: SlackWorkspace,
        *,
        team_id: str = TEAM,
        app_id: str = APP,
        retries_after_s: Sequence[float] = RETRIES_AFTER_S,
    ) -> None:
        self.desk_url = desk_url.rstrip("/")
        self.signing_secret = signing_secret
        self.workspace = workspace
        self.team_id = team_id
        self.app_id = app_id
        self.retries_after_s = retries_after_s
        self._numbers = itertools.count(1)

    def envelope(self, event: dict[str, Any], **more: Any) -> dict[str, Any]:
        """An event in its wrapping, with an `event_id` of its own."""
        authorization = {
            "team_id": self.team_id,
            "enterprise_id": None,
            "user_id": BOT_USER,
            "is_bot": True,
            "is_enterprise_install": False,
        }
        return {
            "token": "unused",
            "team_id": self.team_id,
            "api_app_id": self.app_id,
            "type": "event_callback",
            "event_id": f"Ev{next(self._numbers):010d}",
            "event_time": int(time.time()),
            "authorizations": [authorization],
            "event": event,
            **more,
        }

    def message_event(self, message: dict[str, Any], channel: str, **more: Any) -> dict[str, Any]:
        """The `message` event of something that was said."""
        kind = "im" if channel.startswith("D") else "channel"
        told = {name: value for name, value in message.items() if name not in ("was", "sent_with")}
        return {**told, "channel": channel, "channel_type": kind, "event_ts": message["ts"], **more}

    async def tell(self, message: dict[str, Any], channel: str, **more: Any) -> Answer:
        """Tell the desk of a message, with retries."""
        return await self.deliver(self.envelope(self.message_event(message, channel, **more)))

    async def write(
        self, user: str, channel: str, text: str, *, thread_ts: str | None = None, **more: Any
    ) -> tuple[dict[str, Any], Answer]:
        """A person writes and the desk is told; returns the message and the answer."""
        message = self.workspace.say(user, channel, text, thread_ts=thread_ts, **more)
        return message, await self.tell(message, channel)

    async def deliver(self, envelope: dict[str, Any]) -> Answer:
        """Send an event until it is taken, at most four times in all."""
        body = json.dumps(envelope).encode()
        answer = await self.post("/slack/events", body)
        for number, pause_s in enumerate(self.retries_after_s, start=1):
            if answer.is_taken:
                break
            await asyncio.sleep(pause_s)
            reason = "http_error" if answer.status else "http_timeout"
            headers = {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason}
            again = await self.post("/slack/events", body, headers=headers)
            answer = Answer(again.status, again.body, again.took_s, number + 1)
        return answer

    async def click(
        self,
        user: str,
        channel: str,
        card: dict[str, Any],
        action_id: str,
        *,
        team_id: str | None = None,
        **more: Any,
    ) -> Answer:
        """Somebody clicks a button of a message."""
        team = team_id or self.team_id
        payload = {
            "type": "block_actions",
            "api_app_id": self.app_id,
            "team": {"id": self.team_id, "domain": "simulated"},
            "user": {"id": user, "username": user.lower(), "team_id": team},
            "channel": {"id": channel},
            "message": {"ts": card["ts"], "text": card["text"]},
            "response_url": f"{self.workspace.url}/response/{next(self._numbers)}",
            "actions": [{**button_of(card, action_id), "type": "button"}],
            **more,
        }
        body = urlencode({"payload": json.dumps(payload)}).encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.post("/slack/interactivity", body, headers=form)

    async def post(
        self,
        path: str,
        body: bytes,
        *,
        headers: dict[str, str] | None = None,
        secret: str | None = None,
        sent_at: float | None = None,
    ) -> Answer:
        """Send a body, signed by this app's secret now, or by another one or at another time."""
        stamp = str(int(time.time() if sent_at is None else sent_at))
        signature = sign(secret or self.signing_secret, stamp, body)
        sent = {
            "Content-Type": "application/json",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": signature,
            **(headers or {}),
        }
        began = time.perf_counter()
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(
                    f"{self.desk_url}{path}", data=io.BytesIO(body), headers=sent
                ) as response,
            ):
                text = await response.text()
                return Answer(response.status, text, time.perf_counter() - began)
        except (aiohttp.ClientError, TimeoutError):
            return Answer(0, "", time.perf_counter() - began)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a request (Slack, "Verifying requests from Slack", version v0)."""
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256)
    return f"v0={digest.hexdigest()}"


def button_of(card: dict[str, Any], action_id: str) -> dict[str, Any]:
    """A button of a message. Raises LookupError, naming those there are."""
    buttons = [
        element
        for block in card["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
    ]
    for button in buttons:
        if button["action_id"] == action_id:
            return {"action_id": action_id, "value": button.get("value", "")}
    raise LookupError(f"no button {action_id}; there are {[b['action_id'] for b in buttons]}")
