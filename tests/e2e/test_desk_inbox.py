"""The inbox in a real Chromium: by keyboard, live, on a phone, with axe."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import Route, expect

from bot.conversations import (
    RunStopped,
    claim_run,
    commit_sentence,
    finish_reply,
    record_incoming,
)
from bot.dashboard.rows import read_row
from bot.events import draft_topic
from bot.messages import Attachment
from bot.policy import PolicySetting, with_policy
from bot.tables import Conversation, Inbox
from tests.e2e.conftest import WAIT_MS, Site
from tests.e2e.desk import (
    DeskVisit,
    ask_bot,
    ask_person,
    conversation,
    desk,
    make_inbox_of,
    stored,
)
from tests.people import incoming, write

__all__ = ["desk"]
pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 360, "height": 740}}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "[x](javascript:alert(3))",
    "{@html '<b>x'}",
    "‮evil‬",
    "<style>*{display:none}</style>",
]


def test_new_work_appears_and_is_taken_answered_and_resolved_by_keys_alone(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    bea = desk()
    bea.goto("/inbox")
    bea.page.get_by_text("Nobody waits for a person").wait_for()
    number = ask_person(site, "ada@example.org", "Where is my tent?")
    bea.page.locator(".rows li").wait_for()  # live: nobody loaded the page again
    bea.press("j")
    bea.page.locator(".log").get_by_text("Where is my tent?").wait_for()
    bea.press("t")
    bea.told("It is yours. The bot is silent.")
    bea.press("r")
    bea.page.keyboard.type("It left us this morning.")
    bea.press("Control+Enter")
    bea.page.locator(".log").get_by_text("It left us this morning.").wait_for()
    bea.press("Escape", "e")
    bea.told("Resolved.")
    assert conversation(site, number).status == "resolved"
    assert [message.author for message in stored(site, number)] == ["contact", "agent"]
    assert bea.trouble == []


def test_a_row_that_comes_late_does_not_undo_what_was_done(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    conversation_id = ask_bot(site, "ada", "How long may I return a tent?")
    with site.sessions() as session:
        row = read_row(session, conversation_id)
    assert row is not None
    bea = desk()
    bea.goto("/inbox/bot")
    bea.page.locator(".rows li").wait_for()
    bea.press("j")
    bea.page.locator(".log").get_by_text("How long may I").wait_for()
    bea.press("t")
    bea.told("It is yours. The bot is silent.")
    late = row.model_dump(mode="json")
    other = late | {"number": 1000, "contact": {"id": "none", "name": "Newcomer"}}
    while not bea.page.locator(".rows").get_by_text("Newcomer").count():  # so that it was told
        site.publisher.publish(draft_topic(conversation_id), {"rows": [late, other]})
        bea.page.wait_for_timeout(100)
    bea.press("b")
    bea.told("The bot has it again.")


def test_the_raw_draft_stands_beside_what_was_shown_and_one_key_silences_the_bot(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    conversation_id = ask_bot(site, "ada", "How long may I return a tent?")
    bea = desk()
    bea.goto("/inbox/bot")
    bea.page.locator(".rows li").wait_for()
    bea.press("j")
    bea.page.locator(".log").get_by_text("How long may I").wait_for()
    with site.sessions.begin() as session:
        claim = claim_run(session, conversation_id, timedelta(seconds=30))
    assert claim is not None
    deadline = time.monotonic() + WAIT_MS / 1000
    while not bea.page.get_by_text("You have 90 days").count():  # the stream may still be opening
        assert time.monotonic() < deadline
        told = {"raw": "You have 90 days. ", "run": str(uuid4()), "begins": True}
        site.publisher.publish(draft_topic(conversation_id), told)
        bea.page.wait_for_timeout(100)
    with site.sessions.begin() as session:
        advance = commit_sentence(session, claim, "You have 60 days.")
    site.publisher.advanced(advance)
    beside = bea.page.locator(".beside")
    beside.wait_for()
    assert "You have 60 days." in beside.locator("> div").nth(0).inner_text()
    assert "You have 90 days." in beside.locator(".raw").inner_text()
    bea.press("t")
    bea.told("It is yours. The bot is silent.")
    with pytest.raises(RunStopped), site.sessions.begin() as session:
        commit_sentence(session, claim, "And one more.")
    bea.page.locator(".log").get_by_text("stopped by a person").wait_for()
    bea.press("b")
    bea.told("The bot has it again.")
    assert bea.trouble == []


def test_staff_answer_mail_slack_and_chat_in_one_view(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    mail = make_inbox_of(site, "email", "post")
    slack = make_inbox_of(site, "slack", "team")
    numbers = {
        "Chat": ask_person(site, "ada", "By chat"),
        "E-mail": ask_person(site, "ada@example.org", "By mail", inbox_id=mail),
        "Slack": ask_person(site, "C1:171.1", "By Slack", inbox_id=slack),
    }
    bea = desk()
    for channel, number in numbers.items():
        bea.goto(f"/inbox/all/{number}")
        bea.page.get_by_role("button", name=f"Reply by {channel}").wait_for()
        bea.press("r")
        bea.page.keyboard.type(f"Hello by {channel}")
        bea.press("Control+Enter")
        bea.page.locator(".log").get_by_text(f"Hello by {channel}").wait_for()
    bea.page.locator(".log").get_by_text("waiting to go out").wait_for()
    assert [stored(site, number)[-1].author for number in numbers.values()] == ["agent"] * 3


def test_assign_snooze_tag_and_macros_from_the_keyboard(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    number = ask_person(site, "ada", "Hello?")
    sam = desk("Sam", "supervisor")
    sam.goto("/macros")
    sam.press("c")
    sam.page.get_by_label("Name").fill("Greet")
    sam.page.get_by_label("Text").fill("Hello {contact_first|there}, {agent} here.")
    sam.page.get_by_role("button", name="Save").click()
    sam.told("Saved.")
    sam.goto(f"/inbox/all/{number}")
    sam.page.locator(".log").get_by_text("Hello?").wait_for()
    sam.press("l")
    sam.page.get_by_role("combobox", name="Tags").wait_for()
    sam.page.keyboard.type("Refund")
    sam.press("Enter")
    sam.page.locator(".state").get_by_text("refund").wait_for()
    sam.press("Escape", "m")
    sam.page.get_by_role("option", name="Greet").wait_for()
    sam.press("Enter")
    field = sam.page.get_by_role("textbox", name="The reply")
    expect(field).to_have_value("Hello there, Sam here.")
    sam.press("Escape", "a")
    sam.page.get_by_role("combobox", name="Assign to").wait_for()
    sam.page.keyboard.type("Sam")
    sam.press("Enter")
    sam.page.locator(".state").get_by_text("With Sam").wait_for()
    sam.press("s")
    sam.page.get_by_role("option", name="In an hour").wait_for()
    sam.press("Enter")
    sam.page.locator(".state").get_by_text("Snoozed until").wait_for()
    assert conversation(site, number).status == "snoozed"
    assert sam.trouble == []


def test_a_form_is_sent_once_at_a_time_and_again_after_it_failed(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    sam = desk("Sam", "supervisor")
    sam.goto("/macros")
    sam.press("c")
    sam.page.get_by_label("Name").fill("Thanks")
    sam.page.get_by_label("Text").fill("Thank you.")
    twice = "form => { form.requestSubmit(); form.requestSubmit(); }"
    asked: list[str] = []

    def refuse(route: Route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        asked.append(route.request.url)
        return route.abort() if len(asked) == 1 else route.continue_()

    sam.page.route("**/desk/api/macros", refuse)
    sam.page.locator("#macro").evaluate(twice)
    sam.page.get_by_role("alert").get_by_text("The server cannot be reached.").wait_for()
    assert len(asked) == 1
    sam.page.locator("#macro").evaluate(twice)
    sam.told("Saved.")
    assert len(asked) == 2
    sam.page.get_by_role("button", name="Edit Thanks").wait_for()
    assert sam.page.get_by_role("alert").count() == 0


def test_on_a_sunday_the_next_morning_is_offered_once(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    number = ask_person(site, "ada", "Hello?")
    bea = desk("Bea")
    bea.page.clock.set_fixed_time(datetime(2026, 11, 29, 10, tzinfo=UTC))
    bea.goto(f"/inbox/all/{number}")
    bea.page.locator(".log").get_by_text("Hello?").wait_for()
    bea.press("s")
    bea.page.get_by_role("option", name="In an hour").wait_for()
    offered = " ".join(bea.page.get_by_role("option").all_inner_texts())
    assert ("Tomorrow morning" in offered, "Monday" in offered) == (True, False)
    assert bea.trouble == []


def test_a_note_calls_a_colleague_who_sees_it_counted(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    number = ask_person(site, "ada", "Is this covered?")
    bea, sam = desk("Bea"), desk("Sam", "supervisor")
    sam.goto("/inbox")
    bea.goto(f"/inbox/all/{number}")
    bea.page.locator(".log").get_by_text("Is this covered?").wait_for()
    bea.press("n")
    bea.page.keyboard.type("Please look, @Sa")
    bea.page.get_by_role("option", name="Sam").wait_for()
    bea.press("Enter")
    bea.press("Control+Enter")
    bea.page.locator(".log .note").get_by_text("@Sam").wait_for()
    sam.page.get_by_role("link", name="Mentions 1").wait_for()
    [_, note] = stored(site, number)
    assert (note.private, note.text) == (True, "Please look, @Sam")


def test_two_who_open_one_conversation_are_told_of_each_other(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    number = ask_person(site, "ada", "Hello?")
    bea, sam = desk("Bea"), desk("Sam")
    bea.goto(f"/inbox/all/{number}")
    sam.goto(f"/inbox/all/{number}")
    bea.page.locator(".others").get_by_text("Sam").wait_for()
    sam.page.locator(".others").get_by_text("Bea").wait_for()
    sam.press("r")
    sam.page.keyboard.type("I am on it")
    bea.page.locator(".others").get_by_text("writes a reply").wait_for()


def test_a_draft_is_approved_with_one_key(site: Site, desk: Callable[..., DeskVisit]) -> None:
    with site.sessions.begin() as session:
        inbox = session.get_one(Inbox, site.inbox_id)
        inbox.settings = with_policy(inbox.settings, PolicySetting(mode="draft"))
    conversation_id = ask_bot(site, "ada", "How long?")
    with site.sessions.begin() as session:
        claim = claim_run(session, conversation_id, timedelta(seconds=30))
        assert claim is not None
        advance = finish_reply(session, claim, [], "en", last="You have 60 days.")
    site.publisher.advanced(advance)
    bea = desk()
    bea.goto("/inbox")
    bea.page.locator(".rows").get_by_text("Draft").wait_for()
    bea.press("j")
    bea.page.get_by_role("region", name="The bot's draft").wait_for()
    assert bea.violations() == []
    bea.press("y")
    bea.told("Sent.")
    bea.page.locator(".log .agent").get_by_text("You have 60 days.").wait_for()


def test_search_finds_chinese_and_opens_it(site: Site, desk: Callable[..., DeskVisit]) -> None:
    ask_person(site, "li", "你好，我想申请退款，帐篷坏了。")
    ask_person(site, "ada", "Nothing of the kind")
    bea = desk()
    bea.goto("/inbox")
    bea.page.locator(".rows li").first.wait_for()
    bea.press("/")
    bea.page.get_by_role("searchbox").fill("退款")
    bea.page.locator("mark").get_by_text("退款").wait_for()
    assert bea.page.locator("main .page li").count() == 1
    assert bea.violations() == []
    bea.page.locator("main .page li a").press("Enter")
    bea.page.locator(".log").get_by_text("帐篷坏了").wait_for()


def test_contacts_are_named_merged_and_blocked(site: Site, desk: Callable[..., DeskVisit]) -> None:
    mail = make_inbox_of(site, "email", "post")
    number = ask_person(site, "ada", "By chat")
    other = ask_person(site, "ada@example.org", "By mail", inbox_id=mail)
    bea = desk()
    bea.goto(f"/inbox/all/{number}")
    panel = bea.page.get_by_role("complementary", name="Contact")
    panel.get_by_role("button", name="Merge").click()
    bea.page.get_by_role("combobox", name="Merge").fill("ada@example.org")
    bea.page.get_by_role("option", name="ada@example.org").wait_for()
    bea.press("Enter")
    panel.get_by_text(f"#{other}").wait_for()
    panel.get_by_text("E-mail, post").wait_for()
    panel.get_by_role("button", name="Name").click()
    bea.page.get_by_label("Name", exact=True).fill("Ada Lovelace")
    bea.press("Enter")
    bea.page.locator("header h1").get_by_text("Ada Lovelace").wait_for()
    panel.get_by_role("button", name="Block").click()
    bea.page.get_by_role("dialog").get_by_role("button", name="Block", exact=True).click()
    bea.told("Blocked.")
    assert conversation(site, number).status == "resolved"
    assert conversation(site, other).spam_at is not None
    assert bea.trouble == []


def test_what_was_missed_while_offline_is_there_once_the_line_is_back(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    number = ask_person(site, "ada", "Hello?")
    bea = desk()
    bea.goto(f"/inbox/all/{number}")
    bea.page.locator(".log").get_by_text("Hello?").wait_for()
    bea.context.set_offline(True)
    with site.sessions.begin() as session:
        write(session, site.inbox_id, "Are you there?", "ada")
    bea.context.set_offline(False)
    bea.page.locator(".log").get_by_text("Are you there?").wait_for()
    assert bea.messages() == ["Hello?", "Are you there?"]


def test_hostile_text_stays_text(site: Site, desk: Callable[..., DeskVisit]) -> None:
    bea = desk()
    for at, text in enumerate(HOSTILE):
        number = ask_person(site, f"cyd-{at}", text)
        bea.goto(f"/inbox/all/{number}")
        bea.page.locator(".log article").wait_for()
        assert bea.messages() == [text]
    assert bea.trouble == []


def test_the_palette_lists_every_shortcut_and_runs_them(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    number = ask_person(site, "ada", "Hello?")
    bea = desk()
    bea.goto(f"/inbox/all/{number}")
    bea.page.locator(".log").get_by_text("Hello?").wait_for()
    bea.press("?")
    palette = bea.page.get_by_role("dialog", name="Commands and shortcuts")
    for label in ("Take over", "Resolve", "Assign", "Snooze", "private note", "tags", "macro"):
        palette.get_by_role("option").get_by_text(label).first.wait_for()
    assert bea.violations() == []
    bea.page.keyboard.type("take over")
    bea.press("Enter")
    bea.told("It is yours. The bot is silent.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{}, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_wrong(
    site: Site, desk: Callable[..., DeskVisit], size: dict[str, object], scheme: str
) -> None:
    number = ask_person(site, "ada", "Where is my tent?", minutes=40)
    bea = desk("Bea", "supervisor", color_scheme=scheme, reduced_motion="reduce", **size)
    found: dict[str, list[str]] = {}
    for path in ("/inbox", f"/inbox/all/{number}", "/inbox/spam", "/search", "/macros"):
        bea.goto(path)
        bea.page.wait_for_load_state("load")
        bea.page.wait_for_timeout(400)
        if "all" in path:
            bea.page.locator(".log article").wait_for()
        found[path] = bea.violations()
        width = bea.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, f"{path} scrolls sideways by {width}"
    assert {path: each for path, each in found.items() if each} == {}
    assert bea.trouble == []


def test_a_phone_does_all_of_it_by_touch(site: Site, desk: Callable[..., DeskVisit]) -> None:
    number = ask_person(site, "ada", "Where is my tent?")
    bea = desk(**PHONE, has_touch=True, is_mobile=True)
    bea.goto("/inbox")
    bea.page.get_by_role("button", name="Open the navigation").tap()
    bea.page.get_by_role("link", name="Inbox", exact=True).tap()
    bea.page.locator(".rows li a").tap()
    bea.page.get_by_role("button", name="Take over").tap()
    bea.told("It is yours. The bot is silent.")
    bea.page.get_by_role("textbox", name="The reply").fill("On its way")
    bea.page.get_by_role("button", name="Send").tap()
    bea.page.locator(".log").get_by_text("On its way").wait_for()
    bea.page.get_by_role("button", name="More actions").tap()
    bea.page.get_by_role("menuitem", name="Snooze").tap()
    bea.page.get_by_role("option", name="In an hour").tap()
    bea.page.locator(".state").get_by_text("Snoozed until").wait_for()
    bea.page.get_by_role("button", name="Back to the list").tap()
    bea.page.locator(".rows").wait_for()
    assert conversation(site, number).status == "snoozed"
    assert bea.trouble == []


def test_a_file_that_may_do_harm_is_downloaded_only_after_a_question(
    site: Site, desk: Callable[..., DeskVisit]
) -> None:
    sent = Attachment("bill.exe", "application/x-msdownload", b"MZ...", "This file is a program.")
    with site.sessions.begin() as session:
        message = replace(incoming(site.inbox_id, "The bill, as asked"), attachments=(sent,))
        recorded = record_incoming(session, message)
        number = session.get_one(Conversation, recorded.conversation_id).number
    bea = desk(accept_downloads=True)
    bea.goto(f"/inbox/all/{number}")
    bea.page.get_by_role("button", name="bill.exe").click()
    question = bea.page.get_by_role("dialog", name="Open it with care")
    question.get_by_text("This file is a program.").wait_for()
    assert bea.violations() == []
    with bea.page.expect_download() as downloading:
        question.get_by_role("link", name="Download anyway").click()
    assert downloading.value.suggested_filename == "bill.exe"
    assert downloading.value.path().read_bytes() == b"MZ..."
    assert bea.trouble == []


def test_the_first_load_is_below_its_budget(site: Site, desk: Callable[..., DeskVisit]) -> None:
    ask_person(site, "ada", "Hello?")
    bea = desk()
    sizes: dict[str, int] = {}

    def weigh(response: object) -> None:
        url = response.url  # type: ignore[attr-defined]
        if "/desk/api/" not in url:
            sizes[url] = response.request.sizes()["responseBodySize"]  # type: ignore[attr-defined]

    bea.page.on("requestfinished", lambda request: weigh(request.response()))
    bea.goto("/inbox")
    bea.page.locator(".rows li").wait_for()
    print(f"first load: {sum(sizes.values()) / 1000:.1f} kB in {len(sizes)} files")
    assert 20_000 < sum(sizes.values()) < 150_000
