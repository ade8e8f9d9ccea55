"""Handoffs in Slack: a card for conversations of any channel, and people who answer under it."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations
from bot.app import build_web
from bot.conversations import Claim, reply_as_agent
from bot.settings import Settings
from bot.simulation import slack_events
from bot.simulation.slack_workspace import TEAM
from bot.tables import (
    Agent,
    AgentIdentity,
    AnswerRun,
    Contact,
    Conversation,
    Delivery,
    Inbox,
    Message,
)
from channels.slack.composing import RESOLVE, SEND_DRAFT, TAKE_OVER
from tests.channels.chat.browser import Browser
from tests.channels.slack.desk import CITATION, SlackDesk
from tests.people import incoming, make_agent, make_inbox


@pytest.fixture
async def handed_off(desk: SlackDesk) -> dict[str, Any]:
    """Ada's direct message went to people; the card in the staff's channel."""
    await desk.direct("Where is my parcel? &lt;b&gt;Really&lt;/b&gt;")
    desk.hand_off()
    await desk.deliver()
    (card,) = desk.workspace.posts("C0STAFF")
    return card


def told(card: dict[str, Any]) -> str:
    return json.dumps(card["blocks"], ensure_ascii=False)


def buttons(card: dict[str, Any]) -> list[str]:
    return [
        element["action_id"]
        for block in card["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def write_draft(desk: SlackDesk, claim: Claim, quote: str) -> None:
    """The run's result, as the worker stores it."""
    with desk.sessions.begin() as session:
        result = {"citations": [{**CITATION, "quote": quote, "used": False, "score": 0.5}]}
        conversations.store_result(session, claim.run_id, result, state="done")


def status(desk: SlackDesk) -> str:
    return desk.conversations()[-1].status


