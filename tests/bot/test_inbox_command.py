"""Bea at a terminal: what waits, reading, answering; and customers' text that attacks terminals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations, transcripts
from bot.commands.inbox import open_terminal
from bot.conversations import claim_run, commit_sentence, finish_handoff, hand_off
from bot.events import PREFIX
from bot.messages import IncomingMessage
from bot.redis_url import redis_py_url
from bot.settings import Settings
from bot.staff_terminal import TerminalError, parse_pause
from bot.tables import Agent, Conversation, now
from bot.terminal_text import fit, visible, visible_line, width
from tests.people import incoming, make_agent, make_inbox
from tests.shell import Shell, shell_on


@pytest.fixture
def shell(settings: Settings) -> Shell:
    return shell_on(settings, FRONTDESK_AGENT="Bea", COLUMNS="120")


def ada_writes(
    sessions: sessionmaker[Session], text: str = "Where is my parcel?", name: str = "Ada"
) -> int:
    """A new conversation of the bot's; returns its number."""
    with sessions.begin() as session:
        message = incoming(make_inbox(session), text)
        recorded = conversations.record_incoming(session, named(message, name))
        return number_of(session, recorded.conversation_id)


def named(message: IncomingMessage, name: str) -> IncomingMessage:
    return replace(message, contact_name=name)


def number_of(session: Session, conversation_id: UUID) -> int:
    return session.scalars(
        select(Conversation.number).where(Conversation.id == conversation_id)
    ).one()


def ada_asks_for_a_person(sessions: sessionmaker[Session], name: str = "Ada") -> int:
    number = ada_writes(sessions, name=name)
    with sessions.begin() as session:
        hand_off(session, id_of(session, number), "requested")
    return number


def id_of(session: Session, number: int) -> UUID:
    found = transcripts.find_by_number(session, number)
    assert found is not None
    return found


def status_of(sessions: sessionmaker[Session], number: int) -> str:
    with sessions() as session:
        return session.scalars(
            select(Conversation.status).where(Conversation.number == number)
        ).one()


def test_an_empty_desk_says_so(shell: Shell) -> None:
    assert shell.run("inbox").out == "Nothing waits.\n"


def test_a_handed_over_conversation_is_visible_at_once_with_its_summary(
    shell: Shell, sessions: sessionmaker[Session]
) -> None:
    number = ada_writes(sessions, "Hello")
    with sessions.begin() as session:
        claim = claim_run(session, id_of(session, number), timedelta(seconds=20))
        assert claim is not None
        commit_sentence(session, claim, "A colleague will answer you.")
        finish_handoff(
            session,
            claim,
            reason="no_evidence",
            summary="Ada asks about a lost parcel.\nSecond line.",
            citations=[],
            language="en",
        )
    heading, line = shell.run("inbox").out.splitlines()
    assert heading.split() == ["No", "Channel", "Since", "Name", "Lang", "Why", "About"]
    assert line.split() == [
        *(str(number), "chat", "0", "min", "Ada", "en", "no_evidence"),
        *("Ada", "asks", "about", "a", "lost", "parcel."),
    ]


def test_a_bot_that_stays_silent_is_listed_after_two_minutes(
    shell: Shell, sessions: sessionmaker[Session]
) -> None:
    number = ada_writes(sessions)
    assert shell.run("inbox").out == "Nothing waits.\n"
    with sessions.begin() as session:
        session.execute(update(Conversation).values(unanswered_since=now() - timedelta(minutes=3)))
    out = shell.run("inbox").out
    assert str(number) in out
    assert "bot silent" in out


def test_read_shows_all_messages_and_notes(shell: Shell, sessions: sessionmaker[Session]) -> None:
    number = str(ada_asks_for_a_person(sessions))
    shell.run("inbox", "note", number, "Known customer.")
    shell.run("inbox", "reply", number, "It comes tomorrow.")
    out = shell.run("inbox", "read", number).out
    assert out.index("Where is my parcel?") < out.index("Known customer.")
    assert out.index("Known customer.") < out.index("It comes tomorrow.")
    assert "Bea (note)" in out


