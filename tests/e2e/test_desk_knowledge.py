"""The copilot and the knowledge pages in a real Chromium: by keyboard, on a phone, with axe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from bot.conversations import reply_as_agent
from bot.knowledge.articles import give_collection
from bot.knowledge.embedder import Embedder
from bot.tables import Article, Conversation, CopilotFeedback, Message
from tests.bot.dashboard.knowledge import ScriptedEngine, helping, write_article
from tests.e2e.conftest import Site
from tests.e2e.desk import DeskVisit, ask_bot, ask_person, desk, stored
from tests.people import write
from workers.embedding import load_embedder
from workers.runs import answer_conversation, index_articles
from workers.runtime import Runtime

__all__ = ["desk"]
pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 360, "height": 740}}
RETURNS = """You have 60 days to return an item. The item must be unused and in its packaging.

- Sending it back from Germany costs 4.95 EUR.
- In our stores it is free."""
SHIPPING = "Parcels to Norway arrive within 5 working days and cost 8.95 EUR."
HOSTILE = """# Hello
<script>alert(1)</script> <img src=x onerror=alert(2)>
![x](https://evil.example/x.png) [click](javascript:alert(3)) <style>*{display:none}</style>"""


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder(threads=1)


@pytest.fixture
def model() -> ScriptedEngine:
    return ScriptedEngine(["You have 60 days to return an item."])


@pytest.fixture
def worker(
    site: Site, redis_url: str, embedder: Embedder, model: ScriptedEngine
) -> Iterator[Runtime]:
    """A worker with the search as it is, a scripted model, and two articles of the shop."""
    with site.sessions.begin() as session:
        give_collection(session, site.inbox_id, "shop")
    with helping(site.sessions, redis_url, embedder, model) as runtime:
        write_article(runtime, "returns", "Returning an item", RETURNS)
        write_article(runtime, "shipping", "Shipping to Norway", SHIPPING)
        yield runtime


def open_conversation(visit: DeskVisit, number: int, text: str) -> None:
    visit.goto(f"/inbox/all/{number}")
    visit.page.locator(".log").get_by_text(text).first.wait_for()


def answered(site: Site, worker: Runtime, text: str) -> int:
    """Ada asks and the bot answers; the conversation's number."""
    conversation_id = ask_bot(site, "ada", text)
    answer_conversation(worker, conversation_id)
    with site.sessions() as session:
        return session.get_one(Conversation, conversation_id).number


# -- the copilot -----------------------------------------------------------------------------


def test_a_suggestion_is_taken_edited_and_sent_by_keys_alone_and_the_edit_is_kept(
    site: Site, desk: Callable[..., DeskVisit], worker: Runtime
) -> None:
    number = ask_person(site, "ada", "How long do I have to return an item?")
    bea = desk()
    open_conversation(bea, number, "How long do I have")
    bea.press("t")
    bea.told("It is yours. The bot is silent.")
    bea.press("r")
    bea.press("Control+j")
    copilot = bea.page.get_by_role("region", name="Copilot")
    copilot.get_by_text("You have 60 days to return an item.").first.wait_for()
    copilot.get_by_text("What it rests on").wait_for()
    assert bea.violations() == []
    bea.press("Control+j")
    reply = bea.page.get_by_role("textbox", name="The reply")
    expect(reply).to_have_value("You have 60 days to return an item.")
    reply.focus()
    bea.press("End")
    bea.page.keyboard.type(" Good luck!")
    with bea.page.expect_response("**/copilot/feedback"):
        bea.press("Control+Enter")
    bea.page.locator(".log").get_by_text("Good luck!").wait_for()
    assert stored(site, number)[-1].text == "You have 60 days to return an item. Good luck!"
    expect(reply).to_have_value("")
    with site.sessions() as session:
        kept = session.scalars(select(CopilotFeedback)).one()
        assert (kept.verdict, kept.offered) == ("edited", "You have 60 days to return an item.")
    assert bea.trouble == []


def test_a_rewriting_shows_what_was_not_let_through_and_what_is_no_longer_in_it(
    site: Site, desk: Callable[..., DeskVisit], worker: Runtime, model: ScriptedEngine
) -> None:
    model.texts = ["You have 60 days. It is always free."]
    number = ask_person(site, "ada", "How long do I have?")
    bea = desk()
    open_conversation(bea, number, "How long do I have?")
    bea.page.get_by_role("textbox", name="The reply").fill(
        "You have 60 days. Sending it back costs 4.95 EUR."
    )
    bea.page.get_by_role("button", name="Rewrite").click()
    bea.page.get_by_role("menuitem", name="Shorter").click()
    copilot = bea.page.get_by_role("region", name="Copilot")
    copilot.get_by_text("No longer in it: 4.95 EUR").wait_for()
    copilot.get_by_text("Left out after a check").click()
    expect(copilot.locator("s")).to_have_text("It is always free.")
    copilot.get_by_role("button", name="Use this text").click()
    expect(bea.page.get_by_role("textbox", name="The reply")).to_have_value("You have 60 days.")
    assert bea.trouble == []


def test_the_copilot_sums_up_and_nothing_is_suggested_where_no_article_answers(
    site: Site, desk: Callable[..., DeskVisit], worker: Runtime, model: ScriptedEngine
) -> None:
    model.texts = ["no"]
    number = ask_person(site, "ada", "Do you hire astronauts in Reykjavik?")
    bea = desk(**PHONE)
    open_conversation(bea, number, "Do you hire astronauts")
    copilot = bea.page.get_by_role("region", name="Copilot")
    copilot.get_by_role("button", name="Suggest a reply").click()
    copilot.get_by_text("Nothing is suggested.").wait_for()
    expect(copilot.get_by_role("button", name="Use this text")).to_have_count(0)
    copilot.get_by_role("button", name="Summarise").click()
    copilot.get_by_text("Do you hire astronauts in Reykjavik?").wait_for()
    assert fits(bea)
    assert bea.violations() == []
    assert bea.trouble == []


# -- why, corrections, articles from messages ------------------------------------------------


def test_why_an_answer_shows_the_passage_and_a_correction_ends_in_the_article(
    site: Site, desk: Callable[..., DeskVisit], worker: Runtime
) -> None:
    number = answered(site, worker, "How long do I have to return an item?")
    sam = desk("Sam", "supervisor")
    open_conversation(sam, number, "You have 60 days to return an item.")
    sam.page.get_by_role("article", name="Message from Bot").get_by_role(
        "button", name="What to do with this message"
    ).click()
    assert sam.violations() == []
    sam.page.get_by_role("menuitem", name="Why this answer").click()
    dialog = sam.page.get_by_role("dialog", name="Why this answer")
    dialog.get_by_role("link", name="Returning an item").wait_for()
    dialog.get_by_text("word for word from 1").first.wait_for()
    dialog.get_by_text("scripted").wait_for()
    assert sam.violations() == []
    sam.press("Escape")
    sam.page.get_by_role("article", name="Message from Bot").get_by_role(
        "button", name="What to do with this message"
    ).click()
    sam.page.get_by_role("menuitem", name="Correct this answer").click()
    sam.page.get_by_label("The right answer").fill("It is 90 days since October.")
    sam.page.get_by_role("button", name="Keep the correction").click()
    sam.page.get_by_role("button", name="Review now").click()
    sam.page.get_by_text("Right would be: It is 90 days since October.").wait_for()
    text = sam.page.get_by_label("Text, in Markdown")
    text.fill(RETURNS.replace("60 days", "90 days"))
    sam.page.get_by_role("button", name="Publish").click()
    sam.told("Published.")
    with site.sessions() as session:
        body = session.scalars(select(Article.body).where(Article.external_id == "returns")).one()
    assert "90 days" in body
    assert sam.trouble == []


def test_a_colleagues_answer_is_made_an_article_from_the_menu_by_keys(
    site: Site, desk: Callable[..., DeskVisit], worker: Runtime
) -> None:
    number = ask_person(site, "ada", "Do you rent tents?")
    bea = desk()
    with site.sessions.begin() as session:
        conversation_id = session.scalars(select(Message.conversation_id)).first()
        assert conversation_id is not None
        reply_as_agent(
            session,
            conversation_id,
            bea.person.agent_id,
            "Yes, we rent tents for 12 EUR a night.",
            client_id="bea-00001",
        )
    open_conversation(bea, number, "we rent tents")
    bea.page.get_by_role("article", name="Message from Bea").get_by_role(
        "button", name="What to do with this message"
    ).focus()
    bea.press("Enter", "ArrowDown", "Enter")
    expect(bea.page.get_by_label("Title")).to_have_value("Do you rent tents?")
    expect(bea.page.get_by_label("Text, in Markdown")).to_have_value(
        "Yes, we rent tents for 12 EUR a night."
    )
    expect(bea.page.get_by_role("button", name="Publish")).to_have_count(0)  # she is an agent
    assert bea.violations() == []
    assert bea.trouble == []


# -- knowledge -------------------------------------------------------------------------------


def test_an_article_is_written_with_its_preview_and_hostile_text_stays_text(
    site: Site, desk: Callable[..., DeskVisit], worker: Runtime
) -> None:
    sam = desk("Sam", "supervisor")
    sam.goto("/knowledge")
    sam.page.get_by_role("link", name="Shipping to Norway").wait_for()
    sam.press("n")
    sam.page.get_by_label("Title").fill("Renting a tent")
    sam.page.get_by_label("Text, in Markdown").fill(f"{HOSTILE}\n\nA **tent** costs 12 EUR.")
    preview = sam.page.get_by_label("Preview")
    expect(preview.locator("strong")).to_have_text("tent")
    expect(preview.locator("img, script, style, a[href^=javascript]")).to_have_count(0)
    assert sam.violations() == []
    sam.press("Control+s")
    sam.told("Saved.")
    with site.sessions() as session:
        made = session.scalars(select(Article.id).where(Article.title == "Renting a tent")).one()
    index_articles(worker, made)
    sam.goto("/knowledge")
    sam.page.get_by_role("link", name="Renting a tent").wait_for()
    sam.press("f")
    sam.page.keyboard.type("12 EUR")
    expect(sam.page.locator("tbody tr")).to_have_count(1)
    expect(sam.page.locator("tbody tr")).to_contain_text("Yes")
    sam.page.get_by_role("link", name="Renting a tent").click()
    sam.page.get_by_role("button", name="Delete").click()
    sam.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    sam.told("The article is deleted.")
    assert sam.trouble == []


def test_files_are_imported_with_progress_and_what_is_wrong_with_one_is_told(
    site: Site, desk: Callable[..., DeskVisit], worker: Runtime, tmp_path: Path
) -> None:
    (tmp_path / "care.md").write_text("# Tent care\n\nDry it before you pack it.")
    (tmp_path / "faq.csv").write_text("question,answer\nHow much?,12 EUR.\nHow long?,A week.\n")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    sam = desk("Sam", "supervisor")
    sam.goto("/knowledge/import")
    sam.page.get_by_label("Into the collection").fill("new")
    sam.page.get_by_label("Choose files").set_input_files(
        [tmp_path / "care.md", tmp_path / "faq.csv", tmp_path / "broken.pdf"]
    )
    sam.page.get_by_text("3 of 3 files, 3 articles.").wait_for()
    sam.page.get_by_text("The bot still reads 3.").wait_for()
    sam.page.locator("li", has_text="broken.pdf").locator(".problem").first.wait_for()
    assert sam.violations() == []
    with site.sessions() as session:
        due = session.scalars(select(Article.id).where(Article.indexed_hash.is_(None))).first()
    assert due is not None
    index_articles(worker, due)
    sam.page.get_by_text("The bot answers from all of it.").wait_for()
    with site.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Article)) == 5
    assert sam.trouble == []


