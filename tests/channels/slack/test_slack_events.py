"""Events of Slack's: who is believed, what is heard, what is ignored, when it is acknowledged."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from bot.app import build_web
from bot.settings import Settings
from bot.simulation.slack_events import RETRIES_AFTER_S, sign
from bot.simulation.slack_workspace import BOT, BOT_USER, SlackWorkspace
from tests.channels.slack.desk import SECRET, SlackDesk, add_slack_inbox
from tests.outage import database_away
from tests.workers.scripted import Says, running
from workers.runs import answer_conversation


async def test_a_direct_message_is_committed_before_it_is_acknowledged(desk: SlackDesk) -> None:
    _, answer = await desk.direct("How long may I return a tent?")
    assert answer.status == 200
    assert desk.messages() == [("contact", "How long may I return a tent?")]


async def test_the_url_is_verified_with_the_challenge_and_only_when_signed(desk: SlackDesk) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "abc123", "token": "x"}).encode()
    answer = await desk.events.post("/slack/events", body)
    assert (answer.status, json.loads(answer.body)) == (200, {"challenge": "abc123"})
    assert (await desk.events.post("/slack/events", body, secret="wrong")).status == 401


@pytest.mark.parametrize(
    ("headers", "secret", "age_s"),
    [
        ({}, "another-secret", 0),
        ({}, None, 301),
        ({}, None, -301),
        ({"X-Slack-Signature": ""}, None, 0),
        ({"X-Slack-Signature": "v0=" + "0" * 64}, None, 0),
        ({"X-Slack-Signature": "v0=caf\u00e9"}, None, 0),
        ({"X-Slack-Request-Timestamp": ""}, None, 0),
        ({"X-Slack-Request-Timestamp": "soon"}, None, 0),
        ({"X-Slack-Request-Timestamp": "9" * 400}, None, 0),
        ({"X-Slack-Request-Timestamp": "-5"}, None, 0),
    ],
)
async def test_what_is_not_signed_just_now_by_this_secret_is_refused(
    desk: SlackDesk, headers: dict[str, str], secret: str | None, age_s: float
) -> None:
    message = desk.workspace.say("U0ADA", "D0ADA", "Hello")
    body = json.dumps(desk.events.envelope(desk.events.message_event(message, "D0ADA"))).encode()
    sent_at = time.time() - age_s
    answer = await desk.events.post(
        "/slack/events", body, headers=headers, secret=secret, sent_at=sent_at
    )
    assert answer.status == 401
    assert desk.messages() == []


async def test_the_signature_is_over_the_raw_body(desk: SlackDesk) -> None:
    message = desk.workspace.say("U0ADA", "D0ADA", "Hello")
    envelope = desk.events.envelope(desk.events.message_event(message, "D0ADA"))
    signed = json.dumps(envelope).encode()
    respaced = json.dumps(envelope, indent=1).encode()  # the same JSON, other bytes
    stamp = str(int(time.time()))
    headers = {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": sign(SECRET, stamp, signed),
    }
    assert (await desk.events.post("/slack/events", respaced, headers=headers)).status == 401
    assert (await desk.events.post("/slack/events", signed, headers=headers)).status == 200


async def test_without_a_signing_secret_everything_is_refused(
    desk: SlackDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLACK_SIGNING_SECRET")
    body = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
    for secret in (SECRET, "None", "guess"):
        assert (await desk.events.post("/slack/events", body, secret=secret)).status == 401


async def test_the_same_event_five_times_and_twenty_at_once_is_one_turn(desk: SlackDesk) -> None:
    message = desk.workspace.say("U0ADA", "D0ADA", "Once")
    envelope = desk.events.envelope(desk.events.message_event(message, "D0ADA"))
    answers = [await desk.events.deliver(envelope) for _ in range(5)]
    answers += await asyncio.gather(*(desk.events.deliver(envelope) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert desk.messages() == [("contact", "Once")]


async def test_a_mention_and_its_message_are_one_turn(desk: SlackDesk) -> None:
    message, _ = await desk.mention("where is my parcel?")
    mention = {**desk.events.message_event(message, "C0SHOP"), "type": "app_mention"}
    mention.pop("channel_type")
    answer = await desk.events.deliver(desk.events.envelope(mention))
    assert answer.status == 200
    assert desk.messages() == [("contact", "where is my parcel?")]


async def test_a_first_delivery_that_failed_is_not_lost_when_slack_tries_again(
    desk: SlackDesk, sessions: sessionmaker[Session]
) -> None:
    await desk.direct("Before")
    with database_away(sessions):
        message = desk.workspace.say("U0ADA", "D0ADA", "Is anybody there?")
        envelope = desk.events.envelope(desk.events.message_event(message, "D0ADA"))
        refused = await desk.events.deliver(envelope)
        assert (refused.status, refused.tries) == (503, 4)
    again = await desk.events.deliver(envelope)
    assert again.status == 200
    assert desk.messages() == [("contact", "Before"), ("contact", "Is anybody there?")]


def test_slack_is_simulated_with_its_real_retries() -> None:
    assert RETRIES_AFTER_S == (0.0, 60.0, 300.0)


async def test_slack_is_acknowledged_while_the_model_hangs(desk: SlackDesk, redis_url: str) -> None:
    hangs, goes_on = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        goes_on.wait(30)

    await desk.direct("What is the first question?")
    conversation = desk.conversations()[0].id
    with running(desk.sessions, redis_url, Says("The answer.", before={0: hang})) as runtime:
        run = asyncio.create_task(asyncio.to_thread(answer_conversation, runtime, conversation))
        try:
            await asyncio.to_thread(hangs.wait, 10)
            answers = [(await desk.direct(f"And question {n}?"))[1] for n in range(20)]
            assert not run.done(), "the model still hangs"
        finally:
            goes_on.set()
        await run
    assert [answer.status for answer in answers] == [200] * 20
    assert len([author for author, _ in desk.messages() if author == "contact"]) == 21


IGNORED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "an edit": lambda e: {**e, "subtype": "message_changed", "message": {"text": "new"}},
    "a deletion": lambda e: {**e, "subtype": "message_deleted", "deleted_ts": e["ts"]},
    "a join": lambda e: {**e, "subtype": "channel_join"},
    "a leave": lambda e: {**e, "subtype": "channel_leave"},
    "a topic": lambda e: {**e, "subtype": "channel_topic"},
    "another bot's message": lambda e: {**e, "subtype": "bot_message", "bot_id": "B0OTHER"},
    "another bot's, without a subtype": lambda e: {**e, "bot_id": "B0OTHER"},
    "its own message": lambda e: {**e, "user": BOT_USER, "bot_id": BOT},
    "its own, by its user alone": lambda e: {**e, "user": BOT_USER},
    "slackbot's": lambda e: {**e, "user": "USLACKBOT"},
    "a hidden one": lambda e: {**e, "hidden": True},
    "nobody's": lambda e: {k: v for k, v in e.items() if k != "user"},
    "an empty one": lambda e: {**e, "text": "  "},
    "a reaction": lambda e: {**e, "type": "reaction_added"},
    "a subtype that is not invented yet": lambda e: {**e, "subtype": "telepathy"},
}


@pytest.mark.parametrize("what", IGNORED)
async def test_it_is_ignored_on_purpose_and_acknowledged(desk: SlackDesk, what: str) -> None:
    message = desk.workspace.say("U0ADA", "D0ADA", "Hello")
    event = IGNORED[what](desk.events.message_event(message, "D0ADA"))
    answer = await desk.events.deliver(desk.events.envelope(event))
    assert (answer.status, answer.tries) == (200, 1), "Slack must not send it again"
    assert desk.messages() == []


@pytest.mark.parametrize("subtype", ["thread_broadcast", "me_message"])
async def test_what_people_write_in_other_ways_is_heard(desk: SlackDesk, subtype: str) -> None:
    await desk.direct("Hello", subtype=subtype)
    assert desk.messages() == [("contact", "Hello")]


async def test_what_is_said_in_a_channel_but_not_to_the_bot_is_not_read(desk: SlackDesk) -> None:
    _, answer = await desk.events.write("U0ADA", "C0SHOP", "Lunch?")
    root, _ = await desk.events.write("U0ADA", "C0SHOP", "In a thread?")
    await desk.events.write("U0CYD", "C0SHOP", "Yes, in a thread.", thread_ts=root["ts"])
    assert answer.status == 200
    assert desk.messages() == []


async def test_in_a_thread_who_spoke_to_the_bot_need_not_name_it_again(desk: SlackDesk) -> None:
    root, _ = await desk.mention("where is my parcel?")
    await desk.events.write("U0ADA", "C0SHOP", "It is number 17.", thread_ts=root["ts"])
    await desk.events.write("U0CYD", "C0SHOP", "Mine is late, too.", thread_ts=root["ts"])
    assert desk.messages() == [("contact", "where is my parcel?"), ("contact", "It is number 17.")]
    assert len(desk.conversations()) == 1


async def test_another_person_who_names_the_bot_in_the_thread_has_a_conversation_of_their_own(
    desk: SlackDesk,
) -> None:
    root, _ = await desk.mention("where is my parcel?")
    await desk.mention("and mine?", user="U0CYD", thread_ts=root["ts"])
    ada, cyd = desk.conversations()
    assert ada.contact_id != cyd.contact_id


async def test_direct_messages_are_one_conversation_in_threads_too(desk: SlackDesk) -> None:
    root, _ = await desk.direct("Hello")
    await desk.direct("And in a thread", thread_ts=root["ts"])
    await desk.direct("Here again")
    assert len(desk.conversations()) == 1


async def test_messages_in_another_order_are_the_same_conversation(desk: SlackDesk) -> None:
    said = [desk.workspace.say("U0ADA", "D0ADA", f"Line {number}") for number in range(4)]
    for number in (2, 0, 3, 1, 0, 2):
        await desk.events.tell(said[number], "D0ADA")
    assert sorted(told for _, told in desk.messages()) == [f"Line {n}" for n in range(4)]
    assert len(desk.conversations()) == 1


async def test_the_team_decides_the_inbox(
    desk: SlackDesk, workspace: SlackWorkspace, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        other = add_slack_inbox(session, workspace, "other", slack={"team_id": "T0OTHER"})
        org = add_slack_inbox(
            session, workspace, "org", slack={"team_id": None, "enterprise_id": "E0ORG"}
        )
    for authorization in (
        {"team_id": "T0OTHER", "enterprise_id": None},
        {"team_id": "T0ANY", "enterprise_id": "E0ORG"},
        {"team_id": None, "enterprise_id": "E0ORG", "is_enterprise_install": True},
    ):
        message = workspace.say("U0ADA", "D0ADA", "Hello")
        event = desk.events.message_event(message, "D0ADA")
        envelope = desk.events.envelope(event, authorizations=[authorization])
        assert (await desk.events.deliver(envelope)).status == 200
    assert [c.inbox_id for c in desk.conversations()] == [other, org]


async def test_a_shared_channels_event_goes_to_the_installation_not_to_the_senders_team(
    desk: SlackDesk, workspace: SlackWorkspace, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        add_slack_inbox(session, workspace, "theirs", slack={"team_id": "T0THEIRS"})
    message = workspace.say("W0ADA", "C0SHOP", f"<@{BOT_USER}> Hello", user_team="T0THEIRS")
    event = desk.events.message_event(message, "C0SHOP")
    envelope = desk.events.envelope(event, team_id="T0THEIRS", is_ext_shared_channel=True)
    await desk.events.deliver(envelope)
    assert [c.inbox_id for c in desk.conversations()] == [desk.inbox_id]


async def test_a_secret_of_one_app_does_not_speak_for_another_team(
    desk: SlackDesk,
    workspace: SlackWorkspace,
    sessions: sessionmaker[Session],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLACK_OTHER_SECRET", "another-secret")
    with sessions.begin() as session:
        add_slack_inbox(
            session,
            workspace,
            "other",
            slack={"team_id": "T0OTHER", "signing_secret": "env:SLACK_OTHER_SECRET"},
        )
    message = workspace.say("U0ADA", "D0ADA", "Hello")
    body = json.dumps(desk.events.envelope(desk.events.message_event(message, "D0ADA"))).encode()
    answer = await desk.events.post("/slack/events", body, secret="another-secret")
    assert answer.status == 200
    assert desk.messages() == []


async def test_a_team_that_nobody_knows_is_acknowledged_and_not_stored(desk: SlackDesk) -> None:
    message = desk.workspace.say("U0ADA", "D0ADA", "Hello")
    event = desk.events.message_event(message, "D0ADA")
    envelope = desk.events.envelope(event, team_id="T0WHO", authorizations=[])
    assert (await desk.events.deliver(envelope)).status == 200
    assert desk.messages() == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 50_000, b'{"type": "event_callback"}']
)
async def test_any_signed_body_gets_a_clear_answer(desk: SlackDesk, body: bytes) -> None:
    answer = await desk.events.post("/slack/events", body)
    assert answer.status in (200, 400, 401)
    assert desk.messages() == []


async def test_a_body_that_is_too_large_is_cut_off(desk: SlackDesk) -> None:
    assert (await desk.events.post("/slack/events", b"x" * 1_100_000)).status == 413


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("a\x00b", "ab"),
        ("half a pair \ud800", "half a pair ?"),
        ("&lt;script&gt; &amp;amp;", "<script> &amp;"),
        ("<!channel> <!here> <!subteam^S1|@team>", "@channel @here @team"),
    ],
)
async def test_text_is_stored_as_it_was_meant(desk: SlackDesk, sent: str, stored: str) -> None:
    await desk.direct(sent)
    assert desk.messages() == [("contact", stored)]


async def test_what_is_longer_than_a_message_is_stored_in_parts_once(desk: SlackDesk) -> None:
    message, _ = await desk.direct("x" * 39_000)
    await desk.events.tell(message, "D0ADA")
    assert [len(told) for _, told in desk.messages()] == [20_000, 19_000]


async def test_nothing_of_a_customer_stands_in_the_database_in_clear(
    desk: SlackDesk, sessions: sessionmaker[Session]
) -> None:
    await desk.direct("my-marker-7f3a")
    with sessions() as session:
        for table in ("message", "contact_identity", "conversation", "event"):
            rows = session.execute(text(f"select row_to_json({table})::text from {table}"))
            told = " ".join(rows.scalars())
            assert told
            for hidden in ("my-marker-7f3a", "U0ADA", "D0ADA"):
                found = [word for word in told.split('"') if hidden in word]
                assert [word for word in found if not word.startswith("D0ADA/")] == []


async def test_who_hangs_up_in_mid_upload_is_one_quiet_line(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    runner = web.AppRunner(build_web(settings))  # a test server would cancel the handler instead
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        _, writer = await asyncio.open_connection(*runner.addresses[0])
        head = "POST /slack/events HTTP/1.1\r\nHost: desk\r\nContent-Length: 1000\r\n\r\n"
        writer.write(head.encode() + b"half of it")
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()
        async with asyncio.timeout(10):
            while not (told := [one for one in caplog.records if "hung up" in one.getMessage()]):
                await asyncio.sleep(0.05)
    finally:
        await runner.cleanup()
    assert [(one.levelname, one.exc_info) for one in told] == [("INFO", None)]
    assert [one for one in caplog.records if one.levelname in ("WARNING", "ERROR")] == []
