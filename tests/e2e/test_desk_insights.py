"""Insights in a real Chromium: figures, plots with their tables, filters, CSV, a phone, axe."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import expect
from sqlalchemy.orm import Session

from bot.tables import Tally
from bot.tallies import roll_up
from tests.e2e.conftest import Site
from tests.e2e.desk import DeskVisit, ask_person, desk, make_inbox_of
from tests.people import write

__all__ = ["desk"]
pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 360, "height": 740}}
TABLET = {"viewport": {"width": 768, "height": 1024}}
WIDE = {"viewport": {"width": 1440, "height": 900}}
SHOTS = os.environ.get("FRONTDESK_SHOTS")
"""A folder: then the pages are photographed into it, to look at."""


@pytest.fixture
def a_month(site: Site) -> UUID:
    """A month as a shop might have had it; the id of its mailbox."""
    mail = make_inbox_of(site, "email", "support@larkspur.example")
    luck = random.Random(7)
    today = datetime.now(UTC).date()
    with site.sessions.begin() as session:
        for ago in range(60):
            day = today - timedelta(days=ago)
            for inbox_id, size in ((site.inbox_id, 60), (mail, 25)):
                _a_day(session, day, inbox_id, max(4, int(luck.gauss(size, size / 5))), luck)
    return mail


def _a_day(session: Session, day: Any, inbox_id: UUID, size: int, luck: random.Random) -> None:
    people, confirmed, denied = size // 4, size // 5, size // 20
    slow = luck.randrange(3)
    counts: dict[tuple[str, str], int] = {
        ("conversations", ""): size,
        ("outcome", "people"): people,
        ("outcome", "confirmed"): confirmed,
        ("outcome", "denied"): denied,
        ("outcome", "bot"): size - people - confirmed - denied,
        ("handoff_reason", "requested"): people // 2,
        ("handoff_reason", "no_evidence"): people - people // 2,
        ("language", "en"): size // 2,
        ("language", "de"): size // 3,
        ("language", "zh"): size - size // 2 - size // 3,
        ("first_reply", str(2 + slow)): size - people,
        ("first_reply", "10"): people,
        ("csat", "5"): size // 8,
        ("csat", "4"): size // 12,
        ("csat", "2"): 1 + slow,
        ("tokens", "prompt"): size * 1900,
        ("tokens", "cached"): size * 1100,
        ("tokens", "output"): size * 90,
        ("ttft", str(2 + slow)): size - 4,
        ("ttft", "6"): 4,
        ("tpot", "2"): size - 3,
        ("tpot", "4"): 3,
        ("queue", str(slow)): size - 5,
        ("queue", "5"): 5,
    }
    session.add_all(
        Tally(day=day, inbox_id=inbox_id, measure=measure, label=label, count=count)
        for (measure, label), count in counts.items()
        if count
    )


def opened(desk: Callable[..., DeskVisit], path: str = "/insights", **options: Any) -> DeskVisit:
    bea = desk(**options)
    bea.goto(path)
    bea.page.get_by_role("heading", name="Conversations by channel").wait_for()
    return bea


def test_what_really_happened_is_told_in_figures_and_in_a_table_for_screen_readers(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    ask_person(site, "ada", "Where is my tent?")
    with site.sessions.begin() as session:
        write(session, site.inbox_id, "Hello?", "cem")
    with site.sessions.begin() as session:
        roll_up(session)
    bea = opened(desk)
    figure = bea.page.locator(".figures .card").first
    assert figure.inner_text().splitlines()[:2] == ["Conversations", "2"]
    last = bea.page.get_by_role("table", name="Who answered").get_by_role("row").last
    assert last.get_by_role("cell").all_inner_texts()[1:] == ["0", "0", "0", "1", "1"]
    reasons = bea.page.get_by_role("table", name="Why people were asked")
    assert reasons.get_by_role("cell").all_inner_texts() == ["The customer asked for a person", "1"]
    assert bea.trouble == []


def test_period_and_inbox_are_chosen_and_stay_in_the_address(
    a_month: UUID, desk: Callable[..., DeskVisit]
) -> None:
    bea = opened(desk)
    rows = bea.page.get_by_role("table", name="Conversations by channel").get_by_role("row")
    assert rows.count() == 31
    bea.page.get_by_role("button", name="7 days").click()
    bea.page.wait_for_url("**/insights?days=7")
    bea.page.get_by_role("combobox", name="Inbox").select_option("support@larkspur.example")
    bea.page.wait_for_url(f"**inbox={a_month}")
    expect(rows).to_have_count(8)
    expect(rows.first.get_by_role("columnheader")).to_have_count(2)
    bea.page.reload()
    bea.page.get_by_role("heading", name="Conversations by channel").wait_for()
    assert rows.count() == 8
    assert bea.trouble == []


def test_a_plot_gives_way_to_its_table_and_the_table_comes_as_a_file(
    a_month: UUID, desk: Callable[..., DeskVisit]
) -> None:
    bea = opened(desk)
    turn = bea.page.get_by_role("button", name="Table: Who answered")
    turn.press("Enter")
    table = bea.page.get_by_role("table", name="Who answered")
    assert (table.bounding_box() or {"width": 0})["width"] > 200
    with bea.page.expect_download() as started:
        bea.page.get_by_role("link", name="CSV: Who answered").click()
    assert started.value.suggested_filename.startswith("outcomes-")
    lines = Path(started.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith('"Day","The bot, confirmed by the customer"')
    assert len(lines) == 31


@pytest.mark.parametrize(
    ("name", "options"), [("wide", WIDE), ("tablet", TABLET), ("phone", PHONE)]
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_screen_and_axe_finds_nothing(
    a_month: UUID, desk: Callable[..., DeskVisit], name: str, options: Any, scheme: str
) -> None:
    bea = opened(desk, color_scheme=scheme, reduced_motion="reduce", **options)
    wider = "document.documentElement.scrollWidth > innerWidth"
    assert bea.page.evaluate(wider) is False
    inner = (
        "document.querySelector('main').scrollWidth > document.querySelector('main').clientWidth"
    )
    assert bea.page.evaluate(inner) is False, "nothing is scrolled sideways"
    if SHOTS:
        bea.page.locator(".shell, main").first.evaluate(
            "() => { for (const e of document.querySelectorAll('html,body,#app,.shell,main'))"
            " { e.style.height = 'auto'; e.style.overflow = 'visible'; } }"
        )
        bea.page.screenshot(path=f"{SHOTS}/insights-{name}-{scheme}.png", full_page=True)
    assert bea.violations() == []
    assert bea.trouble == []
