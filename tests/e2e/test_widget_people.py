"""People in the widget: who is there, what is new, what helped, how it was, and before it all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.conversations import note_for_staff
from bot.events import conversation_topic
from bot.tables import Contact, Delivery, Feedback, Inbox, Message, new_id
from tests.e2e.conftest import Site, Visit
from tests.e2e.widget_world import (
    bea_resolves,
    bea_takes_over,
    bea_writes,
    newest,
    set_widget,
    wait_until,
    wait_until_stored,
)

pytestmark = pytest.mark.browser

COUNT_TONES = """
  window.tones = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...at) { window.tones += 1; start.apply(this, at); };
"""


def feedback(site: Site) -> list[tuple[int, str, bool]]:
    with site.sessions() as session:
        rows = session.scalars(select(Feedback).order_by(Feedback.created_at))
        return [(row.score, row.reason, row.message_id is None) for row in rows]


def begun(site: Site, visit: Callable[..., Visit], **options: Any) -> Visit:
    """Ada, who asked and was answered."""
    ada = visit(**options)
    ada.open_chat()
    ada.say("How long may I return a tent?")
    wait_until_stored(site, 1)
    site.answer("You have 60 days.")
    ada.widget(".thumb").first.wait_for()
    return ada


# -- who is there ----------------------------------------------------------------------------


def test_a_person_who_takes_over_is_named_and_seen_typing(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = begun(site, visit)
    bea_takes_over(site)
    ada.widget(".lead").get_by_text("Bea Fox is here for you").wait_for()
    assert ada.widget(".aside").inner_text() == "Bea Fox is looking after this conversation."
    site.publisher.publish(
        conversation_topic(newest(site).id), {"typing": "agent", "name": "Bea Fox"}
    )
    ada.widget(".typing").get_by_text("Bea Fox is writing").wait_for()
    bea_writes(site, "Good day, Bea here.")
    ada.wait_for_text("Good day, Bea here.")
    ada.widget(".typing").wait_for(state="hidden")
    assert ada.widget(".agent .face").inner_text() == "BF"
    assert ada.widget(".agent .sender").inner_text() == "Bea Fox"
    ada.page.reload()
    ada.widget(".lead").get_by_text("Bea Fox is here for you").wait_for()


def test_a_note_of_the_staff_is_never_shown(site: Site, visit: Callable[..., Visit]) -> None:
    ada = begun(site, visit)
    with site.sessions.begin() as session:
        advance = note_for_staff(session, newest(site).id, "between us")
    site.publisher.advanced(advance)
    bea_writes(site, "Good day")
    ada.wait_for_text("Good day")
    assert "between us" not in ada.page.content() + "".join(ada.bubbles())


def test_every_message_says_when_it_was_written(site: Site, visit: Callable[..., Visit]) -> None:
    ada = begun(site, visit, locale="en-GB", timezone_id="UTC")
    with site.sessions() as session:
        written = session.scalars(select(Message.created_at).order_by(Message.seq)).all()
    shown = ada.widget("time").evaluate_all("all => all.map((one) => one.dateTime)")
    for told, stored in zip(shown, written, strict=True):
        assert abs(datetime.fromisoformat(told) - stored) < timedelta(seconds=1)
    assert ada.widget(".day").inner_text() == "Today"


# -- what is new -----------------------------------------------------------------------------


def test_new_messages_are_counted_heard_and_seen_in_the_title(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.context.add_init_script(COUNT_TONES)
    ada.page.reload()
    title = ada.page.title()
    ada.open_chat()
    ada.say("Hello")
    wait_until_stored(site, 1)
    ada.widget(".shut").click()
    bea_writes(site, "One")
    bea_writes(site, "Two")
    ada.widget(".badge").get_by_text("2").wait_for()
    assert ada.widget(".launcher").get_attribute("aria-label") == "Open the chat (2 new)"
    assert ada.page.evaluate("window.tones") == 2  # one chime of two notes, not one a message
    # A tab that nobody sees, as the browser tells it.
    hide = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => %s})"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    ada.page.evaluate(f"{hide % 'true'}; {tell}")
    bea_writes(site, "Three")
    wait_until(lambda: ada.page.title() == f"(3) {title}")
    ada.page.evaluate(f"{hide % 'false'}; {tell}")
    wait_until(lambda: ada.page.title() == title)
    ada.page.reload()
    ada.widget(".badge").get_by_text("3").wait_for()
    ada.open_chat()
    ada.widget(".badge").wait_for(state="hidden")
    ada.page.reload()
    ada.widget(".launcher").wait_for()
    ada.wait_for_text("Three")
    assert ada.widget(".badge").is_hidden()


def test_the_sound_can_be_switched_off_for_good(site: Site, visit: Callable[..., Visit]) -> None:
    ada = visit()
    ada.context.add_init_script(COUNT_TONES)
    ada.page.reload()
    ada.open_chat()
    ada.say("Hello")
    wait_until_stored(site, 1)
    ada.widget(".head .round").first.click()
    ada.widget(".menu").get_by_text("Sound off").click()
    ada.widget(".shut").click()
    bea_writes(site, "Quietly")
    ada.widget(".badge").get_by_text("1").wait_for()
    assert ada.page.evaluate("window.tones") == 0
    ada.widget(".launcher").click()
    ada.widget(".head .round").first.click()
    ada.widget(".menu").get_by_text("Sound on").wait_for()


# -- what helped, and how it was -------------------------------------------------------------


def test_a_thumb_and_a_reason_are_kept_sealed(site: Site, visit: Callable[..., Visit]) -> None:
    ada = begun(site, visit)
    ada.widget(".thumb").nth(1).click()
    ada.widget(".bot .reason textarea").fill("My tent is 70 days old")
    ada.widget(".bot .reason .solid").click()
    ada.widget(".bot").get_by_text("Thank you.").wait_for()
    assert feedback(site) == [(-1, "My tent is 70 days old", False)]
    with site.sessions() as session:
        sealed = session.scalars(select(Feedback.reason_sealed)).one()
        assert sealed is not None
        assert b"tent" not in sealed
    ada.page.reload()
    ada.widget(".thumb").nth(1).wait_for()
    assert ada.widget(".thumb").nth(1).get_attribute("aria-pressed") == "true"
    ada.widget(".thumb").first.click()
    wait_until(lambda: feedback(site) == [(1, "", False)])


def test_the_visitor_ends_the_chat_and_rates_it(site: Site, visit: Callable[..., Visit]) -> None:
    ada = begun(site, visit)
    ada.widget(".head .round").first.click()
    ada.widget(".menu").get_by_text("End this chat").click()
    ada.widget(".rating").wait_for()
    assert newest(site).status == "resolved"
    ada.widget(".rating").get_by_role("button", name="4: Good").click()
    ada.widget(".rating textarea").fill("Quick!")
    ada.widget(".rating .solid").click()
    wait_until(lambda: feedback(site) == [(4, "Quick!", True)])
    ada.widget(".rating").get_by_text("Thank you for your rating.").wait_for()
    ada.page.reload()
    ada.wait_for_text("You have 60 days.")
    assert ada.widget(".rating").count() == 0


def test_a_conversation_that_bea_closed_is_rated_too(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = begun(site, visit)
    bea_resolves(site)
    ada.widget(".rating").get_by_role("button", name="Very bad").click()
    wait_until(lambda: feedback(site) == [(1, "", True)])
    ada.say("One more thing")
    ada.widget(".rating").wait_for(state="detached")


# -- the transcript --------------------------------------------------------------------------


def test_without_a_mailbox_no_transcript_is_offered(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = begun(site, visit)
    ada.widget(".head .round").first.click()
    assert "e-mail" not in ada.widget(".menu").inner_text()


def test_a_transcript_goes_to_the_address_that_was_given(
    site: Site, visit: Callable[..., Visit]
) -> None:
    smtp = {"host": "127.0.0.1", "port": 25, "security": "none"}
    with site.sessions.begin() as session:
        mailbox = Inbox(id=new_id(), name="mail", channel="email", company="Larkspur Outdoor")
        mailbox.settings = {"email": {"address": "support@shop.example", "smtp": smtp}}
        session.add(mailbox)
    ada = begun(site, visit)
    ada.widget(".head .round").first.click()
    ada.widget(".menu").get_by_text("Send me this chat by e-mail").click()
    ada.widget(".transcript input").fill("nonsense")
    ada.page.keyboard.press("Enter")
    ada.widget(".transcript").get_by_text("check this e-mail address").wait_for()
    ada.widget(".transcript input").fill("ada@example.org")
    ada.page.keyboard.press("Enter")
    ada.widget(".transcript").get_by_text("on its way to ada@example.org").wait_for()
    with site.sessions() as session:
        delivery = session.scalars(select(Delivery)).one()
        assert (delivery.kind, delivery.destination) == ("transcript", "ada@example.org")


# -- before the chat -------------------------------------------------------------------------

FORM = {
    "prechat": {
        "intro": {"en": "Tell us who you are"},
        "fields": [
            {"key": "name", "label": {"en": "Your name"}, "required": True},
            {"key": "email", "kind": "email", "label": {"en": "E-mail"}},
            {
                "key": "about",
                "kind": "choice",
                "label": {"en": "About"},
                "choices": ["Tents", "Boots"],
            },
        ],
    }
}


def test_the_form_before_the_chat_goes_to_the_staff_with_the_first_message(
    site: Site, visit: Callable[..., Visit]
) -> None:
    set_widget(site, FORM)
    ada = visit()
    ada.open_chat()
    form = ada.widget(".prechat")
    assert form.locator("strong").inner_text() == "Tell us who you are"
    assert ada.widget(".foot").is_hidden()
    form.get_by_role("button", name="Start the chat").click()
    form.get_by_text("Please fill this in.").wait_for()
    form.get_by_label("Your name").fill("Ada Byron")
    form.get_by_label("E-mail").fill("ada at home")
    ada.page.keyboard.press("Enter")
    form.get_by_text("Please check this e-mail address.").wait_for()
    form.get_by_label("E-mail").fill("ada@example.org")
    form.get_by_label("About").select_option("Tents")
    form.get_by_role("button", name="Start the chat").click()
    ada.say("Hello")
    ada.page.reload()  # what was filled in is not asked again
    ada.wait_for_text("Hello")
    assert ada.widget(".prechat").count() == 0
    ada.say("Again")
    wait_until(lambda: len(notes(site)) == 1)
    assert notes(site)[0].splitlines()[1:] == [
        "name: Ada Byron",
        "email: ada@example.org",
        "about: Tents",
    ]
    assert ada.bubbles() == ["Hello", "Again"]
    with site.sessions() as session:
        assert session.scalars(select(Contact)).one().name == "Ada Byron"


def notes(site: Site) -> list[str]:
    with site.sessions() as session:
        return [one.text for one in session.scalars(select(Message).where(Message.private))]


# -- office hours ----------------------------------------------------------------------------


def test_outside_office_hours_the_widget_says_when_people_are_back(
    site: Site, visit: Callable[..., Visit]
) -> None:
    opens = datetime.now(UTC) + timedelta(days=2)
    day = f"{opens:%a}".lower()
    set_widget(site, {}, policy={"hours": f"{day} 09:30-10:00", "zone": "UTC"})
    ada = visit(locale="en-GB", timezone_id="UTC")
    ada.open_chat()
    lead = ada.widget(".lead").inner_text()
    assert lead.startswith(f"Our team is back {opens:%A}")
    assert lead.endswith("09:30")
    assert "if you ask for a person" in ada.widget(".closed").inner_text()
    ada.widget(".person").click()
    ada.widget(".aside").get_by_text("09:30").wait_for()


def test_while_the_office_is_open_nothing_is_said_of_hours(
    site: Site, visit: Callable[..., Visit]
) -> None:
    set_widget(site, {}, policy={"hours": "mon-sun 00:00-24:00", "zone": "UTC"})
    ada = visit()
    ada.open_chat()
    assert ada.widget(".lead").inner_text() == "Here at any hour"
    assert ada.widget(".closed").count() == 0


def test_an_inbox_may_offer_less(site: Site, visit: Callable[..., Visit]) -> None:
    set_widget(site, {"person": False, "rating": False, "sound": False})
    ada = begun(site, visit)
    assert ada.widget(".person").is_hidden()
    ada.widget(".head .round").first.click()
    assert ada.widget(".menu").inner_text() == "End this chat"
    ada.widget(".menu").get_by_text("End this chat").click()
    ada.widget(".aside").wait_for()
    ada.page.wait_for_timeout(300)
    assert ada.widget(".rating").count() == 0
