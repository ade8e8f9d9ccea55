"""The widget on bad days: restarts, sleep, no network, no storage, two tabs, and logging out."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from bot.app import build_web
from bot.conversations import claim_run, commit_sentence, finish_reply
from bot.settings import Settings
from bot.tables import Conversation, Message, VisitorSession
from channels.chat.identity import make_secret, sign
from tests.channels.chat.scripted_worker import CITATION
from tests.e2e.conftest import ServedApp, Site, Visit
from tests.e2e.widget_world import (
    bea_writes,
    named,
    newest,
    picture,
    wait_until,
    wait_until_stored,
)

pytestmark = pytest.mark.browser

# What a browser does to a page whose site may keep nothing.
NO_STORAGE = """
  for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
    Object.defineProperty(window, name, {
      get() { throw new DOMException("The operation is insecure.", "SecurityError"); }
    });
  }
  Object.defineProperty(document, "cookie", {
    get() { throw new DOMException("no"); }, set() { throw new DOMException("no"); }
  });
"""


def stored_texts(site: Site) -> list[str]:
    with site.sessions() as session:
        return [one.text for one in session.scalars(select(Message).order_by(Message.created_at))]


def test_a_server_that_restarts_in_mid_sentence_loses_and_doubles_nothing(
    settings: Settings,
    sessions: sessionmaker[Session],
    visit: Callable[..., Visit],
    site: Site,
) -> None:
    first = ServedApp(build_web(settings))
    url = first.start()
    port = first.port
    ada = visit()
    ada.page.goto(f"{url}/shop/")
    ada.open_chat()
    ada.say("How long may I return a tent?")
    wait_until_stored(site, 1)
    with sessions.begin() as session:
        claim = claim_run(session, newest(site).id, timedelta(seconds=60))
    assert claim is not None
    tell(site, lambda session: commit_sentence(session, claim, "You have 60 days."))
    ada.wait_for_text("You have 60 days.")
    first.stop()
    with sessions.begin() as session:
        commit_sentence(session, claim, "Said while nobody heard.")
    ada.say("Written while the server was away")
    ada.widget(".message.unsent").wait_for()
    second = ServedApp(build_web(settings), port)
    second.start()
    try:
        ada.wait_for_text("Said while nobody heard.")
        tell(site, lambda session: commit_sentence(session, claim, "And the end."))
        tell(site, lambda session: finish_reply(session, claim, [CITATION], "en"))
        ada.wait_for_text("And the end.")
        ada.widget(".message.unsent").wait_for(state="detached")
        reply = "You have 60 days. Said while nobody heard. And the end."
        assert sorted(ada.bubbles()) == sorted(
            ["How long may I return a tent?", reply, "Written while the server was away"]
        )
        wait_until_stored(site, 3)
    finally:
        ada.page.goto("about:blank")
        second.stop()


def tell(site: Site, step: Callable[[Session], object]) -> None:
    with site.sessions.begin() as session:
        advance = step(session)
    site.publisher.advanced(advance)  # type: ignore[arg-type]


def test_ten_minutes_without_a_network_lose_nothing(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.page.clock.install()
    ada.page.reload()
    ada.open_chat()
    ada.say("Before")
    wait_until_stored(site, 1)
    ada.context.set_offline(True)
    ada.widget(".offline").get_by_text("What you write is kept").wait_for()
    ada.say("One")
    ada.say("Two")
    ada.widget("input[type=file]").set_input_files(named("a.png", "image/png", picture()))
    ada.say("Three, with a picture")
    assert ada.widget(".message.unsent .note").first.inner_text() == "Waiting for the connection…"
    bea_writes(site, "Said meanwhile")
    ada.page.clock.run_for("10:00")
    assert len(stored_texts(site)) == 2
    ada.context.set_offline(False)
    ada.page.clock.run_for("00:30")
    wait_until_stored(site, 5)
    ada.page.clock.run_for("00:05")
    ada.wait_for_text("Said meanwhile")
    ada.widget(".message.unsent").first.wait_for(state="detached")
    ada.widget(".offline").wait_for(state="hidden")
    expected = ["Before", "Said meanwhile", "One", "Two", "Three, with a picture"]
    assert stored_texts(site) == expected
    wait_until(lambda: ada.bubbles() == expected)


def test_a_laptop_that_slept_asks_at_once_what_it_missed(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.page.clock.install()
    ada.page.reload()
    streams: list[str] = []
    ada.context.on(
        "request", lambda r: streams.append(r.url) if r.url.endswith("/events") else None
    )
    ada.open_chat()
    ada.say("Hello")
    wait_until_stored(site, 1)
    listen_until(ada, lambda: len(streams) == 1)
    ada.page.clock.fast_forward("02:00:00")  # timers fire once, late: what sleep looks like
    listen_until(ada, lambda: len(streams) >= 2)
    bea_writes(site, "Good morning")
    ada.wait_for_text("Good morning")
    assert ada.bubbles() == ["Hello", "Good morning"]


def listen_until(visit: Visit, is_so: Callable[[], bool]) -> None:
    """As `wait_until`, while the browser's own events are heard."""
    for _ in range(200):
        if is_so():
            return
        visit.page.locator("body").evaluate("() => null")
        time.sleep(0.1)
    raise AssertionError("it did not come to be in time")


