"""What was accepted and what came back, kept outside of everything that is killed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.script import number_of, numbers_in, reply_to


@dataclass(slots=True)
class Sent:
    """One message of a visitor; times are monotonic seconds."""

    number: str
    client_id: str
    sent_at: float
    accepted_at: float | None = None
    answered_at: float | None = None


@dataclass(slots=True)
class _Reply:
    sentences: list[str] = field(default_factory=list)
    is_done: bool = False


class Stream:
    """One visitor's events, put together over all the connections that brought them.

    The place of an event is (conversation, seq). Every fault that can be seen at once is noted;
    what is missing is asked for at the end.
    """

    def __init__(self, name: str, ledger: Ledger) -> None:
        self.name = name
        self.last_id = ""
        self._ledger = ledger
        self._place = (0, 0)
        self._asked: list[str] = []
        self._answered: list[str] = []
        self._replies: dict[str, _Reply] = {}

    def take(self, event_id: str, kind: str, data: dict[str, Any]) -> None:
        """Note one committed event."""
        conversation, _, seq = event_id.partition(".")
        place = (int(conversation), int(seq))
        if place <= self._place:
            self._ledger.doubled.append(f"{self.name}: event {event_id} came again ({kind})")
            return
        self._place, self.last_id = place, event_id
        if kind == "message" and data["author"] == "contact":
            self._take_question(data["text"])
        elif kind == "reply":
            self._begin_reply(data["id"])
        elif kind == "sentence":
            self._replies.setdefault(data["id"], _Reply()).sentences.append(data["text"])
        elif kind == "done":
            self._end_reply(data["id"], partial=data["partial"])
        elif kind == "status":
            self._ledger.statuses[data["status"]] += 1

    def texts(self) -> list[str]:
        """The replies as they were shown, in order."""
        return [" ".join(reply.sentences) for reply in self._replies.values()]

    @property
    def sentences(self) -> int:
        """How many sentences were shown so far."""
        return sum(len(reply.sentences) for reply in self._replies.values())

    @property
    def asked(self) -> list[str]:
        return self._asked

    def _take_question(self, text: str) -> None:
        number = number_of(text)
        if number in self._asked:
            self._ledger.doubled.append(f"{self.name}: question {number} is there twice")
        self._asked.append(number)

    def _begin_reply(self, reply_id: str) -> None:
        if reply_id in self._replies:
            self._ledger.doubled.append(f"{self.name}: reply {reply_id} began twice")
        self._replies[reply_id] = _Reply()

    def _end_reply(self, reply_id: str, *, partial: bool) -> None:
        reply = self._replies[reply_id]
        if reply.is_done:
            self._ledger.doubled.append(f"{self.name}: reply {reply_id} ended twice")
        reply.is_done = True
        if partial:
            self._ledger.partial += 1
            return
        numbers = numbers_in(reply.sentences[0]) if reply.sentences else []
        self._check_sentences(reply.sentences, reply_to(numbers))
        self._check_order(numbers)
        for number in numbers:
            self._ledger.answer(number)

    def _check_sentences(self, seen: Sequence[str], meant: Sequence[str]) -> None:
        if list(seen) == list(meant):
            return
        if any(count > 1 for count in Counter(seen).values()):
            self._ledger.doubled.append(f"{self.name}: a sentence came twice: {list(seen)}")
        elif sorted(seen) == sorted(meant):
            self._ledger.disordered.append(f"{self.name}: sentences out of order: {list(seen)}")
        else:
            self._ledger.lost.append(f"{self.name}: sentences are missing: {list(seen)}")

    def _check_order(self, numbers: Sequence[str]) -> None:
        """Replies follow the order of the questions that the stream has told before."""
        for number in numbers:
            if number not in self._asked:
                self._ledger.disordered.append(f"{self.name}: {number} answered before asked")
                return
        order = [self._asked.index(number) for number in [*self._answered[-1:], *numbers]]
        if order != sorted(order):
            self._ledger.disordered.append(f"{self.name}: {numbers} answered too late")
        self._answered += numbers


class Ledger:
    """All messages of all visitors, and every fault that was seen."""

    def __init__(self) -> None:
        self.sent: dict[str, Sent] = {}
        self.streams: list[Stream] = []
        self.lost: list[str] = []
        self.doubled: list[str] = []
        self.disordered: list[str] = []
        self.partial = 0
        self.statuses: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()

    def stream(self, name: str) -> Stream:
        made = Stream(name, self)
        self.streams.append(made)
        return made

    def send(self, number: str, client_id: str) -> Sent:
        """Note that a message is on its way."""
        sent = Sent(number, client_id, time.monotonic())
        self.sent[number] = sent
        return sent

    def answer(self, number: str) -> None:
        """Note that a reply to this message is complete."""
        sent = self.sent.get(number)
        if sent is None:
            self.doubled.append(f"{number} was answered and never sent")
        elif sent.answered_at is not None:
            self.doubled.append(f"{number} was answered twice")
        else:
            sent.answered_at = time.monotonic()

    @property
    def accepted(self) -> list[Sent]:
        return [sent for sent in self.sent.values() if sent.accepted_at is not None]

    @property
    def waiting(self) -> list[Sent]:
        """Accepted messages that no complete reply has answered yet."""
        return [sent for sent in self.accepted if sent.answered_at is None]

    def close(self) -> None:
        """Count what never came as lost."""
        self.lost += [f"{sent.number} was accepted and never answered" for sent in self.waiting]

    def faults(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.disordered]

    def summary(self) -> str:
        return (
            f"{len(self.lost)} lost, {len(self.doubled)} doubled, "
            f"{len(self.disordered)} out of order"
        )
