"""Articles, imports, drafts, gaps, the test bench and "why this answer", over real HTTP."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from aiohttp import FormData
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, sessionmaker

from bot.conversations import reply_as_agent
from bot.dashboard.articles import add_article
from bot.dashboard.knowledge_payloads import ArticleIn
from bot.dashboard.signed_in import SignedIn
from bot.knowledge.articles import give_collection
from bot.knowledge.embedder import Embedder
from bot.knowledge.indexing import index_article
from bot.tables import (
    Article,
    ArticleDraft,
    AuditEntry,
    Conversation,
    CopilotRun,
    Inbox,
    Message,
    new_id,
)
from tests.bot.dashboard.desk import Desk
from tests.bot.dashboard.knowledge import ScriptedEngine, ask, helping, number_of, write_article
from tests.bot.dashboard.staff import SignedInDesk, sign_in
from tests.people import write
from workers.embedding import load_embedder
from workers.runs import answer_conversation

RETURNS = "You have 60 days to return an item. The item must be unused and in its packaging."


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder(threads=1)


@pytest.fixture
def shop(sessions: sessionmaker[Session]) -> UUID:
    """An inbox of Larkspur that answers from its articles."""
    inbox_id = new_id()
    with sessions.begin() as session:
        session.add(Inbox(id=inbox_id, name="shop", channel="chat", company="Larkspur"))
        session.flush()
        give_collection(session, inbox_id, "shop")
    return inbox_id


def article(title: str = "Returning an item", body: str = RETURNS, **more: Any) -> dict[str, Any]:
    return {"title": title, "body": body, "language": "en", "collection": "shop", **more}


# -- articles --------------------------------------------------------------------------------


def test_two_people_who_add_the_same_title_at_once_get_an_article_each(
    sessions: sessionmaker[Session],
) -> None:
    bea, dan = (as_signed_in(sign_in(sessions, name)) for name in ("Bea", "Dan"))
    beas, dans = (ArticleIn(**article(body=f"By {name}.")) for name in ("Bea", "Dan"))

    def add_dans() -> UUID:
        with sessions.begin() as session:
            return add_article(session, dans, dan).article_id

    with ThreadPoolExecutor(1) as other:
        with sessions.begin() as session:
            first = add_article(session, beas, bea).article_id
            second = other.submit(add_dans)
            until_somebody_waits(sessions)
        assert second.result(30) != first
    with sessions() as session:
        found = session.execute(select(Article.external_id, Article.body)).all()
    assert {tuple(row) for row in found} == {
        ("returning-an-item", "By Bea."),
        ("returning-an-item-2", "By Dan."),
    }


def as_signed_in(person: SignedInDesk) -> SignedIn:
    return SignedIn(person.agent_id, person.name, "agent", person.session_id, person.account_id)


def until_somebody_waits(sessions: sessionmaker[Session], within_s: float = 30.0) -> None:
    """Until a transaction of this database waits for another's lock."""
    waits = text(
        "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
        " and datname = current_database()"
    )
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with sessions() as session:
            if session.execute(waits).first() is not None:
                return
        time.sleep(0.05)
    raise AssertionError("nobody waited")


async def test_an_article_is_written_found_by_the_search_changed_and_deleted(
    sam: Desk, shop: UUID, sessions: sessionmaker[Session], redis_url: str, embedder: Embedder
) -> None:
    status, made = await sam.ask("POST", "/knowledge/articles", json=article())
    assert (status, made["external_id"], made["is_indexed"]) == (201, "returning-an-item", False)
    index_article(sessions, embedder, UUID(made["id"]))
    path = f"/knowledge/articles/{made['id']}"
    assert (await sam.get(path))["is_indexed"] is True
    changed = article(body="You have 90 days.", content_hash=made["content_hash"])
    status, second = await sam.ask("PUT", path, json=changed)
    assert (status, second["body"], second["is_indexed"]) == (200, "You have 90 days.", False)
    status, refused = await sam.ask("PUT", path, json=changed)
    assert (status, refused["error"]["code"]) == (409, "conflict")
    assert (await sam.ask("DELETE", path))[0] == 204
    assert (await sam.ask("GET", path))[0] == 404
    with sessions() as session:
        told = session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)).all()
    assert told[-3:] == ["article.added", "article.changed", "article.deleted"]


