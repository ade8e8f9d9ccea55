"""The widget in a real Chromium, against a real web process; a scripted worker answers."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from aiohttp import web
from playwright.sync_api import Route
from sqlalchemy import func, select

from bot.agents import find_or_add_agent
from bot.conversations import hand_off, reply_as_agent
from bot.knowledge.articles import give_collection, put_article
from bot.tables import Conversation, Message
from tests.e2e.conftest import WAIT_MS, Site, Visit

pytestmark = pytest.mark.browser

# Each tries to run or to fetch something if any of it ever becomes markup.
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "<svg/onload=alert(3)>",
    "[click](javascript:alert(4))",
    "![pixel](https://evil.example/pixel.png)",
    "<iframe src=https://evil.example></iframe>",
    "**<b onmouseover=alert(5)>bold</b>**",
    "<style>@import 'https://evil.example/x.css'</style>",
    "`<img src=https://evil.example/y>`",
    "[x](data:text/html,<script>alert(6)</script>)",
    "<a href='jav&#x09;ascript:alert(7)'>x</a>",
    "<details open ontoggle=alert(8)>",
    "{{constructor.constructor('alert(9)')()}}",
    "<link rel=stylesheet href=https://evil.example/z.css>",
]


def message_count(site: Site) -> int:
    with site.sessions() as session:
        return session.scalar(select(func.count()).select_from(Message)) or 0


def newest(site: Site) -> Conversation:
    with site.sessions() as session:
        query = select(Conversation).order_by(Conversation.number.desc()).limit(1)
        return session.scalars(query).one()


def test_a_checked_reply_appears_with_sources_that_open(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    ada.say("How long may I return a tent?")
    ada.widget(".typing").wait_for()
    wait_until_stored(site, 1)
    site.answer("You have **60 days**.", "Sale items have 30 days.")
    ada.wait_for_text("Sale items have 30 days.")
    source = ada.widget("details")
    source.wait_for()
    assert ada.bubbles() == [
        "How long may I return a tent?",
        "You have 60 days. Sale items have 30 days.",
    ]
    assert ada.widget(".bubble strong").inner_text() == "60 days"
    source.locator("summary").click()
    assert source.locator("q").inner_text() == "You have 60 days."
    assert source.locator("a").get_attribute("href") == f"{site.url}/help/returns"
    ada.widget(".typing").wait_for(state="hidden")
    assert ada.trouble == []


def test_history_comes_back_on_reload_and_in_a_second_tab(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    ada.say("Hello")
    wait_until_stored(site, 1)
    site.answer("Good day.")
    ada.wait_for_text("Good day.")
    ada.page.reload()
    ada.wait_for_text("Good day.")
    tab = ada.context.new_page()
    tab.goto(site.url + "/shop/")
    tab.locator("frontdesk-chat .log").get_by_text("Good day.").wait_for()
    tab.locator("frontdesk-chat textarea").fill("From the second tab")
    tab.keyboard.press("Enter")
    ada.page.bring_to_front()
    ada.wait_for_text("From the second tab")
    assert ada.bubbles() == ["Hello", "Good day.", "From the second tab"]
    wait_until_stored(site, 3)  # both windows show it while it is on its way


# Chromium tells the other windows of each change in its own time: here, when the test lets it.
HOLD_WHAT_LEAVES_THE_QUEUE = """
    const held = [];
    addEventListener("storage", (event) => {
        if (event.oldValue === null || !event.isTrusted || !event.key.endsWith(":queue")) return;
        held.push(event);
        event.stopImmediatePropagation();
    });
    window.heldEvents = held;
    window.tellHeldEvents = () => {
        for (const { key, oldValue, newValue } of held.splice(0))
            dispatchEvent(new StorageEvent("storage", { key, oldValue, newValue }));
    };
