"""Sizes and costs of what browsers load: `python -m tests.bench.web`.

The widget's budgets are those of issue 4: the loader 10 kB and all that is opened 45 kB (gzip),
33 ms of the main thread while a page loads, nothing moved on the page. A budget that is passed
is marked; a bench asserts nothing.
"""

from __future__ import annotations

import gzip
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from playwright.sync_api import Browser, sync_playwright

from bot import migrate
from bot.app import build_web
from bot.database import keyring_from, make_engine, make_sessions
from bot.local import LocalServers
from bot.sealing import MasterKey
from bot.settings import Settings
from bot.tables import Inbox, new_id
from tests.e2e.conftest import CHROMIUM, ServedApp

ROOT = Path(__file__).resolve().parents[2]
WIDGET = ROOT / "channels" / "chat" / "widget" / "dist"
LOADER_BYTES, OPENED_BYTES, LOAD_MS = 10_000, 45_000, 33.0
ROUNDS = 9
SETTLE_MS = 1200
SHIFTS = """window.moved = 0;
new PerformanceObserver((list) => list.getEntries().forEach((one) => (window.moved += one.value)))
  .observe({type: "layout-shift", buffered: true});"""


@dataclass(frozen=True, slots=True)
class Load:
    """One load of a page: milliseconds of the main thread, requests, layout shift."""

    main_ms: float
    requests: int
    moved: float


def main() -> None:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print_sizes()
    with serve_widget() as (bare, embedded), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        without = [load(browser, bare) for _ in range(ROUNDS)]
        with_it = [load(browser, embedded) for _ in range(ROUNDS)]
        opened = [load(browser, embedded, opens=True) for _ in range(ROUNDS)]
        browser.close()
    base = statistics.median(one.main_ms for one in without)
    cost = statistics.median(one.main_ms for one in with_it) - base
    more = statistics.median(one.main_ms for one in opened) - base - cost
    print(f"main thread: page alone {base:.1f} ms; the widget's load {tell(cost, LOAD_MS, 'ms')}")
    print(f"main thread: opening it {more:.1f} ms more")
    print(f"requests of the widget while a page loads: {with_it[0].requests - without[0].requests}")
    print(f"layout shift: {max(one.moved for one in [*with_it, *opened]):.4f}")


def print_sizes() -> None:
    """Bytes over the line, as gzip sends them."""
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in WIDGET.glob("*.js")}
    loader, app = sizes.pop("widget.js"), sizes.pop("app.js")
    print(f"widget loader: {tell(loader, LOADER_BYTES, 'bytes')}")
    opened = loader + app + max(sizes.values())
    print(f"widget opened, largest language: {tell(opened, OPENED_BYTES, 'bytes')}")


def tell(value: float, budget: float, unit: str) -> str:
    verdict = "" if value <= budget else "  ABOVE THE BUDGET"
    return f"{value:.0f} {unit} of {budget:.0f}{verdict}"


def load(browser: Browser, url: str, opens: bool = False) -> Load:
    """Load a page in a fresh context, let it settle, and read what it cost."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.add_init_script(SHIFTS)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(url)
    if opens:
        page.locator("frontdesk-chat .launcher").click()
        page.locator("frontdesk-chat .panel").wait_for()
    page.wait_for_timeout(SETTLE_MS)
    metrics = {
        one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]
    }
    moved = float(page.evaluate("window.moved"))
    context.close()
    return Load(metrics["TaskDuration"] * 1000, len(requests), moved)


@contextmanager
def serve_widget() -> Iterator[tuple[str, str]]:
    """The addresses of a page without and of one with the widget, on real servers."""
    with tempfile.TemporaryDirectory(prefix="fd-", ignore_cleanup_errors=True) as home:
        local = LocalServers(Path(home), durable=False)
        local.start()
        settings = prepare(local, home)
        desk, pages = ServedApp(build_web(settings)), None
        try:
            pages = ServedApp(pages_of(desk.start()))
            url = pages.start()
            yield f"{url}/bare", f"{url}/embedded"
        finally:
            if pages is not None:
                pages.stop()
            desk.stop()
            local.stop()


def prepare(local: LocalServers, home: str) -> Settings:
    key = MasterKey.generate()
    migrate.upgrade(local.database_url)
    engine = make_engine(local.database_url)
    with make_sessions(engine, keyring_from(key)).begin() as session:
        session.add(Inbox(id=new_id(), name="website", channel="chat", company="Larkspur Outdoor"))
    engine.dispose()
    return Settings.from_env(
        {
            "FRONTDESK_HOME": home,
            "DATABASE_URL": local.database_url,
            "REDIS_URL": local.redis_url,
            "FRONTDESK_MASTER_KEY": key,
            "FRONTDESK_PORT": "0",
            "FRONTDESK_ENGINE": "none",
        }
    )


def pages_of(desk_url: str) -> web.Application:
    """Two pages of a shop that differ by the one script tag."""
    tag = f'<script src="{desk_url}/chat/widget.js" data-inbox="website" async></script>'
    text = "<p>A paragraph of a page like any other.</p>" * 60

    async def show(request: web.Request) -> web.Response:
        script = tag if request.path == "/embedded" else ""
        html = f"<!doctype html><html lang=en><title>Page</title>{script}<main>{text}</main>"
        return web.Response(text=html, content_type="text/html")

    app = web.Application()
    app.router.add_get("/bare", show)
    app.router.add_get("/embedded", show)
    return app


if __name__ == "__main__":
    main()
