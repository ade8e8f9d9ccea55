"""What browsers load and what it costs them: sizes, the main thread, and what Lighthouse says.

    python -m tests.bench.web [--no-lighthouse]

Sizes are gzipped, the main thread's time is a real Chromium's, the median of nine loads. The
dashboard's first load is what a page asks for with an empty cache before anybody does something.
Lighthouse (npm, pinned below) opens each page of a real web process with Bea's session:
performance, accessibility and best practices, 0-100. A limit that is passed is marked; a bench
asserts nothing.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.sync_api import Browser, Response, sync_playwright
from sqlalchemy.orm import Session, sessionmaker

from bot import migrate
from bot.app import build_web
from bot.conversations import hand_off
from bot.dashboard.door import COOKIE
from bot.dashboard.pages import DIST
from bot.database import keyring_from, make_engine, make_sessions
from bot.local import LocalServers
from bot.sample_shop import INBOX
from bot.sealing import MasterKey
from bot.settings import Settings
from bot.tables import Inbox
from bot.tallies import roll_up
from tests.bot.dashboard.staff import sign_in
from tests.e2e.conftest import CHROMIUM, ServedApp
from tests.people import write

ROOT = Path(__file__).resolve().parents[2]
WIDGET = ROOT / "channels" / "chat" / "widget" / "dist"
LOADER_BYTES, OPENED_BYTES, FIRST_LOAD_BYTES = 10_000, 45_000, 150_000
LOAD_MS, LEAST_SCORE = 33.0, 95
ROUNDS = 9
SETTLE_MS = 1200
FIRST_LOAD_MS = 3000
LIGHTHOUSE = "lighthouse@13.5.0"
CATEGORIES = ("performance", "accessibility", "best-practices")
PAGES = {
    "log-in": "/desk/log-in",
    "inbox": "/desk/inbox/unassigned",
    "conversation": "/desk/inbox/unassigned/1",
    "knowledge": "/desk/knowledge",
    "insights": "/desk/insights",
    "shop with the chat": "/shop/",
}
SHIFTS = """window.moved = 0;
new PerformanceObserver((list) => list.getEntries().forEach((one) => (window.moved += one.value)))
  .observe({type: "layout-shift", buffered: true});"""


@dataclass(frozen=True, slots=True)
class Load:
    """One load of a page: milliseconds of the main thread, requests, layout shift."""

    main_ms: float
    requests: int
    moved: float


@dataclass(frozen=True, slots=True)
class Site:
    """A running web process: its address, and the token of Bea's session."""

    url: str
    token: str


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--no-lighthouse", action="store_true")
    asked = parser.parse_args()
    for built in (DIST / "index.html", WIDGET / "widget.js"):
        if not built.exists():
            raise SystemExit("build the pages first: `./frontdesk web` does, or deploy/build-web")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with serve_site() as site:
        print_widget_sizes()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            print_widget_costs(browser, site)
            print_first_loads(browser, site)
            browser.close()
        if not asked.no_lighthouse:
            print_lighthouse(site)


# -- the widget ------------------------------------------------------------------------------


def print_widget_sizes() -> None:
    """Bytes over the line, as gzip sends them."""
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in WIDGET.glob("*.js")}
    loader, app = sizes.pop("widget.js"), sizes.pop("app.js")
    print(f"widget loader: {tell(loader, LOADER_BYTES, 'bytes')}")
    opened = loader + app + max(sizes.values())
    print(f"widget opened, largest language: {tell(opened, OPENED_BYTES, 'bytes')}")


def print_widget_costs(browser: Browser, site: Site) -> None:
    """A page like any other, without the widget, with it, and with the chat opened."""
    pages = ServedApp(pages_of(site.url))
    url = pages.start()
    try:
        without = [load(browser, f"{url}/bare") for _ in range(ROUNDS)]
        with_it = [load(browser, f"{url}/embedded") for _ in range(ROUNDS)]
        opened = [load(browser, f"{url}/embedded", opens=True) for _ in range(ROUNDS)]
    finally:
        pages.stop()
    base = statistics.median(one.main_ms for one in without)
    cost = statistics.median(one.main_ms for one in with_it) - base
    more = statistics.median(one.main_ms for one in opened) - base - cost
    print(f"main thread: page alone {base:.1f} ms; the widget's load {tell(cost, LOAD_MS, 'ms')}")
    print(f"main thread: opening it {more:.1f} ms more")
    print(f"requests of the widget while a page loads: {with_it[0].requests - without[0].requests}")
    print(f"layout shift: {max(one.moved for one in [*with_it, *opened]):.4f}")


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


def pages_of(desk_url: str) -> web.Application:
    """Two pages of a shop that differ by the one script tag."""
    tag = f'<script src="{desk_url}/chat/widget.js" data-inbox="{INBOX}" async></script>'
    text = "<p>A paragraph of a page like any other.</p>" * 60

    async def show(request: web.Request) -> web.Response:
        script = tag if request.path == "/embedded" else ""
        html = f"<!doctype html><html lang=en><title>Page</title>{script}<main>{text}</main>"
        return web.Response(text=html, content_type="text/html")

    app = web.Application()
    app.router.add_get("/bare", show)
    app.router.add_get("/embedded", show)
    return app


# -- the dashboard ---------------------------------------------------------------------------


