"""Screenshots of a running `up` for the docs: `python -m tests.e2e.screenshots URL`.

The answer in the widget is a real one; the script fails if none comes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.conftest import CHROMIUM

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SIZES = {"desktop": (1440, 900), "tablet": (768, 1024), "phone": (360, 740)}
QUESTION = "What does express delivery to Germany cost?"
WAIT_MS = 120_000


def main(url: str) -> None:
    """Write docs/screenshots/*.png."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (width, height) in SIZES.items():
            for scheme in ("light", "dark"):
                take(browser, url, f"{name}-{scheme}", width, height, scheme)
        browser.close()


def take(browser: Browser, url: str, name: str, width: int, height: int, scheme: Any) -> None:
    """The shop, then the chat with an answer whose source is open."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
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
    page.keyboard.press("Enter")
    source = page.locator("frontdesk-chat summary").first
    source.wait_for()
    source.click()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
