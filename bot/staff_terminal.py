"""The staff's terminal: what waits, read it, answer it, through the functions all staff tools use.

It needs Postgres alone. Without Redis the browsers' bells ring later, with their next look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TextIO
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations, transcripts
from bot.agents import find_agent, find_or_add_agent
from bot.events import Advance, Publisher
from bot.messages import ConversationStatus
from bot.queue import Queue
from bot.tables import Conversation, now
from bot.terminal_text import fit, visible, visible_line
from bot.transcripts import ConversationView, MessageView

BOT_SILENT_AFTER = timedelta(minutes=2)
BOT_SILENT = "bot silent"
WATCH_EVERY_S = 1.0
# A commit may become visible a little after the time that it bears.
WATCH_OVERLAP = timedelta(seconds=15)
LIST_LIMIT = 200

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class TerminalError(Exception):
    """The command does not fit; the message says why."""


@dataclass(frozen=True, slots=True)
class StaffTerminal:
    """One person at a terminal; `agent` is the name that customers and colleagues see."""

    sessions: sessionmaker[Session]
    publisher: Publisher
    queue: Queue
    agent: str
    out: TextIO
    columns: int = 100

    # -- reading -------------------------------------------------------------------------

    def show_waiting(self) -> None:
        """Conversations that wait for a person, and those where the bot stays silent."""
        with self.sessions() as session:
            self._show_list(waiting(session), "Nothing waits.")

    def show_list(self, status: Sequence[ConversationStatus] | None, *, mine: bool) -> None:
        """Conversations of these statuses (None: all); those that wait stand first."""
        with self.sessions.begin() as session:
            agent_id = find_or_add_agent(session, self.agent) if mine else None
            views = transcripts.list_conversations(
                session, status=status, assignee_id=agent_id, limit=LIST_LIMIT
            )
            self._show_list(views, "There are no such conversations.")

    def show(self, number: int) -> None:
        """One conversation with all its messages and notes."""
        with self.sessions() as session:
            conversation_id = _id_of(session, number)
            view = transcripts.view(session, conversation_id)
            assert view is not None, "it was found by its number in this transaction"
            for line in header(view):
                self._say(line)
            for message in transcripts.messages_of(session, conversation_id, staff=True):
                for line in message_lines(message, view.contact_name):
                    self._say(line)

    def watch(self, rounds: int | None = None, pause: Callable[[float], None] = time.sleep) -> None:
        """Show what waits, then a line for every conversation that changes; ends by Ctrl-C."""
        self.show_waiting()
        since, told = now(), set[tuple[int, int, str]]()
        while rounds is None or rounds > 0:
            pause(WATCH_EVERY_S)
            with self.sessions() as session:
                for view in changed_since(session, since - WATCH_OVERLAP):
                    mark = (view.number, view.last_seq, view.status)
                    if view.updated_at >= since and mark not in told:
                        told.add(mark)
                        self._say(f"{_clock(view.updated_at)}  {_change_line(view)}")
            rounds = None if rounds is None else rounds - 1

    # -- writing -------------------------------------------------------------------------

    def reply(self, number: int, text: str) -> None:
        """Answer the customer; this takes the conversation."""
        self._act(number, lambda s, c, a: conversations.reply_as_agent(s, c, a, text))
        self._say(f"{number}: sent")

    def note(self, number: int, text: str) -> None:
        """Write for the staff alone."""
        self._act(number, lambda s, c, a: conversations.reply_as_agent(s, c, a, text, private=True))
        self._say(f"{number}: noted")

    def take(self, number: int) -> None:
        """Become the owner; the bot writes nothing more."""
        self._act(number, conversations.take_over)
        self._say(f"{number}: yours")

    def give_back(self, number: int) -> None:
        """Return it to the bot."""
        advance = self._act(number, lambda s, c, _: conversations.give_back(s, c))
        self._say(f"{number}: the bot's" + (", which answers now" if advance.answer_due else ""))

    def resolve(self, number: int) -> None:
        """Close the matter."""
        self._act(number, lambda s, c, _: conversations.resolve(s, c))
        self._say(f"{number}: resolved")

    def assign(self, number: int, name: str) -> None:
        """Make a colleague the owner."""
        self._act(number, lambda s, c, _: conversations.assign(s, c, find_agent(s, name)))
        self._say(f"{number}: {visible_line(name)}'s")

    def snooze(self, number: int, pause: timedelta) -> None:
        """Put it aside for a while, or until the customer writes."""
        until = now() + pause
        self._act(number, lambda s, c, _: conversations.snooze(s, c, until))
        self._say(f"{number}: aside until {until.astimezone():%Y-%m-%d %H:%M}")

    def approve(self, number: int, text: str | None) -> None:
        """Send the waiting draft as one's own, in its words or in others."""
        self._act(number, lambda s, c, a: conversations.approve_draft(s, c, a, text))
        self._say(f"{number}: sent as yours")

    def discard(self, number: int) -> None:
        """The waiting draft is not sent."""
        self._act(number, conversations.discard_draft)
        self._say(f"{number}: draft set aside; it is yours to answer")

    def delete(self, number: int) -> None:
        """All of it goes; its mails are not taken in again."""
        with self.sessions.begin() as session:
            conversations.delete_conversation(session, _id_of(session, number))
        self._say(f"{number}: deleted")

    # -- below: the steps ----------------------------------------------------------------

    def _act(self, number: int, change: Callable[[Session, UUID, UUID], Advance]) -> Advance:
        with self.sessions.begin() as session:
            agent_id = find_or_add_agent(session, self.agent)
            conversation_id = _id_of(session, number)
            advance = change(session, conversation_id, agent_id)
            view = transcripts.view(session, conversation_id)
        self.publisher.advanced(advance)
        if advance.answer_due and view is not None:
            self.queue.enqueue_answer(conversation_id, view.channel)
        return advance

    def _show_list(self, views: Sequence[ConversationView], nothing: str) -> None:
        if not views:
            self._say(nothing)
            return
        self._say(list_heading(self.columns))
        for view in views:
            self._say(list_line(view, self.columns))

    def _say(self, line: str) -> None:
        print(line, file=self.out, flush=True)


