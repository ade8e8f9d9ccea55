"""Pictures of a running `up --demo` for the docs: `python -m tests.e2e.screenshots URL LINK`.

LINK is a one-time link of `./frontdesk staff link NAME`. The answer in
the widget is a real one; the script fails if none comes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.conftest import CHROMIUM

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SIZES = {"desktop": (1440, 900), "tablet": (768, 1024), "phone": (360, 740)}
QUESTION = "What does express delivery to Germany cost?"
DESK_PAGES = {
    "inbox": "/inbox/all",
    "knowledge": "/knowledge",
    "insights": "/insights",
    "admin": "/admin",
}
# The conversation to open, counted from the top of the list.
OPENED = 4
WAIT_MS = 120_000
SETTLED_MS = 1_200


def main(url: str, link: str) -> None:
    """Write docs/screenshots/*.png."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        signed_in = log_in(browser, link)
        # The desk first: the shop's questions are not its everyday.
        for name, looks in all_looks():
            take_desk(browser, url, name, {**looks, "storage_state": signed_in})
        for name, looks in all_looks():
            take_shop(browser, url, name, looks)
        browser.close()


def all_looks() -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each size and scheme, and the options of a window that shows it."""
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            looks = {
                "viewport": {"width": width, "height": height},
                "color_scheme": scheme,
                "reduced_motion": "reduce",
            }
            yield f"{size}-{scheme}", looks


def log_in(browser: Browser, link: str) -> Any:
    """The cookies of whom the link is for."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("navigation").first.wait_for()
    state = context.storage_state()
    context.close()
    return state


def take_shop(browser: Browser, url: str, name: str, looks: dict[str, Any]) -> None:
    """The shop, then the chat with an answer whose source is open."""
    context = browser.new_context(**looks)
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(f"{url}/shop/")
    page.locator("frontdesk-chat .launcher").wait_for()
    page.screenshot(path=FOLDER / f"shop-{name}.png")
    ask(page)
    page.screenshot(path=FOLDER / f"chat-{name}.png")
    context.close()


def ask(page: Page) -> None:
    page.get_by_role("button", name=QUESTION).click()
    composer = page.locator("frontdesk-chat .composer textarea")
    expect(composer).to_have_value(QUESTION, timeout=WAIT_MS)  # the chat is loaded by the click
    composer.press("Enter")
    source = page.locator("frontdesk-chat summary").first
    source.wait_for()
    source.click()


def take_desk(browser: Browser, url: str, name: str, looks: dict[str, Any]) -> None:
    """The dashboard's pages, and a conversation."""
    context = browser.new_context(**looks)
    page = context.new_page()
    for title, path in DESK_PAGES.items():
        page.goto(f"{url}/desk{path}")
        page.locator("main h1").first.wait_for()
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=FOLDER / f"desk-{title}-{name}.png")
        if title == "inbox":
            for _ in range(OPENED):
                page.keyboard.press("j")
            page.wait_for_timeout(SETTLED_MS)
            page.screenshot(path=FOLDER / f"desk-conversation-{name}.png")
    context.close()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), sys.argv[2])
