"""What simulated customers sent and what came back to them, kept outside of the desk under test.

An exchange is what a customer wants of the desk: an answer, silence, or that a loop ends. Every
message bears a mark of its own, such as `Ada-17`, by which it is found again in what was stored.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from bot.messages import ChannelName

Wanted = Literal["answer", "silence", "loop"]
By = Literal["bot", "person"]
CHANNELS: tuple[ChannelName, ...] = ("chat", "email", "slack")
LOOP_REPLIES = 3
# A loop has come to rest this long after its last mail was given to people, or if that is not
# told to anybody, this long after anything moved.
LOOP_QUIET_S, LOOP_SILENT_S = 5.0, 60.0
NAMES = ("Ada", "Ben", "Chen", "Dara", "Elif", "Finn", "Gita", "Hugo", "Ines", "Juri")
# The numbers of the conversations in which each mark's message is stored.
Stored = Mapping[str, Sequence[int]]
_MARK = re.compile(rf"\b(?:{'|'.join(NAMES)})-\d+\b")


@dataclass(slots=True, eq=False)
class Exchange:
    """One matter of one customer. `most` is how many replies of the bot are right, at most.

    `follows` is the exchange whose conversation this one must go on in. `unmarked` counts
    messages without a mark, such as a mail server's reports.
    """

    channel: ChannelName
    story: str
    wants: Wanted
    ledger: Ledger
    most: int = 1
    people_answer: bool = True
    follows: Exchange | None = None
    unmarked: int = 0
    marks: list[str] = field(default_factory=list)
    replies: dict[str, By] = field(default_factory=dict)
    handed_off: set[str] = field(default_factory=set)
    asked_of_people: int = 0
    moved_at: float = field(default_factory=time.monotonic)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def expect_person(self) -> None:
        """Somebody of the staff is to answer."""
        self.asked_of_people = 1
        self.moved_at = time.monotonic()

    def greeting(self) -> str:
        """How the next message begins: with a mark that no other message bears."""
        return f"Hello, {self.ledger.mark(self)} here."

    def reply(self, key: str, by: By = "bot") -> None:
        """A reply reached the customer; `key` names it on their side, such as its Message-ID."""
        self.moved_at = time.monotonic()
        if key in self.replies:
            self.ledger.double(self, f"the same reply came twice ({key})")
            return
        self.replies[key] = by
        self.ledger.tell(self.channel, f"{'←' if by == 'bot' else '⇐'} {self} from the {by}")
        most = self.asked_of_people if by == "person" else self.most
        if self.wants == "silence" and by == "bot":
            self.ledger.double(self, "was to be left unanswered")
        elif self.wants == "answer" and self.count(by) > most:
            self.ledger.double(self, f"reply {self.count(by)} where {most} would do")
        self.answered.set()

    def count(self, by: By) -> int:
        """How many replies came from the bot, or from people."""
        return list(self.replies.values()).count(by)

    @property
    def is_handed_off(self) -> bool:
        """Whether the staff were called."""
        return bool(self.handed_off)

    @property
    def is_settled(self) -> bool:
        """Nothing more is waited for. People who were asked are waited for, too."""
        if self.wants == "silence":
            return True
        if self.wants == "loop":
            is_given_up = self.marks[-1:] and self.marks[-1] in self.handed_off
            quiet_s = LOOP_QUIET_S if is_given_up else LOOP_SILENT_S
            return time.monotonic() - self.moved_at > quiet_s
        return bool(self.replies) and self.count("person") >= self.asked_of_people

    def __str__(self) -> str:
        return f"{', '.join(self.marks) or 'somebody'} ({self.story})"


@dataclass(slots=True)
class Row:
    """One channel's line of the table."""

    channel: str
    sent: int = 0
    by_bot: int = 0
    handed_off: int = 0
    by_person: int = 0
    left_alone: int = 0
    refused: int = 0
    loops: int = 0
    loops_stopped: int = 0
    lost: int = 0
    doubled: int = 0


HEADINGS = {
    "channel": "",
    "sent": "sent",
    "by_bot": "bot answered",
    "handed_off": "handed off",
    "by_person": "person answered",
    "left_alone": "left alone",
    "refused": "refused",
    "loops": "loops",
    "loops_stopped": "stopped",
    "lost": "lost",
    "doubled": "doubled",
}


