"""Log-in, account and administration as people use them: by keyboard, on a phone, with axe."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from uuid import UUID

import pyotp
import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot.conversations import keyed_hash
from bot.dashboard.door import COOKIE
from bot.dashboard.invitations import invite_first_admin
from bot.dashboard.links import make_link
from bot.dashboard.second_factor import begin, turn_on
from bot.knowledge.articles import put_article
from bot.tables import (
    Account,
    Article,
    AuditEntry,
    Conversation,
    Delivery,
    Inbox,
    MailboxWatermark,
    StaffLetter,
    StaffSession,
    new_id,
)
from channels.chat.appearance import widget_of
from channels.email.mailboxes import MailboxSetting, ServerSetting, connect_mailbox
from tests.bot.dashboard.staff import SignedInDesk, sign_in
from tests.e2e.axe import violations
from tests.e2e.conftest import WAIT_MS, Site, Visit
from tests.e2e.widget_world import named, picture
from tests.people import make_inbox, write

pytestmark = pytest.mark.browser
PASSWORD = "four unrelated garden words"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
Window = Callable[..., Visit]
ADMIN_PAGES = ("inboxes", "staff", "keys", "failures", "audit")


@pytest.fixture
def ann(site: Site) -> SignedInDesk:
    return sign_in(site.sessions, "Ann", "admin", QUICK.hash(PASSWORD))


@pytest.fixture
def at_desk(site: Site, visit: Window, ann: SignedInDesk) -> Callable[..., Page]:
    """Opens a page of the desk, signed in as Ann."""

    def begin_at(path: str, **options: object) -> Page:
        opened = visit("/healthz", **options)
        opened.context.add_cookies(
            [
                {
                    "name": COOKIE,
                    "value": ann.token,
                    "domain": "127.0.0.1",
                    "path": "/desk",
                    "sameSite": "Strict",
                }
            ]
        )
        opened.page.goto(f"{site.url}/desk/{path}")
        expect(opened.page.get_by_role("heading", level=1)).to_be_visible()
        return opened.page

    return begin_at


def type_in(page: Page, label: str, text: str) -> None:
    page.get_by_label(label, exact=True).fill(text)


def settle(page: Page) -> None:
    """Until nothing loads any more."""
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("status", name="Loading")).to_have_count(0)


def tab_to(page: Page, name: str, limit: int = 80) -> None:
    """Reach an element as somebody without a mouse does, and see that its focus shows."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        told = page.evaluate(
            "() => { const at = document.activeElement;"
            " return (at.getAttribute('aria-label') || at.labels?.[0]?.innerText ||"
            " at.innerText || '').trim() }"
        )
        if told == name:
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"the focus on {name} does not show"
            return
    raise AssertionError(f"Tab never reached {name!r}")


def test_the_first_admin_sets_up_the_desk_from_the_terminals_link(
    site: Site, visit: Window, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        token = invite_first_admin(session)
    assert token is not None
    page = visit(f"/desk/invitation#{token}").page
    expect(page.get_by_role("heading", name="Set up your desk")).to_be_visible()
    assert token not in page.url
    assert violations(page) == []
    type_in(page, "Your name", "Ann")
    type_in(page, "E-mail", "ann@larkspur.example")
    type_in(page, "Choose a password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    with sessions() as session:
        assert session.scalars(select(Account.role)).one() == "admin"


def test_somebody_logs_in_with_the_keyboard_and_lands_where_they_wanted_to_go(
    visit: Window, ann: SignedInDesk
) -> None:
    opened = visit("/desk/admin/keys")
    page = opened.page
    expect(page.get_by_role("heading", name="Log in to the desk")).to_be_visible()
    assert violations(page) == []
    for field, text in (("E-mail", "ann@larkspur.example"), ("Password", PASSWORD)):
        tab_to(page, field)
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="API keys")).to_be_visible()
    assert opened.trouble == []


