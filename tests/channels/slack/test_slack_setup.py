"""The operator's side: the manifest, connecting an inbox, what doctor says, where secrets stand."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from bot.cli import main
from bot.conversations import SIMULATED
from bot.settings import Settings
from bot.simulation.slack_workspace import TEAM, TOKEN, SlackWorkspace
from bot.slack_setup import check_slack
from bot.tables import Collection, Inbox, InboxCollection
from channels.slack.accounts import SecretError, account_of, read_secret
from channels.slack.adapter import SlackChannel
from channels.slack.manifest import EVENTS, SCOPES

Environ = dict[str, str]


@pytest.fixture
def running_workspace() -> Iterator[SlackWorkspace]:
    """A workspace on a thread of its own: commands are synchronous."""
    workspace, ready, over = SlackWorkspace(), threading.Event(), threading.Event()

    async def serve() -> None:
        async with workspace.serve():
            workspace.add_channel("C0STAFF")
            workspace.channels["C0ALONE"] = type(workspace.channels["C0STAFF"])("C0ALONE")
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    yield workspace
    over.set()
    thread.join()


@pytest.fixture
def environ(settings: Settings, tmp_path: Path, master_key: str) -> Environ:
    token, secret = tmp_path / "token", tmp_path / "secret"
    token.write_text(f"{TOKEN}\n")
    secret.write_text("a-signing-secret\n")
    return {
        "FRONTDESK_HOME": str(tmp_path / "home"),
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "FRONTDESK_MASTER_KEY": master_key,
        "SLACK_BOT_TOKEN_FILE": str(token),
        "SLACK_SIGNING_SECRET_FILE": str(secret),
    }


def test_the_manifest_is_one_that_slack_can_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slack", "manifest", "--url", "https://desk.example/", "--name", "Shop"], {}) == 0
    told = yaml.safe_load(capsys.readouterr().out)
    assert told["display_information"]["name"] == "Shop"
    assert told["oauth_config"]["scopes"]["bot"] == sorted(SCOPES)
    events = told["settings"]["event_subscriptions"]
    assert events == {
        "request_url": "https://desk.example/slack/events",
        "bot_events": list(EVENTS),
    }
    interactivity = told["settings"]["interactivity"]
    assert interactivity["request_url"] == "https://desk.example/slack/interactivity"
    assert told["settings"]["socket_mode_enabled"] is False


def test_the_manifests_addresses_are_routes_of_ours() -> None:
    channel: Any = SlackChannel.__new__(SlackChannel)
    paths = {route.path for route in channel.routes(None)}
    assert paths == {"/slack/events", "/slack/interactivity"}


def test_the_manifest_as_json_and_from_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"FRONTDESK_PUBLIC_URL": "https://desk.example"}
    assert main(["slack", "manifest", "--json"], environ) == 0
    told = json.loads(capsys.readouterr().out)
    assert "https://desk.example/slack/events" in json.dumps(told)


def test_slack_calls_no_address_without_tls(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slack", "manifest"], {"FRONTDESK_PUBLIC_URL": "http://desk.example"}) == 2
    assert "https" in capsys.readouterr().err


def connect(workspace: SlackWorkspace, environ: Environ, *more: str) -> int:
    base = ["slack", "connect", "team", "--api-base-url", workspace.api_base_url]
    return main([*base, *more], environ)


def test_connecting_learns_who_the_bot_is_and_keeps_no_secret(
    running_workspace: SlackWorkspace,
    environ: Environ,
    sessions: sessionmaker[Session],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with sessions.begin() as session:
        session.add(Collection(name="help"))
    assert connect(running_workspace, environ, "--staff-channel", "C0STAFF") == 0
    assert capsys.readouterr().out == f"Inbox team is connected to team {TEAM}.\n"
    with sessions() as session:
        inbox = session.scalars(select(Inbox)).one()
        account = account_of(inbox, environ)
        rows = session.execute(text("select settings::text from inbox")).scalars().all()
        assert len(session.scalars(select(InboxCollection)).all()) == 1
    assert (account.team_id, account.bot_user_id, account.app_id) == (TEAM, "U0BOT", "A0FRONTDESK")
    assert (account.staff_channel, account.bot_token) == ("C0STAFF", TOKEN)
    assert TOKEN not in "".join(rows)
    assert "a-signing-secret" not in "".join(rows)
    assert TOKEN not in repr(account)


def test_connecting_again_changes_the_same_inbox(
    running_workspace: SlackWorkspace, environ: Environ, sessions: sessionmaker[Session]
) -> None:
    connect(running_workspace, environ)
    connect(running_workspace, environ, "--staff-channel", "C0STAFF", "--staff-of", "shop")
    with sessions() as session:
        inbox = session.scalars(select(Inbox)).one()
        assert (inbox.settings["staff_channel"], inbox.settings["staff_of"]) == (
            "C0STAFF",
            ["shop"],
        )


def test_a_token_that_slack_does_not_take_connects_nothing(
    running_workspace: SlackWorkspace,
    environ: Environ,
    sessions: sessionmaker[Session],
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path(environ["SLACK_BOT_TOKEN_FILE"]).write_text("xoxb-old")
    assert connect(running_workspace, environ) == 1
    assert "auth.test: invalid_auth" in capsys.readouterr().err
    with sessions() as session:
        assert session.scalars(select(Inbox)).all() == []


def test_a_missing_secret_is_named_and_nothing_is_connected(
    running_workspace: SlackWorkspace, environ: Environ, capsys: pytest.CaptureFixture[str]
) -> None:
    del environ["SLACK_SIGNING_SECRET_FILE"]
    assert connect(running_workspace, environ) == 2
    assert "SLACK_SIGNING_SECRET_FILE" in capsys.readouterr().err


def test_a_staff_channel_without_the_bot_is_told(
    running_workspace: SlackWorkspace, environ: Environ, capsys: pytest.CaptureFixture[str]
) -> None:
    assert connect(running_workspace, environ, "--staff-channel", "C0ALONE") == 0
    assert "/invite" in capsys.readouterr().err


def test_notices_only_needs_the_webhook_alone(
    running_workspace: SlackWorkspace, environ: Environ, sessions: sessionmaker[Session]
) -> None:
    environ["SLACK_WEBHOOK_URL"] = f"{running_workspace.url}/services/T0/B0/marker"
    assert connect(running_workspace, environ, "--notices-only") == 0
    with sessions() as session:
        account = account_of(session.scalars(select(Inbox)).one(), environ)
        assert "marker" not in str(session.scalars(select(Inbox)).one().settings)
    assert (account.staff_channel, account.bot_token) == ("webhook", None)
    assert account.webhook_url == environ["SLACK_WEBHOOK_URL"]


def findings(settings: Settings, environ: Environ) -> list[tuple[str, str, str]]:
    return [(one.part, one.level, one.found) for one in check_slack(settings, environ)]


def test_doctor_says_nothing_of_slack_where_there_is_none(
    settings: Settings, environ: Environ
) -> None:
    assert findings(settings, environ) == []


def test_doctor_finds_each_ill_of_a_slack_inbox(
    running_workspace: SlackWorkspace, environ: Environ, settings: Settings
) -> None:
    connect(running_workspace, environ, "--staff-channel", "C0STAFF")
    assert findings(settings, environ) == [("slack team", "ok", f"team {TEAM}")]
    running_workspace.channels["C0STAFF"].members.clear()
    assert findings(settings, environ)[0][1] == "warn"
    Path(environ["SLACK_BOT_TOKEN_FILE"]).write_text("xoxb-revoked")
    assert findings(settings, environ) == [("slack team", "fail", "auth.test: invalid_auth")]
    Path(environ["SLACK_BOT_TOKEN_FILE"]).unlink()
    assert findings(settings, environ)[0][1] == "fail"
    del environ["SLACK_BOT_TOKEN_FILE"]
    found = findings(settings, environ)[0]
    assert "SLACK_BOT_TOKEN_FILE" in found[2]
    assert TOKEN not in str(found)


def test_doctor_leaves_the_demos_inbox_alone_whose_doors_are_closed(
    running_workspace: SlackWorkspace,
    environ: Environ,
    settings: Settings,
    sessions: sessionmaker[Session],
) -> None:
    connect(running_workspace, environ, "--staff-channel", "C0STAFF")
    closed = {"team_id": TEAM, "bot_token": None, "signing_secret": None, "webhook_url": None}
    with sessions.begin() as session:
        session.scalars(select(Inbox)).one().settings = {SIMULATED: "demo", "slack": closed}
    assert findings(settings, environ) == []


@pytest.mark.parametrize(
    "reference", ["", "xoxb-in-clear", "env:DATABASE_URL", "env:SLACK_NOTHING", "file:/no/such"]
)
def test_a_secret_that_is_not_where_it_should_be_is_an_error(
    reference: str, environ: Environ
) -> None:
    with pytest.raises(SecretError) as refused:
        read_secret(reference, environ)
    assert "xoxb" not in str(refused.value)