def test_a_gap_is_grouped_drafted_reviewed_and_closed(
    site: Site, desk: Callable[..., DeskVisit], worker: Runtime, model: ScriptedEngine
) -> None:
    model.texts = ["no"]
    sam = desk("Sam", "supervisor")
    vegan = ("Is the Alpine jacket vegan?", "Does the Alpine jacket contain animal products?")
    for contact, question in zip(("ada", "eve"), vegan, strict=True):
        conversation_id = ask(site, worker, contact, question)
        with site.sessions.begin() as session:
            reply_as_agent(
                session,
                conversation_id,
                sam.person.agent_id,
                "The Alpine jacket contains down, so it is not vegan.",
                client_id=f"sam-{contact}-1",
            )
    sam.goto("/knowledge/gaps")
    expect(sam.page.locator("ol > li")).to_have_count(1)  # grouped, without being asked to
    expect(sam.page.locator("ol > li .count")).to_contain_text("2")
    for question in vegan:
        sam.page.get_by_text(question).first.wait_for()
    assert sam.violations() == []
    sam.page.get_by_role("button", name="Draft an article").click()
    expect(sam.page.get_by_label("Text, in Markdown")).to_have_value(
        "The Alpine jacket contains down, so it is not vegan."
    )
    sam.page.get_by_role("button", name="Publish").click()
    sam.told("Published.")
    sam.goto("/knowledge/gaps")
    sam.page.get_by_text("No gaps this week").wait_for()
    assert sam.trouble == []


