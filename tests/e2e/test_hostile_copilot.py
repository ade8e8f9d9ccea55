"""Hostile texts where the desk shows what a model wrote, and in gaps, drafts and transcripts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.agents import find_or_add_agent
from bot.conversations import hand_off
from bot.conversations.steps import append, lock
from bot.events import run_topic
from bot.tables import AnswerRun, ArticleDraft, Contact, CopilotRun, Message, new_id
from bot.transcripts_mailed import mailed_transcript
from channels.email.compose import OutgoingMail, compose
from tests.e2e.conftest import Site
from tests.e2e.desk import DeskVisit, ask_bot, ask_person, desk
from tests.e2e.hostile_texts import TEXTS
from tests.e2e.hostile_watch import Watch, batched, storable
from tests.people import write

__all__ = ["desk"]
pytestmark = pytest.mark.browser

CHUNK = 45


def source_of(text: str) -> dict[str, Any]:
    """A passage of which every word is hostile."""
    return {
        "passage_id": str(new_id()),
        "article_id": str(new_id()),
        **dict.fromkeys(("external_id", "title", "heading", "text", "url"), text),
        **dict.fromkeys(("score", "cosine", "lexical"), 0.5),
    }


def result_of(texts: Sequence[str]) -> dict[str, Any]:
    """What a worker might store for any kind of help, made of these texts."""
    sentences = [
        {"text": text, "passage": place, "quote": text, "verbatim": place % 2 == 0}
        for place, text in enumerate(texts)
    ]
    rejected = [{"text": text, "check": text} for text in texts]
    return {
        "pieces": [
            {"text": text, "failed": text if place % 3 == 0 else "", "verbatim": False}
            for place, text in enumerate(texts)
        ],
        "text": "\n".join(texts),
        "lost": list(texts),
        "sentences": sentences,
        "sources": [source_of(text) for text in texts],
        "rejected": rejected,
        **{"reason": texts[0], "action": texts[0], "query": texts[0], "model": texts[0]},
        **{"language": "en", "confidence": 0.9, "output_tokens": 1},
        **dict.fromkeys(("retrieval_ms", "first_sentence_ms", "ttft_ms", "total_ms"), 1.0),
    }


@pytest.fixture
def hostile_worker(site: Site) -> Iterator[None]:
    """Does whatever the copilot is asked for at once, with the next of the texts."""
    ended, parts = threading.Event(), list(batched([storable(text) for text in TEXTS], CHUNK))

    def work() -> None:
        done = 0
        while not ended.wait(0.05):
            with site.sessions.begin() as session:
                query = select(CopilotRun).where(CopilotRun.state == "queued")
                for run in session.scalars(query):
                    result = result_of(parts[done % len(parts)])
                    sides = {"sides": [result_of(part) for part in parts[:2]]}
                    if run.kind == "bench":
                        for side, told in enumerate(sides["sides"]):
                            payload = {"side": side, "result": told}
                            site.publisher.publish(run_topic(run.id), payload)
                    run.result = json.dumps(sides if run.kind == "bench" else result)
                    run.state = "done"
                    done += 1

    thread = threading.Thread(target=work, name="hostile worker")
    thread.start()
    yield
    ended.set()
    thread.join(30)


def watched(begin: Callable[..., DeskVisit], site: Site) -> tuple[DeskVisit, Watch]:
    visit = begin("Bea", "admin")
    watch = Watch(site.url)
    watch.over(visit.context)
    return visit, watch


def test_nothing_runs_that_the_copilot_offers_or_the_bench_shows(
    site: Site, hostile_worker: None, desk: Callable[..., DeskVisit]
) -> None:
    number = ask_person(site, "ada", "How long do I have?")
    bea, watch = watched(desk, site)
    bea.goto(f"/inbox/all/{number}")
    copilot = bea.page.get_by_role("region", name="Copilot")
    for round_ in range(len(TEXTS) // CHUNK + 1):
        copilot.get_by_role("button", name="Suggest a reply").click()
        copilot.get_by_role("button", name="Use this text").wait_for()
        for opened in copilot.locator("summary").all():
            opened.click(force=True)
        watch.look(bea.page, f"suggestion {round_}")
        copilot.get_by_role("button", name="Put it aside").last.click()
    copilot.get_by_role("button", name="Summarise").click()
    copilot.locator(".said span").first.wait_for()
    watch.look(bea.page, "summary")
    bea.goto("/knowledge/bench")
    bea.page.locator("button[type=submit]").wait_for()
    bea.page.get_by_label("Question").fill("How long?")
    bea.page.get_by_role("button", name="Ask", exact=True).click()
    bea.page.get_by_text("Surety").nth(1).wait_for()
    watch.look(bea.page, "bench")
    assert watch.trouble == []


def test_nothing_runs_in_why_an_answer_came_about(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    numbers = []
    with site.sessions.begin() as session:
        for place, texts in enumerate(batched([storable(text) for text in TEXTS], CHUNK)):
            numbers.append(explained(session, site, f"contact-{place}", texts))
    bea, watch = watched(desk, site)
    for number in numbers:
        bea.goto(f"/inbox/all/{number}")
        bea.page.get_by_role("article", name="Message from Bot").get_by_role(
            "button", name="What to do with this message"
        ).click()
        bea.page.get_by_role("menuitem", name="Why this answer").click()
        bea.page.get_by_role("dialog", name="Why this answer").get_by_text("90 % sure").wait_for()
        watch.look(bea.page, f"why {number}")
    assert watch.trouble == []


def explained(session: Session, site: Site, contact: str, texts: Sequence[str]) -> int:
    """A conversation that the bot answered by hostile evidence; its number."""
    recorded = write(session, site.inbox_id, "How long?", contact)
    conversation = lock(session, recorded.conversation_id)
    reply = append(session, conversation, "bot", "\n".join(texts))
    run = AnswerRun(
        id=new_id(),
        inbox_id=site.inbox_id,
        conversation_id=conversation.id,
        contact_id=conversation.contact_id,
        reply_id=reply.id,
        state="done",
        evidence=[source_of(text) for text in texts],
        **{"action": "answer", "reason": texts[0], "model": texts[0], "error": texts[0]},
        **{"confidence": 0.9, "language": "en", "total_ms": 1.0},
    )
    told = result_of(texts)
    cited = {"external_id": texts[0], "title": texts[0], "quote": texts[0], "score": 0.5}
    run.result = json.dumps({**told, "citations": [{**cited, "used": True}]})
    session.add(run)
    session.flush()
    return conversation.number


@pytest.mark.parametrize("start", [0, 1])
def test_nothing_runs_in_gaps_and_drafts(
    site: Site, desk: Callable[..., DeskVisit], start: int
) -> None:
    texts = [storable(text) for text in TEXTS[start::2]]
    with site.sessions.begin() as session:
        agent = find_or_add_agent(session, "Sam")
        drafts = [
            draft_of(session, site, agent, texts[0], "\n\n".join(part))
            for part in batched(texts, CHUNK)
        ]
        for text in texts:
            draft_of(session, site, agent, text, text)
        runs = [gap_of(session, site, place, text) for place, text in enumerate(texts)]
        grouped = CopilotRun(id=new_id(), kind="gaps", agent_id=agent, state="done")
        grouped.request = "{}"
        grouped.result = json.dumps({"groups": [[str(one)] for one in runs]})
        session.add(grouped)
    bea, watch = watched(desk, site)
    bea.goto("/knowledge/gaps")
    bea.page.locator("ol > li").nth(len(texts) - 1).wait_for()
    watch.look(bea.page, "gaps")
    bea.goto("/knowledge/drafts")
    bea.page.locator("main li").nth(len(texts) - 1).wait_for()
    watch.look(bea.page, "drafts")
    for draft in drafts:
        bea.goto(f"/knowledge/drafts/{draft}")
        bea.page.get_by_label("Text, in Markdown").wait_for()
        bea.page.get_by_label("Preview").locator("p").first.wait_for()
        watch.look(bea.page, f"draft {draft}")
    assert watch.trouble == []


def draft_of(session: Session, site: Site, agent: Any, title: str, body: str) -> Any:
    """An open draft that nobody but its words is to be feared for; its id."""
    draft = ArticleDraft(
        id=new_id(), origin="gap", collection="shop", agent_id=agent, language="en"
    )
    draft.title, draft.body, draft.note = title, body, body
    session.add(draft)
    session.flush()
    return draft.id


def gap_of(session: Session, site: Site, place: int, text: str) -> Any:
    """A run that could not answer this question; its id."""
    recorded = write(session, site.inbox_id, text, f"contact-{place}")
    hand_off(session, recorded.conversation_id, "no_evidence")
    contact_id = session.scalars(
        select(Message.contact_id).where(Message.conversation_id == recorded.conversation_id)
    ).first()
    run = AnswerRun(
        id=new_id(),
        inbox_id=site.inbox_id,
        conversation_id=recorded.conversation_id,
        contact_id=contact_id,
        evidence=[source_of(text)],
        **{"state": "done", "action": "handoff", "reason": "no_evidence", "language": "en"},
    )
    run.result = json.dumps({"query": text})
    session.add(run)
    session.flush()
    return run.id


def test_nothing_runs_in_a_transcript_by_mail(chromium: Browser, site: Site) -> None:
    conversation_id = ask_bot(site, "ada", "Hello")
    with site.sessions.begin() as session:
        conversation = lock(session, conversation_id)
        session.get_one(Contact, conversation.contact_id).name = TEXTS[0]
        for place, text in enumerate(TEXTS):
            author: Any = ("bot", "contact")[place % 2]
            append(session, conversation, author, text)
    with site.sessions() as session:
        text = mailed_transcript(session, conversation_id)
    mail = OutgoingMail(
        from_address="support@larkspur.example",
        from_name="Larkspur Outdoor",
        to_address="ada@example.org",
        reply_to="support@larkspur.example",
        subject="Your conversation",
        message_id="one@larkspur.example",
        in_reply_to=None,
        references=(),
        sent_at=conversation.created_at,
        text=text,
        is_automatic=True,
    )
    html = compose(mail).get_body(("html",))
    assert html is not None
    assert html.get_content().count("evil.example") > 50, "the texts are in it"
    context = chromium.new_context()
    watch = Watch(site.url)
    watch.over(context)
    page = context.new_page()
    page.set_content(html.get_content())
    page.wait_for_timeout(500)
    watch.look(page, "transcript")
    context.close()
    assert watch.trouble == []