class Ledger:
    """All exchanges, and every fault that was seen. `show` is told of each event in a line."""

    def __init__(self, show: Callable[[str], None] = lambda line: None) -> None:
        self.exchanges: list[Exchange] = []
        self.lost: list[tuple[ChannelName, str]] = []
        self.doubled: list[tuple[ChannelName, str]] = []
        self.wrong: list[tuple[ChannelName, str]] = []
        self.let_go: list[Exchange] = []
        self.is_cut_short = False
        self.refused: Counter[ChannelName] = Counter()
        self._show = show
        self._numbers = itertools.count(1)
        self._owners: dict[str, Exchange] = {}

    def begin(
        self,
        channel: ChannelName,
        story: str,
        wants: Wanted = "answer",
        *,
        most: int = 1,
        people_answer: bool = True,
        follows: Exchange | None = None,
    ) -> Exchange:
        """A customer comes with a matter."""
        exchange = Exchange(channel, story, wants, self, most, people_answer, follows)
        self.exchanges.append(exchange)
        return exchange

    def mark(self, exchange: Exchange) -> str:
        """The mark of the exchange's next message, which is sent now."""
        number = next(self._numbers)
        mark = f"{NAMES[number % len(NAMES)]}-{number}"
        exchange.marks.append(mark)
        exchange.moved_at = time.monotonic()
        self._owners[mark] = exchange
        self.tell(exchange.channel, f"→ {mark} ({exchange.story})")
        return mark

    def find(self, text: str) -> tuple[str, Exchange] | None:
        """The mark that stands last in a text, and whose it is."""
        marks = [mark for mark in _MARK.findall(text) if mark in self._owners]
        return (marks[-1], self._owners[marks[-1]]) if marks else None

    def refuse(self, channel: ChannelName, what: str, *, is_refused: bool) -> None:
        """Something was sent that must be refused."""
        if is_refused:
            self.refused[channel] += 1
            self.tell(channel, f"× {what}: refused")
        else:
            self.wrong.append((channel, f"{what} was not refused"))
            self.tell(channel, f"! {what}: NOT refused")

    def hand_off(self, exchange: Exchange, mark: str) -> None:
        """The staff were called to a message."""
        exchange.handed_off.add(mark)
        exchange.moved_at = time.monotonic()
        self.tell(exchange.channel, f"↑ {exchange} handed to people")

    def double(self, exchange: Exchange, what: str) -> None:
        """Note what came too often."""
        self.doubled.append((exchange.channel, f"{exchange}: {what}"))
        self.tell(exchange.channel, f"! {exchange}: DOUBLED, {what}")

    def tell(self, channel: str, line: str) -> None:
        """One line of the traffic."""
        self._show(f"{channel:5}  {line}")

    @property
    def waiting(self) -> list[Exchange]:
        """Exchanges that are not settled yet."""
        return [exchange for exchange in self.exchanges if not exchange.is_settled]

    def missing(self, stored: Stored) -> list[str]:
        """Marks that are not among those stored."""
        return [mark for mark in self._owners if not stored.get(mark)]

    def close(self, stored: Stored, *, is_cut_short: bool = False) -> None:
        """Judge what is left. Of a simulation that was cut short, only what was seen counts."""
        self.is_cut_short = is_cut_short
        if is_cut_short:
            self.let_go = self.waiting
        for mark, exchange in self._owners.items():
            places = stored.get(mark, [])
            if not places and not is_cut_short:
                self.lost.append((exchange.channel, f"{mark} ({exchange.story}) is not stored"))
            elif len(places) > 1:
                self.double(exchange, f"{mark} is stored {len(places)} times")
        for exchange in self.exchanges:
            self._check_conversation(exchange, stored)
            if is_cut_short:
                continue
            if exchange.wants == "answer" and not exchange.is_settled:
                self.lost.append((exchange.channel, f"{exchange} got no answer"))
            if exchange.wants == "loop" and not has_stopped(exchange):
                count = exchange.count("bot")
                self.wrong.append((exchange.channel, f"{exchange}: {count} replies, no end"))

    def _check_conversation(self, exchange: Exchange, stored: Stored) -> None:
        """What belongs together stands in one conversation; loops may have many."""
        marks = [*exchange.marks, *(exchange.follows.marks if exchange.follows else ())]
        places = {place for mark in marks for place in stored.get(mark, [])}
        if len(places) > 1 and exchange.wants != "loop":
            self.wrong.append((exchange.channel, f"{exchange} is split: {sorted(places)}"))

    def faults(self) -> list[str]:
        """All that must not be, one line each."""
        named = [("lost", self.lost), ("doubled", self.doubled), ("wrong", self.wrong)]
        return [f"{what}: {channel}: {line}" for what, lines in named for channel, line in lines]

    def rows(self) -> list[Row]:
        """The table, a line for each channel and their sum."""
        rows = [self._row(channel) for channel in CHANNELS]
        total = Row("all")
        for name in list(HEADINGS)[1:]:
            setattr(total, name, sum(getattr(row, name) for row in rows))
        return [*rows, total]

    def _row(self, channel: ChannelName) -> Row:
        own = [exchange for exchange in self.exchanges if exchange.channel == channel]
        loops = [exchange for exchange in own if exchange.wants == "loop"]
        return Row(
            channel,
            sent=sum(len(exchange.marks) + exchange.unmarked for exchange in own),
            by_bot=sum(e.count("bot") > 0 and not e.is_handed_off for e in own),
            handed_off=sum(exchange.is_handed_off for exchange in own),
            by_person=sum(exchange.count("person") > 0 for exchange in own),
            left_alone=sum(e.wants == "silence" and not e.count("bot") for e in own),
            refused=self.refused[channel],
            loops=len(loops),
            loops_stopped=sum(has_stopped(exchange) for exchange in loops),
            lost=sum(where == channel for where, _ in self.lost),
            doubled=sum(where == channel for where, _ in self.doubled),
        )

    def as_json(self) -> dict[str, object]:
        """The table and the faults for programs."""
        return {
            "channels": [asdict(row) for row in self.rows()],
            "faults": self.faults(),
            "cut_short": self.is_cut_short,
            "let_go": len(self.let_go),
        }


def has_stopped(exchange: Exchange) -> bool:
    """Whether a loop came to rest within the replies that are allowed."""
    return exchange.is_settled and 0 < exchange.count("bot") <= LOOP_REPLIES


def first_mark(text: str) -> str | None:
    """The mark of a message; those that it quotes stand behind."""
    found = _MARK.search(text)
    return found.group() if found else None


def table(ledger: Ledger) -> str:
    """The closing table as text."""
    lines = [list(HEADINGS.values())]
    lines += [[str(getattr(row, name)) for name in HEADINGS] for row in ledger.rows()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
