"""How the widget looks and speaks: languages, themes, axe, the API, other people's pages."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.sync_api import Page

from tests.e2e.conftest import Site, Visit
from tests.e2e.test_widget import HOSTILE
from tests.e2e.widget_world import (
    bea_resolves,
    bea_takes_over,
    bea_writes,
    named,
    picture,
    set_widget,
    wait_until_stored,
)

pytestmark = pytest.mark.browser

WIDGET = Path(__file__).resolve().parents[2] / "channels" / "chat" / "widget"
AXE = WIDGET / "node_modules" / "axe-core" / "axe.min.js"
PERSON = {
    "en": "Talk to a person",
    "zh": "转人工",
    "de": "Mit einem Menschen sprechen",
    "es": "Hablar con una persona",
    "fr": "Parler à une personne",
    "ja": "担当者と話す",
    "ar": "التحدث إلى شخص",
}


def axe(page: Page) -> list[str]:
    """What axe objects to in the widget."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate(
        """async () => {
          await Promise.all(document.querySelector("frontdesk-chat").shadowRoot.getAnimations()
            .filter((one) => one.effect.getTiming().iterations !== Infinity)
            .map((one) => one.finished));
          return axe.run({include: [["frontdesk-chat"]]}, {resultTypes: ["violations"]});
        }"""
    )
    return [
        f"{one['id']}: {json.dumps(node['target'])} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_in_any_state(
    site: Site, visit: Callable[..., Visit], scheme: str, width: int
) -> None:
    form = {"fields": [{"key": "name", "label": {"*": "Your name"}, "required": True}]}
    set_widget(site, {"prechat": form})
    ada = visit(viewport={"width": width, "height": 740}, color_scheme=scheme)
    ada.widget(".launcher").wait_for()
    assert axe(ada.page) == []
    ada.open_chat()
    ada.widget(".prechat .solid").click()
    assert axe(ada.page) == []
    ada.widget(".prechat input").fill("Ada")
    ada.widget(".prechat .solid").click()
    ada.widget("input[type=file]").set_input_files(
        [named("a.png", "image/png", picture()), named("b.txt", "text/plain", b"text")]
    )
    assert axe(ada.page) == []
    ada.say("A question")
    wait_until_stored(site, 2)  # with the form's note
    site.answer("**First** this:", "\n- one\n- two", "\n```\ncode\n```")
    ada.widget("summary").click()
    ada.widget(".thumb").nth(1).click()
    ada.widget("header .round").first.click()
    assert axe(ada.page) == []
    ada.page.keyboard.press("Escape")
    bea_takes_over(site)
    bea_writes(site, "Good day")
    ada.wait_for_text("Good day")
    ada.page.route("**/chat/messages", lambda route: route.abort())
    ada.say("Not yet sent")
    ada.widget(".unsent").wait_for()
    assert axe(ada.page) == []
    ada.page.unroute("**/chat/messages")
    ada.widget(".unsent").wait_for(state="detached")
    bea_resolves(site)
    ada.widget(".rate").nth(3).click()
    ada.widget(".rating textarea").wait_for()
    assert axe(ada.page) == []


@pytest.mark.parametrize("language", PERSON)
def test_the_widget_speaks_the_pages_language(
    site: Site, visit: Callable[..., Visit], serve: Callable[..., str], language: str
) -> None:
    ada = visit()
    ada.page.goto(serve(page_with(site, f'<html lang="{language}-XX">')))
    ada.open_chat()
    assert ada.widget(".person").inner_text() == PERSON[language]
    ada.say("?")
    wait_until_stored(site, 1)
    site.answer("!")
    ada.widget(".thumb").first.wait_for()
    english = {"Send", "Close the chat", "This helped", "Today", "Source", "Add a file"}
    labels = ada.widget("[aria-label]").evaluate_all("all => all.map((one) => one.ariaLabel)")
    seen = {*labels, *ada.widget(".panel").inner_text().splitlines()}
    assert language == "en" or not english & seen
    direction = ada.widget(".panel").evaluate("panel => getComputedStyle(panel).direction")
    assert direction == ("rtl" if language == "ar" else "ltr")
    own, panel = ada.widget(".own .bubble").bounding_box(), ada.widget(".panel").bounding_box()
    is_left = own["x"] - panel["x"] < panel["width"] / 2
    assert is_left == (language == "ar")
    assert ada.widget(".panel").evaluate("panel => panel.scrollWidth <= panel.clientWidth")


def test_every_language_has_every_word() -> None:
    """The compiler checks it: a language that lacks a key does not build."""
    tsc = WIDGET / "node_modules" / ".bin" / "tsc"
    run = subprocess.run(
        [str(tsc), "--noEmit", "-p", "."], cwd=WIDGET, capture_output=True, text=True, check=False
    )
    assert run.stdout == ""
    assert run.returncode == 0


