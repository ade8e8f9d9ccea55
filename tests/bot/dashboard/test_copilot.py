"""The copilot over real HTTP, with a real worker and search and a scripted model."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, sessionmaker

from bot.conversations import delete_conversation, reply_as_agent, take_over
from bot.knowledge.articles import give_collection
from bot.knowledge.embedder import Embedder
from bot.tables import Conversation, CopilotFeedback, CopilotRun, Inbox, new_id
from tests.bot.dashboard.knowledge import (
    Helped,
    ScriptedEngine,
    ask,
    helping,
    number_of,
    write_article,
)
from tests.bot.dashboard.staff import SignedInDesk, sign_in
from tests.people import write
from tests.served import Client
from workers.embedding import load_embedder

RETURNS = """## How long you have

You have 60 days to return an item. The item must be unused and in its packaging.

## What it costs

Sending an item back from Germany costs 4.95 EUR."""


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder(threads=1)


@pytest.fixture
def bea(sessions: sessionmaker[Session]) -> SignedInDesk:
    return sign_in(sessions, "Bea")


@pytest.fixture
def shop(sessions: sessionmaker[Session]) -> UUID:
    """An inbox of Larkspur that answers from its articles."""
    inbox_id = new_id()
    with sessions.begin() as session:
        session.add(Inbox(id=inbox_id, name="shop", channel="chat", company="Larkspur"))
        session.flush()
        give_collection(session, inbox_id, "shop")
    return inbox_id


@pytest.fixture
def taken(sessions: sessionmaker[Session], shop: UUID, bea: SignedInDesk) -> tuple[UUID, int]:
    """Ada's conversation, which Bea has taken: its id and its number."""
    with sessions.begin() as session:
        recorded = write(session, shop, "How long do I have to return an item?")
        take_over(session, recorded.conversation_id, bea.agent_id)
    return recorded.conversation_id, number_of(sessions, recorded.conversation_id)


async def test_a_suggestion_comes_in_checked_sentences_with_its_sources(
    client: Client,
    origin: str,
    sessions: sessionmaker[Session],
    redis_url: str,
    embedder: Embedder,
    bea: SignedInDesk,
    taken: tuple[UUID, int],
) -> None:
    engine = ScriptedEngine(["You have 60 days to return an item. You get 10 EUR on top."])
    with helping(sessions, redis_url, embedder, engine) as runtime:
        article_id = write_article(runtime, "returns", "Returning an item", RETURNS)
        told = await _help(client, origin, bea, taken[1], "suggest")
    pieces = [each["piece"]["text"] for each in told.all("piece")]
    assert "You have 60 days to return an item." in pieces
    result = told.result
    assert "10 EUR" not in result["text"], "what no article says is not suggested"
    rests = result["sentences"][0]
    source = result["sources"][rests["passage"]]
    assert source["article_id"] == str(article_id)
    assert rests["quote"] == "You have 60 days to return an item."


async def test_where_no_article_answers_nothing_is_suggested(
    client: Client,
    origin: str,
    sessions: sessionmaker[Session],
    redis_url: str,
    embedder: Embedder,
    bea: SignedInDesk,
    shop: UUID,
) -> None:
    with sessions.begin() as session:
        recorded = write(session, shop, "Do you hire astronauts in Reykjavik?")
    with helping(sessions, redis_url, embedder) as runtime:
        write_article(runtime, "returns", "Returning an item", RETURNS)
        number = number_of(sessions, recorded.conversation_id)
        told = await _help(client, origin, bea, number, "suggest")
    assert told.result["text"] == ""
    assert told.result["reason"] == "no_evidence"


async def test_a_rewriting_keeps_every_fact_and_adds_none(
    client: Client,
    origin: str,
    sessions: sessionmaker[Session],
    redis_url: str,
    embedder: Embedder,
    bea: SignedInDesk,
    taken: tuple[UUID, int],
) -> None:
    mine = "You have 60 days to return it. Sending it back costs 4.95 EUR."
    model = "Thank you for your message! You have 60 days to return it. It is free of charge."
    with helping(sessions, redis_url, embedder, ScriptedEngine([model])):
        told = await _help(client, origin, bea, taken[1], "rewrite", text=mine, style="friendlier")
    assert told.result["text"] == (
        "Thank you for your message! You have 60 days to return it. Sending it back costs 4.95 EUR."
    )
    refused = [each for each in told.result["pieces"] if each["failed"]]
    assert [each["text"] for each in refused] == ["It is free of charge."]


async def test_a_shorter_text_says_what_it_left_out(
    client: Client,
    origin: str,
    sessions: sessionmaker[Session],
    redis_url: str,
    embedder: Embedder,
    bea: SignedInDesk,
    taken: tuple[UUID, int],
) -> None:
    mine = "You have 60 days to return it. Sending it back costs 4.95 EUR."
    with helping(sessions, redis_url, embedder, ScriptedEngine(["You have 60 days to return it."])):
        told = await _help(client, origin, bea, taken[1], "rewrite", text=mine, style="shorter")
    assert told.result["text"] == "You have 60 days to return it."
    assert told.result["lost"] == ["4.95 EUR"]


async def test_a_sentence_that_was_cut_off_is_left_out_and_its_facts_stay(
    client: Client,
    origin: str,
    sessions: sessionmaker[Session],
    redis_url: str,
    embedder: Embedder,
    bea: SignedInDesk,
    taken: tuple[UUID, int],
) -> None:
    mine = "The item must be unused. Sending it back costs 4.95 EUR."
    model = ScriptedEngine(["The item must be unused. Sending it back"], finish="deadline")
    with helping(sessions, redis_url, embedder, model):
        told = await _help(client, origin, bea, taken[1], "rewrite", text=mine, style="formal")
    assert told.result["text"] == mine