def test_the_log_in_page_logs_no_error(visit: Window) -> None:
    opened = visit("/healthz")
    said: list[str] = []
    opened.page.on("console", lambda message: said.append(message.text))
    opened.page.goto(opened.page.url.replace("/healthz", "/desk/log-in"))
    expect(opened.page.get_by_role("heading", name="Log in to the desk")).to_be_visible()
    settle(opened.page)
    assert said == []


def test_a_wrong_password_is_told_in_the_page(visit: Window, ann: SignedInDesk) -> None:
    page = visit("/desk/log-in").page
    type_in(page, "E-mail", "ann@larkspur.example")
    type_in(page, "Password", "a guess of Cyd's")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("did not match")
    expect(page.get_by_label("Password")).to_have_value("")


def test_with_codes_on_the_log_in_asks_for_one(
    visit: Window, ann: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        account = session.get_one(Account, ann.account_id)
        totp = pyotp.TOTP(begin(account))
        session.flush()
        assert turn_on(session, account, totp.at(time.time() - 30))
    page = visit("/desk/log-in").page
    type_in(page, "E-mail", "ann@larkspur.example")
    type_in(page, "Password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Code")).to_be_focused()
    assert violations(page) == []
    page.keyboard.type("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Code").fill(totp.now())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Log in to the desk")).to_have_count(0)
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


