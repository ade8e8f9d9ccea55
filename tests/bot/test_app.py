"""The web process: every route x every principal, health, headers, drain."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientConnectionError, ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from bot.api_tokens import ensure_token, new_token, revoke_token
from bot.app import build_parts, build_web, deliver_until
from bot.dashboard.door import CSRF_HEADER
from bot.dashboard.sessions import Visit, csrf_token, open_session, revoke
from bot.machine import find_free_port
from bot.settings import Settings, SettingsError
from bot.tables import Inbox, Role
from bot.web.rules import rule_of
from tests.bot.dashboard.staff import SignedInDesk, sign_in
from tests.channels.chat.browser import Browser
from tests.people import make_inbox
from tests.served import Client, app_of

MARKER = "adas-secret-7f3a"
STAFF = ("agent", "supervisor", "admin", "signed_out")
PRINCIPALS = ("nobody", "ada", "cyd", "token", "revoked", *STAFF)
# Which principals pass each rule's guard. A rule that is not here fails the test.
ALLOWED = {
    "public": set(PRINCIPALS),
    "visitor": {"ada", "cyd"},
    "token": {"token"},
    "slack": set(),  # whoever signs as Slack does: tests/channels/slack/test_slack_events.py
    "same_origin": set(PRINCIPALS),  # from a page of another site: tests/bot/dashboard
    "known_or_not": set(PRINCIPALS),
    "staff": {"agent", "supervisor", "admin"},
    "supervisor": {"supervisor", "admin"},
    "admin": {"admin"},
}
ROLES_OF: dict[str, Role] = {
    "agent": "agent",
    "supervisor": "supervisor",
    "admin": "admin",
    "signed_out": "admin",  # Cyd, whose session was revoked
}
MAY_SEE_MARKER = {"ada", "token", "agent", "supervisor", "admin"}
STREAM_SECONDS = 1.0
ROOT = Path(__file__).resolve().parents[2]
# Generous: what is shown is that it ends by itself, not how fast.
DRAIN_WITHIN_SECONDS = 30


@dataclass(frozen=True)
class Desk:
    """A running web process with Ada's conversation and everybody's tokens."""

    client: Client
    inbox: str
    tokens: dict[str, str]
    staff: dict[str, SignedInDesk]
    sessions: sessionmaker[Session]


@pytest.fixture
def inbox(sessions: sessionmaker[Session]) -> str:
    with sessions.begin() as session:
        inbox_id: UUID = make_inbox(session)
        return session.get_one(Inbox, inbox_id).name


@pytest.fixture
async def desk(
    settings: Settings, sessions: sessionmaker[Session], inbox: str
) -> AsyncIterator[Desk]:
    valid, revoked = new_token(), new_token()
    with sessions.begin() as session:
        ensure_token(session, "valid", valid)
        ensure_token(session, "revoked", revoked)
        assert revoke_token(session, "revoked")
    async with TestClient(TestServer(build_web(settings))) as client:
        ada, cyd = await Browser.visit(client, inbox), await Browser.visit(client, inbox)
        async with await ada.send(MARKER) as response:
            assert response.status == 201
        tokens = {"ada": ada.token, "cyd": cyd.token, "token": valid, "revoked": revoked}
        staff = {name: sign_in(sessions, name, role) for name, role in ROLES_OF.items()}
        with sessions.begin() as session:
            gone = staff["signed_out"]
            assert revoke(session, gone.account_id, gone.session_id)
        yield Desk(client, inbox, tokens, staff, sessions)


def routes_of(app: web.Application) -> list[tuple[str, str, object]]:
    return [
        (route.method, route.resource.canonical, route.handler)
        for route in app.router.routes()
        if route.resource is not None
    ]


def test_every_route_declares_a_rule_that_the_matrix_knows(settings: Settings) -> None:
    undeclared = [
        (method, path)
        for method, path, handler in routes_of(build_web(settings))
        if rule_of(handler) not in ALLOWED
    ]
    assert undeclared == []


@pytest.mark.parametrize("principal", PRINCIPALS)
async def test_every_route_lets_in_only_whom_its_rule_names(desk: Desk, principal: str) -> None:
    wrong: list[tuple[object, ...]] = []
    for method, path, handler in routes_of(app_of(desk.client)):
        rule = rule_of(handler)
        assert rule is not None
        status, body = await knock(desk, principal, method, path)
        # HEAD has no body to say why it is forbidden; no route forbids but for the role.
        is_forbidden = status == 403 and (method == "HEAD" or '"role"' in body)
        is_let_in = status != 401 and not is_forbidden
        if is_let_in != (principal in ALLOWED[rule]):
            wrong.append((method, path, rule, status))
        if MARKER in body and (principal not in MAY_SEE_MARKER or rule == "public"):
            wrong.append((method, path, rule, "shows Ada's message"))
        if status >= 500:
            wrong.append((method, path, rule, status))
    assert wrong == []


async def knock(desk: Desk, principal: str, method: str, path: str) -> tuple[int, str]:
    """Call a route as somebody; of a stream only what comes in a moment."""
    filled = path.replace("{inbox}", desk.inbox).replace("{number}", "1")
    filled = re.sub(r"\{\w+(?::[^}]*)?\}", "x", filled)
    headers = headers_of(desk, principal)
    wants_body = method in ("POST", "PUT", "PATCH")
    async with desk.client.request(
        method, filled, headers=headers, json={} if wants_body else None, allow_redirects=False
    ) as response:
        if response.content_type == "text/event-stream":
            return response.status, await read_a_moment(response)
        return response.status, await response.text(errors="replace")


def headers_of(desk: Desk, principal: str) -> dict[str, str]:
    """What somebody's requests carry; those of the staff, as their pages send them."""
    origin = str(desk.client.make_url("/")).rstrip("/")
    if principal in desk.staff:
        return anew(desk, desk.staff[principal]).headers(origin)
    token = desk.tokens.get(principal)
    return {"Origin": origin, **({"Authorization": f"Bearer {token}"} if token else {})}