def waiting(session: Session) -> list[ConversationView]:
    """What waits for a person, longest first, then where the bot owes an answer too long."""
    people = select(Conversation.id).where(
        Conversation.status == "open", Conversation.waiting_since.is_not(None)
    )
    silent = select(Conversation.id).where(
        Conversation.status == "pending", Conversation.unanswered_since < now() - BOT_SILENT_AFTER
    )
    ids = [
        *session.scalars(people.order_by(Conversation.waiting_since).limit(LIST_LIMIT)),
        *session.scalars(silent.order_by(Conversation.unanswered_since).limit(LIST_LIMIT)),
    ]
    return transcripts.list_conversations(session, ids=ids, limit=2 * LIST_LIMIT) if ids else []


def changed_since(session: Session, since: datetime) -> list[ConversationView]:
    """Conversations that changed, the latest change last."""
    ids = list(
        session.scalars(
            select(Conversation.id)
            .where(Conversation.updated_at >= since)
            .order_by(Conversation.updated_at.desc())
            .limit(LIST_LIMIT)
        )
    )
    views = transcripts.list_conversations(session, ids=ids, limit=LIST_LIMIT) if ids else []
    return sorted(views, key=lambda view: view.updated_at)


def parse_pause(text: str) -> timedelta:
    """A time span like 30m, 2h or 3d. Raises TerminalError."""
    amount, unit = text[:-1], _UNITS.get(text[-1:])
    if unit is None or not amount.isascii() or not amount.isdigit() or not 0 < int(amount) < 1000:
        raise TerminalError(f"{text!r} is no time span: write 30m, 2h or 3d.")
    return int(amount) * unit