async def test_a_translation_with_another_figure_is_not_used(
    client: Client,
    origin: str,
    sessions: sessionmaker[Session],
    redis_url: str,
    embedder: Embedder,
    bea: SignedInDesk,
    taken: tuple[UUID, int],
) -> None:
    mine = "You have 60 days to return it. Sending it back costs 4.95 EUR."
    engine = ScriptedEngine(
        ["Sie haben 60 Tage Zeit, um es zurückzugeben.", "Die Rücksendung kostet 9,95 EUR."]
    )
    with helping(sessions, redis_url, embedder, engine):
        told = await _help(client, origin, bea, taken[1], "translate", text=mine, language="de")
    assert told.result["text"] == (
        "Sie haben 60 Tage Zeit, um es zurückzugeben. Sending it back costs 4.95 EUR."
    )
    assert [each["failed"] for each in told.result["pieces"]] == ["", "figure", ""]


async def test_a_summary_says_only_what_was_said(
    client: Client,
    origin: str,
    sessions: sessionmaker[Session],
    redis_url: str,
    embedder: Embedder,
    bea: SignedInDesk,
    taken: tuple[UUID, int],
) -> None:
    with sessions.begin() as session:
        reply_as_agent(session, taken[0], bea.agent_id, "You have 60 days.", client_id="bea-00001")
    model = "The customer asks how long they have to return an item. They were given 90 days."
    with helping(sessions, redis_url, embedder, ScriptedEngine([model])):
        told = await _help(client, origin, bea, taken[1], "summarise")
    assert told.result["text"] == "The customer asks how long they have to return an item."
    with helping(sessions, redis_url, embedder):
        told = await _help(client, origin, bea, taken[1], "summarise")
    assert told.result["text"] == "How long do I have to return an item? You have 60 days."


async def test_without_a_model_a_rewriting_is_refused_in_a_sentence(
    client: Client,
    origin: str,
    sessions: sessionmaker[Session],
    redis_url: str,
    embedder: Embedder,
    bea: SignedInDesk,
    taken: tuple[UUID, int],
) -> None:
    with helping(sessions, redis_url, embedder):
        told = await _help(client, origin, bea, taken[1], "rewrite", text="Hello.", style="formal")
    assert told.problem["code"] == "no_model"
    assert "Your text is as it was" in told.problem["message"]


async def test_what_was_made_of_a_suggestion_is_kept_sealed(
    client: Client,
    origin: str,
    sessions: sessionmaker[Session],
    redis_url: str,
    embedder: Embedder,
    bea: SignedInDesk,
    taken: tuple[UUID, int],
) -> None:
    with helping(sessions, redis_url, embedder) as runtime:
        write_article(runtime, "returns", "Returning an item", RETURNS)
        told = await _help(client, origin, bea, taken[1], "suggest")
    offered = told.result["text"]
    for sent, verdict in (
        (offered, "as_is"),
        ("You have sixty days, Ada. MARKER-7719", "edited"),
    ):
        async with client.post(
            f"/desk/api/conversations/{taken[1]}/copilot/feedback",
            json={"run_id": told.result["run_id"], "sent": sent},
            headers=bea.headers(origin),
        ) as response:
            assert (response.status, (await response.json())["verdict"]) == (201, verdict)
    with sessions() as session:
        kept = session.scalars(select(CopilotFeedback)).one()
        assert (kept.offered, kept.sent) == (offered, "You have sixty days, Ada. MARKER-7719")
        raw = session.execute(text("select sent_sealed from copilot_feedback")).scalar_one()
        assert b"MARKER-7719" not in bytes(raw)


async def test_a_suggestion_of_another_conversation_takes_no_feedback(
    client: Client,
    origin: str,
    sessions: sessionmaker[Session],
    redis_url: str,
    embedder: Embedder,
    bea: SignedInDesk,
    taken: tuple[UUID, int],
    shop: UUID,
) -> None:
    with helping(sessions, redis_url, embedder):
        told = await _help(client, origin, bea, taken[1], "summarise")
    with sessions.begin() as session:
        other = write(session, shop, "Hello?", "cyd")
    async with client.post(
        f"/desk/api/conversations/{number_of(sessions, other.conversation_id)}/copilot/feedback",
        json={"run_id": told.result["run_id"], "sent": "x"},
        headers=bea.headers(origin),
    ) as response:
        assert response.status == 404


async def test_a_deleted_conversation_takes_the_copilots_words_along(
    client: Client,
    origin: str,
    sessions: sessionmaker[Session],
    redis_url: str,
    embedder: Embedder,
    bea: SignedInDesk,
    taken: tuple[UUID, int],
) -> None:
    with helping(sessions, redis_url, embedder):
        await _help(client, origin, bea, taken[1], "summarise")
    with sessions.begin() as session:
        assert session.scalar(select(func.count()).select_from(CopilotRun)) == 1
        delete_conversation(session, taken[0])
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Conversation)) == 0
        assert session.scalar(select(func.count()).select_from(CopilotRun)) == 0


async def _help(
    client: Client, origin: str, person: SignedInDesk, number: int, kind: str, **body: str
) -> Helped:
    return await ask(client, origin, person, f"/conversations/{number}/copilot/{kind}", **body)
