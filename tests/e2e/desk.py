"""Bea's browser window on the desk, and axe, which says what somebody could not use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import select

from bot.conversations import hand_off
from bot.dashboard.door import COOKIE
from bot.dashboard.pages import DIST
from bot.tables import Conversation, Inbox, Message, Role, new_id, now
from tests.bot.dashboard.staff import SignedInDesk, sign_in
from tests.e2e.axe import violations
from tests.e2e.conftest import WAIT_MS, Site
from tests.people import write


@dataclass
class DeskVisit:
    """Somebody of the staff before the desk, with everything suspicious that happened."""

    site: Site
    context: BrowserContext
    page: Page
    person: SignedInDesk
    trouble: list[str] = field(default_factory=list)

    def goto(self, path: str) -> None:
        self.page.goto(f"{self.site.url}/desk{path}")
        # The page itself, not the frame around it alone: its keys are bound when it is there.
        self.page.locator("h1").first.wait_for(state="attached")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def rows(self) -> list[str]:
        """The names in the list, from the top."""
        found: list[str] = self.page.locator(".rows li .name").all_inner_texts()
        return found

    def messages(self) -> list[str]:
        found: list[str] = self.page.locator(".log article .text").all_inner_texts()
        return found

    def told(self, text: str) -> None:
        """Wait for a toast that says so."""
        self.page.locator(".toast").get_by_text(text).first.wait_for()

    def violations(self) -> list[str]:
        """What axe finds on the page as it stands."""
        return violations(self.page)


@pytest.fixture
def desk(chromium: Browser, site: Site) -> Iterator[Callable[..., DeskVisit]]:
    """Opens windows of signed-in people: `desk("Bea")`."""
    assert (DIST / "index.html").exists(), (
        "build the pages first: deploy/build-web bot/dashboard/ui"
    )
    contexts: list[BrowserContext] = []

    def begin(name: str = "Bea", role: Role = "agent", **options: Any) -> DeskVisit:
        context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        person = sign_in(site.sessions, name, role)
        context.add_cookies(
            [
                {
                    "name": COOKIE,
                    "value": person.token,
                    "url": f"{site.url}/desk/",
                    "sameSite": "Strict",
                    "httpOnly": True,
                }
            ]
        )
        visit = DeskVisit(site, context, context.new_page(), person)
        _watch(visit)
        return visit

    yield begin
    for context in contexts:
        context.close()


def _watch(visit: DeskVisit) -> None:
    def note_request(url: str) -> None:
        if not url.startswith((visit.site.url, "data:", "blob:")):
            visit.trouble.append(f"request to {url}")

    def note_said(message: Any) -> None:
        # The browser says so itself when the policy stops a style or a script.
        if message.type == "error" and "status of 4" not in message.text:
            visit.trouble.append(f"console: {message.text}")

    visit.context.on("request", lambda request: note_request(request.url))
    visit.page.on("console", note_said)
    visit.page.on("pageerror", lambda error: visit.trouble.append(f"error {error}"))
    visit.page.on("dialog", lambda dialog: visit.trouble.append(f"dialog {dialog.message}"))


def make_inbox_of(site: Site, channel: Any, name: str) -> UUID:
    inbox_id = new_id()
    with site.sessions.begin() as session:
        session.add(Inbox(id=inbox_id, name=name, channel=channel, company="Larkspur Outdoor"))
    return inbox_id


def ask_person(
    site: Site, contact: str, text: str, *, inbox_id: UUID | None = None, minutes: int = 0
) -> int:
    """A contact writes and waits for a person; the conversation's number."""
    with site.sessions.begin() as session:
        recorded = write(session, inbox_id or site.inbox_id, text, contact)
        advance = hand_off(session, recorded.conversation_id, "requested")
        conversation = session.get_one(Conversation, recorded.conversation_id)
        conversation.waiting_since = now() - timedelta(minutes=minutes)
        number = conversation.number
    site.publisher.advanced(advance)
    return number


def ask_bot(site: Site, contact: str, text: str) -> UUID:
    """A contact writes to the bot."""
    with site.sessions.begin() as session:
        return write(session, site.inbox_id, text, contact).conversation_id


@dataclass(frozen=True)
class Said:
    """One message of a conversation."""

    author: str
    private: bool
    text: str


def stored(site: Site, number: int) -> list[Said]:
    """What stands in a conversation."""
    query = (
        select(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Conversation.number == number)
        .order_by(Message.seq)
    )
    with site.sessions() as session:
        return [Said(each.author, each.private, each.text) for each in session.scalars(query)]


def conversation(site: Site, number: int) -> Conversation:
    with site.sessions() as session:
        return session.scalars(select(Conversation).where(Conversation.number == number)).one()