def anew(desk: Desk, person: SignedInDesk) -> SignedInDesk:
    """The same person in a new session, if they may have one: a route may have ended the last."""
    if person is desk.staff["signed_out"]:
        return person
    with desk.sessions.begin() as session:
        opened = open_session(session, person.account_id, "password", Visit("a test", ""))
        csrf = csrf_token(session, opened.session_id)
    return replace(person, token=opened.token, session_id=opened.session_id, csrf=csrf)


async def read_a_moment(response: Any) -> str:
    told = b""
    try:
        async with asyncio.timeout(STREAM_SECONDS):
            async for chunk in response.content.iter_any():
                told += chunk
    except TimeoutError:
        response.close()
    return told.decode()


async def test_no_write_of_the_staff_goes_without_the_csrf_token(desk: Desk) -> None:
    origin = str(desk.client.make_url("/")).rstrip("/")
    admin = desk.staff["admin"].headers(origin)
    without = {name: value for name, value in admin.items() if name != CSRF_HEADER}
    open_to_forgery = []
    for method, path, handler in routes_of(app_of(desk.client)):
        if method in ("GET", "HEAD") or rule_of(handler) not in ("staff", "supervisor", "admin"):
            continue
        filled = re.sub(r"\{\w+(?::[^}]*)?\}", "x", path)
        for headers in (without, admin | {"Origin": "https://cyd.example"}):
            async with desk.client.request(method, filled, headers=headers, json={}) as response:
                if response.status != 403 or "csrf" not in await response.text():
                    open_to_forgery.append((method, path))
    assert open_to_forgery == []


async def test_a_route_without_a_rule_is_closed(settings: Settings) -> None:
    async def forgotten(_request: web.Request) -> web.Response:
        return web.Response(text="open")

    app = build_web(settings)
    app.router.add_get("/forgotten", forgotten)
    async with TestClient(TestServer(app)) as client, client.get("/forgotten") as response:
        assert response.status == 403


async def test_a_token_of_one_kind_is_none_of_the_other(desk: Desk) -> None:
    for path, principal in [("/api/v1/conversations", "ada"), ("/chat/history", "token")]:
        headers = {"Authorization": f"Bearer {desk.tokens[principal]}"}
        async with desk.client.get(path, headers=headers) as response:
            assert response.status == 401


async def test_every_answer_carries_the_security_headers(desk: Desk) -> None:
    for path in ["/shop/", "/healthz", "/nothing", "/api/v1/openapi.json", "/chat/widget.js"]:
        async with desk.client.get(path) as response:
            policy = response.headers["Content-Security-Policy"]
            assert "unsafe" not in policy
            assert policy.startswith("default-src 'none'")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "Server" not in response.headers


