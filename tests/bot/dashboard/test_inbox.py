"""The inbox over real HTTP: lists, filters, pages, counts, live rows."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, update
from sqlalchemy.orm import Session, sessionmaker

from bot.conversations import (
    RunStopped,
    claim_run,
    commit_sentence,
    finish_reply,
    hand_off,
    record_incoming,
)
from bot.tables import Conversation, now
from tests.bot.dashboard.desk import Desk, client_id
from tests.people import incoming, make_inbox, write


def waiting(sessions: sessionmaker[Session], inbox: UUID, contact: str, minutes: int = 0) -> int:
    """A conversation that waits for a person; its number."""
    with sessions.begin() as session:
        recorded = write(session, inbox, f"Where is my order, asks {contact}", contact)
        hand_off(session, recorded.conversation_id, "requested")
        conversation = session.get_one(Conversation, recorded.conversation_id)
        conversation.waiting_since = now() - timedelta(minutes=minutes)
        return conversation.number


async def test_each_list_holds_what_it_says(
    bea: Desk, sam: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    free, mine, sams, snoozed, resolved, spam = (
        waiting(sessions, chat, f"ada-{n}") for n in range(6)
    )
    with sessions.begin() as session:
        write(session, chat, "I ask the bot", "ada-bot")
    await bea.do(f"/conversations/{mine}/take-over")
    await sam.do(f"/conversations/{sams}/take-over")
    until = (now() + timedelta(hours=2)).isoformat()
    await bea.do(f"/conversations/{snoozed}/snooze", until=until)
    await bea.do(f"/conversations/{resolved}/resolve")
    await bea.do(f"/conversations/{spam}/spam")
    bot = spam + 1
    assert await bea.numbers("unassigned") == [free]
    assert await bea.numbers("mine") == [mine]
    assert await sam.numbers("mine") == [sams]
    assert await bea.numbers("bot") == [bot]
    assert sorted(await bea.numbers("all")) == sorted([free, mine, sams, bot])
    assert await bea.numbers("snoozed") == [snoozed]
    assert await bea.numbers("resolved") == [resolved]
    assert await bea.numbers("spam") == [spam]
    counts = await bea.get("/inbox/counts")
    assert counts == {
        "unassigned": 1, "mine": 1, "bot": 1, "all": 4, "snoozed": 1, "mentions": 0,
    }  # fmt: skip


async def test_whoever_waits_longest_comes_first(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    short, longest, long = (
        waiting(sessions, chat, f"ada-{minutes}", minutes) for minutes in (1, 90, 30)
    )
    assert await bea.numbers("unassigned") == [longest, long, short]
    assert await bea.numbers("unassigned", waiting=20) == [longest, long]


async def test_lists_are_filtered_by_channel_tag_and_language(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        mail = make_inbox(session, "email")
    by_chat, by_mail = waiting(sessions, chat, "ada"), waiting(sessions, mail, "ada@example.org")
    with sessions.begin() as session:
        session.execute(
            update(Conversation).where(Conversation.number == by_mail).values(language="zh")
        )
    await bea.do(f"/conversations/{by_chat}/tags", add=["VIP"])
    assert await bea.numbers("all", channel="email") == [by_mail]
    assert await bea.numbers("all", language="zh") == [by_mail]
    assert await bea.numbers("all", tag="vip") == [by_chat]
    assert await bea.numbers("all", tag="vip", channel="email") == []


async def test_pages_go_on_where_the_last_one_ended(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    numbers = [waiting(sessions, chat, f"ada-{n}", 60 - n) for n in range(7)]
    for view, expected in (("unassigned", numbers), ("all", None)):
        seen: list[int] = []
        cursor = ""
        while True:
            page = await bea.get("/inbox", view=view, limit=3, cursor=cursor)
            seen += [row["number"] for row in page["items"]]
            cursor = page["next_cursor"] or ""
            if not cursor:
                break
        assert seen == expected if expected else sorted(seen) == numbers
    assert (await bea.ask("GET", "/inbox", params={"cursor": "nonsense"}))[0] == 422


async def test_a_row_names_its_contact_and_what_was_said_last(
    bea: Desk, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        mail = make_inbox(session, "email")
    number = waiting(sessions, mail, "ada@example.org")
    [row] = (await bea.get("/inbox", view="unassigned"))["items"]
    assert (row["number"], row["contact"]["name"]) == (number, "ada@example.org")
    assert row["preview"]["text"] == "Where is my order, asks ada@example.org"
    assert row["preview"]["author"] == "contact"


async def test_a_new_conversation_appears_without_a_reload(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session], redis_url: str
) -> None:
    async with bea.watch() as stream:
        assert (await stream.hear("counts"))["unassigned"] == 0
        number = waiting(sessions, chat, "ada")  # no bell rings: the feed looks by itself
        rows = (await stream.hear("rows"))["rows"]
        assert [row["number"] for row in rows] == [number]
        await bea.do(f"/conversations/{number}/take-over")
        [row] = (await stream.hear("rows"))["rows"]
        assert row["assignee"]["name"] == "Bea"


async def test_the_list_is_quick_with_ten_thousand_conversations(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        first = record_incoming(session, incoming(chat, "the first"))
        kept = session.get_one(Conversation, first.conversation_id)
        shared = {
            "inbox_id": chat,
            "contact_id": kept.contact_id,
            "thread_hash": kept.thread_hash,
            "thread_sealed": kept.thread_sealed,
        }
        session.execute(
            insert(Conversation),
            [shared | {"status": "open" if n % 4 == 0 else "resolved"} for n in range(10_000)],
        )
    began = time.monotonic()
    for view in ("unassigned", "all", "resolved"):
        assert len(await bea.numbers(view)) == 40
    counts = await bea.get("/inbox/counts")
    print(f"four requests with 10,000 conversations: {time.monotonic() - began:.3f} s")
    assert counts["unassigned"] == 2500


async def test_taking_over_silences_the_bot_at_that_instant(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        recorded = write(session, chat, "How long may I return a tent?")
        number = session.get_one(Conversation, recorded.conversation_id).number
        claim = claim_run(session, recorded.conversation_id, timedelta(seconds=30))
    assert claim is not None
    with sessions.begin() as session:
        commit_sentence(session, claim, "You have 60 days.")
    row = await bea.do(f"/conversations/{number}/take-over")
    assert (row["status"], row["assignee"]["name"]) == ("open", "Bea")
    with pytest.raises(RunStopped), sessions.begin() as session:
        commit_sentence(session, claim, "And another thing.")
    with pytest.raises(RunStopped), sessions.begin() as session:
        finish_reply(session, claim, [], "en", last="And another thing.")
    view = await bea.get(f"/conversations/{number}")
    shown = [message for message in view["messages"] if message["author"] == "bot"]
    assert [(each["text"], each["partial"]) for each in shown] == [("You have 60 days.", True)]


async def test_a_reply_sent_twice_is_written_once_and_reaches_the_channel(
    bea: Desk, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        mail = make_inbox(session, "email")
    number = waiting(sessions, mail, "ada@example.org")
    sent = {"text": "It is on its way.", "client_id": client_id()}
    for _ in range(2):
        row = await bea.do(f"/conversations/{number}/reply", **sent)
    assert row["waiting_since"] is None
    view = await bea.get(f"/conversations/{number}")
    [reply] = [message for message in view["messages"] if message["author"] == "agent"]
    assert (reply["author_name"], reply["delivery"]) == ("Bea", "pending")
