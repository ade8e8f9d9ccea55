"""End to end with everything real but the language model: articles, Celery, Chromium, citations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from bot.api_tokens import ensure_token, new_token
from bot.first_start import ARTICLES
from bot.knowledge.articles import give_collection, index_status, put_article
from bot.queue import Queue
from bot.settings import Settings
from tests.e2e.conftest import Site, Visit

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("returns", "shipping-costs", "stores-and-hours", "returns-zh")
WITHIN_SECONDS = 120


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """The operator's own command, with no language model: answers are verbatim."""
    assert settings.database_url is not None
    assert settings.redis_url is not None
    assert settings.master_key is not None
    environ = {
        **os.environ,
        "FRONTDESK_HOME": str(settings.home),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "FRONTDESK_MASTER_KEY": settings.master_key,
        "FRONTDESK_ENGINE": "none",
        "OMP_NUM_THREADS": "1",
    }
    celery = [sys.executable, "-m", "celery", "-A", "workers", "worker"]
    queues = ["-Q", "interactive,batch,knowledge", "-c", "4"]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [*celery, *queues], cwd=ROOT, env=environ, stdout=log, stderr=subprocess.STDOUT
        )
        yield
        process.terminate()
        try:
            process.wait(40)
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def articles(site: Site, settings: Settings, worker: None) -> None:
    """Four articles of the sample shop, indexed by the worker."""
    queue = Queue(settings.redis_url or "")
    with site.sessions.begin() as session:
        put = [put_article(session, "shop", *read_article(name)) for name in NAMES]
        give_collection(session, site.inbox_id, "shop")
    for one in put:
        queue.enqueue_index(one.article_id)
    queue.close()
    wait_until_indexed(site.sessions)


def read_article(name: str) -> tuple[str, str, str, str, str]:
    """External id, title, body, language and address of a sample article."""
    _, front, body = (ARTICLES / f"{name}.md").read_text(encoding="utf-8").split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.strip().splitlines())
    return name, fields["title"].strip('"'), body, fields["language"], fields["url"]


def wait_until_indexed(sessions: sessionmaker[Session]) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < deadline:
        with sessions() as session:
            status = index_status(session)
        assert status.failed == 0
        if status.indexed == len(NAMES):
            return
        time.sleep(0.3)
    raise AssertionError(f"not indexed in time: {status}")


@pytest.mark.browser
def test_a_question_in_the_widget_gets_a_cited_answer_in_its_language(
    articles: None, site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.context.set_default_timeout(60_000)
    ada.open_chat()
    ada.say("Is the Ghent shop open on Sundays?")
    source = ada.widget("details")
    source.wait_for()
    assert "Sunday: closed" in ada.bubbles()[-1]
    source.first.locator("summary").click()
    href = source.first.locator("a").get_attribute("href")
    assert href == f"{site.url}/help/stores-and-hours"
    ada.say("退货期是多少天？")
    ada.widget("details").nth(1).wait_for()
    assert "60 天" in ada.bubbles()[-1]
    assert any("\u4e00" <= letter <= "\u9fff" for letter in ada.bubbles()[-1])
    tab = ada.context.new_page()
    tab.goto(href)
    assert tab.locator("h1").inner_text() == "Our shops and opening hours"
    assert ada.trouble == []


def test_ask_answers_with_ranked_citations(articles: None, site: Site) -> None:
    token = new_token()
    with site.sessions.begin() as session:
        ensure_token(session, "tests", token)
    body = {
        "inbox": "website",
        "messages": [{"role": "user", "text": "Is the Ghent shop open on Sundays?"}],
    }
    request = urllib.request.Request(
        f"{site.url}/api/v1/ask",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=WITHIN_SECONDS) as response:
        answer = json.load(response)
    assert answer["action"] == "answer"
    assert "Sunday: closed" in answer["text"]
    used = [citation for citation in answer["citations"] if citation["used"]]
    assert used[0]["external_id"] == "stores-and-hours"
    scores = [citation["score"] for citation in answer["citations"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) <= 5