async def test_the_process_is_ready_and_says_which_part_is_not(
    settings: Settings, sessions: sessionmaker[Session]
) -> None:
    async with TestClient(TestServer(build_web(settings))) as client:
        async with client.get("/healthz") as response:
            assert response.status == 200
        async with client.get("/readyz") as response:
            assert (response.status, (await response.json())["status"]) == (200, "ok")
        with sessions.begin() as session:
            session.execute(text("update alembic_version set version_num = '0000'"))
        async with client.get("/readyz") as response:
            parts = (await response.json())["parts"]
            assert response.status == 503
        assert parts["postgres"] == parts["redis"] == "ok"
        assert "0000" in parts["migrations"]


async def test_without_redis_messages_are_still_accepted(
    settings: Settings, inbox: str, sessions: sessionmaker[Session]
) -> None:
    away = replace(settings, redis_url="redis://127.0.0.1:1/0")
    async with TestClient(TestServer(build_web(away))) as client:
        ada = await Browser.visit(client, inbox)
        async with await ada.send("Nobody rings, and yet it is kept.") as response:
            assert response.status == 201
        assert len((await ada.history())["messages"]) == 1
        async with client.get("/readyz") as response:
            parts = (await response.json())["parts"]
            assert response.status == 503
        assert parts["redis"] != "ok"


async def test_without_postgres_the_refusal_says_that_nothing_was_stored(
    settings: Settings, inbox: str
) -> None:
    away = replace(settings, database_url="postgresql+psycopg://x:y@127.0.0.1:1/none")
    async with (
        TestClient(TestServer(build_web(away))) as client,
        client.post(f"/chat/{inbox}/session", json={}) as response,
    ):
        assert response.status == 503
        assert response.headers["Retry-After"]
        assert "not stored" in (await response.json())["error"]["message"]


def test_a_web_process_without_servers_says_what_to_set(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        build_web(replace(settings, database_url=None))


async def test_delivery_goes_on_until_it_is_told_to_stop(settings: Settings) -> None:
    parts = build_parts(settings)
    stop = asyncio.Event()
    delivering = asyncio.create_task(deliver_until(stop, parts.sessions, {}))
    await asyncio.sleep(0.1)
    assert not delivering.done()
    stop.set()
    await asyncio.wait_for(delivering, 20)
    await parts.engine.dispose()
    await parts.redis.aclose()
    await parts.hub.close()


async def test_metrics_count_the_message_that_was_accepted(desk: Desk) -> None:
    headers = {"Authorization": f"Bearer {desk.tokens['token']}"}
    async with desk.client.get("/metrics", headers=headers) as response:
        assert response.status == 200
        told = await response.text()
    assert "frontdesk_" in told
    assert MARKER not in told


async def test_a_web_process_that_is_told_to_stop_closes_streams_and_finishes_requests(
    settings: Settings, inbox: str
) -> None:
    port = find_free_port("127.0.0.1")
    process = start_web(settings, port)
    try:
        async with ClientSession(base_url=f"http://127.0.0.1:{port}") as session:
            await wait_until_alive(session)
            async with session.post(f"/chat/{inbox}/session", json={}) as response:
                token = (await response.json())["token"]
            headers = {"Authorization": f"Bearer {token}"}
            async with session.get("/chat/events", headers=headers) as stream:
                assert b"retry" in await stream.content.readline()
                process.terminate()
                async with asyncio.timeout(DRAIN_WITHIN_SECONDS):
                    while await stream.content.readline():
                        pass
        assert await asyncio.to_thread(process.wait, DRAIN_WITHIN_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def start_web(settings: Settings, port: int) -> subprocess.Popen[bytes]:
    """`python -m bot web` as an operator starts it."""
    assert settings.database_url is not None
    assert settings.redis_url is not None
    assert settings.master_key is not None
    environ = {
        **os.environ,
        "FRONTDESK_HOME": str(settings.home),
        "FRONTDESK_PORT": str(port),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "FRONTDESK_MASTER_KEY": settings.master_key,
    }
    return subprocess.Popen([sys.executable, "-m", "bot", "web"], cwd=ROOT, env=environ)


async def wait_until_alive(session: ClientSession) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                async with session.get("/healthz") as response:
                    assert response.status == 200
                    return
            except ClientConnectionError:
                await asyncio.sleep(0.1)
