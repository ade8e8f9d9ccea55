"""What everybody in a simulation has at hand: the desk's doors, the worlds outside, the ledger."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from bot.simulation.ledger import Exchange, Ledger
from bot.simulation.mail_world import MailWorld
from bot.simulation.slack_events import SlackEvents
from bot.simulation.slack_workspace import SlackWorkspace

STAFF_CHANNEL, SHOP_CHANNEL, BEA = "C0STAFF", "C0SHOP", "U0BEA"
QUESTIONS = (
    "How long may I send something back?",
    "What does the delivery cost?",
    "How can I reach you by phone?",
    "My parcel came damaged. What shall I do?",
    "Can I change the address of my order?",
)


@dataclass(frozen=True, slots=True)
class DeskDoors:
    """How the outside reaches the desk. `lmtp_port` is None where it takes no mail that way."""

    url: str
    api_token: str
    lmtp_port: int | None = None


@dataclass(slots=True)
class Stage:
    """One simulation while it runs."""

    doors: DeskDoors
    chat_inbox: str
    ledger: Ledger
    mail: MailWorld
    slack: SlackWorkspace
    events: SlackEvents
    http: aiohttp.ClientSession
    dice: random.Random
    questions: Sequence[str] = QUESTIONS

    async def get(self, path: str) -> dict[str, Any]:
        """What the desk's own API says. Raises aiohttp.ClientError."""
        headers = {"Authorization": f"Bearer {self.doors.api_token}"}
        url = f"{self.doors.url}/api/v1{path}"
        async with self.http.get(url, headers=headers) as response:
            response.raise_for_status()
            told: dict[str, Any] = await response.json()
            return told

    def ask(self, exchange: Exchange) -> str:
        """The text of a customer's next message."""
        return f"{exchange.greeting()} {self.dice.choice(self.questions)}"