async def test_two_articles_of_one_title_have_ids_of_their_own(sam: Desk) -> None:
    made = [(await sam.ask("POST", "/knowledge/articles", json=article()))[1] for _ in range(3)]
    ids = ["returning-an-item", "returning-an-item-2", "returning-an-item-3"]
    assert [each["external_id"] for each in made] == ids


async def test_articles_are_found_by_a_part_of_their_text_and_percent_is_no_pattern(
    sam: Desk,
) -> None:
    for title, body in (("Returns", "Within 60 days."), ("Sale", "Everything is 20% off.")):
        await sam.ask("POST", "/knowledge/articles", json=article(title, body))
    for wanted, titles in (("60 DAYS", ["Returns"]), ("0% off", ["Sale"]), ("%", ["Sale"])):
        page = await sam.get("/knowledge/articles", q=wanted)
        assert [each["title"] for each in page["items"]] == titles, wanted
    assert (await sam.get("/knowledge/articles", collection="none"))["total"] == 0


async def test_agents_read_articles_and_only_supervisors_write_them(
    bea: Desk, sam: Desk, shop: UUID
) -> None:
    made = (await sam.ask("POST", "/knowledge/articles", json=article()))[1]
    path = f"/knowledge/articles/{made['id']}"
    assert (await bea.get(path))["title"] == "Returning an item"
    for method, where in (("POST", "/knowledge/articles"), ("PUT", path), ("DELETE", path)):
        status, refused = await bea.ask(method, where, json=article())
        assert (status, refused["error"]["code"]) == (403, "role"), method
    assert (await sam.get(path))["body"] == RETURNS


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://evil.example/pixel.png)",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "<a href=x style='background:url(https://evil.example)'>x</a>",
        "[x][1]\n\n[1]: javascript:alert(1)",
        "<iframe src=https://evil.example></iframe>",
    ],
)
async def test_what_an_article_holds_neither_executes_nor_fetches_in_the_preview(
    bea: Desk, hostile: str
) -> None:
    html = (await bea.do("/knowledge/preview", body=f"Hello **you**\n\n{hostile}"))["html"]
    assert "<strong>you</strong>" in html
    for begin in ("<script", "<img", "<iframe", 'href="javascript', 'href="data'):
        assert begin not in html
    assert re.search(r"<[a-z][^>]*\s(?:style|on\w+)=", html) is None


# -- imports ---------------------------------------------------------------------------------


async def upload(desk: Desk, name: str, content: bytes, **fields: str) -> tuple[int, Any]:
    form = FormData()
    for field, value in {"collection": "shop", **fields}.items():
        form.add_field(field, value)
    form.add_field("file", content, filename=name, content_type="application/octet-stream")
    return await desk.ask("POST", "/knowledge/imports", data=form)


async def test_a_file_becomes_articles_and_sent_again_changes_nothing(
    sam: Desk, shop: UUID, sessions: sessionmaker[Session]
) -> None:
    faq = b"question,answer\nHow long?,You have 60 days.\nHow much?,It is free.\n,\n"
    status, told = await upload(sam, "faq.csv", faq)
    assert (status, told["new"], len(told["problems"])) == (200, 2, 1)
    assert told["problems"][0]["where"] == "faq.csv#4"
    assert (await upload(sam, "faq.csv", faq))[1]["unchanged"] == 2
    changed = await upload(sam, "faq.csv", faq.replace(b"60", b"90"))
    assert (changed[1]["changed"], changed[1]["unchanged"]) == (1, 1)
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Article)) == 2
        assert set(session.scalars(select(Article.source))) == {"upload:faq.csv"}


async def test_what_cannot_be_read_is_told_and_names_no_path_of_the_machine(
    sam: Desk, sessions: sessionmaker[Session]
) -> None:
    for name, content in (
        ("../../etc/shadow.exe", b"MZ"),
        ("broken.pdf", b"%PDF-1.7 nothing"),
        ("empty.docx", b"PK\x03\x04"),
        ("a.md", b"\xff\xfe\x00\x00\x00"),
    ):
        status, told = await upload(sam, name, content)
        assert status == 200, name
        assert told["new"] == 0, name
        assert told["problems"], name
        assert "/tmp" not in str(told), told
    assert (await upload(sam, "nothing.md", b" "))[0] == 422