async def test_the_card_tells_the_story_and_pings_nobody(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    assert "Conversation 1 needs a person" in told(handed_off)
    assert "Ada asks about her parcel." in told(handed_off)
    assert "Where is my parcel? &lt;b&gt;Really&lt;/b&gt;" in told(handed_off)
    assert buttons(handed_off) == [TAKE_OVER, RESOLVE]
    assert "<!" not in told(handed_off)
    assert "<@" not in told(handed_off)


async def test_the_card_shows_articles_and_a_draft_where_there_is_one(desk: SlackDesk) -> None:
    await desk.direct("How long may I return a tent?")
    claim = desk.claim()
    write_draft(desk, claim, "You have 60 days.")
    desk.grow(claim, "A colleague will answer.")
    with desk.sessions.begin() as session:
        conversations.finish_handoff(
            session, claim, reason="x", summary="", citations=[], language="en"
        )
    await desk.deliver()
    (card,) = desk.workspace.posts("C0STAFF")
    assert "<https://shop.example/help/returns|Returning an item>" in told(card)
    assert ">You have 60 days." in told(card)
    assert buttons(card) == [TAKE_OVER, SEND_DRAFT, RESOLVE]
    for _ in range(3):
        answer = await desk.events.click("U0BEA", "C0STAFF", card, SEND_DRAFT)
        assert answer.status == 200
    await desk.deliver()
    assert desk.workspace.texts("D0ADA")[-1] == "Bea: You have 60 days."
    assert [author for author, _ in desk.messages()].count("agent") == 1


async def test_take_over_makes_who_clicked_the_agent_and_the_card_says_so(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    for _ in range(2):
        answer = await desk.events.click("U0BEA", "C0STAFF", handed_off, TAKE_OVER)
        assert answer.status == 200
    await desk.deliver()
    with desk.sessions() as session:
        bea = session.scalars(select(Agent)).one()
        identity = session.scalars(select(AgentIdentity)).one()
        assert (bea.name, identity.external_id) == ("Bea", "U0BEA")
        assert session.scalars(select(Conversation)).one().assignee_id == bea.id
    (card,) = desk.workspace.posts("C0STAFF")
    assert "Bea has conversation 1" in told(card)
    assert buttons(card) == [RESOLVE]


async def test_a_colleague_who_clicks_a_moment_later_is_told_who_has_it(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    desk.workspace.add_user("U0DAN", "Dan")
    await desk.events.click("U0BEA", "C0STAFF", handed_off, TAKE_OVER)
    await desk.events.click("U0DAN", "C0STAFF", handed_off, TAKE_OVER)
    await desk.workspace.wait_for(lambda: bool(desk.workspace.responses))
    (response,) = desk.workspace.responses
    assert response["text"] == "Bea has this conversation already."
    assert (response["response_type"], response["replace_original"]) == ("ephemeral", False)


async def test_twenty_clicks_at_once_are_one_take_over(
    desk: SlackDesk, handed_off: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Slack's three seconds are for one click; twenty at once on a busy machine may need more.
    monkeypatch.setattr(slack_events, "ANSWER_WITHIN_S", 60.0)
    answers = await asyncio.gather(
        *(desk.events.click("U0BEA", "C0STAFF", handed_off, TAKE_OVER) for _ in range(20))
    )
    assert {answer.status for answer in answers} == {200}
    with desk.sessions() as session:
        assert len(session.scalars(select(Agent)).all()) == 1


async def test_somebodys_first_clicks_in_many_conversations_at_once_make_one_agent(
    desk: SlackDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slack_events, "ANSWER_WITHIN_S", 60.0)
    for number in range(6):
        desk.workspace.add_user(f"U0C{number}", f"Customer {number}")
        desk.workspace.open_direct(f"U0C{number}")
        await desk.direct("Where is my parcel?", user=f"U0C{number}")
        desk.hand_off()
    await desk.deliver()
    cards = desk.workspace.posts("C0STAFF")
    answers = await asyncio.gather(
        *(desk.events.click("U0BEA", "C0STAFF", card, TAKE_OVER) for card in cards)
    )
    assert [answer.status for answer in answers] == [200] * 6
    with desk.sessions() as session:
        bea = session.scalars(select(Agent)).one()
        owners = {one.assignee_id for one in session.scalars(select(Conversation))}
        assert owners == {bea.id}


async def test_resolve_closes_the_conversation_and_its_card(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    for _ in range(2):
        await desk.events.click("U0BEA", "C0STAFF", handed_off, RESOLVE)
    await desk.deliver()
    assert status(desk) == "resolved"
    (card,) = desk.workspace.posts("C0STAFF")
    assert "Conversation 1 is resolved" in told(card)
    assert buttons(card) == []
    assert "is the bot's" not in told(card)


async def test_a_click_that_is_not_signed_is_refused(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    desk.events.signing_secret = "a guess"
    answer = await desk.events.click("U0BEA", "C0STAFF", handed_off, RESOLVE)
    assert answer.status == 401
    assert status(desk) == "open"


@pytest.mark.parametrize(
    ("channel", "team"), [("C0SHOP", TEAM), ("D0CYD", TEAM), ("C0STAFF", "T0STRANGERS")]
)
async def test_cyd_cannot_click_from_elsewhere(
    desk: SlackDesk, handed_off: dict[str, Any], channel: str, team: str
) -> None:
    answer = await desk.events.click("U0CYD", channel, handed_off, RESOLVE, team_id=team)
    assert answer.status == 200
    assert status(desk) == "open"


@pytest.mark.parametrize(
    "value", ["", "x", "/", "00000000-0000-0000-0000-000000000000", "\u0000", "a" * 3000]
)
async def test_a_button_with_another_value_does_nothing(
    desk: SlackDesk, handed_off: dict[str, Any], value: str
) -> None:
    actions = [{"action_id": RESOLVE, "value": value}]
    answer = await desk.events.click("U0BEA", "C0STAFF", handed_off, RESOLVE, actions=actions)
    assert answer.status == 200
    assert status(desk) == "open"


async def test_a_draft_of_another_conversation_is_not_sent(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    await desk.direct("Cyd's question", user="U0CYD")
    claim = desk.claim()
    write_draft(desk, claim, "Cyd's own answer.")
    with desk.sessions() as session:
        run = session.scalars(
            select(AnswerRun.id).where(AnswerRun.conversation_id == claim.conversation_id)
        ).one()
    delivery = handed_off["metadata"]["event_payload"]["delivery"]
    actions = [{"action_id": SEND_DRAFT, "value": f"{delivery}/{run}"}]
    await desk.events.click("U0BEA", "C0STAFF", handed_off, RESOLVE, actions=actions)
    assert "Cyd's own answer." not in [text for _, text in desk.messages()]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "{",
        "[]",
        json.dumps({"type": "view_submission", "user": {"id": "U0BEA"}, "team": {"id": TEAM}}),
        json.dumps({"type": "block_actions", "user": {"id": "U0BEA"}, "team": {"id": TEAM}}),
        json.dumps({"type": "block_actions", "user": {"id": "U0BEA"}, "team": None}),
    ],
)
async def test_any_signed_interaction_gets_a_clear_answer(
    desk: SlackDesk, payload: str | None
) -> None:
    body = urlencode({"payload": payload} if payload is not None else {"x": "y"}).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await desk.events.post("/slack/interactivity", body, headers=form)
    assert answer.status in (200, 400)


async def test_what_the_staff_writes_under_the_card_reaches_the_customer_once(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    message, _ = await desk.events.write(
        "U0BEA", "C0STAFF", "It comes &amp; goes.", thread_ts=handed_off["ts"]
    )
    for _ in range(3):
        await desk.events.tell(message, "C0STAFF")
    await desk.deliver()
    assert desk.workspace.texts("D0ADA")[-1] == "Bea: It comes &amp; goes."
    assert [text for author, text in desk.messages() if author == "agent"] == ["It comes & goes."]
    assert desk.workspace.texts("C0STAFF", handed_off["ts"]) == [], "it stands there already"


async def test_a_note_under_the_card_stays_with_the_team(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    await desk.events.write(
        "U0BEA", "C0STAFF", "Note: she sounds cross", thread_ts=handed_off["ts"]
    )
    await desk.deliver()
    with desk.sessions() as session:
        note = session.scalars(select(Message).where(Message.author == "agent")).one()
        assert (note.text, note.private) == ("she sounds cross", True)
    assert desk.workspace.texts("D0ADA") == ["A colleague will answer you."]


async def test_what_the_customer_writes_later_appears_under_the_card_in_order(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    await desk.direct("One more thing <!channel>")
    await desk.direct("And another")
    await desk.deliver()
    assert desk.workspace.texts("C0STAFF", handed_off["ts"]) == [
        "Customer: One more thing @channel",
        "Customer: And another",
    ]


async def test_what_a_colleague_answers_elsewhere_appears_under_the_card(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    with desk.sessions.begin() as session:
        conversation = session.scalars(select(Conversation.id)).one()
        dan = make_agent(session, "Dan")
        reply_as_agent(session, conversation, dan, "Found it.")
        reply_as_agent(session, conversation, dan, "Our secret.", private=True)
    await desk.deliver()
    assert desk.workspace.texts("C0STAFF", handed_off["ts"]) == ["Dan: Found it."]
    assert "Dan has conversation 1" in told(desk.workspace.posts("C0STAFF")[0])


async def test_chatter_in_the_staffs_channel_is_no_answer_and_no_question(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    root, _ = await desk.events.write("U0BEA", "C0STAFF", "Lunch?")
    await desk.events.write("U0BEA", "C0STAFF", "Yes.", thread_ts=root["ts"])
    await desk.events.write("U0BEA", "C0STAFF", "<@U0BOT> hello")
    assert [author for author, _ in desk.messages()] == ["contact", "bot"]


async def test_a_stranger_in_a_shared_staff_channel_does_not_answer_for_the_company(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    await desk.events.write(
        "U0CYD", "C0STAFF", "Send money", thread_ts=handed_off["ts"], user_team="T0STRANGERS"
    )
    assert "agent" not in [author for author, _ in desk.messages()]


async def test_who_takes_an_agents_name_in_slack_does_not_become_them(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    with desk.sessions.begin() as session:
        bea = make_agent(session, "Bea")
    await desk.events.click("U0BEA", "C0STAFF", handed_off, TAKE_OVER)
    with desk.sessions() as session:
        owner = session.scalars(select(Conversation)).one().assignee_id
        assert owner is not None
        assert owner != bea
        assert session.get_one(Agent, owner).name == "Bea (Slack)"


async def test_an_agent_whose_name_slack_did_not_tell_in_time_gets_it_later(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    desk.workspace.fail("users.info", "server_error")
    await desk.events.click("U0BEA", "C0STAFF", handed_off, TAKE_OVER)
    with desk.sessions() as session:
        assert session.scalars(select(Agent.name)).one() == "Slack U0BEA"
    listening = asyncio.create_task(desk.channel.listen(_never))
    try:
        await desk.workspace.wait_for(lambda: agent_name(desk) == "Bea")
        await desk.workspace.wait_for(lambda: contact_name(desk) == "Ada Adams")
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_a_click_is_answered_in_time_though_slack_does_not_say_who_it_was(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    desk.workspace.fail("users.info", "hang")
    answer = await desk.events.click("U0BEA", "C0STAFF", handed_off, TAKE_OVER)
    assert answer.status == 200, "or Slack shows that the button failed"
    assert agent_name(desk) == "Slack U0BEA"


# -- answers that are quicker than the card's confirmation ---------------------------------------


async def lose_the_cards_answer(desk: SlackDesk) -> dict[str, Any]:
    """A handoff whose card is posted though the desk was not told so."""
    await desk.direct("Where is my parcel?")
    desk.hand_off()
    desk.workspace.fail("chat.postMessage", "drop_after", times=2)
    desk.make_due()
    await desk.deliver()
    (card,) = desk.workspace.posts("C0STAFF")
    assert ("card", "pending", 1) in desk.deliveries()
    return card


async def test_an_answer_under_a_card_that_is_not_confirmed_yet_reaches_the_customer(
    desk: SlackDesk,
) -> None:
    card = await lose_the_cards_answer(desk)
    message, taken = await desk.events.write(
        "U0BEA", "C0STAFF", "I am on it.", thread_ts=card["ts"]
    )
    assert (taken.status, taken.tries) == (200, 1)
    await desk.events.tell(message, "C0STAFF")
    await desk.deliver()
    assert [text for author, text in desk.messages() if author == "agent"] == ["I am on it."]
    assert desk.workspace.texts("D0ADA")[-1] == "Bea: I am on it."
    (shown,) = desk.workspace.posts("C0STAFF")
    assert "Bea has conversation 1" in told(shown)


async def test_an_answer_is_asked_for_again_while_slack_does_not_say_whose_thread_it_is(
    desk: SlackDesk,
) -> None:
    card = await lose_the_cards_answer(desk)
    desk.workspace.fail("conversations.replies", "server_error", times=2)
    _, taken = await desk.events.write("U0BEA", "C0STAFF", "I am on it.", thread_ts=card["ts"])
    assert (taken.status, taken.tries) == (200, 3)
    assert [text for author, text in desk.messages() if author == "agent"] == ["I am on it."]


async def test_an_answer_under_a_card_that_was_given_up_reaches_the_customer(
    desk: SlackDesk,
) -> None:
    card = await lose_the_cards_answer(desk)
    with desk.sessions.begin() as session:
        session.execute(update(Delivery).where(Delivery.kind == "card").values(state="failed"))
    await desk.events.write("U0BEA", "C0STAFF", "I am on it.", thread_ts=card["ts"])
    await desk.deliver()
    assert ("card", "sent", 1) in desk.deliveries()
    assert [text for author, text in desk.messages() if author == "agent"] == ["I am on it."]


async def test_metadata_that_another_app_wrote_makes_no_card(desk: SlackDesk) -> None:
    card = await lose_the_cards_answer(desk)
    forged = desk.workspace.say(
        "U0CYD", "C0STAFF", "A card", bot_id="B0OTHER", metadata=card["metadata"]
    )
    await desk.events.write("U0BEA", "C0STAFF", "Hm?", thread_ts=forged["ts"])
    assert "agent" not in [author for author, _ in desk.messages()]
    root, _ = await desk.events.write("U0BEA", "C0STAFF", "Lunch?")
    await desk.events.write("U0BEA", "C0STAFF", "Yes.", thread_ts=root["ts"])
    assert "agent" not in [author for author, _ in desk.messages()]


async def _never(_: object) -> Any:
    raise AssertionError("Slack's messages come by its webhook")


def agent_name(desk: SlackDesk) -> str | None:
    with desk.sessions() as session:
        return session.scalars(select(Agent.name)).one()


def contact_name(desk: SlackDesk) -> str:
    with desk.sessions() as session:
        conversation = session.scalars(select(Conversation)).one()
        return session.get_one(Contact, conversation.contact_id).name


async def test_a_second_handoff_is_a_new_card_and_both_show_how_it_stands(
    desk: SlackDesk, handed_off: dict[str, Any]
) -> None:
    with desk.sessions.begin() as session:
        conversations.give_back(session, session.scalars(select(Conversation.id)).one())
    await desk.direct("And now?")
    desk.hand_off("Again a colleague.")
    await desk.deliver()
    first, second = desk.workspace.posts("C0STAFF")
    await desk.events.click("U0BEA", "C0STAFF", second, TAKE_OVER)
    await desk.direct("Thank you")
    await desk.deliver()
    assert "Bea has conversation 1" in told(first)
    assert "Bea has conversation 1" in told(second)
    assert desk.workspace.texts("C0STAFF", second["ts"]) == ["Customer: Thank you"]
    assert desk.workspace.texts("C0STAFF", first["ts"]) == []


async def test_a_card_that_crashed_on_its_way_is_one_card(desk: SlackDesk) -> None:
    await desk.direct("Hello?")
    desk.hand_off()
    desk.workspace.fail("chat.postMessage", "drop_after", times=2)
    for _ in range(3):
        await desk.deliver()
    assert len(desk.workspace.posts("C0STAFF")) == 1
    assert len(desk.workspace.posts("D0ADA")) == 1


async def test_a_card_that_nobody_needs_any_more_is_not_posted(desk: SlackDesk) -> None:
    await desk.direct("Hello?")
    desk.hand_off()
    with desk.sessions.begin() as session:
        conversations.resolve(session, session.scalars(select(Conversation.id)).one())
    await desk.deliver()
    assert desk.workspace.posts("C0STAFF") == []


async def test_a_conversation_that_a_person_took_by_themselves_needs_no_card(
    desk: SlackDesk,
) -> None:
    await desk.direct("Hello?")
    with desk.sessions.begin() as session:
        conversation = session.scalars(select(Conversation.id)).one()
        conversations.take_over(session, conversation, make_agent(session))
    await desk.deliver()
    assert desk.workspace.posts("C0STAFF") == []


class TestACardOfAnotherChannel:
    """The customer came by the web chat; the staff sits in Slack."""

    async def test_a_chat_is_handed_off_answered_in_slack_and_read_in_the_browser(
        self, desk: SlackDesk, settings: Settings, sessions: sessionmaker[Session]
    ) -> None:
        with sessions.begin() as session:
            inbox = session.get_one(Inbox, make_inbox(session)).name
        async with TestClient(TestServer(build_web(settings))) as client:
            ada = await Browser.visit(client, inbox)
            await ada.send("Where is my parcel?")
            desk.hand_off()
            await desk.deliver()
            (card,) = desk.workspace.posts("C0STAFF")
            assert f"chat · {inbox}" in told(card)
            await desk.events.click("U0BEA", "C0STAFF", card, TAKE_OVER)
            async with ada.stream() as stream:
                await stream.until("message")
                await desk.events.write("U0BEA", "C0STAFF", "It comes today.", thread_ts=card["ts"])
                texts: list[str | None] = []
                while "It comes today." not in texts:
                    texts.append((await stream.next()).data.get("text"))
            await ada.send("Thank you!")
            await desk.deliver()
            assert desk.workspace.texts("C0STAFF", card["ts"]) == ["Customer: Thank you!"]
            said = [(m["author"], m["text"]) for m in (await ada.history())["messages"]]
        assert said == [
            ("contact", "Where is my parcel?"),
            ("bot", "A colleague will answer you."),
            ("agent", "It comes today."),
            ("contact", "Thank you!"),
        ]

    async def test_a_mail_is_answered_by_mail(
        self, desk: SlackDesk, sessions: sessionmaker[Session]
    ) -> None:
        with sessions.begin() as session:
            inbox = make_inbox(session, "email")
            conversations.record_incoming(
                session, incoming(inbox, "Hello", channel="email", wants_person=True)
            )
        await desk.deliver()
        (card,) = desk.workspace.posts("C0STAFF")
        await desk.events.write("U0BEA", "C0STAFF", "Good day.", thread_ts=card["ts"])
        assert desk.deliveries()[-1] == ("reply", "pending", 0)
        await desk.deliver()
        assert desk.deliveries()[-1] == ("reply", "pending", 0), "Slack delivers no mail"

    async def test_only_the_inboxes_that_are_named_hand_off_here(
        self, desk: SlackDesk, inbox_id: UUID, sessions: sessionmaker[Session]
    ) -> None:
        with sessions.begin() as session:
            chosen, other = make_inbox(session), make_inbox(session)
            row = session.get_one(Inbox, inbox_id)
            row.settings = {**row.settings, "staff_of": [session.get_one(Inbox, chosen).name]}
            for inbox in (chosen, other):
                conversations.record_incoming(session, incoming(inbox, "Hi", wants_person=True))
        await desk.deliver()
        assert len(desk.workspace.posts("C0STAFF")) == 1


class TestNoticesOnly:
    """An incoming webhook and no app: the staff is told, and answers elsewhere."""

    @pytest.fixture
    def slack_settings(self, monkeypatch: pytest.MonkeyPatch, workspace: Any) -> dict[str, Any]:
        monkeypatch.delenv("SLACK_BOT_TOKEN")
        monkeypatch.delenv("SLACK_SIGNING_SECRET")
        monkeypatch.setenv("SLACK_WEBHOOK_URL", f"{workspace.url}/services/T0/B0/secret")
        return {"staff_channel": "webhook"}

    @pytest.fixture
    def chat(self, desk: SlackDesk, sessions: sessionmaker[Session]) -> UUID:
        with sessions.begin() as session:
            inbox = make_inbox(session)
            message = incoming(inbox, "Help <!here>!", wants_person=True)
            return conversations.record_incoming(session, message).conversation_id

    async def test_a_handoff_is_one_notice(self, desk: SlackDesk, chat: UUID) -> None:
        await desk.deliver()
        (notice,) = desk.workspace.webhook_posts
        assert "*Conversation 1 needs a person*" in notice["text"]
        assert ">Help &lt;!here&gt;!" in notice["text"]
        assert desk.workspace.calls == []

    async def test_what_changes_later_is_not_told(
        self, desk: SlackDesk, chat: UUID, sessions: sessionmaker[Session]
    ) -> None:
        await desk.deliver()
        with sessions.begin() as session:
            conversations.take_over(session, chat, make_agent(session))
            conversations.resolve(session, chat)
        await desk.deliver()
        assert len(desk.workspace.webhook_posts) == 1

    async def test_a_busy_webhook_is_asked_again_when_it_says(
        self, desk: SlackDesk, chat: UUID
    ) -> None:
        desk.workspace.fail("webhook", "rate_limited", retry_after_s=7)
        await desk.deliver()
        assert desk.deliveries() == [("card", "pending", 1)]
        await desk.deliver()
        assert len(desk.workspace.webhook_posts) == 1

    async def test_an_address_that_is_not_slacks_is_not_called(
        self, desk: SlackDesk, chat: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SLACK_WEBHOOK_URL", "http://127.0.0.1:9/services/T0/B0/secret")
        await desk.deliver()
        assert desk.deliveries() == [("card", "pending", 1)]
        assert desk.workspace.webhook_posts == []

    async def test_events_are_refused(self, desk: SlackDesk) -> None:
        _, answer = await desk.direct("Hello")
        assert answer.status == 401


class TestADraftThatWaits:
    """An inbox whose bot drafts: a person approves in Slack."""

    @pytest.fixture
    def slack_settings(self) -> dict[str, Any]:
        return {"staff_channel": "C0STAFF", "policy": {"mode": "draft"}}

    async def test_a_draft_is_approved_once_from_its_card_and_nothing_was_seen_before(
        self, desk: SlackDesk
    ) -> None:
        await desk.direct("How long may I return a tent?")
        claim = desk.claim()
        desk.grow(claim, "You have 60 days.")
        await desk.deliver()
        assert desk.workspace.posts("D0ADA") == []
        desk.finish(claim)
        await desk.deliver()
        (card,) = desk.workspace.posts("C0STAFF")
        assert ">You have 60 days." in told(card)
        for _ in range(3):
            await desk.events.click("U0BEA", "C0STAFF", card, SEND_DRAFT)
        await desk.deliver()
        assert desk.workspace.texts("D0ADA") == ["Bea: You have 60 days."]
        assert "is the bot's again" in told(desk.workspace.posts("C0STAFF")[0])