def test_two_tabs_send_once_and_show_the_same(site: Site, visit: Callable[..., Visit]) -> None:
    ada = visit()
    ada.context.route("**/chat/messages", lambda route: route.abort())
    ada.open_chat()
    ada.say("Waits in both tabs")
    ada.widget(".message.unsent").wait_for()
    tab = ada.context.new_page()
    tab.goto(f"{site.url}/shop/")
    tab.locator("frontdesk-chat .message.unsent").wait_for()
    ada.context.unroute("**/chat/messages")
    wait_until_stored(site, 1)
    site.answer("Answered once.")
    for page in (tab, ada.page):
        page.bring_to_front()
        page.locator("frontdesk-chat .log").get_by_text("Answered once.").wait_for()
        page.locator("frontdesk-chat .unsent").wait_for(state="detached")
        shown = page.locator("frontdesk-chat .bubble").all_inner_texts()
        assert shown == ["Waits in both tabs", "Answered once."]
    time.sleep(1)
    assert stored_texts(site) == ["Waits in both tabs", "Answered once."]


def test_where_a_browser_may_keep_nothing_the_chat_works_all_the_same(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.context.add_init_script(NO_STORAGE)
    ada.page.reload()
    ada.open_chat()
    ada.say("Hello")
    ada.widget("input[type=file]").set_input_files(named("a.png", "image/png", picture()))
    ada.say("And a picture")
    wait_until_stored(site, 2)
    site.answer("Good day.")
    ada.wait_for_text("Good day.")
    ada.widget(".picture canvas").wait_for()
    assert ada.bubbles() == ["Hello", "And a picture", "Good day."]
    assert ada.context.cookies() == []
    assert ada.trouble == []


def test_sentences_are_added_and_nothing_that_stands_is_drawn_again(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    ada.say("Tell me all")
    wait_until_stored(site, 1)
    with site.sessions.begin() as session:
        claim = claim_run(session, newest(site).id, timedelta(seconds=60))
    assert claim is not None
    tell(site, lambda session: commit_sentence(session, claim, "First, **this**."))
    ada.wait_for_text("First,")
    ada.widget(".bot .bubble").evaluate(
        """(bubble) => {
          window.removed = 0;
          const count = (changes) =>
            changes.forEach((one) => (window.removed += one.removedNodes.length));
          new MutationObserver(count).observe(bubble, {childList: true, subtree: true});
          new MutationObserver(count).observe(bubble.parentNode.parentNode, {childList: true});
        }"""
    )
    for sentence in ["Then that.", "\n- one", "\n- two", "\n\nAnd so on."]:
        tell(site, lambda session, text=sentence: commit_sentence(session, claim, text))
        ada.page.wait_for_timeout(120)
    tell(site, lambda session: finish_reply(session, claim, [CITATION], "en"))
    ada.widget("details").wait_for()
    assert ada.widget(".bot .bubble li").all_inner_texts() == ["one", "two"]
    assert ada.widget(".bot .bubble > p").all_inner_texts() == [
        "First, this. Then that.",
        "And so on.",
    ]
    assert ada.page.evaluate("window.removed") == 0


# -- who somebody is -------------------------------------------------------------------------


def signed(secret: str, identity: str, name: str) -> dict[str, object]:
    expires = int(time.time()) + 600
    signature = sign(secret, identity, name, expires)
    return {"id": identity, "name": name, "expires": expires, "signature": signature}


def test_a_signed_in_customer_has_their_own_conversation(
    site: Site, visit: Callable[..., Visit]
) -> None:
    with site.sessions.begin() as session:
        secret = make_secret(session, site.inbox_id)
    ada = visit()
    ada.open_chat()
    ada.say("As nobody")
    wait_until_stored(site, 1)
    ada.page.evaluate("who => Frontdesk.identify(who)", signed(secret, "42", "Ada"))
    ada.widget(".bubble").wait_for(state="detached")
    ada.say("As Ada")
    wait_until_stored(site, 2)
    phone = visit()
    phone.page.evaluate("who => Frontdesk.identify(who)", signed(secret, "42", "Ada"))
    phone.open_chat()
    phone.say("From the phone")
    phone.wait_for_text("As Ada")
    wait_until(lambda: phone.bubbles() == ["As Ada", "From the phone"])
    ada.page.evaluate("Frontdesk.identify(null)")
    ada.wait_for_text("As nobody")
    assert ada.bubbles() == ["As nobody"]


def test_a_forged_identity_speaks_for_nobody(site: Site, visit: Callable[..., Visit]) -> None:
    with site.sessions.begin() as session:
        make_secret(session, site.inbox_id)
    cyd = visit()
    cyd.open_chat()
    cyd.page.evaluate("who => Frontdesk.identify(who)", signed("guessed", "42", "Ada"))
    cyd.say("I am Ada")
    cyd.widget(".message.failed .note").get_by_text("signature").wait_for()
    with site.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 0
        assert session.scalar(select(func.count()).select_from(VisitorSession)) == 0


def test_logging_out_forgets_everything_here_and_at_the_server(
    site: Site, visit: Callable[..., Visit]
) -> None:
    with site.sessions.begin() as session:
        secret = make_secret(session, site.inbox_id)
    ada = visit()
    ada.page.evaluate("who => Frontdesk.identify(who)", signed(secret, "42", "Ada"))
    ada.open_chat()
    ada.widget("input[type=file]").set_input_files(named("a.png", "image/png", picture()))
    ada.say("Ada's own")
    wait_until_stored(site, 1)
    ada.widget(".message.unsent").wait_for(state="detached")
    ada.widget(".composer textarea").fill("half a thought")
    tab = ada.context.new_page()
    tab.goto(f"{site.url}/shop/")
    sessions = "Object.keys(localStorage).filter((key) => key.endsWith(':session'))"
    token = ada.page.evaluate(f"JSON.parse(localStorage.getItem({sessions}[0])).token")
    assert token
    ada.page.bring_to_front()
    ada.page.evaluate("Frontdesk.logout()")
    assert ada.page.evaluate("Object.keys(localStorage)") == []
    assert ada.widget(".panel").is_hidden()
    ada.open_chat()
    assert ada.bubbles() == []
    assert ada.widget(".composer textarea").input_value() == ""
    answer = ada.page.request.get(
        f"{site.url}/chat/history", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status == 401
    left = ada.page.evaluate(
        """() => new Promise((done) => {
          const opened = indexedDB.open("frontdesk-files", 1);
          opened.onsuccess = () => {
            const keys = opened.result.transaction("files").objectStore("files").getAllKeys();
            keys.onsuccess = () => done(keys.result);
          };
        })"""
    )
    assert left == []


def test_an_anonymous_visitor_who_logs_out_begins_anew_in_all_tabs(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    ada.say("Mine alone")
    wait_until_stored(site, 1)
    tab = ada.context.new_page()
    tab.goto(f"{site.url}/shop/")
    tab.locator("frontdesk-chat .log").get_by_text("Mine alone").wait_for()
    ada.page.evaluate("Frontdesk.logout()")
    tab.locator("frontdesk-chat .bubble").wait_for(state="detached")
    ada.page.bring_to_front()
    ada.open_chat()
    ada.say("Somebody else")
    wait_until_stored(site, 2)
    with site.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Conversation)) == 2
    assert ada.bubbles() == ["Somebody else"]