def page_with(site: Site, start: str, script: str = "", policy: str = "") -> web.Application:
    """A page of somebody else's that embeds the widget."""

    async def show(_request: web.Request) -> web.Response:
        tag = f'<script src="{site.url}/chat/widget.js" data-inbox="website" async></script>'
        html = f"<!doctype html>{start}<title>Elsewhere</title>{script or tag}<main>Text</main>"
        headers = {"Content-Security-Policy": policy} if policy else {}
        return web.Response(text=html, content_type="text/html", headers=headers)

    app = web.Application()
    app.router.add_get("/", show)
    return app


def computed(visit: Visit, selector: str, name: str) -> str:
    found: str = visit.widget(selector).evaluate(f"one => getComputedStyle(one).{name}")
    return found


def test_colours_and_texts_of_the_inbox_are_the_widgets(
    site: Site, visit: Callable[..., Visit], serve: Callable[..., str]
) -> None:
    words = {"title": "Ask us", "hello": "Ahoy!", "hello_more": "We sail.", "placeholder": "Say it"}
    widget = {"accent": "#ffcc00", "position": "left", "bot_name": "Larky", "texts": {"*": words}}
    set_widget(site, {**widget, "scheme": "dark"})
    ada = visit()
    ada.page.goto(serve(page_with(site, "<html lang=en>")))
    ada.open_chat()
    assert computed(ada, ".launcher", "backgroundColor") == "rgb(255, 204, 0)"
    assert computed(ada, ".launcher", "color") == "rgb(16, 22, 15)"  # dark on a light accent
    assert computed(ada, ".panel", "colorScheme") == "dark"
    assert ada.widget(".panel").bounding_box()["x"] < 100
    assert ada.widget("h2").inner_text() == "Ask us"
    assert ada.widget(".hello").inner_text().split("\n") == ["Ahoy!", "We sail."]
    assert ada.widget(".composer textarea").get_attribute("placeholder") == "Say it"
    ada.say("?")
    wait_until_stored(site, 1)
    site.answer("!")
    ada.widget(".bot .sender").get_by_text("Larky").wait_for()


def test_css_variables_of_the_page_theme_the_widget(
    site: Site, visit: Callable[..., Visit], serve: Callable[..., str]
) -> None:
    style = "<style>frontdesk-chat { --frontdesk-accent: #123456; --frontdesk-radius: 3px }</style>"
    ada = visit()
    ada.page.goto(serve(page_with(site, f"<html lang=en>{style}")))
    ada.open_chat()
    assert computed(ada, "header", "backgroundColor") == "rgb(18, 52, 86)"
    assert computed(ada, ".panel", "borderTopLeftRadius") == "3px"


def test_whoever_wants_less_motion_gets_none(site: Site, visit: Callable[..., Visit]) -> None:
    ada = visit(reduced_motion="reduce")
    ada.open_chat()
    ada.say("?")
    ada.widget(".typing").wait_for()
    assert computed(ada, ".panel", "animationName") == "none"
    assert computed(ada, ".dots i >> nth=0", "animationName") == "none"


