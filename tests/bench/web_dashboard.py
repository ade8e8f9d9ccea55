"""The dashboard's part of the web figures: sizes over the wire, and what Lighthouse says.

    python -m tests.bench.web_dashboard [--no-lighthouse]

Sizes are gzipped, of a real Chromium's first load with an empty cache: what the page asked for
before anybody did something. Lighthouse (npm, pinned below, run with /usr/bin/chromium) opens each
page of a real web process with Bea's session: performance, accessibility, best practices, 0-100.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Response, sync_playwright
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

LIGHTHOUSE = "lighthouse@13.5.0"
CATEGORIES = ("performance", "accessibility", "best-practices")
FIRST_LOAD_LIMIT, LOADER_LIMIT, OPENED_LIMIT = 150_000, 10_000, 45_000
PAGES = {
    "log-in": "/desk/log-in",
    "inbox": "/desk/inbox/unassigned",
    "conversation": "/desk/inbox/unassigned/1",
    "knowledge": "/desk/knowledge",
    "insights": "/desk/insights",
    "shop with the chat": "/shop/",
}


@contextmanager
def site() -> Iterator[tuple[str, str]]:
    """A running web process with a little in it: its address and Bea's session token."""
    with tempfile.TemporaryDirectory(prefix="fd-", ignore_cleanup_errors=True) as home:
        servers = LocalServers(Path(home), durable=False)
        servers.start()
        master_key = MasterKey.generate()
        migrate.upgrade(servers.database_url)
        engine = make_engine(servers.database_url)
        sessions = make_sessions(engine, keyring_from(master_key))
        environ = {
            "FRONTDESK_HOME": home,
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "FRONTDESK_MASTER_KEY": master_key,
            "FRONTDESK_ENGINE": "none",
        }
        served = ServedApp(build_web(Settings.from_env(environ)))
        try:
            fill(sessions)
            yield served.start(), sign_in(sessions, "Bea", "admin").token
        finally:
            served.stop()
            engine.dispose()
            servers.stop()


def fill(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        inbox = Inbox(name=INBOX, channel="chat", company="Larkspur Outdoor")
        session.add(inbox)
        session.flush()
        for number in range(12):
            recorded = write(session, inbox.id, f"Where is order {number}?", f"contact-{number}")
            hand_off(session, recorded.conversation_id, "requested")
        roll_up(session)


def told_sizes(url: str, token: str) -> None:
    """What the first load of each page fetches, gzipped, without what the API answers."""
    print(f"{'first load':22} {'files':>6} {'gzip bytes':>11}   limit")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, path in PAGES.items():
            context = browser.new_context()
            if name != "log-in":
                context.add_cookies([cookie(url, token)])
            seen: list[Response] = []
            page = context.new_page()
            page.on("response", seen.append)
            page.goto(url + path)
            page.wait_for_timeout(3000)
            files = [each for each in seen if is_file(each)]
            size = sum(len(gzip.compress(each.body(), 9)) for each in files)
            limit = "" if name.startswith("shop") else f"{FIRST_LOAD_LIMIT}"
            mark = " OVER" if limit and size > FIRST_LOAD_LIMIT else ""
            print(f"{name:22} {len(files):6} {size:11,}   {limit}{mark}")
            context.close()
        browser.close()


def is_file(response: Response) -> bool:
    kind = response.headers.get("content-type", "")
    api = "/api/" in response.url or "/chat/events" in response.url
    return (
        response.ok and not api and not kind.startswith(("text/event-stream", "application/json"))
    )


def cookie(url: str, token: str) -> Any:
    return {"name": COOKIE, "value": token, "url": f"{url}/desk/", "sameSite": "Strict"}


def told_lighthouse(url: str, token: str) -> None:
    print(f"\n{'Lighthouse, desktop':22} " + " ".join(f"{each:>15}" for each in CATEGORIES))
    for name, path in PAGES.items():
        report = lighthouse(url + path, "" if name == "log-in" else token)
        if report is None:
            print(f"{name:22} did not run")
            continue
        scores = {each: report["categories"][each]["score"] for each in CATEGORIES}
        print(
            f"{name:22} " + " ".join(f"{round(100 * (score or 0)):15}" for score in scores.values())
        )
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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--no-lighthouse", action="store_true")
    asked = parser.parse_args()
    if not (DIST / "index.html").exists():
        raise SystemExit("build the pages first: deploy/build-web bot/dashboard/ui")
    with site() as (url, token):
        told_sizes(url, token)
        if not asked.no_lighthouse:
            told_lighthouse(url, token)


if __name__ == "__main__":
    main()
