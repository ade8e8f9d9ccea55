"""Search over sealed text, and contacts: found by words, in Chinese too, and merged."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session, sessionmaker

from bot.commands.search_index import index_older
from bot.conversations import delete_conversation
from bot.dashboard.search import snippet
from bot.sealing import keyring_of
from bot.tables import Contact, ContactTerms, Conversation, Message, MessageTerms
from tests.bot.dashboard.desk import Desk, client_id
from tests.bot.dashboard.test_inbox import waiting
from tests.people import make_inbox, write


async def found(bea: Desk, asked: str) -> list[int]:
    result = await bea.get("/search", q=asked)
    return [item["row"]["number"] for item in result["items"]]


def said(sessions: sessionmaker[Session], inbox: UUID, contact: str, what: str) -> int:
    with sessions.begin() as session:
        recorded = write(session, inbox, what, contact)
        return session.get_one(Conversation, recorded.conversation_id).number


async def test_search_finds_words_in_english_and_chinese(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    tent = said(sessions, chat, "ada", "The TENT's poles arrived broken, café style")
    refund = said(sessions, chat, "li", "你好，我想申请退款，帐篷坏了。")
    other = said(sessions, chat, "eve", "Nothing of the kind")
    assert await found(bea, "broken tent") == [tent]
    assert await found(bea, "pole cafe") == [tent], "folded and stemmed, as articles are"
    assert await found(bea, "退款") == [refund]
    assert await found(bea, "帐篷") == [refund]
    assert await found(bea, "款退") == []
    assert await found(bea, f"#{other}") == [other]
    assert await found(bea, "tent 退款") == []
    assert (await bea.ask("GET", "/search", params={"q": ""}))[0] == 422


async def test_notes_and_replies_are_found_with_the_place_where_they_stand(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    number = waiting(sessions, chat, "ada")
    await bea.do(f"/conversations/{number}/notes", text="Carrier lost it", client_id=client_id())
    await bea.do(
        f"/conversations/{number}/reply", text="A replacement ships today", client_id=client_id()
    )
    for asked, author, private in (("carrier", "agent", True), ("replacement", "agent", False)):
        result = await bea.get("/search", q=asked)
        [hit] = result["items"][0]["hits"]
        assert (hit["author"], hit["private"]) == (author, private)
        assert asked in hit["snippet"].lower()


async def test_contacts_are_found_by_address(bea: Desk, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        mail = make_inbox(session, "email")
    number = said(sessions, mail, "ada.lovelace@example.org", "Hello")
    assert await found(bea, "lovelace") == [number]
    result = await bea.get("/search", q="ada.lovelace@example.org")
    assert [person["name"] for person in result["contacts"]] == ["ada.lovelace@example.org"]


async def test_nothing_of_the_text_can_be_read_in_the_index(
    chat: UUID, sessions: sessionmaker[Session]
) -> None:
    said(sessions, chat, "ada", "umbrellastand")
    with sessions() as session:
        rows = session.execute(text("select message_terms::text from message_terms")).scalars()
        assert all("umbrella" not in row for row in rows)
        [terms] = session.scalars(select(MessageTerms.terms))
        digest = keyring_of(session).keyed_hash(session, "search", "umbrellastand")
    assert terms == [int.from_bytes(digest[:8], "big", signed=True)], "64 bits of a keyed hash"


async def test_a_deleted_conversation_leaves_no_term(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    number = said(sessions, chat, "ada", "forgettable")
    with sessions.begin() as session:
        conversation = session.scalars(
            select(Conversation).where(Conversation.number == number)
        ).one()
        delete_conversation(session, conversation.id)
    with sessions() as session:
        assert session.scalars(select(MessageTerms)).all() == []


async def test_what_was_said_before_the_index_is_filled_in_by_command(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    number = said(sessions, chat, "ada", "An elderly message")
    with sessions.begin() as session:
        session.execute(delete(MessageTerms))
        session.execute(delete(ContactTerms))
    assert await found(bea, "elderly") == []
    assert index_older(sessions) == (1, 1)
    assert await found(bea, "elderly") == [number]
    assert index_older(sessions) == (0, 0), "again does no harm"


async def test_an_index_written_in_a_rolled_back_transaction_is_none(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    said(sessions, chat, "ada", "kept")
    with sessions() as session:
        write(session, chat, "unsaid", "ada")
        session.rollback()
    assert await found(bea, "unsaid") == []
    assert len(await found(bea, "kept")) == 1


async def test_merged_contacts_are_one_person_and_keep_both_keys(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        mail = make_inbox(session, "email")
    by_chat, by_mail = waiting(sessions, chat, "ada"), waiting(sessions, mail, "ada@example.org")
    ids = [
        (await bea.get(f"/conversations/{number}"))["row"]["contact"]["id"]
        for number in (by_chat, by_mail)
    ]
    person = await bea.do(f"/contacts/{ids[1]}/merge", other_id=ids[0])
    assert [row["number"] for row in person["conversations"]] == [by_mail, by_chat]
    assert {identity["channel"] for identity in person["identities"]} == {"chat", "email"}
    row = (await bea.get(f"/conversations/{by_chat}"))["row"]
    assert row["contact"] == {"id": ids[1], "name": "ada@example.org"}
    with sessions() as session:
        keys = {message.key_scope for message in session.scalars(select(Message))}
        assert keys == set(ids), "each one's messages stay under their own key"
    with sessions.begin() as session:
        write(session, chat, "And one more thing", "ada")
    assert (await bea.get(f"/conversations/{by_chat}"))["messages"][-1]["text"].startswith("And")
    status, _ = await bea.ask("POST", f"/contacts/{ids[1]}/merge", json={"other_id": ids[0]})
    assert status == 409
    parted = await bea.do(f"/contacts/{ids[0]}/part")
    assert [row["number"] for row in parted["conversations"]] == [by_chat]


async def test_merging_the_merged_leaves_no_chain(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    numbers = [waiting(sessions, chat, name) for name in ("a1", "b2", "c3")]
    ids = [(await bea.get(f"/conversations/{n}"))["row"]["contact"]["id"] for n in numbers]
    await bea.do(f"/contacts/{ids[0]}/merge", other_id=ids[1])
    await bea.do(f"/contacts/{ids[2]}/merge", other_id=ids[1])
    with sessions() as session:
        pointers = {str(c.id): str(c.merged_into_id) for c in session.scalars(select(Contact))}
    assert pointers == {ids[0]: ids[2], ids[1]: ids[2], ids[2]: "None"}


@pytest.mark.parametrize(
    ("said_text", "words", "shown"),
    [
        ("short", ["missing"], "short"),
        ("x" * 300 + " needle " + "y" * 300, ["needle"], "needle"),
        ("帐篷坏了", ["坏了"], "帐篷坏了"),
    ],
)
def test_a_snippet_shows_the_place(said_text: str, words: list[str], shown: str) -> None:
    assert shown in snippet(said_text, words)
    assert len(snippet(said_text, words)) < 200