# -- below: lines ----------------------------------------------------------------------------


_COLUMNS = (("No", 6), ("Channel", 8), ("Since", 7), ("Name", 18), ("Lang", 5), ("Why", 18))


def list_heading(columns: int) -> str:
    """The heading over the lines of a list."""
    return _row([name for name, _ in _COLUMNS] + ["About"], columns)


def list_line(view: ConversationView, columns: int) -> str:
    """One conversation as a line of exactly so many terminal columns."""
    since = view.waiting_since or view.unanswered_since or view.updated_at
    about = view.summary.strip().split("\n", 1)[0]
    cells = [
        str(view.number),
        view.channel,
        _age(now() - since),
        visible_line(view.contact_name) or "(no name)",
        visible_line(view.language),
        _why(view),
        visible_line(about),
    ]
    return _row(cells, columns)


def header(view: ConversationView) -> list[str]:
    """What stands above a conversation's messages."""
    lines = [
        f"Conversation {view.number} · {view.channel} · {visible_line(view.inbox)} · "
        f"{visible_line(view.contact_name) or '(no name)'} · {_why(view)}"
        + (f" · {visible_line(view.assignee)}'s" if view.assignee else "")
    ]
    if view.summary:
        lines += ["", *_indented(view.summary)]
    return lines


def message_lines(message: MessageView, contact_name: str) -> list[str]:
    """One message with who wrote it, when, and the sources of the bot's replies."""
    names = {"contact": visible_line(contact_name) or "customer", "bot": "bot", "system": "system"}
    writer = names.get(message.author, visible_line(message.author_name or "staff"))
    mark = _mark(message)
    lines = ["", f"{message.created_at.astimezone():%Y-%m-%d %H:%M:%S}  {writer}{mark}"]
    lines += _indented(message.text)
    for citation in message.citations:
        if citation.get("used", True) or citation.get("suggested"):
            lines.append(f"    [{visible_line(str(citation.get('title', '')))}]")
    for file in message.attachments:
        warning = f" - {file.warning}" if file.warning else ""
        lines.append(f"    ({visible_line(file.name)}, {file.size_bytes} bytes{warning})")
    return lines


def _mark(message: MessageView) -> str:
    if message.state == "draft":
        return " (draft: approve it, or discard it)"
    if message.state in ("approved", "discarded", "replaced"):
        return f" (draft, {message.state})"
    if message.private:
        return " (note)"
    return " (partial)" if message.partial else " (automatic)" if message.is_automatic else ""


def _why(view: ConversationView) -> str:
    if view.status == "pending":
        overdue = view.unanswered_since and view.unanswered_since < now() - BOT_SILENT_AFTER
        return BOT_SILENT if overdue else "with the bot"
    return view.handoff_reason or view.status if view.status == "open" else view.status


def _change_line(view: ConversationView) -> str:
    about = visible_line(view.summary.strip().split("\n", 1)[0])
    name = visible_line(view.contact_name) or "(no name)"
    return f"{view.number} {view.channel} {name}: {_why(view)}" + (f" - {about}" if about else "")


def _row(cells: Sequence[str], columns: int) -> str:
    fixed = [fit(cell, size) for cell, (_, size) in zip(cells, _COLUMNS, strict=False)]
    used = sum(size + 1 for _, size in _COLUMNS)
    return " ".join([*fixed, fit(cells[-1], max(columns - used, 12))]).rstrip()


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in visible(text).split("\n")]


def _age(age: timedelta) -> str:
    minutes = int(max(age.total_seconds(), 0) // 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} d"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone():%H:%M:%S}"


def _id_of(session: Session, number: int) -> UUID:
    found = transcripts.find_by_number(session, number)
    if found is None:
        raise TerminalError(f"There is no conversation {number}.")
    return found