def test_a_reply_reaches_the_customer_and_takes_the_conversation(
    shell: Shell, sessions: sessionmaker[Session]
) -> None:
    number = ada_writes(sessions)
    assert shell.run("inbox", "reply", str(number), "I am on it.").out == f"{number}: sent\n"
    with sessions() as session:
        conversation_id = id_of(session, number)
        seen = transcripts.messages_of(session, conversation_id)
        assert [(m.author, m.author_name, m.text) for m in seen][-1] == (
            "agent",
            "Bea",
            "I am on it.",
        )
        owner = transcripts.view(session, conversation_id)
    assert owner is not None
    assert (owner.status, owner.assignee) == ("open", "Bea")
    assert shell.run("inbox").out == "Nothing waits.\n"


def test_a_note_stays_from_the_customer_and_leaves_the_bot_at_work(
    shell: Shell, sessions: sessionmaker[Session]
) -> None:
    number = ada_writes(sessions)
    shell.run("inbox", "note", str(number), "Known customer.")
    with sessions() as session:
        seen = transcripts.messages_of(session, id_of(session, number))
    assert [m.text for m in seen] == ["Where is my parcel?"]
    assert status_of(sessions, number) == "pending"


def test_a_long_reply_comes_from_standard_input(
    shell: Shell, sessions: sessionmaker[Session]
) -> None:
    number = str(ada_asks_for_a_person(sessions))
    shell.run("inbox", "reply", number, "-", stdin="Two lines\nof text\n")
    assert "    Two lines\n    of text\n" in shell.run("inbox", "read", number).out


def test_an_empty_reply_is_refused(shell: Shell, sessions: sessionmaker[Session]) -> None:
    finished = shell.run("inbox", "reply", str(ada_writes(sessions)), "  ")
    assert (finished.status, finished.err) == (1, "frontdesk: The message is empty.\n")


def test_taking_giving_back_and_resolving_change_the_owner(
    shell: Shell, sessions: sessionmaker[Session]
) -> None:
    number = ada_writes(sessions)
    for action, status in (("take", "open"), ("give-back", "pending"), ("resolve", "resolved")):
        assert shell.run("inbox", action, str(number)).status == 0
        assert status_of(sessions, number) == status


def test_what_does_not_fit_the_state_is_one_line(
    shell: Shell, sessions: sessionmaker[Session]
) -> None:
    finished = shell.run("inbox", "give-back", str(ada_writes(sessions)))
    assert finished.status == 1
    assert finished.err == "frontdesk: The conversation is pending, not a person's.\n"


def test_assigning_needs_a_colleague_who_exists(
    shell: Shell, sessions: sessionmaker[Session]
) -> None:
    number = str(ada_asks_for_a_person(sessions))
    with sessions.begin() as session:
        make_agent(session, "Dee")
    refused = shell.run("inbox", "assign", number, "Deee")
    assert refused.status == 1
    assert refused.err.endswith("there are: Bea, Dee.\n")
    assert shell.run("inbox", "assign", number, "Dee").status == 0
    assert "Dee's" in shell.run("inbox", "read", number).out


def test_a_refused_action_adds_nobody_to_the_staff(
    shell: Shell, sessions: sessionmaker[Session]
) -> None:
    shell.run("inbox", "take", "12345")
    with sessions() as session:
        assert session.scalars(select(Agent.name)).all() == []


def test_a_snoozed_conversation_is_not_waiting_and_listed_on_demand(
    shell: Shell, sessions: sessionmaker[Session]
) -> None:
    number = str(ada_asks_for_a_person(sessions))
    assert shell.run("inbox", "snooze", number, "2h").status == 0
    assert shell.run("inbox").out == "Nothing waits.\n"
    assert number in shell.run("inbox", "list", "--status", "snoozed").out
    assert shell.run("inbox", "list", "--status", "open").out.startswith("There are no")


def test_mine_lists_what_i_own(shell: Shell, sessions: sessionmaker[Session]) -> None:
    mine, other = ada_asks_for_a_person(sessions), ada_asks_for_a_person(sessions, "Cyd")
    shell.run("inbox", "take", str(mine))
    shell.run("inbox", "--as", "Dee", "take", str(other))
    lines = shell.run("inbox", "list", "--mine").out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [str(mine)]