def print_first_loads(browser: Browser, site: Site) -> None:
    """What the first load of each page fetches, without what the API answers."""
    print(f"\n{'first load':22} {'files':>6}  gzipped")
    for name, path in PAGES.items():
        sizes = first_load(browser, site, path, signed_in=name != "log-in")
        of_desk = path.startswith("/desk")
        size = sum(sizes)
        told = tell(size, FIRST_LOAD_BYTES, "bytes") if of_desk else f"{size:,} bytes"
        print(f"{name:22} {len(sizes):6}  {told}")


def first_load(browser: Browser, site: Site, path: str, *, signed_in: bool) -> list[int]:
    """The gzipped size of each file that a page asks for with an empty cache."""
    seen: list[Response] = []

    def note(response: Response) -> None:
        seen.append(response)

    context = browser.new_context()
    if signed_in:
        context.add_cookies([cookie(site)])
    page = context.new_page()
    page.on("response", note)
    page.goto(site.url + path)
    page.wait_for_timeout(FIRST_LOAD_MS)
    sizes = [len(gzip.compress(each.body(), 9)) for each in seen if is_file(each)]
    context.close()
    return sizes


def is_file(response: Response) -> bool:
    """Whether a response is a part of the page, and not data or a stream."""
    kind = response.headers.get("content-type", "")
    api = "/api/" in response.url or "/chat/events" in response.url
    return (
        response.ok and not api and not kind.startswith(("text/event-stream", "application/json"))
    )


def cookie(site: Site) -> Any:
    return {"name": COOKIE, "value": site.token, "url": f"{site.url}/desk/", "sameSite": "Strict"}


# -- Lighthouse ------------------------------------------------------------------------------


def print_lighthouse(site: Site) -> None:
    """The three scores of each page, and what cost a page points."""
    print(f"\n{'Lighthouse, desktop':22} " + " ".join(f"{each:>15}" for each in CATEGORIES))
    for name, path in PAGES.items():
        report = lighthouse(site.url + path, "" if name == "log-in" else site.token)
        if report is None:
            print(f"{name:22} did not run")
            continue
        scores = [round(100 * (report["categories"][each]["score"] or 0)) for each in CATEGORIES]
        below = "  BELOW 95" if min(scores) < LEAST_SCORE else ""
        print(f"{name:22} " + " ".join(f"{score:15}" for score in scores) + below)
        for each in failed(report):
            print(f"    {each}")


def failed(report: dict[str, Any]) -> Iterator[str]:
    """Audits of accessibility and best practices that did not pass."""
    for category in CATEGORIES[1:]:
        for each in report["categories"][category]["auditRefs"]:
            audit = report["audits"][each["id"]]
            if each["weight"] and audit["score"] is not None and audit["score"] < 1:
                yield f"{category}: {audit['id']}: {audit['title']}"


def lighthouse(address: str, token: str) -> dict[str, Any] | None:
    """Its report of one page, or None where it cannot be had."""
    npx = shutil.which("npx")
    if npx is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "report.json"
        command = [
            *(npx, "--yes", LIGHTHOUSE, address, "--quiet", "--output=json"),
            *(f"--output-path={output}", "--preset=desktop", "--throttling-method=simulate"),
            f"--only-categories={','.join(CATEGORIES)}",
            "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
            # An open event stream never lets the network fall silent.
            "--max-wait-for-load=15000",
        ]
        if token:
            headers = json.dumps({"Cookie": f"{COOKIE}={token}"})
            command += [f"--extra-headers={headers}", "--disable-storage-reset"]
        ran = subprocess.run(
            command,
            env={**os.environ, "CHROME_PATH": CHROMIUM},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if not output.exists():
            print(ran.stderr[-400:])
            return None
        found: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
        return found


# -- what is looked at -----------------------------------------------------------------------


def tell(value: float, budget: float, unit: str) -> str:
    """A figure beside its budget."""
    verdict = "" if value <= budget else "  ABOVE THE BUDGET"
    return f"{value:,.0f} {unit} of {budget:,.0f}{verdict}"


@contextmanager
def serve_site() -> Iterator[Site]:
    """A web process on real servers, with a little in it."""
    with (
        tempfile.TemporaryDirectory(prefix="fd-", ignore_cleanup_errors=True) as home,
        LocalServers(Path(home), durable=False) as servers,
    ):
        migrate.upgrade(servers.database_url)
        master_key = MasterKey.generate()
        engine = make_engine(servers.database_url)
        sessions = make_sessions(engine, keyring_from(master_key))
        environ = {
            "FRONTDESK_HOME": home,
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "FRONTDESK_MASTER_KEY": master_key,
            "FRONTDESK_PORT": "0",
            "FRONTDESK_ENGINE": "none",
        }
        served = ServedApp(build_web(Settings.from_env(environ)))
        fill(sessions)
        try:
            yield Site(served.start(), sign_in(sessions, "Bea", "admin").token)
        finally:
            served.stop()
            engine.dispose()


def fill(sessions: sessionmaker[Session]) -> None:
    """A dozen conversations that wait for a person."""
    with sessions.begin() as session:
        inbox = Inbox(name=INBOX, channel="chat", company="Larkspur Outdoor")
        session.add(inbox)
        session.flush()
        for number in range(12):
            recorded = write(session, inbox.id, f"Where is order {number}?", f"contact-{number}")
            hand_off(session, recorded.conversation_id, "requested")
        roll_up(session)


if __name__ == "__main__":
    main()
