"""A real Chromium before a running web process; the worker is scripted, or the real one."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    expect,
    sync_playwright,
)
from sqlalchemy.orm import Session, sessionmaker

from bot.app import build_web
from bot.events import Publisher
from bot.settings import Settings
from bot.tables import Inbox, new_id
from tests.channels.chat.scripted_worker import answer_newest

# The same browser without a desktop around it takes two thirds of the time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), "")
# Long, for machines with much else to do: who waits goes on as soon as it is there.
WAIT_MS = 60_000
expect.set_options(timeout=WAIT_MS)


@dataclass
class Site:
    """A web process with the sample shop, and a worker that follows a script."""

    url: str
    sessions: sessionmaker[Session]
    inbox_id: UUID
    publisher: Publisher

    def answer(self, *sentences: str, citations: list[dict[str, Any]] | None = None) -> None:
        """Answer the newest conversation, sentence by sentence."""
        answer_newest(self.sessions, self.publisher, list(sentences), citations)


class ServedApp:
    """An aiohttp application in a thread of its own."""

    def __init__(self, app: web.Application, port: int = 0) -> None:
        self._app = app
        self._wanted_port = port
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop: asyncio.Event | None = None
        self.port = 0
        self._thread = threading.Thread(target=self._run, name="site")

    def start(self) -> str:
        self._thread.start()
        assert self._started.wait(30), "the site did not start"
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(40)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=2)
        await runner.setup()
        listening = socket.create_server(("127.0.0.1", self._wanted_port))
        self.port = listening.getsockname()[1]
        await web.SockSite(runner, listening).start()
        self._started.set()
        await self._stop.wait()
        # What CPython 3.11 accepts in the moment of close() it never closes: accept no more.
        asyncio.get_running_loop().remove_reader(listening)
        await asyncio.sleep(0.01)
        await runner.cleanup()


@pytest.fixture
def serve() -> Iterator[Callable[[web.Application], str]]:
    """Serves an application until the test ends; returns its URL."""
    served: list[ServedApp] = []

    def start(app: web.Application) -> str:
        served.append(ServedApp(app))
        return served[-1].start()

    yield start
    for one in served:
        one.stop()


@pytest.fixture
def site(
    settings: Settings,
    sessions: sessionmaker[Session],
    serve: Callable[[web.Application], str],
    redis_url: str,
) -> Iterator[Site]:
    inbox_id = new_id()
    with sessions.begin() as session:
        session.add(Inbox(id=inbox_id, name="website", channel="chat", company="Larkspur Outdoor"))
    publisher = Publisher(redis_url)
    yield Site(serve(build_web(settings)), sessions, inbox_id, publisher)
    publisher.close()


# Not longer than a module: Playwright's own loop runs in this thread until it is closed, and
# tests with coroutines could not run beside it.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright, for the browser tests of one module."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Debian's chromium; its tests are skipped with this reason where there is none, not in CI."""
    if not CHROMIUM:
        missing = "no chromium here (apt-get install chromium-headless-shell)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield browser
    browser.close()


@dataclass
class Visit:
    """Somebody's browser window, with everything suspicious that happened in it."""

    context: BrowserContext
    page: Page
    trouble: list[str] = field(default_factory=list)

    def widget(self, selector: str) -> Any:
        """An element of the widget."""
        return self.page.locator(f"frontdesk-chat {selector}")

    def open_chat(self) -> None:
        self.widget(".launcher").click()
        self.widget(".panel").wait_for()

    def say(self, text: str) -> None:
        self.widget(".composer textarea").fill(text)
        self.widget(".composer textarea").press("Enter")

    def bubbles(self) -> list[str]:
        found: list[str] = self.widget(".bubble").all_inner_texts()
        return found

    def wait_for_text(self, text: str) -> None:
        self.widget(".log").get_by_text(text).first.wait_for()


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Callable[..., Visit]]:
    """Opens windows; `visit()` stands on the shop's page."""
    contexts: list[BrowserContext] = []

    def begin(path: str = "/shop/", **options: Any) -> Visit:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        visit = Visit(context, context.new_page())
        watch(visit, site.url)
        visit.page.goto(site.url + path)
        return visit

    yield begin
    for context in contexts:
        context.close()


def watch(visit: Visit, *allowed: str) -> None:
    """Note every alert, script error and request to anywhere else."""

    def note_request(url: str) -> None:
        if not url.startswith((*allowed, "data:", "blob:")):
            visit.trouble.append(f"request to {url}")

    visit.context.on("request", lambda request: note_request(request.url))
    visit.page.on("pageerror", lambda error: visit.trouble.append(f"error {error}"))
    visit.page.on("dialog", lambda dialog: _dismiss(visit, dialog))


def _dismiss(visit: Visit, dialog: Any) -> None:
    visit.trouble.append(f"dialog {dialog.message}")
    dialog.dismiss()