@pytest.fixture
def bells(settings: Settings) -> Iterator[redis.client.PubSub]:
    client = redis.Redis.from_url(redis_py_url(settings.redis_url or ""))
    with client.pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]
        pubsub.psubscribe(PREFIX + "*")
        pubsub.get_message(timeout=5)
        yield pubsub
    client.close()


def test_browsers_and_workers_are_told_after_the_commit(
    shell: Shell,
    sessions: sessionmaker[Session],
    settings: Settings,
    bells: redis.client.PubSub,
) -> None:
    number = ada_asks_for_a_person(sessions)
    assert "answers now" in shell.run("inbox", "give-back", str(number)).out
    bell = bells.get_message(timeout=5)
    assert bell is not None
    with sessions() as session:
        conversation = session.get_one(Conversation, id_of(session, number))
        assert json.loads(bell["data"])["seq"] == conversation.last_seq
    client = redis.Redis.from_url(redis_py_url(settings.redis_url or ""))
    queued = client.lrange("frontdesk:interactive", 0, -1)
    client.close()
    assert len(queued) == 1


def test_everything_but_the_bells_works_without_redis(
    settings: Settings, sessions: sessionmaker[Session]
) -> None:
    number = str(ada_asks_for_a_person(sessions))
    shell = shell_on(settings, FRONTDESK_AGENT="Bea", REDIS_URL="redis://127.0.0.1:1/0")
    assert shell.run("inbox", "reply", number, "Hello Ada").status == 0
    assert "Hello Ada" in shell.run("inbox", "read", number).out


def test_watch_tells_each_change_once(
    settings: Settings, sessions: sessionmaker[Session], capsys: pytest.CaptureFixture[str]
) -> None:
    with open_terminal("Bea", shell_on(settings).environ) as terminal:
        numbers: list[int] = []

        def meanwhile(_: float) -> None:
            if len(numbers) < 2:
                numbers.append(ada_asks_for_a_person(sessions))

        terminal.watch(rounds=4, pause=meanwhile)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Nothing waits."
    assert [line.split()[1] for line in lines[1:]] == [str(number) for number in numbers]
    assert all("requested" in line for line in lines[1:])


# -- a customer's text on a terminal ---------------------------------------------------------

ATTACKS = [
    "\x1b[2J\x1b[1;1H",  # clears the screen
    "\x1b]0;owned\x07",  # renames the window
    "\x1b]52;c;ZXZpbA==\x07",  # writes the clipboard
    "\x9b31m",  # the one-byte form of ESC [
    "\u202egnp.exe",  # turns the direction of reading
    "line\rover",  # overwrites what was printed
    "\x08\x08\x08",
    "\u2028",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_customers_escape_sequences_are_shown_and_not_obeyed(
    shell: Shell, sessions: sessionmaker[Session], attack: str
) -> None:
    number = str(ada_writes(sessions, f"before{attack}after", name=f"Ada{attack}"))
    shell.run("inbox", "take", number)
    for out in (shell.run("inbox", "read", number).out, shell.run("inbox", "list", "--all").out):
        assert visible(out) == out
        assert "Ada" in out


@given(st.text())
def test_visible_text_holds_no_control_whatever_comes(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    assert not any((ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0 for c in shown)
    assert "\n" not in visible_line(text)


@given(st.text(), st.integers(min_value=1, max_value=60))
def test_a_cell_is_exactly_as_wide_as_its_column(text: str, columns: int) -> None:
    assert width(fit(visible_line(text), columns)) == columns


def test_chinese_and_latin_lines_align(shell: Shell, sessions: sessionmaker[Session]) -> None:
    ada_asks_for_a_person(sessions, "王小明")
    ada_asks_for_a_person(sessions, "Ada Lovelace")
    rows = shell.run("inbox").out.splitlines()[1:]
    assert len({width(row[: row.index("requested")]) for row in rows}) == 1


@pytest.mark.parametrize("text", ["2", "h", "-2h", "2w", "0h", "²h", "1000d", ""])
def test_a_snooze_that_is_no_time_span_is_refused(text: str) -> None:
    with pytest.raises(TerminalError, match="no time span"):
        parse_pause(text)


def test_time_spans_are_minutes_hours_and_days() -> None:
    assert [parse_pause(text) for text in ("30m", "2h", "3d")] == [
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(days=3),
    ]