"""


@pytest.mark.parametrize("becomes", ["sent", "taken back"])
def test_what_another_tab_sends_stays_in_sight(
    site: Site, visit: Callable[..., Visit], becomes: str
) -> None:
    ada = visit()
    ada.open_chat()
    ada.say("Hello")
    wait_until_stored(site, 1)
    ada.page.add_init_script(HOLD_WHAT_LEAVES_THE_QUEUE)
    ada.page.route("**/chat/events", lambda route: route.abort())  # told by the other tab alone
    ada.page.reload()
    ada.wait_for_text("Hello")
    ada.page.route("**/chat/messages", lambda route: route.abort())  # and sends nothing itself
    tab = ada.context.new_page()
    if becomes == "taken back":
        tab.route("**/chat/messages", lambda route: route.fulfill(status=422, json={"error": "no"}))
    tab.goto(site.url + "/shop/")
    tab.locator("frontdesk-chat textarea").fill("From the second tab")
    tab.keyboard.press("Enter")
    ada.wait_for_text("From the second tab")
    if becomes == "taken back":
        tab.locator("frontdesk-chat .message.failed").get_by_text("Remove").click()
    else:
        wait_until_stored(site, 2)
    ada.page.wait_for_function("heldEvents.some((event) => event.newValue === null)")
    ada.page.evaluate("dispatchEvent(new Event('offline'))")  # so that it draws
    ada.widget(".offline").wait_for()
    assert ada.bubbles() == ["Hello", "From the second tab"]
    ada.page.evaluate("tellHeldEvents()")
    ada.widget(".message.unsent").wait_for(state="detached")
    told = ["From the second tab"] if becomes == "sent" else []
    assert ada.bubbles() == ["Hello", *told]


def test_what_was_not_sent_survives_a_reload_and_is_sent_once(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.context.route("**/chat/messages", lambda route: route.abort())
    ada.open_chat()
    ada.say("Kept while away")
    ada.widget(".message.unsent").wait_for()
    ada.page.reload()
    ada.widget(".message.unsent").wait_for()
    assert message_count(site) == 0
    ada.context.unroute("**/chat/messages")
    ada.widget(".message.unsent").wait_for(state="detached")
    wait_until_stored(site, 1)
    assert ada.bubbles() == ["Kept while away"]


def test_a_lost_acknowledgement_does_not_double_the_message(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    lost: list[int] = []

    def lose_the_answer(route: Route) -> None:
        if len(lost) < 2:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    ada.context.route("**/chat/messages", lose_the_answer)
    ada.open_chat()
    ada.say("Only once, please")
    ada.widget(".message.own").wait_for()
    for _ in range(WAIT_MS // 50):
        if lost:
            break
        ada.page.wait_for_timeout(50)
    ada.widget(".message.unsent").wait_for(state="detached")
    ada.page.wait_for_timeout(500)  # time to send it once more, if it were so
    assert lost[0] == 201
    assert message_count(site) == 1
    assert ada.bubbles() == ["Only once, please"]


def test_a_refused_message_says_why_and_can_be_removed(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    ada.say("nul \x00 character")
    failure = ada.widget(".message.failed .note")
    failure.wait_for()
    assert "NUL character" in failure.inner_text()
    ada.widget(".message.failed button").nth(1).click()
    ada.widget(".message.failed").wait_for(state="detached")
    ada.say("without it")
    wait_until_stored(site, 1)


def test_a_person_is_asked_for_without_a_message_and_answers(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    ada.widget(".person").click()
    ada.widget(".aside").wait_for()
    assert newest(site).status == "open"
    with site.sessions.begin() as session:
        bea = find_or_add_agent(session, "Bea")
        advance = reply_as_agent(session, newest(site).id, bea, "Bea here. What happened?")
    site.publisher.advanced(advance)
    ada.wait_for_text("Bea here. What happened?")
    assert ada.widget(".agent .sender").inner_text() == "Bea"
    assert ada.widget(".person").is_hidden()


def test_the_keyboard_alone_opens_writes_and_closes(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.widget(".launcher").focus()
    ada.page.keyboard.press("Enter")
    ada.widget(".panel").wait_for()
    focused = "() => document.querySelector('frontdesk-chat').shadowRoot.activeElement"
    assert ada.page.evaluate(f"({focused})().localName") == "textarea"
    for _ in range(16):  # round and round: the focus stays inside the panel
        ada.page.keyboard.press("Tab")
        assert ada.page.evaluate(f"({focused})().closest('.panel') !== null")
    ada.page.keyboard.press("Escape")
    ada.widget(".panel").wait_for(state="hidden")
    assert ada.page.evaluate(f"({focused})().className") == "launcher"


def test_a_hostile_text_is_shown_as_text_everywhere(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    ada.say("\n".join(HOSTILE))
    wait_until_stored(site, 1)
    citations = [
        {"title": text, "quote": text, "url": url, "used": True}
        for text, url in zip(
            HOSTILE, ["javascript:alert(10)", "data:text/html,x"] * len(HOSTILE), strict=False
        )
    ]
    site.answer(*HOSTILE, citations=citations)
    ada.widget("details").nth(len(HOSTILE) - 1).wait_for()
    for number in range(len(HOSTILE)):
        ada.widget("summary").nth(number).click()
    ada.page.wait_for_timeout(500)
    shown = "\n".join(ada.bubbles())
    assert "<script>alert(1)</script>" in shown
    assert "<img src=x onerror=alert(2)>" in shown
    assert ada.widget(":is(script, img, iframe, link, style, svg[onload])").count() == 0
    hrefs = ada.widget("a").evaluate_all("links => links.map(link => link.href)")
    assert all(href.startswith(("https:", "http:")) for href in hrefs)
    assert ada.trouble == []


def test_a_hostile_article_is_harmless_on_its_page(site: Site, visit: Callable[..., Visit]) -> None:
    with site.sessions.begin() as session:
        body = "\n\n".join([*HOSTILE, "The **end** of it."])
        put_article(session, "shop", "evil", "<script>alert(0)</script>", body, "en")
        give_collection(session, site.inbox_id, "shop")
    ada = visit("/help/evil")
    assert ada.page.url == f"{site.url}/shop/help/evil"
    assert ada.page.locator("main strong").last.inner_text() == "end"
    assert ada.page.locator("h1").inner_text() == "<script>alert(0)</script>"
    assert ada.page.locator("main :is(script, img, iframe, svg, style, link, details)").count() == 0
    ada.page.wait_for_timeout(300)
    assert ada.trouble == []


def test_it_works_on_a_foreign_page_with_a_strict_policy(
    site: Site, visit: Callable[..., Visit], serve: Callable[[web.Application], str]
) -> None:
    async def page(_request: web.Request) -> web.Response:
        policy = f"default-src 'none'; script-src {site.url}; connect-src {site.url}"
        html = (
            "<!doctype html><html lang=zh><title>别处</title>"
            f'<script src="{site.url}/chat/widget.js" data-inbox="website" async></script>'
        )
        headers = {"Content-Security-Policy": policy}
        return web.Response(text=html, content_type="text/html", headers=headers)

    app = web.Application()
    app.router.add_get("/", page)
    url = serve(app)
    ada = visit()
    violations: list[str] = []
    ada.page.on("console", lambda message: violations.append(message.text))
    ada.page.goto(url)
    ada.open_chat()
    assert ada.widget(".person").inner_text() == "转人工"
    ada.say("你们几点关门？")
    wait_until_stored(site, 1)
    site.answer("门店二十点关门。", "周日休息。")
    ada.wait_for_text("门店二十点关门。周日休息。")
    refused = [text for text in violations if "Content Security Policy" in text]
    assert [text for text in refused if "favicon" not in text] == []


def test_on_a_small_phone_the_panel_fills_the_screen(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit(viewport={"width": 360, "height": 740}, reduced_motion="reduce")
    ada.open_chat()
    assert ada.widget(".panel").bounding_box() == {"x": 0, "y": 0, "width": 360, "height": 740}
    assert ada.page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_shops_questions_fill_the_chats_field(site: Site, visit: Callable[..., Visit]) -> None:
    ada = visit()
    ada.page.get_by_role("button", name="寄到德国的运费是多少？").click()
    assert ada.widget("textarea").input_value() == "寄到德国的运费是多少？"
    assert message_count(site) == 0


def test_a_bot_that_hands_over_says_so_in_the_panel(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    ada.say("Something odd")
    wait_until_stored(site, 1)
    with site.sessions.begin() as session:
        advance = hand_off(session, newest(site).id, "no_evidence")
    site.publisher.advanced(advance)
    ada.widget(".aside").wait_for()
    assert "queue" in ada.widget(".aside").inner_text()


def wait_until_stored(site: Site, count: int) -> None:
    """Until so many messages are committed."""
    deadline = time.monotonic() + 20
    while message_count(site) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    assert message_count(site) == count


def test_a_press_before_the_chat_reopens_itself_does_not_shut_it(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    apps: list[Route] = []
    ada.page.route("**/chat/widget/app.js*", lambda route: apps.append(route))
    ada.page.reload()
    with ada.page.expect_request("**/chat/widget/app.js*"):
        ada.widget(".launcher").click()
    ada.page.wait_for_timeout(100)
    apps[0].continue_()
    ada.widget(".panel").wait_for()
    ada.page.wait_for_timeout(300)
    assert ada.widget(".panel").is_visible()