async def test_two_files_that_would_hide_each_other_are_told(sam: Desk) -> None:
    assert (await upload(sam, "returns.md", b"# Returns\n\n60 days."))[1]["new"] == 1
    told = (await upload(sam, "returns.txt", b"Returns\n90 days."))[1]
    assert told["new"] == told["changed"] == 0
    assert "was given before, by returns.md" in told["problems"][0]["reason"]


async def test_an_inbox_answers_from_what_was_imported_for_it(
    bea: Desk, sam: Desk, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        inbox = Inbox(id=new_id(), name="mail", channel="email", company="")
        session.add(inbox)
        inbox_id = inbox.id
    await upload(sam, "returns.md", RETURNS.encode(), collection="new", inbox_id=str(inbox_id))
    found = (await bea.get("/knowledge/collections"))["items"]
    assert found == [{"name": "new", "articles": 1, "inboxes": ["mail"]}]
    assert (await upload(bea, "x.md", b"x"))[0] == 403


# -- why this answer, corrections, articles from messages ------------------------------------


async def test_why_tells_passages_scores_and_what_each_sentence_rests_on(
    bea: Desk, shop: UUID, sessions: sessionmaker[Session], redis_url: str, embedder: Embedder
) -> None:
    with sessions.begin() as session:
        recorded = write(session, shop, "How long do I have to return an item?")
    model = ScriptedEngine(["You have 60 days to return an item. You get 10 EUR on top."])
    with helping(sessions, redis_url, embedder, model) as runtime:
        article_id = write_article(runtime, "returns", "Returning an item", RETURNS)
        answer_conversation(runtime, recorded.conversation_id)
    number = number_of(sessions, recorded.conversation_id)
    reply = (await bea.get(f"/conversations/{number}"))["messages"][-1]
    told = await bea.get(f"/conversations/{number}/messages/{reply['id']}/why")
    (run,) = told["runs"]
    assert told["question"] == "How long do I have to return an item?"
    assert (run["action"], run["model"]) == ("answer", "scripted")
    assert run["timings"]["ttft_ms"] == 5.0
    first = run["sentences"][0]
    assert first["text"] == first["quote"] == "You have 60 days to return an item."
    assert run["passages"][first["passage"]]["article_id"] == str(article_id)
    assert run["passages"][first["passage"]]["cosine"] > 0.7
    assert "You get 10 EUR on top." in [each["text"] for each in run["rejected"]]
    asked = (await bea.get(f"/conversations/{number}"))["messages"][0]
    same = await bea.get(f"/conversations/{number}/messages/{asked['id']}/why")
    assert same["runs"][0]["id"] == run["id"], "the question leads to the same run"


async def test_a_message_of_another_conversation_is_not_explained(
    bea: Desk, chat: UUID, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        one, other = write(session, chat, "Hello", "ada"), write(session, chat, "Hi", "cyd")
        message_id = session.scalars(
            select(Message.id).where(Message.conversation_id == one.conversation_id)
        ).one()
    number = number_of(sessions, other.conversation_id)
    path = f"/conversations/{number}/messages/{message_id}"
    assert (await bea.ask("GET", f"{path}/why"))[0] == 404
    for kind, body in (("article", {}), ("correction", {"text": "x"})):
        assert (await bea.ask("POST", f"{path}/{kind}", json=body))[0] == 404


async def test_an_answer_becomes_an_article_without_names_and_is_sealed_until_published(
    bea: Desk, sam: Desk, shop: UUID, sessions: sessionmaker[Session]
) -> None:
    said = "Hello! We rent tents for 12 EUR a night. Write to ada@example.org, order 99887766."
    with sessions.begin() as session:
        recorded = write(session, shop, "Hi there. Do you rent tents?")
        reply_as_agent(
            session, recorded.conversation_id, bea.person.agent_id, said, client_id="bea-00001"
        )
        message_id = session.scalars(select(Message.id).where(Message.author == "agent")).one()
    number = number_of(sessions, recorded.conversation_id)
    made = await bea.do(f"/conversations/{number}/messages/{message_id}/article")
    draft = await bea.get(f"/knowledge/drafts/{made['id']}")
    assert (draft["title"], draft["collection"]) == ("Do you rent tents?", "shop")
    assert "We rent tents for 12 EUR a night." in draft["body"]
    assert "ada@example.org" not in draft["body"]
    with sessions() as session:
        raw = session.execute(text("select body_sealed from article_draft")).scalar_one()
        assert b"12 EUR" not in bytes(raw)
    body = article("Do you rent tents?", draft["body"], draft_id=made["id"])
    status, published = await sam.ask("POST", "/knowledge/articles", json=body)
    assert (status, published["external_id"]) == (201, "do-you-rent-tents")
    assert (await sam.get("/knowledge/drafts"))["items"] == []


async def test_a_correction_opens_the_article_that_the_answer_was_taken_from(
    bea: Desk, sam: Desk, shop: UUID, sessions: sessionmaker[Session], redis_url: str,
    embedder: Embedder,
) -> None:  # fmt: skip
    with sessions.begin() as session:
        recorded = write(session, shop, "How long do I have to return an item?")
    with helping(sessions, redis_url, embedder) as runtime:
        article_id = write_article(runtime, "returns", "Returning an item", RETURNS)
        answer_conversation(runtime, recorded.conversation_id)
    number = number_of(sessions, recorded.conversation_id)
    reply = (await bea.get(f"/conversations/{number}"))["messages"][-1]
    path = f"/conversations/{number}/messages/{reply['id']}/correction"
    made = await bea.do(path, text="It is 90 days since October.")
    draft = await sam.get(f"/knowledge/drafts/{made['id']}")
    assert (draft["article_id"], draft["body"]) == (str(article_id), RETURNS)
    assert "Right would be: It is 90 days since October." in draft["note"]
    before = await sam.get(f"/knowledge/articles/{article_id}")
    body = article(
        body=RETURNS.replace("60", "90"),
        content_hash=before["content_hash"],
        draft_id=made["id"],
    )
    status, _ = await sam.ask("PUT", f"/knowledge/articles/{article_id}", json=body)
    assert status == 200
    with sessions() as session:
        assert session.scalars(select(ArticleDraft.state)).one() == "published"
    asked = (await bea.get(f"/conversations/{number}"))["messages"][0]
    wrong = f"/conversations/{number}/messages/{asked['id']}/correction"
    assert (await bea.ask("POST", wrong, json={"text": "x"}))[0] == 422


# -- gaps ------------------------------------------------------------------------------------


def ask_and_hand_over(runtime: Any, inbox_id: UUID, questions: dict[str, str]) -> dict[str, UUID]:
    """Each contact asks; the real answer's logic finds nothing and calls a person."""
    found = {}
    for contact, question in questions.items():
        with runtime.sessions.begin() as session:
            recorded = write(session, inbox_id, question, contact)
        answer_conversation(runtime, recorded.conversation_id)
        found[contact] = recorded.conversation_id
    return found


async def test_unanswered_questions_are_grouped_drafted_from_the_staffs_words_and_closed(
    bea: Desk, sam: Desk, shop: UUID, sessions: sessionmaker[Session], redis_url: str,
    embedder: Embedder,
) -> None:  # fmt: skip
    questions = {
        "ada": "Is the Alpine jacket vegan?",
        "eve": "Does the Alpine jacket contain animal products?",
        "dan": "Can I pay with bitcoin in your store?",
    }
    with helping(sessions, redis_url, embedder) as runtime:
        write_article(runtime, "returns", "Returning an item", RETURNS)
        asked = ask_and_hand_over(runtime, shop, questions)
        with sessions.begin() as session:
            reply_as_agent(
                session,
                asked["eve"],
                bea.person.agent_id,
                "Hello! The Alpine jacket contains down, so it is not vegan.",
                client_id="bea-00001",
            )
        alone = await bea.get("/knowledge/gaps")
        assert (alone["unanswered"], alone["is_stale"]) == (3, True)
        assert [gap["count"] for gap in alone["items"]] == [1, 1, 1]
        await ask(bea.client, bea.origin, bea.person, "/knowledge/gaps/group")
        gaps = await bea.get("/knowledge/gaps")
        assert gaps["is_stale"] is False
        assert [gap["count"] for gap in gaps["items"]] == [2, 1]
        vegan, bitcoin = gaps["items"]
        assert {each["text"] for each in vegan["questions"]} == {questions["ada"], questions["eve"]}
        assert (vegan["staff_replies"], bitcoin["staff_replies"]) == (1, 0)
        drafted = await ask(
            bea.client, bea.origin, bea.person, "/knowledge/gaps/draft", run_ids=vegan["run_ids"]
        )
    draft = await sam.get(f"/knowledge/drafts/{drafted.result['draft_id']}")
    assert draft["body"] == "The Alpine jacket contains down, so it is not vegan."
    assert set(draft["questions"]) == {questions["ada"], questions["eve"]}
    waiting = await bea.get("/knowledge/gaps")
    assert waiting["items"][0]["draft_id"] == draft["id"]
    body = article("Is the Alpine jacket vegan?", draft["body"], draft_id=draft["id"])
    assert (await sam.ask("POST", "/knowledge/articles", json=body))[0] == 201
    await sam.do("/knowledge/gaps/dismiss", run_ids=bitcoin["run_ids"])
    assert (await bea.get("/knowledge/gaps"))["items"] == []
    assert (await bea.ask("POST", "/knowledge/gaps/dismiss", json={"run_ids": []}))[0] == 403


async def test_a_gap_that_nobody_answered_is_drafted_empty_and_says_so(
    bea: Desk, shop: UUID, sessions: sessionmaker[Session], redis_url: str, embedder: Embedder
) -> None:
    with helping(sessions, redis_url, embedder) as runtime:
        write_article(runtime, "returns", "Returning an item", RETURNS)
        ask_and_hand_over(runtime, shop, {"ada": "Can I pay with bitcoin in your store?"})
        (gap,) = (await bea.get("/knowledge/gaps"))["items"]
        told = await ask(
            bea.client, bea.origin, bea.person, "/knowledge/gaps/draft", run_ids=gap["run_ids"]
        )
    draft = await bea.get(f"/knowledge/drafts/{told.result['draft_id']}")
    assert draft["body"] == ""
    assert draft["title"] == "Can I pay with bitcoin in your store?"
    assert "Nobody of the staff has answered" in draft["note"]


async def test_the_grouping_keeps_no_text_of_customers(
    bea: Desk, shop: UUID, sessions: sessionmaker[Session], redis_url: str, embedder: Embedder
) -> None:
    with helping(sessions, redis_url, embedder) as runtime:
        ask_and_hand_over(runtime, shop, {"ada": "Is the Alpine jacket vegan?"})
        told = await ask(bea.client, bea.origin, bea.person, "/knowledge/gaps/group")
        await ask(
            bea.client, bea.origin, bea.person, "/knowledge/gaps/draft",
            run_ids=told.result["groups"][0],
        )  # fmt: skip
    with sessions() as session:
        for run in session.scalars(select(CopilotRun)):
            assert "Alpine" not in run.request
            assert "Alpine" not in run.result


# -- the test bench --------------------------------------------------------------------------


async def test_the_bench_shows_what_two_settings_find_and_say(
    bea: Desk, shop: UUID, sessions: sessionmaker[Session], redis_url: str, embedder: Embedder
) -> None:
    with sessions.begin() as session:
        empty = Inbox(id=new_id(), name="empty", channel="chat", company="")
        session.add(empty)
        empty_id = empty.id
    model = ScriptedEngine(["You have 60 days to return an item."])
    with helping(sessions, redis_url, embedder, model) as runtime:
        write_article(runtime, "returns", "Returning an item", RETURNS)
        told = await ask(
            bea.client,
            bea.origin,
            bea.person,
            "/knowledge/bench",
            question="How long do I have to return an item?",
            sides=[
                {"inbox_id": str(shop), "phrasing": "model"},
                {"inbox_id": str(shop), "phrasing": "verbatim", "share": 0},
            ],
        )
        none = await ask(
            bea.client, bea.origin, bea.person, "/knowledge/bench",
            question="How long?", sides=[{"inbox_id": str(empty_id)}],
        )  # fmt: skip
    by_model, verbatim = told.result["sides"]
    assert (by_model["model"], verbatim["model"]) == ("scripted", None)
    assert by_model["action"] == verbatim["action"] == "answer"
    assert by_model["sources"][0]["score"] != verbatim["sources"][0]["score"]
    assert verbatim["sentences"][0]["quote"] == "You have 60 days to return an item."
    assert [each["side"] for each in told.all("side")] == [0, 1]
    assert none.result["sides"][0]["sources"] == []
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Conversation)) == 0


async def test_an_unknown_inbox_is_refused_by_the_bench(bea: Desk) -> None:
    body = {"question": "How long?", "sides": [{"inbox_id": str(new_id())}]}
    assert (await bea.ask("POST", "/knowledge/bench", json=body))[0] == 404