def test_a_link_logs_in_when_its_button_is_pressed_and_not_when_it_is_merely_opened(
    visit: Window, ann: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        token = make_link(session, ann.account_id)
    visit(f"/desk/link#{token}")  # a mail scanner
    page = visit(f"/desk/link#{token}").page
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Log in").press("Enter")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    second = visit(f"/desk/link#{token}").page
    second.get_by_role("button", name="Log in").click()
    expect(second.get_by_role("alert")).to_contain_text("used before")


def test_ann_turns_codes_on_by_the_qr_code_that_the_page_draws(
    at_desk: Callable[..., Page], ann: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    page = at_desk("account")
    page.get_by_role("button", name="Turn codes on").press("Enter")
    expect(page.get_by_role("img", name="QR code of the secret below")).to_be_visible()
    assert violations(page) == []
    secret = re.sub(r"\s", "", page.locator("dialog code").inner_text())
    with sessions() as session:
        assert session.get_one(Account, ann.account_id).totp_secret == secret
    page.get_by_label("Six digits").fill(pyotp.TOTP(secret).now())
    page.keyboard.press("Enter")
    codes = page.get_by_role("textbox", name="Recovery codes").input_value().split()
    assert len(codes) == 10
    assert violations(page) == []
    page.get_by_role("button", name="I have kept them").click()
    expect(page.get_by_text("10 recovery codes left")).to_be_visible()


def test_ann_ends_another_browsers_session(
    at_desk: Callable[..., Page], visit: Window, ann: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    other = visit("/desk/log-in", user_agent="Mozilla/5.0 (X11; Linux) Firefox/140.0").page
    type_in(other, "E-mail", "ann@larkspur.example")
    type_in(other, "Password", PASSWORD)
    other.keyboard.press("Enter")
    expect(other.get_by_role("navigation", name="Main")).to_be_visible()
    page = at_desk("account")
    page.get_by_role("button", name="Sign out Firefox on Linux").press("Enter")
    expect(page.get_by_role("button", name="Sign out Firefox on Linux")).to_have_count(0)
    other.reload()
    expect(other.get_by_role("heading", name="Log in to the desk")).to_be_visible()
    with sessions() as session:
        assert len(session.scalars(select(StaffSession)).all()) == 2


def test_an_invitation_goes_from_ann_to_dan_with_the_keyboard(
    at_desk: Callable[..., Page], visit: Window
) -> None:
    page = at_desk("admin/staff")
    settle(page)
    tab_to(page, "Invite somebody")
    page.keyboard.press("Enter")
    tab_to(page, "Name")
    page.keyboard.type("Dan")
    tab_to(page, "E-mail")
    page.keyboard.type("dan@larkspur.example")
    page.keyboard.press("Enter")
    link = page.get_by_label("Hand this over by a way that only they read").input_value()
    page.keyboard.press("Escape")
    expect(page.get_by_text("dan@larkspur.example")).to_be_visible()
    dan = visit("/desk/" + link.partition("/desk/")[2]).page
    expect(dan.get_by_role("heading", name="Welcome, Dan")).to_be_visible()
    type_in(dan, "Choose a password", PASSWORD)
    dan.keyboard.press("Enter")
    expect(dan.get_by_role("heading", name="Your account")).to_be_visible()
    dan.goto(dan.url.partition("/desk")[0] + "/desk/admin/staff")
    expect(dan.get_by_role("heading", name="This page is not yours")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Role of Dan")).to_have_value("agent")


def test_an_invitation_is_sent_by_mail_its_failure_shown_and_sent_again(
    site: Site, at_desk: Callable[..., Page], sessions: sessionmaker[Session]
) -> None:
    setting = MailboxSetting(
        address="help@larkspur.example", smtp=ServerSetting(host="127.0.0.1", port=9)
    )
    with sessions.begin() as session:
        connect_mailbox(session, "support", setting, None)
    page = at_desk("admin/staff")
    page.get_by_role("button", name="Invite somebody").press("Enter")
    page.get_by_label("Name", exact=True).fill("Dan")
    page.get_by_label("E-mail", exact=True).fill("dan@larkspur.example")
    expect(page.get_by_label("Send the invitation by e-mail")).to_be_checked()
    assert violations(page) == []
    page.get_by_role("button", name="Send the invitation").press("Enter")
    expect(page.get_by_text("on its way to dan@larkspur.example")).to_be_visible()
    expect(page.get_by_text("Invitation on its way by mail")).to_be_visible()
    with sessions.begin() as session:
        letter = session.scalars(select(StaffLetter)).one()
        assert letter.link not in page.content()
        letter.state, letter.error, letter.link_sealed = (
            "failed",
            "The recipient was refused.",
            None,
        )
    expect(page.get_by_text("Invitation not sent. The recipient was refused.")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Send again Dan's invitation").press("Enter")
    expect(page.get_by_text("Invitation on its way by mail")).to_be_visible()
    page.get_by_role("button", name="New link for Dan").press("Enter")
    shown = page.get_by_label("Hand this over by a way that only they read").input_value()
    assert "/desk/invitation#" in shown
    page.keyboard.press("Escape")
    page.get_by_role("button", name="More for Ann").press("Enter")
    page.get_by_role("menuitem", name="Mail a log-in link").press("Enter")
    expect(page.get_by_text("Log-in link on its way by mail")).to_be_visible()
    with sessions() as session:
        states = session.scalars(select(StaffLetter.state).order_by(StaffLetter.created_at)).all()
    assert states == ["failed", "withdrawn", "pending"]


def test_ann_changes_a_role_and_removes_somebody(
    site: Site, at_desk: Callable[..., Page], sessions: sessionmaker[Session]
) -> None:
    sign_in(sessions, "Bea")
    page = at_desk("admin/staff")
    page.get_by_label("Role of Bea").select_option("supervisor")
    expect(page.get_by_text("Bea is supervisor now.")).to_be_visible()
    page.get_by_role("button", name="More for Bea").press("Enter")
    page.get_by_role("menuitem", name="Remove").press("Enter")
    assert violations(page) == []
    page.get_by_role("button", name="Remove", exact=True).press("Enter")
    expect(page.get_by_label("Role of Bea")).to_have_count(0)
    with sessions() as session:
        actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)).all()
    assert actions == ["staff.role", "staff.remove"]


def test_a_key_is_seen_once(at_desk: Callable[..., Page]) -> None:
    page = at_desk("admin/keys")
    page.get_by_role("button", name="Make a key").press("Enter")
    page.get_by_label("Name", exact=True).fill("CRM")
    page.keyboard.press("Enter")
    token = page.get_by_label("Put it where your program keeps its secrets").input_value()
    assert token.startswith("fda_")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Revoke CRM")).to_be_visible()
    assert token not in page.content()
    page.get_by_role("button", name="Revoke CRM").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Revoke").press("Enter")
    expect(page.get_by_role("heading", name="No key yet")).to_be_visible()


def test_hours_and_a_holiday_are_set_and_stay(
    site: Site, at_desk: Callable[..., Page], sessions: sessionmaker[Session]
) -> None:
    page = at_desk(f"admin/inboxes/{site.inbox_id}")
    page.get_by_label("Somebody is there").select_option("hours")
    page.get_by_label("On the clock of").select_option("Europe/Berlin")
    page.get_by_role("button", name="Add a time to Monday").press("Enter")
    page.get_by_label("Monday to").fill("18:30")
    page.get_by_role("button", name="Tuesday to Friday like Monday").press("Enter")
    page.get_by_role("button", name="Add a holiday").press("Enter")
    page.get_by_label("Day of holiday 1").fill("2026-12-25")
    page.get_by_label("What customers are told").fill("Merry Christmas.")
    page.get_by_role("button", name="Save hours and holidays").press("Enter")
    expect(page.get_by_text("Hours and holidays are saved.")).to_be_visible()
    with sessions() as session:
        policy = session.get_one(Inbox, site.inbox_id).settings["policy"]
    assert (policy["hours"], policy["zone"]) == ("mon-fri 09:00-18:30", "Europe/Berlin")
    assert policy["holidays"] == [{"day": "2026-12-25", "text": "Merry Christmas."}]
    page.reload()
    expect(page.get_by_label("Friday to")).to_have_value("18:30")


def test_the_times_until_somebody_is_reminded_are_set_in_their_units_and_stay(
    site: Site, at_desk: Callable[..., Page], sessions: sessionmaker[Session]
) -> None:
    page = at_desk(f"admin/inboxes/{site.inbox_id}")
    remind, tell = "Remind the staff", "Tell the customer that nobody is free"
    expect(page.get_by_label(remind, exact=True)).to_contain_text("As usual: after 5 minutes")
    page.get_by_label(remind, exact=True).select_option("after")
    page.get_by_label(f"{remind}: how many").fill("2.5")
    page.get_by_label(f"{remind}: unit").select_option("hours")
    page.get_by_label(tell, exact=True).select_option("never")
    page.get_by_role("button", name="Save reminders").press("Enter")
    expect(page.get_by_label(f"{remind}: how many")).to_be_focused()  # half an hour is no number
    page.get_by_label(f"{remind}: how many").fill("2")
    assert violations(page) == []
    page.get_by_role("button", name="Save reminders").press("Enter")
    expect(page.get_by_text("Reminders are saved.")).to_be_visible()
    with sessions() as session:
        policy = session.get_one(Inbox, site.inbox_id).settings["policy"]
    assert policy == {"remind_after_minutes": 120, "tell_after_minutes": 0}
    page.reload()
    expect(page.get_by_label(f"{remind}: how many")).to_have_value("2")
    expect(page.get_by_label(f"{remind}: unit")).to_have_value("60")
    expect(page.get_by_label(tell, exact=True)).to_have_value("never")


def test_how_sure_the_bot_must_be_is_chosen_in_words_and_stays(
    site: Site, at_desk: Callable[..., Page]
) -> None:
    page = at_desk(f"admin/inboxes/{site.inbox_id}")
    chooser = page.get_by_label("How sure the bot must be")
    expect(chooser).to_have_value("0.5")
    chooser.select_option("Careful")
    page.get_by_text("Fewer answers, fewer wrong ones").wait_for()
    page.get_by_role("button", name="Save answers").click()
    page.get_by_text("Answers are saved.").wait_for()
    page.reload()
    expect(page.get_by_label("How sure the bot must be")).to_have_value("0.65")


def test_an_inbox_is_made_given_articles_and_tested(
    site: Site, at_desk: Callable[..., Page], sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        put_article(session, "returns", "a1", "Returns", "Thirty days.", "en", None, "test")
    page = at_desk("admin/inboxes")
    page.get_by_role("button", name="Make an inbox").press("Enter")
    page.get_by_label("Name", exact=True).fill("shop")
    page.get_by_label("Company", exact=True).fill("Larkspur")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="shop")).to_be_visible()
    expect(page.get_by_role("checkbox", name="returns")).to_be_checked()
    page.get_by_role("button", name="Test the connection").press("Enter")
    expect(page.get_by_text("1 wait")).to_be_visible()
    assert violations(page) == []
    with sessions() as session:
        assert (
            session.scalars(select(Inbox.company).where(Inbox.name == "shop")).one() == "Larkspur"
        )


def test_a_slack_inbox_tells_its_state_its_test_and_the_commands(
    site: Site, at_desk: Callable[..., Page], sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        inbox_id = make_inbox(session, "slack")
        inbox = session.get_one(Inbox, inbox_id)
        inbox.settings = {"slack": {"team_id": "T042", "bot_token": "env:SLACK_NOWHERE"}}
    page = at_desk(f"admin/inboxes/{inbox_id}", viewport={"width": 360, "height": 740})
    expect(page.get_by_text("Installed in T042.")).to_be_visible()
    commands = page.get_by_label("Connect it anew, in a terminal on this machine")
    assert "./frontdesk slack connect" in commands.input_value()
    expect(page.get_by_text("docs/connecting-slack.md")).to_be_visible()
    page.get_by_role("button", name="Test the connection").press("Enter")
    expect(page.get_by_text("env:SLACK_NOWHERE").last).to_be_visible()
    assert violations(page) == []


def test_a_mailboxs_password_goes_in_and_never_comes_out(at_desk: Callable[..., Page]) -> None:
    page = at_desk("admin/inboxes")
    page.get_by_role("button", name="Make an inbox").press("Enter")
    page.get_by_label("Channel").select_option("email")
    page.get_by_label("Name", exact=True).fill("support")
    page.get_by_label("Address", exact=True).fill("help@larkspur.example")
    for at in (0, 1):
        page.get_by_label("Server", exact=True).nth(at).fill("127.0.0.1")
        page.get_by_label("Port", exact=True).nth(at).fill("9")
    page.get_by_label("Password").fill("the-mailboxes-own-secret")
    assert violations(page) == []
    page.get_by_role("button", name="Make the inbox").press("Enter")
    expect(page.get_by_role("heading", name="support")).to_be_visible()
    expect(page.get_by_label("Password")).to_have_value("")
    page.get_by_role("button", name="Test the connection").press("Enter")
    expect(page.get_by_text("IMAP 127.0.0.1")).to_be_visible()
    assert "the-mailboxes-own-secret" not in page.content()


def test_what_failed_is_sent_and_run_again(
    site: Site, at_desk: Callable[..., Page], sessions: sessionmaker[Session]
) -> None:
    delivery_id, article_id = seed_failures(sessions)
    page = at_desk("admin/failures")
    page.get_by_role("button", name="Send again").press("Enter")
    expect(page.get_by_role("heading", name="Everything was delivered")).to_be_visible()
    page.get_by_role("button", name="Run again").press("Enter")
    expect(page.get_by_role("heading", name="No task failed")).to_be_visible()
    with sessions() as session:
        assert session.get_one(Delivery, delivery_id).state == "pending"
        assert session.get_one(Article, article_id).index_error is None


def test_the_audit_page_says_when_somebody_changed_the_log(
    at_desk: Callable[..., Page], sessions: sessionmaker[Session]
) -> None:
    page = at_desk("admin/keys")
    page.get_by_role("button", name="Make a key").press("Enter")
    page.get_by_label("Name", exact=True).fill("CRM")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The key CRM")).to_be_visible()
    page.goto(page.url.replace("keys", "audit"))
    expect(page.get_by_text("Ann made an API key")).to_be_visible()
    page.get_by_role("button", name="Verify the log").press("Enter")
    expect(page.get_by_text("1 entries, none changed and none missing.")).to_be_visible()
    with sessions.begin() as session:
        session.get_one(AuditEntry, 1).actor = "Cyd"
    page.get_by_role("button", name="Verify the log").press("Enter")
    expect(page.get_by_text("entry 1 was changed")).to_be_visible()
    assert violations(page) == []


def test_the_widget_is_seen_live_while_its_colour_and_words_change(
    site: Site, at_desk: Callable[..., Page], sessions: sessionmaker[Session]
) -> None:
    page = at_desk(f"admin/inboxes/{site.inbox_id}/widget", viewport={"width": 1440, "height": 900})
    inside = page.frame_locator("iframe")
    expect(inside.locator("frontdesk-chat .panel")).to_be_visible(timeout=WAIT_MS)
    page.get_by_label("Title", exact=True).fill("Larkspur helps")
    expect(inside.get_by_text("Larkspur helps").first).to_be_visible()
    page.get_by_label("Colour", exact=True).fill("#7a1f5c")
    expect(inside.locator("frontdesk-chat .launcher")).to_have_css(
        "background-color", "rgb(122, 31, 92)"
    )
    assert violations(page) == []
    page.get_by_role("button", name="Save the widget").press("Enter")
    expect(page.get_by_text("The widget is saved.")).to_be_visible()
    with sessions() as session:
        stored = session.get_one(Inbox, site.inbox_id).settings["widget"]
    assert stored == {"accent": "#7a1f5c", "texts": {"*": {"title": "Larkspur helps"}}}
    snippet = page.get_by_role("textbox", name="Snippet").input_value()
    assert 'data-inbox="website"' in snippet


def test_the_form_before_the_chat_is_made_with_the_keyboard_and_seen_live(
    site: Site, at_desk: Callable[..., Page], sessions: sessionmaker[Session]
) -> None:
    page = at_desk(f"admin/inboxes/{site.inbox_id}/widget")
    form = page.frame_locator("iframe").locator("frontdesk-chat .prechat")
    expect(form).to_have_count(0)
    page.get_by_label("Ask who writes before the first message").press("Space")
    expect(form.get_by_label("Your name")).to_be_visible(timeout=WAIT_MS)
    page.get_by_label("Above the form").fill("Tell us who you are")
    page.get_by_role("button", name="A choice").press("Enter")
    expect(page.get_by_label("Question 3", exact=True)).to_be_focused()
    page.keyboard.type("What is it about?")
    page.get_by_role("button", name="Save the widget").press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Question 3 needs two answers to choose from.")
    page.get_by_label("Answers to question 3, one a line").fill("Tents\n\nBoots\n")
    page.get_by_label("Question 3 must be answered").press("Space")
    page.get_by_role("button", name="Question 3 further up").press("Enter")
    expect(form.get_by_label("What is it about?").locator("option")).to_have_count(3)
    expect(form.locator("strong")).to_have_text("Tell us who you are")
    assert violations(page) == []
    page.get_by_role("button", name="Save the widget").press("Enter")
    expect(page.get_by_text("The widget is saved.")).to_be_visible()
    with sessions() as session:
        stored = session.get_one(Inbox, site.inbox_id).settings["widget"]["prechat"]
    assert [each["key"] for each in stored["fields"]] == ["name", "question_1", "email"]
    assert stored["fields"][1]["choices"] == ["Tents", "Boots"]
    assert stored["fields"][1]["required"]


def test_the_bots_picture_is_cut_to_size_and_seen_live(
    site: Site, at_desk: Callable[..., Page], sessions: sessionmaker[Session]
) -> None:
    page = at_desk(f"admin/inboxes/{site.inbox_id}/widget")
    mark = page.frame_locator("iframe").locator("frontdesk-chat .mark canvas")
    page.get_by_label("Picture file").set_input_files(
        named("face.png", "image/png", picture(900, 500, noise=200_000))
    )
    expect(mark).to_be_visible(timeout=WAIT_MS)
    page.get_by_label("The bot's name").fill("Larky")
    assert violations(page) == []
    page.get_by_role("button", name="Save the widget").press("Enter")
    expect(page.get_by_text("The widget is saved.")).to_be_visible()
    with sessions() as session:
        setting = widget_of(session.get_one(Inbox, site.inbox_id).settings)
    assert setting.bot_name == "Larky"
    assert setting.picture is not None
    assert setting.picture[1] == "image/png"
    page.get_by_label("Picture file").set_input_files(named("face.png", "image/png", b"words"))
    expect(page.get_by_role("alert")).to_contain_text("no picture")
    page.get_by_role("button", name="Remove the picture").press("Enter")
    expect(mark).to_have_count(0)


def test_a_long_problem_of_an_inbox_has_a_phones_whole_width(
    site: Site, at_desk: Callable[..., Page], sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        mail = make_inbox(session, "email")
        told = "The mail server imap.larkspur-outdoor.example does not answer (TimeoutError). " * 2
        session.add(MailboxWatermark(inbox_id=mail, folder="INBOX", error=told))
        server = ServerSetting(host="127.0.0.1", port=9)
        setting = MailboxSetting(address="help@larkspur.example", imap=server)
        connect_mailbox(session, session.get_one(Inbox, mail).name, setting, None)
    page = at_desk("admin/inboxes", viewport={"width": 360, "height": 740})
    problem = page.get_by_text("does not answer")
    expect(problem).to_be_visible()
    box, tag = problem.bounding_box(), page.get_by_text("Needs you").bounding_box()
    assert box is not None
    assert tag is not None
    assert box["width"] > 220
    assert tag["y"] + tag["height"] <= box["y"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_administration_fits_a_phone_and_satisfies_axe(
    site: Site, at_desk: Callable[..., Page], sessions: sessionmaker[Session], scheme: str
) -> None:
    seed_failures(sessions)
    phone = {"width": 360, "height": 740}
    page = at_desk("account", viewport=phone, color_scheme=scheme, reduced_motion="reduce")
    paths = [f"admin/{name}" for name in ADMIN_PAGES]
    for path in (
        "account",
        *paths,
        f"admin/inboxes/{site.inbox_id}",
        f"admin/inboxes/{site.inbox_id}/widget",
    ):
        page.goto(f"{site.url}/desk/{path}")
        settle(page)
        assert violations(page) == [], path
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        wide |= page.evaluate(
            "(e => e.scrollWidth > e.clientWidth)(document.querySelector('#content'))"
        )
        assert not wide, f"{path} is wider than a phone"


def seed_failures(sessions: sessionmaker[Session]) -> tuple[UUID, UUID]:
    """A delivery that was given up, and an article that could not be read."""
    with sessions.begin() as session:
        recorded = write(session, make_inbox(session, "email"), "Where is my tent?")
        conversation = session.get_one(Conversation, recorded.conversation_id)
        delivery = Delivery(
            id=new_id(),
            message_id=recorded.message_id,
            conversation_id=conversation.id,
            contact_id=conversation.contact_id,
            epoch=0,
            destination_hash=keyed_hash(session, "test", "ada"),
            state="failed",
            error="550 5.1.1 The server refused the recipient.",
        )
        delivery.destination = "ada@example.org"
        session.add(delivery)
        put = put_article(session, "returns", "a1", "Returns", "Thirty days.", "en", None, "test")
        session.get_one(Article, put.article_id).index_error = "there is no text in it"
        return delivery.id, put.article_id
