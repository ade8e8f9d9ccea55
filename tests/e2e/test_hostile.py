"""Hostile texts through every page and mail: nothing executes, nothing is fetched (promise 18).

What would run calls `fdHit`, which notes it. Every request to another origin is noted, the content
policy's own complaints too, and the page is searched for what could run if there were no policy.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser
from sqlalchemy.orm import Session

from bot.agents import find_or_add_agent
from bot.conversations import hand_off, write_note
from bot.conversations.steps import append, lock
from bot.knowledge.articles import ensure_collection, give_collection, put_article
from bot.tables import (
    Article,
    Attachment,
    Contact,
    Conversation,
    ConversationTag,
    Inbox,
    Macro,
    Message,
    StaffSession,
    Tag,
    new_id,
    now,
)
from channels.email.compose import OutgoingMail, Quoted, compose
from tests.e2e.conftest import WAIT_MS, Site, Visit
from tests.e2e.desk import DeskVisit, desk
from tests.e2e.hostile_texts import TEXTS
from tests.e2e.hostile_watch import Watch, batched, storable
from tests.e2e.widget_world import wait_until_stored
from tests.people import write

__all__ = ["desk"]
pytestmark = pytest.mark.browser

CHUNK = 45


# -- the hooks themselves --------------------------------------------------------------------


def test_the_hooks_notice_what_runs_what_is_fetched_and_what_could_run(
    chromium: Browser, site: Site
) -> None:
    context = chromium.new_context()
    watch = Watch(site.url)
    watch.over(context)
    page = context.new_page()
    page.set_content(
        "<img src=nothing: onerror=fdHit(1)><img src=https://evil.example/a.png>"
        "<a href='javascript:fdHit(1)'>x</a>"
    )
    page.wait_for_timeout(500)
    watch.look(page, "here")
    context.close()
    assert "executed" in watch.trouble
    assert "asked https://evil.example/a.png" in watch.trouble
    assert "here: img onerror" in watch.trouble
    assert any(each.startswith("here: a href=javascript") for each in watch.trouble)


def test_there_are_more_than_three_hundred_texts() -> None:
    assert len(set(TEXTS)) >= 300


# -- the desk --------------------------------------------------------------------------------


def say(session: Session, site: Site, texts: Sequence[str], kind: str, agent: UUID) -> int:
    """A conversation in which somebody said all of the texts; its number."""
    recorded = write(session, site.inbox_id, "Hello", f"{kind}-{hash(texts[0])}")
    hand_off(session, recorded.conversation_id, "requested")
    conversation = lock(session, recorded.conversation_id)
    write_note(session, conversation.id, agent, texts[0])
    for text in texts:
        conversation.last_seq += 1
        message = Message(
            id=new_id(),
            conversation_id=conversation.id,
            inbox_id=conversation.inbox_id,
            contact_id=conversation.contact_id,
            seq=conversation.last_seq,
            author="agent" if kind == "note" else kind,
            private=kind == "note",
            agent_id=agent if kind in ("agent", "note") else None,
            citations=[_citation(text)],
        )
        message.text = storable(text)
        session.add(message)
        if kind == "contact":
            session.flush()
            attach(session, message, text)
    session.flush()
    return conversation.number


def attach(session: Session, message: Message, name: str) -> None:
    row = Attachment(
        id=new_id(),
        message_id=message.id,
        contact_id=message.contact_id,
        media_type="text/html",
        size_bytes=3,
        warning=None,
    )
    row.name = name
    row.content = base64.b64encode(b"<b>").decode()
    session.add(row)


def article_of(collection_id: UUID, number: int, text: str) -> Article:
    return Article(
        collection_id=collection_id,
        external_id=f"a-{number}",
        title=storable(text),
        body=storable(text),
        url=storable(text),
        source=storable(text),
        tags=[storable(text)],
        content_hash="none",
        indexed_hash="none",
    )


@dataclass(frozen=True)
class World:
    """What the staff looks at."""

    numbers: list[int]
    articles: list[UUID]


@pytest.fixture
def world(site: Site) -> World:
    """Every text as name, message, note, tag, macro, file, article, inbox, agent and browser."""
    numbers: list[int] = []
    articles: list[UUID] = []
    with site.sessions.begin() as session:
        agent = find_or_add_agent(session, storable(TEXTS[0]))
        numbers += [
            say(session, site, texts, kind, agent)
            for kind, said in (
                *(("contact", TEXTS), ("bot", TEXTS), ("agent", TEXTS[::3]), ("note", TEXTS[::3])),
            )
            for texts in batched(said, 90)
        ]
        for number, text in enumerate(TEXTS):
            session.add(Macro(name=f"{storable(text)} {number}", text=storable(text)))
        give_collection(session, site.inbox_id, "shop")
        for number, texts in enumerate(batched(TEXTS, CHUNK)):
            body = "\n\n".join(storable(text) for text in texts)
            put = put_article(session, "shop", f"chunk-{number}", storable(texts[0]), body)
            articles.append(put.article_id)
        shop = ensure_collection(session, "shop")
        session.add_all(article_of(shop, number, text) for number, text in enumerate(TEXTS))
        for number, text in enumerate(TEXTS[:40]):
            session.add(
                Inbox(name=f"{storable(text)} {number}", channel="chat", company=storable(text))
            )
    return World(numbers, articles)


@pytest.fixture
def names(site: Site) -> int:
    """Contacts named and tagged like each text; how many conversations there are."""
    with site.sessions.begin() as session:
        for number, text in enumerate(TEXTS):
            recorded = write(session, site.inbox_id, text, f"contact-{number}")
            hand_off(session, recorded.conversation_id, "requested")
            conversation = session.get_one(Conversation, recorded.conversation_id)
            session.get_one(Contact, conversation.contact_id).name = text
            session.flush()
            word = Tag(name=f"{storable(text)} {number}")
            session.add(word)
            session.flush()
            session.add(ConversationTag(conversation_id=conversation.id, tag_id=word.id))
    return len(TEXTS)


def opened(begin: Callable[..., DeskVisit], site: Site) -> tuple[DeskVisit, Watch]:
    visit = begin("Bea", "admin")
    watch = Watch(site.url)
    watch.over(visit.context)
    with site.sessions.begin() as session:
        row = session.get_one(StaffSession, visit.person.session_id)
        row.browser, row.address = "<img src=x onerror=fdHit(1)>", "<svg onload=fdHit(1)>"
    return visit, watch


def test_no_page_of_the_desk_runs_or_fetches_what_a_text_says(
    site: Site, world: World, desk: Callable[..., DeskVisit]
) -> None:
    bea, watch = opened(desk, site)
    for number in world.numbers:
        bea.goto(f"/inbox/all/{number}")
        bea.page.locator(".log article").nth(20).wait_for(state="attached")
        watch.look(bea.page, f"conversation {number}")
    for article in world.articles:
        bea.goto(f"/knowledge/articles/{article}")
        bea.page.locator("textarea").first.wait_for()
        bea.page.wait_for_timeout(300)  # the preview comes from the server
        watch.look(bea.page, f"article {article}")
    pages = (
        *("/inbox/all", "/macros", "/knowledge", "/knowledge/gaps", "/knowledge/drafts"),
        *("/knowledge/bench", "/knowledge/import", "/insights", "/account", "/search?q=evil"),
        *("/admin", "/admin/inboxes", "/admin/staff", "/admin/keys", "/admin/audit"),
        *("/admin/failures", "/search?q=%3Cimg%20src%3Dx%20onerror%3DfdHit(1)%3E"),
    )
    for path in pages:
        bea.goto(path)
        bea.page.locator("main h1, main h2").first.wait_for()
        bea.page.wait_for_timeout(250)
        watch.look(bea.page, path)
    assert watch.trouble == []


def test_no_name_tag_or_preview_in_the_list_runs_or_fetches(
    site: Site, names: int, desk: Callable[..., DeskVisit]
) -> None:
    bea, watch = opened(desk, site)
    bea.goto("/inbox/unassigned")
    rows = bea.page.locator(".rows li")
    rows.first.wait_for()
    until = time.monotonic() + WAIT_MS / 1000
    while rows.count() < names and time.monotonic() < until:
        rows.last.scroll_into_view_if_needed()  # whoever comes to the end is given more
        bea.page.wait_for_timeout(150)
    watch.look(bea.page, "the list")
    assert rows.count() >= names
    assert watch.trouble == []


# -- the widget ------------------------------------------------------------------------------


def test_the_widget_runs_and_fetches_nothing_that_the_model_or_the_staff_says(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    watch = Watch(site.url)
    watch.over(ada.context)
    ada.open_chat()
    ada.say("Hello <img src=x onerror=fdHit(1)>")
    ada.wait_for_text("Hello")
    # As the model writes it: sentence by sentence, shown while it grows.
    wait_until_stored(site, 1)
    site.answer(*TEXTS[::9], citations=[_citation(text) for text in TEXTS[:20]])
    ada.widget(".bubble").nth(1).wait_for()
    ada.page.wait_for_timeout(500)
    watch.look(ada.page, "while it grows")
    with site.sessions.begin() as session:
        agent = find_or_add_agent(session, "<img src=x onerror=fdHit(1)>")
        first = session.query(Conversation).one()
        conversation = lock(session, first.id)
        for number, text in enumerate(TEXTS):
            author: Any = ("bot", "agent", "contact")[number % 3]
            for each in dict.fromkeys(("bot", author)):
                message = append(session, conversation, each, text)
                message.agent_id = agent if each == "agent" else None
                message.citations = [_citation(text)] if each == "bot" else []
                if each != "bot":
                    attach(session, message, text)
    ada.page.reload()
    ada.widget(".panel").wait_for()  # it was open before
    ada.widget(".bubble").nth(200).wait_for(state="attached")
    watch.look(ada.page, "the transcript")
    for source in ada.widget("summary").all()[:3]:
        source.click(force=True)
    watch.look(ada.page, "an opened source")
    assert watch.trouble == []


def _citation(text: str) -> dict[str, Any]:
    clean = storable(text)
    return {
        **{"external_id": clean, "title": clean, "quote": clean, "url": clean},
        **{"score": 0.9, "used": True},
    }


# -- mail ------------------------------------------------------------------------------------


def mail_of(text: str) -> OutgoingMail:
    return OutgoingMail(
        from_address="support@larkspur.example",
        from_name=text,
        to_address="ada@example.org",
        reply_to="support@larkspur.example",
        subject=text,
        message_id="one@larkspur.example",
        in_reply_to=None,
        references=(),
        sent_at=now(),
        text=text,
        is_automatic=True,
        sources=((text, text), (text, "https://larkspur.example/help")),
        quoted=Quoted(text, now(), text),
    )


def test_no_mail_runs_or_fetches_what_a_text_says_and_no_header_is_added(
    chromium: Browser, site: Site
) -> None:
    context = chromium.new_context()
    watch = Watch(site.url)
    watch.over(context)
    page = context.new_page()
    bodies = []
    usual = set(compose(mail_of("Hello")).keys())
    for text in TEXTS:
        mail = compose(mail_of(text))
        assert set(mail.keys()) <= usual, text
        html = mail.get_body(("html",))
        assert html is not None
        bodies.append(html.get_content())
    # Many mails on one page that has no content policy, as a mail program might show them.
    for some in batched(bodies, 60):
        page.set_content("\n".join(some))
        page.wait_for_timeout(150)
        watch.look(page, "mail")
    context.close()
    assert watch.trouble == []
