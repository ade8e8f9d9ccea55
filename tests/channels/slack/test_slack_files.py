"""Files: fetched with the token from Slack's hosts alone, uploaded once, within limits."""

from __future__ import annotations

import asyncio
import base64
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from sqlalchemy import select, update

from bot.conversations import reply_as_agent
from bot.messages import Attachment as File
from bot.simulation.slack_workspace import SlackWorkspace
from bot.tables import Attachment, Conversation, Message, RemoteFile, now
from channels.slack import files
from channels.slack.accounts import API, Account
from channels.slack.files import Fetching
from tests.channels.slack.desk import SlackDesk
from tests.people import make_agent

PHOTO = b"\x89PNG and the rest"


def stored(desk: SlackDesk) -> list[tuple[str, str, bytes]]:
    with desk.sessions() as session:
        return [
            (row.name, row.media_type, base64.b64decode(row.content))
            for row in session.scalars(select(Attachment).order_by(Attachment.id))
        ]


def remote(desk: SlackDesk) -> list[tuple[str, str | None]]:
    with desk.sessions() as session:
        found = session.scalars(select(RemoteFile).order_by(RemoteFile.created_at))
        return [(row.state, row.error) for row in found]


async def fetch_all(desk: SlackDesk) -> None:
    with desk.sessions.begin() as session:
        session.execute(update(RemoteFile).values(next_attempt_at=now()))
    fetching = Fetching(desk.parts.sessions, desk.accounts, desk.parts.publisher)
    while await fetching.fetch_next():
        pass


async def send_file(desk: SlackDesk, told: dict[str, Any], text: str = "") -> dict[str, Any]:
    message, answer = await desk.direct(text, subtype="file_share", files=[told])
    assert answer.status == 200
    return dict(message)


async def test_a_customers_file_is_stored_beside_the_message_once(desk: SlackDesk) -> None:
    told = desk.workspace.add_file("photo.png", PHOTO, "image/png")
    message = await send_file(desk, told, "It is broken")
    await desk.events.tell(message, "D0ADA")
    assert desk.workspace.downloads == [], "Slack is answered before files are fetched"
    await fetch_all(desk)
    assert stored(desk) == [("photo.png", "image/png", PHOTO)]
    assert desk.workspace.downloads == [(told["id"], desk.workspace.token)]


async def test_a_file_without_words_is_a_message_that_names_it(desk: SlackDesk) -> None:
    await send_file(desk, desk.workspace.add_file("photo.png", PHOTO, "image/png"))
    assert desk.messages() == [("contact", "[photo.png]")]


async def test_the_channels_process_fetches_by_itself(desk: SlackDesk) -> None:
    listening = asyncio.create_task(desk.channel.listen(never))
    try:
        await send_file(desk, desk.workspace.add_file("photo.png", PHOTO, "image/png"))
        await desk.workspace.wait_for(lambda: bool(stored(desk)))
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def never(_: object) -> Any:
    raise AssertionError("Slack's messages come by its webhook")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/files-pri/F1/x",
        "https://files.slack.com.evil.example/F1",
        "https://evil.example/files.slack.com/F1",
        "file:///etc/passwd",
        "http://169.254.169.254/latest",
        None,
    ],
)
async def test_the_token_goes_to_nobody_else(desk: SlackDesk, url: str | None) -> None:
    told = desk.workspace.add_file("photo.png", PHOTO, "image/png")
    await send_file(desk, {**told, "url_private": url, "url_private_download": url})
    await fetch_all(desk)
    assert remote(desk) == [("failed", "not at an address of Slack's")]
    assert desk.workspace.downloads == []


@pytest.mark.parametrize(
    ("url", "is_trusted"),
    [
        ("https://files.slack.com/files-pri/T1-F1/download/x.png", True),
        ("https://slack.com/api/x", True),
        ("https://acme.enterprise.slack.com/x", True),
        ("https://files.slack-gov.com/x", True),
        ("https://FILES.SLACK.COM/x", True),
        ("http://files.slack.com/x", False),
        ("https://files.slack.com:8443/x", False),
        ("https://notslack.com/x", False),
        ("https://files.slack.com@evil.example/x", False),
        ("https://evil.example\\@files.slack.com/x", False),
        ("//files.slack.com/x", False),
        ("", False),
    ],
)
def test_slacks_own_hosts_are_known(url: str, is_trusted: bool) -> None:
    names = ("team_id", "enterprise_id", "app_id", "bot_user_id", "bot_id", "staff_channel")
    nothing = dict.fromkeys((*names, "bot_token", "signing_secret", "webhook_url"))
    account = Account(inbox_id=uuid4(), name="x", api_base_url=API, **nothing)
    assert account.is_trusted_host(url) is is_trusted


