"""Replies in Slack: where they go, how they grow, and that nothing comes twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bot import conversations
from bot.app import deliver_until
from bot.conversations import REVISE_EVERY
from bot.delivery import deliver_pending
from bot.simulation.slack_workspace import Bad, SlackWorkspace
from bot.tables import Delivery, now
from channels.slack import web_api
from tests.channels.slack.desk import CITATION, SlackDesk, add_slack_inbox
from tests.people import make_agent


async def test_a_direct_message_is_answered_there_without_a_thread(desk: SlackDesk) -> None:
    await desk.direct("How long may I return a tent?")
    desk.answer("You have 60 days.")
    await desk.deliver()
    (post,) = desk.workspace.posts("D0ADA")
    assert post["text"] == "You have 60 days."
    assert "thread_ts" not in post


async def test_an_inbox_made_a_moment_ago_is_known_to_who_read_them_all_before(
    desk: SlackDesk,
) -> None:
    await desk.accounts.all()
    with desk.sessions.begin() as session:
        fresh = add_slack_inbox(session, desk.workspace, name="second")
    account = await desk.accounts.of_inbox(fresh)
    assert account is not None, "else its first reply would be given up for good"
    assert account.name == "second"


async def test_a_direct_message_in_a_thread_is_answered_in_the_thread(desk: SlackDesk) -> None:
    root, _ = await desk.direct("Hello")
    desk.answer("Good day.")
    await desk.direct("In a thread?", thread_ts=root["ts"])
    desk.answer("Yes.")
    await desk.direct("Here again")
    desk.answer("Also yes.")
    await desk.deliver()
    told = [(post["text"], post.get("thread_ts")) for post in desk.workspace.posts("D0ADA")]
    assert told == [("Good day.", None), ("Yes.", root["ts"]), ("Also yes.", None)]


async def test_a_mention_is_answered_in_its_thread(desk: SlackDesk) -> None:
    root, _ = await desk.mention("where is my parcel?")
    desk.answer("It is on its way.")
    await desk.deliver()
    assert desk.workspace.texts("C0SHOP", root["ts"]) == ["It is on its way."]


async def test_a_mention_in_a_thread_is_answered_in_that_thread(desk: SlackDesk) -> None:
    root = desk.workspace.say("U0CYD", "C0SHOP", "Where do you buy tents?")
    await desk.mention("do you sell tents?", thread_ts=root["ts"])
    desk.answer("We do.")
    await desk.deliver()
    assert desk.workspace.texts("C0SHOP", root["ts"]) == ["We do."]


async def test_a_reply_grows_in_one_message_and_is_finished_with_its_sources(
    desk: SlackDesk,
) -> None:
    await desk.direct("How long may I return a tent?")
    claim = desk.claim()
    for sentence in ("You have 60 days.", "It must be dry.", "Really."):
        desk.grow(claim, sentence)
        await desk.deliver()
    desk.finish(claim, [CITATION])
    await desk.deliver()
    (post,) = desk.workspace.posts("D0ADA")
    assert [text for _, text in post["was"]] == [
        "You have 60 days. …",
        "You have 60 days. It must be dry. …",
        "You have 60 days. It must be dry. Really. …",
    ]
    assert post["text"] == (
        "You have 60 days. It must be dry. Really.\n"
        "_<https://shop.example/help/returns|Returning an item>_"
    )


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://shop.example/r", "<https://shop.example/r|Returning an item>"),
        (None, "Returning an item: You have 60 days."),
    ],
)
async def test_an_article_that_may_help_is_named_under_the_reply(
    desk: SlackDesk, url: str | None, told: str
) -> None:
    await desk.direct("How long may I return an engraved tent?")
    suggested = {**CITATION, "used": False, "suggested": True, "url": url}
    desk.answer("A colleague will reply.", citations=[suggested])
    await desk.deliver()
    assert desk.workspace.texts("D0ADA") == [f"A colleague will reply.\n_{told}_"]


async def test_sentences_that_come_faster_than_the_pace_are_one_revision(desk: SlackDesk) -> None:
    await desk.direct("Hello?")
    claim = desk.claim()
    desk.grow(claim, "One.")
    await desk.deliver()
    for number in range(20):
        desk.grow(claim, f"And {number}.")
        await deliver_pending(desk.parts.sessions, {"slack": desk.channel})
    assert len(desk.workspace.called("chat.update")) <= 1
    with desk.sessions() as session:
        row = session.scalars(select(Delivery)).one()
        assert row.sent_at is not None
        assert row.next_attempt_at - row.sent_at >= REVISE_EVERY - timedelta(milliseconds=1)
    desk.finish(claim)
    await desk.deliver()
    assert desk.workspace.texts("D0ADA")[0].endswith("And 19.")


def test_the_pace_is_within_slacks_fifty_updates_a_minute() -> None:
    assert timedelta(minutes=1) / REVISE_EVERY <= 50


async def test_a_sentence_that_comes_while_one_is_sent_is_not_forgotten(desk: SlackDesk) -> None:
    await desk.direct("Hello?")
    claim = desk.claim()
    desk.grow(claim, "One.")
    send = desk.channel.send

    async def send_while_it_grows(reply: Any) -> str:
        desk.grow(claim, "Two.")
        desk.finish(claim)
        return await send(reply)

    desk.channel.send = send_while_it_grows  # type: ignore[method-assign]
    await desk.deliver()
    desk.channel.send = send  # type: ignore[method-assign]
    assert desk.workspace.texts("D0ADA") == ["One. …"]
    await desk.deliver()
    assert desk.workspace.texts("D0ADA") == ["One. Two."]
    assert desk.deliveries() == [("reply", "sent", 1)]


async def test_a_bell_makes_the_delivery_begin_at_once(desk: SlackDesk) -> None:
    await desk.parts.hub.start()
    stop = asyncio.Event()
    loop = asyncio.create_task(
        deliver_until(stop, desk.parts.sessions, {"slack": desk.channel}, desk.parts.hub)
    )
    try:
        await desk.direct("Hello?")
        desk.answer("Good day.")
        await desk.workspace.wait_for(lambda: desk.workspace.texts("D0ADA") == ["Good day."])
    finally:
        stop.set()
        await loop


@pytest.mark.parametrize("crash", ["drop_after", "hang"])
async def test_a_crash_around_the_post_doubles_nothing(
    desk: SlackDesk, crash: Bad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_api, "CALL_SECONDS", 1)
    await desk.direct("Hello?")
    desk.answer("Good day.")
    desk.workspace.fail("chat.postMessage", crash)
    await desk.deliver()
    assert desk.deliveries() == [("reply", "pending", 1)]
    await desk.deliver()
    assert desk.workspace.texts("D0ADA") == ["Good day."]
    assert desk.deliveries() == [("reply", "sent", 2)]


async def test_a_process_that_dies_between_post_and_commit_doubles_nothing(
    desk: SlackDesk,
) -> None:
    root, _ = await desk.mention("where is my parcel?")
    desk.answer("It is on its way.")
    await desk.deliver()
    with desk.sessions.begin() as session:  # as if the process had died before it marked the row
        session.execute(update(Delivery).values(state="sending", external_id=None, sent_version=0))
    await desk.deliver()
    assert desk.workspace.texts("C0SHOP", root["ts"]) == ["It is on its way."]
    assert len(desk.workspace.called("chat.postMessage")) == 1
    with desk.sessions() as session:
        row = session.scalars(select(Delivery)).one()
        assert row.external_id == f"C0SHOP/{desk.workspace.posts('C0SHOP')[0]['ts']}"


async def test_a_reply_is_found_again_on_a_later_page(desk: SlackDesk) -> None:
    root, _ = await desk.mention("where is my parcel?")
    desk.answer("It is on its way.")
    desk.workspace.fail("chat.postMessage", "drop_after")
    await desk.deliver()
    for number in range(250):
        desk.workspace.say("U0CYD", "C0SHOP", f"Chatter {number}", thread_ts=root["ts"])
    await desk.deliver()
    assert desk.workspace.texts("C0SHOP", root["ts"]) == ["It is on its way."]
    assert len(desk.workspace.called("conversations.replies")) >= 1


async def test_where_it_cannot_be_looked_up_nothing_is_posted_blindly(desk: SlackDesk) -> None:
    await desk.direct("Hello?")
    desk.answer("Good day.")
    desk.workspace.fail("chat.postMessage", "drop_after")
    desk.workspace.fail("conversations.history", "server_error")
    await desk.deliver()
    await desk.deliver()
    assert desk.workspace.texts("D0ADA") == ["Good day."]
    assert desk.deliveries()[0][1] == "pending"
    await desk.deliver()
    assert desk.workspace.texts("D0ADA") == ["Good day."]
    assert desk.deliveries()[0][1] == "sent"


async def test_a_long_reply_is_split_within_slacks_length(desk: SlackDesk) -> None:
    await desk.direct("Tell me everything.")
    desk.answer(*(f"Sentence {number} & more of it." for number in range(400)))
    await desk.deliver()
    whole = " ".join(desk.workspace.texts("D0ADA"))
    parts = desk.workspace.posts("D0ADA")
    assert len(parts) > 2
    assert all(len(part["text"]) <= 4000 for part in parts)
    assert [f"Sentence {n} &amp; more" in whole for n in range(400)] == [True] * 400


async def test_after_a_crash_between_two_parts_only_the_rest_is_posted(desk: SlackDesk) -> None:
    await desk.direct("Tell me everything.")
    desk.answer(*(f"Sentence {number}." for number in range(600)))
    workspace: Any = desk.workspace
    put = workspace._put

    def put_and_then_fail(*arguments: Any) -> Any:
        desk.workspace.fail("chat.postMessage", "server_error")
        workspace._put = put
        return put(*arguments)

    workspace._put = put_and_then_fail
    await desk.deliver()
    assert len(desk.workspace.posts("D0ADA")) == 1
    await desk.deliver()
    told = [word for part in desk.workspace.texts("D0ADA") for word in part.split()]
    assert told == " ".join(f"Sentence {number}." for number in range(600)).split()


async def test_a_reply_that_grows_beyond_one_message_is_finished_in_several(
    desk: SlackDesk,
) -> None:
    await desk.direct("Tell me everything.")
    claim = desk.claim()
    for start in range(0, 600, 200):
        desk.grow(claim, *(f"Sentence {number}." for number in range(start, start + 200)))
        await desk.deliver()
    desk.finish(claim)
    await desk.deliver()
    told = [word for part in desk.workspace.texts("D0ADA") for word in part.split()]
    assert told == " ".join(f"Sentence {number}." for number in range(600)).split()


async def test_retry_after_is_honoured_and_is_no_failure(desk: SlackDesk) -> None:
    await desk.direct("Hello?")
    desk.answer("Good day.")
    desk.workspace.fail("chat.postMessage", "rate_limited", retry_after_s=30)
    await desk.deliver()
    with desk.sessions() as session:
        row = session.scalars(select(Delivery)).one()
        wait_s = (row.next_attempt_at - now()).total_seconds()
    assert 25 < wait_s <= 30
    for _ in range(15):  # whoever is told to wait is not told off: Slack is not even asked
        await desk.deliver()
    assert len(desk.workspace.called("chat.postMessage")) == 1
    assert desk.deliveries() == [("reply", "pending", 1)]


async def test_when_the_wait_is_over_the_reply_goes_out(desk: SlackDesk) -> None:
    await desk.direct("Hello?")
    desk.answer("Good day.")
    desk.workspace.fail("chat.postMessage", "rate_limited", retry_after_s=1)
    await desk.deliver()
    await asyncio.sleep(1.1)
    await desk.deliver()
    assert desk.workspace.texts("D0ADA") == ["Good day."]


@pytest.mark.parametrize("how", ["server_error", "not_json", "drop_before", "fatal_error"])
async def test_a_temporary_failure_is_tried_again(desk: SlackDesk, how: Bad) -> None:
    await desk.direct("Hello?")
    desk.answer("Good day.")
    desk.workspace.fail("chat.postMessage", how)
    await desk.deliver()
    assert desk.deliveries() == [("reply", "pending", 1)]
    await desk.deliver()
    assert desk.workspace.texts("D0ADA") == ["Good day."]


@pytest.mark.parametrize("code", ["is_archived", "channel_not_found"])
async def test_a_permanent_failure_is_not(desk: SlackDesk, code: str) -> None:
    await desk.direct("Hello?")
    desk.answer("Good day.")
    desk.workspace.fail("chat.postMessage", code)
    await desk.deliver()
    await desk.deliver()
    assert desk.deliveries() == [("reply", "failed", 1)]
    assert desk.workspace.texts("D0ADA") == []


@pytest.mark.parametrize("code", ["invalid_auth", "missing_scope", "not_in_channel"])
async def test_what_an_operator_can_mend_is_tried_until_it_is(desk: SlackDesk, code: str) -> None:
    await desk.direct("Hello?")
    desk.answer("Good day.")
    desk.workspace.fail("chat.postMessage", code, times=3)
    for _ in range(4):
        await desk.deliver()
    assert desk.workspace.texts("D0ADA") == ["Good day."]


async def test_a_message_that_somebody_deleted_is_not_posted_again(desk: SlackDesk) -> None:
    await desk.direct("Hello?")
    claim = desk.claim()
    desk.grow(claim, "One.")
    await desk.deliver()
    desk.workspace.channels["D0ADA"].messages.clear()
    desk.grow(claim, "Two.")
    await desk.deliver()
    assert desk.workspace.texts("D0ADA") == []
    assert desk.deliveries()[0][1] == "failed"


async def test_after_a_take_over_a_growing_reply_stays_as_it_was_committed(
    desk: SlackDesk,
) -> None:
    await desk.direct("Hello?")
    claim = desk.claim()
    desk.grow(claim, "One.")
    await desk.deliver()
    with desk.sessions.begin() as session:
        conversations.take_over(session, claim.conversation_id, make_agent(session))
    with pytest.raises(conversations.RunStopped):
        desk.grow(claim, "Two.")
    await desk.deliver()
    assert desk.workspace.texts("D0ADA") == ["One."]


async def test_what_nobody_had_seen_at_the_take_over_is_not_sent(desk: SlackDesk) -> None:
    await desk.direct("Hello?")
    claim = desk.claim()
    desk.grow(claim, "One.")
    with desk.sessions.begin() as session:
        bea = make_agent(session)
        conversations.take_over(session, claim.conversation_id, bea)
        conversations.reply_as_agent(session, claim.conversation_id, bea, "Good day, Ada.")
    await desk.deliver()
    assert desk.workspace.texts("D0ADA") == ["Bea: Good day, Ada."]


async def test_to_one_place_messages_go_in_their_order_even_when_one_must_wait(
    desk: SlackDesk,
) -> None:
    await desk.direct("One?")
    desk.answer("First.")
    desk.workspace.fail("chat.postMessage", "server_error")
    await deliver_pending(desk.parts.sessions, {"slack": desk.channel})
    await desk.direct("Two?")
    desk.answer("Second.")
    await deliver_pending(desk.parts.sessions, {"slack": desk.channel})
    assert desk.workspace.texts("D0ADA") == []
    await desk.deliver()
    await desk.deliver()
    assert desk.workspace.texts("D0ADA") == ["First.", "Second."]


async def test_nothing_is_unfurled_or_linked_by_slack_itself(desk: SlackDesk) -> None:
    await desk.direct("Hello?")
    desk.answer("See https://shop.example, @here and <!channel>.")
    await desk.deliver()
    (post,) = desk.workspace.posts("D0ADA")
    assert post["text"] == "See <https://shop.example>, @here and &lt;!channel&gt;."
    assert post["sent_with"] == {"parse": "none", "link_names": False, "unfurl_links": False}


async def test_a_revision_is_as_quiet_as_a_post(desk: SlackDesk) -> None:
    await desk.direct("Hello?")
    claim = desk.claim()
    desk.grow(claim, "@everyone")
    await desk.deliver()
    desk.finish(claim)
    await desk.deliver()
    (post,) = desk.workspace.posts("D0ADA")
    assert post["sent_with"] == {"parse": "none", "link_names": False}


async def test_the_token_goes_to_the_workspace_and_into_no_log(
    desk: SlackDesk, workspace: SlackWorkspace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="bot")
    caplog.set_level("DEBUG", logger="channels")
    await desk.direct("my-marker-text")
    desk.answer("the bot's marker-text")
    workspace.fail("chat.postMessage", "server_error")
    await desk.deliver()
    await desk.deliver()
    assert {call.token for call in workspace.calls} == {workspace.token}
    assert workspace.token not in caplog.text
    assert "marker-text" not in caplog.text
    assert caplog.text