def test_the_api_opens_closes_and_tells_what_happens(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.widget(".launcher").wait_for()
    ada.page.evaluate(
        """() => {
          window.told = [];
          for (const name of ["open", "close", "message", "unread", "status"]) {
            Frontdesk.on(name, (detail) => told.push([name, detail ?? null]));
          }
          window.stop = Frontdesk.on("open", () => told.push(["again", null]));
          return Frontdesk.open();
        }"""
    )
    assert ada.widget(".panel").is_visible()
    ada.say("Hello")
    wait_until_stored(site, 1)
    ada.page.evaluate("stop(); Frontdesk.close()")
    ada.widget(".panel").wait_for(state="hidden")
    bea_writes(site, "Good day")
    ada.widget(".badge").get_by_text("1").wait_for()
    ada.page.evaluate("Frontdesk.open()")
    ada.widget(".panel").wait_for()
    told = ada.page.evaluate("told")
    names = [name for name, _ in told]
    assert names.count("open") == 2
    assert names.count("again") == names.count("close") == 1
    assert ["message", {"author": "contact", "text": "Hello"}] in told
    assert ["message", {"author": "agent", "text": "Good day"}] in told
    assert ["unread", {"count": 1}] in told
    assert ["status", {"status": "open"}] in told


def test_a_preview_changes_colours_and_texts_while_one_looks(
    site: Site, visit: Callable[..., Visit], serve: Callable[..., str]
) -> None:
    ada = visit()
    ada.page.goto(serve(page_with(site, "<html lang=en>")))
    ada.open_chat()
    change = {"accent": "#aa0000", "texts": {"en": {"title": "Changed"}}, "files": False}
    ada.page.evaluate("change => Frontdesk.configure(change)", change)
    assert computed(ada, "header", "backgroundColor") == "rgb(170, 0, 0)"
    assert ada.widget("h2").inner_text() == "Changed"
    assert ada.widget(".attach").is_hidden()


def test_hostile_settings_are_shown_as_text(site: Site, visit: Callable[..., Visit]) -> None:
    fields = [
        {"key": f"f{at}", "kind": "choice", "label": {"*": text[:120]}, "choices": [text[:120]]}
        for at, text in enumerate(HOSTILE[:8])
    ]
    words = {"title": HOSTILE[0], "hello": HOSTILE[1], "hello_more": "\n".join(HOSTILE)}
    set_widget(
        site,
        {"bot_name": HOSTILE[1], "texts": {"*": words}, "prechat": {"fields": fields}},
    )
    ada = visit()
    ada.open_chat()
    assert ada.widget(".hello strong").inner_text() == HOSTILE[1]
    assert ada.widget(".prechat label").count() == 8
    assert ada.widget(":is(script, img, iframe, link, style, svg[onload])").count() == 0
    ada.page.wait_for_timeout(300)
    assert ada.trouble == []


def test_settings_that_cannot_be_used_give_way_to_ours(
    site: Site, visit: Callable[..., Visit]
) -> None:
    set_widget(site, {"accent": "red; } * { display: none", "unknown": True})
    ada = visit()
    ada.open_chat()
    assert ada.widget(".person").is_visible()


def test_the_widget_moves_nothing_on_the_page_and_asks_nobody_else(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.page.add_init_script(
        """window.moved = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((one) => (moved += one.value)))
          .observe({type: "layout-shift", buffered: true});"""
    )
    ada.page.reload()
    ada.open_chat()
    ada.page.wait_for_timeout(300)
    assert ada.page.evaluate("moved") == 0
    assert ada.trouble == []


def test_the_npm_form_is_the_same_chat(
    site: Site, visit: Callable[..., Visit], serve: Callable[..., str], tmp_path: Path
) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed here")
    subprocess.run([npm, "run", "--silent", "package"], cwd=WIDGET, check=True)
    package = json.loads((WIDGET / "package.json").read_text(encoding="utf-8"))
    entry = WIDGET / package["exports"]["."]["default"]
    assert (WIDGET / package["types"]).is_file()

    async def module(_request: web.Request) -> web.Response:
        return web.Response(text=entry.read_text("utf-8"), content_type="text/javascript")

    script = (
        '<script type="module">import { mount } from "/widget.js";'
        f'window.desk = mount({{server: "{site.url}", inbox: "website", title: "Mounted"}});'
        "</script>"
    )
    app = page_with(site, "<html lang=en>", script)
    app.router.add_get("/widget.js", module)
    ada = visit()
    ada.page.goto(serve(app))
    ada.open_chat()
    assert ada.widget("h2").inner_text() == "Mounted"
    ada.say("Hello from npm")
    wait_until_stored(site, 1)
    ada.page.evaluate("desk.close()")
    ada.widget(".panel").wait_for(state="hidden")


def test_all_of_it_works_by_the_keyboard_alone(site: Site, visit: Callable[..., Visit]) -> None:
    ada = visit()
    press = ada.page.keyboard.press
    ada.widget(".launcher").focus()
    press("Enter")
    ada.widget(".panel").wait_for()
    ada.page.keyboard.type("A question")
    press("Enter")
    wait_until_stored(site, 1)
    site.answer("An answer.")
    ada.widget("details").wait_for()
    reach(ada, "summary")
    press("Enter")
    assert ada.widget("details").get_attribute("open") is not None
    reach(ada, ".thumb")
    press("Space")
    ada.widget(".thumb[aria-pressed=true]").wait_for()
    reach(ada, "header .round")
    press("Enter")
    press("ArrowDown")
    press("Enter")  # the second entry ends the chat
    ada.widget(".rating").wait_for()
    reach(ada, ".rate")
    press("Enter")
    ada.widget(".rate[aria-pressed=true]").wait_for()
    press("Escape")
    ada.widget(".panel").wait_for(state="hidden")


def reach(visit: Visit, selector: str) -> None:
    """Tab until the focus is there, and see that it shows."""
    active = "document.querySelector('frontdesk-chat').shadowRoot.activeElement"
    for _ in range(40):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate(f"{active}?.matches('.panel {selector}') ?? false"):
            outline = visit.page.evaluate(f"getComputedStyle({active}).outlineStyle")
            assert outline == "solid", f"{selector} has the focus and does not show it"
            return
    raise AssertionError(f"{selector} cannot be reached by Tab")