async def test_a_redirect_is_not_followed_with_the_token(
    desk: SlackDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = desk.workspace.add_file("photo.png", PHOTO, "image/png")
    await send_file(desk, told)
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-without-files-read")
    desk.accounts.forget()
    await fetch_all(desk)
    assert desk.workspace.downloads == [(told["id"], "xoxb-without-files-read")]
    assert desk.workspace.stolen_tokens == []
    assert remote(desk) == [("pending", "status 302")]


async def test_a_log_in_page_is_no_photo(desk: SlackDesk) -> None:
    told = desk.workspace.add_file("photo.png", b"<html>Sign in</html>", "text/html")
    await send_file(desk, {**told, "mimetype": "image/png"})
    await fetch_all(desk)
    assert stored(desk) == []
    assert remote(desk) == [("pending", "a log-in page came: the app lacks files:read")]


async def test_what_is_too_large_is_refused_by_its_size_and_by_what_comes(
    desk: SlackDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1024)
    honest = desk.workspace.add_file("big.bin", b"x" * 2000)
    liar = {**desk.workspace.add_file("small.bin", b"x" * 200_000), "size": 10}
    await send_file(desk, honest)
    await send_file(desk, liar)
    await fetch_all(desk)
    assert stored(desk) == []
    assert [state for state, _ in remote(desk)] == ["failed", "failed"]
    assert [file for file, _ in desk.workspace.downloads] == [liar["id"]]


async def test_no_more_than_ten_files_of_a_message_are_fetched(desk: SlackDesk) -> None:
    told = [desk.workspace.add_file(f"{n}.txt", b"x") for n in range(12)]
    await desk.direct("Many", subtype="file_share", files=told)
    await fetch_all(desk)
    assert len(stored(desk)) == 10


async def test_a_file_that_could_not_be_fetched_is_tried_again_and_then_given_up(
    desk: SlackDesk,
) -> None:
    told = desk.workspace.add_file("photo.png", PHOTO, "image/png")
    content = desk.workspace.files.pop(told["id"])
    await send_file(desk, told)
    await fetch_all(desk)
    assert remote(desk)[0][0] == "pending"
    desk.workspace.files[told["id"]] = content
    await fetch_all(desk)
    assert stored(desk) == [("photo.png", "image/png", PHOTO)]


def write_with_file(desk: SlackDesk, text: str = "Here it is.") -> None:
    with desk.sessions.begin() as session:
        conversation = session.scalars(select(Conversation.id)).one()
        label = File("label.pdf", "application/pdf", b"%PDF label")
        reply_as_agent(session, conversation, make_agent(session), text, attachments=[label])


def shared(workspace: SlackWorkspace, channel: str) -> list[str]:
    return [
        file["name"] for message in workspace.posts(channel) for file in message.get("files") or ()
    ]


async def test_a_colleagues_file_is_uploaded_into_the_customers_thread(desk: SlackDesk) -> None:
    root, _ = await desk.mention("may I have a label?")
    write_with_file(desk)
    await desk.deliver()
    posts = desk.workspace.posts("C0SHOP", root["ts"])
    assert [post["text"] for post in posts] == ["Bea: Here it is.", ""]
    (told,) = posts[1]["files"]
    assert desk.workspace.files[told["id"]]["content"] == b"%PDF label"


@pytest.mark.parametrize(
    "method", ["files.getUploadURLExternal", "files.completeUploadExternal", "chat.postMessage"]
)
async def test_a_crash_around_an_upload_doubles_neither_words_nor_file(
    desk: SlackDesk, method: str
) -> None:
    await desk.direct("May I have a label?")
    write_with_file(desk)
    desk.workspace.fail(method, "drop_after")
    await desk.deliver()
    await desk.deliver()
    assert desk.deliveries() == [("reply", "sent", 2)]
    assert shared(desk.workspace, "D0ADA") == ["label.pdf"]
    assert desk.workspace.texts("D0ADA") == ["Bea: Here it is.", ""]


async def test_an_upload_goes_to_no_host_but_slacks(
    desk: SlackDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        taken.append(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_post("/{tail:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    real = desk.workspace.upload_url

    def elsewhere(_self: SlackWorkspace, arguments: Any) -> dict[str, Any]:
        return {**real(arguments), "upload_url": f"http://127.0.0.1:{runner.addresses[0][1]}/x"}

    monkeypatch.setitem(desk.workspace.methods, "files.getUploadURLExternal", elsewhere)
    await desk.direct("May I have a label?")
    write_with_file(desk)
    await desk.deliver()
    await runner.cleanup()
    assert taken == []
    assert desk.deliveries()[0][1] == "failed"


async def test_a_file_under_the_card_reaches_the_customer(desk: SlackDesk) -> None:
    await desk.direct("May I have a label?")
    desk.hand_off()
    await desk.deliver()
    (card,) = desk.workspace.posts("C0STAFF")
    told = desk.workspace.add_file("label.pdf", b"%PDF label", "application/pdf")
    for text in ("", "Here it is."):
        await desk.events.write(
            "U0BEA", "C0STAFF", text, thread_ts=card["ts"], subtype="file_share", files=[told]
        )
    await fetch_all(desk)
    await desk.deliver()
    assert shared(desk.workspace, "D0ADA") == ["label.pdf", "label.pdf"]
    with desk.sessions() as session:
        texts = [m.text for m in session.scalars(select(Message).order_by(Message.seq))]
    assert texts[2:] == ["Here it is.", "[label.pdf]", "[label.pdf]"]
    assert desk.workspace.texts("C0STAFF", card["ts"]) == []


async def test_a_file_with_a_note_stays_with_the_team(desk: SlackDesk) -> None:
    await desk.direct("May I have a label?")
    desk.hand_off()
    await desk.deliver()
    (card,) = desk.workspace.posts("C0STAFF")
    told = desk.workspace.add_file("her-account.pdf", b"%PDF", "application/pdf")
    await desk.events.write(
        "U0BEA", "C0STAFF", "note: look", thread_ts=card["ts"], subtype="file_share", files=[told]
    )
    await fetch_all(desk)
    await desk.deliver()
    assert shared(desk.workspace, "D0ADA") == []
