"""What everybody in a simulation has at hand: the desk's doors, the worlds outside, the ledger."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

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
    chat_inbox: str
    lmtp_port: int | None = None


@dataclass(slots=True)
class Stage:
    """One simulation while it runs."""

    doors: DeskDoors
    ledger: Ledger
    mail: MailWorld
    slack: SlackWorkspace
    events: SlackEvents
    http: aiohttp.ClientSession
    dice: random.Random
    questions: Sequence[str] = QUESTIONS

    def ask(self, exchange: Exchange) -> str:
        """The text of a customer's next message."""
        return f"{exchange.greeting()} {self.dice.choice(self.questions)}"