def ask(site: Site, worker: Runtime, contact: str, question: str) -> UUID:
    """A contact asks what no article answers, and the bot hands over."""
    with site.sessions.begin() as session:
        conversation_id = write(session, site.inbox_id, question, contact).conversation_id
    answer_conversation(worker, conversation_id)
    return conversation_id


def test_the_bench_stands_two_settings_side_by_side(
    site: Site, desk: Callable[..., DeskVisit], worker: Runtime
) -> None:
    bea = desk()
    bea.goto("/knowledge/bench")
    bea.page.get_by_label("Question").fill("How long do I have to return an item?")
    bea.page.get_by_label("Search weighs").nth(1).select_option("Meaning only")
    # It may be asked once the inboxes are known.
    bea.page.locator("button[type=submit]:enabled").wait_for()
    bea.page.get_by_label("Question").press("Enter")
    for name in ("A", "B"):
        side = bea.page.get_by_role("region", name=f"Answer with setting {name}")
        side.get_by_text("You have 60 days to return an item.").first.wait_for()
        side.get_by_role("link", name="Returning an item").wait_for()
        side.get_by_text("word for word from 1").first.wait_for()
    assert bea.violations() == []
    assert bea.trouble == []


@pytest.mark.parametrize("path", ["", "/articles/new", "/gaps", "/drafts", "/bench", "/import"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_the_knowledge_fits_a_phone_and_axe_finds_nothing(
    site: Site, desk: Callable[..., DeskVisit], worker: Runtime, path: str, scheme: str
) -> None:
    sam = desk("Sam", "supervisor", color_scheme=scheme, **PHONE)
    sam.goto(f"/knowledge{path}")
    sam.page.locator("h1").first.wait_for()
    assert fits(sam), path
    assert sam.violations() == []
    assert sam.trouble == []


def fits(visit: DeskVisit) -> bool:
    """Nothing is wider than the window."""
    found: bool = visit.page.evaluate(
        "document.querySelector('main').scrollWidth <= document.querySelector('main').clientWidth"
    )
    return found
