"""One's own account over real HTTP: sessions, password, second factor."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from bot.dashboard.door import COOKIE
from bot.dashboard.sessions import FRESH, IDLE, OVERLAP, ROTATE_AFTER, Visit, open_session
from bot.tables import Account, AuditEntry, StaffSession, now
from tests.bot.dashboard.staff import SignedInDesk, sign_in
from tests.bot.dashboard.test_log_in import EMAIL, PASSWORD, QUICK, log_in, post
from tests.served import Client

Sessions = sessionmaker[Session]
NEW_PASSWORD = "five other words of hers"


@pytest.fixture
def bea(sessions: Sessions) -> SignedInDesk:
    return sign_in(sessions, "Bea", "agent", QUICK.hash(PASSWORD))


async def call(
    client: Client, bea: SignedInDesk, origin: str, method: str, path: str, body: Any = None
) -> tuple[int, Any]:
    headers = bea.headers(origin)
    async with client.request(
        method, f"/desk/api/me{path}", headers=headers, json=body
    ) as response:
        cookies = response.cookies.get(COOKIE)
        told = await response.json() if response.content_length else {}
        return response.status, told | ({"cookie": cookies.value} if cookies else {})


def grow_old(sessions: Sessions, by: timedelta) -> None:
    with sessions.begin() as session:
        values = {"created_at": now() - by, "rotated_at": now() - by}
        session.execute(update(StaffSession).values(**values))


async def test_bea_sees_where_she_is_signed_in_and_ends_one_of_them(
    client: Client, origin: str, bea: SignedInDesk, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        other = open_session(session, bea.account_id, "link", Visit("Firefox", "192.0.2.9"))
    _, listed = await call(client, bea, origin, "GET", "/sessions")
    told = {(item["browser"], item["address"], item["is_this"]) for item in listed["items"]}
    assert told == {("a test", "192.0.2.7", True), ("Firefox", "192.0.2.9", False)}
    assert (await call(client, bea, origin, "DELETE", f"/sessions/{other.session_id}"))[0] == 204
    cookie = {"Cookie": f"{COOKIE}={other.token}"}
    async with client.get("/desk/api/me/sessions", headers=cookie) as response:
        assert response.status == 401
    assert (await call(client, bea, origin, "GET", "/sessions"))[0] == 200


async def test_cyd_cannot_end_or_name_a_session_of_beas(
    client: Client, origin: str, bea: SignedInDesk, sessions: Sessions
) -> None:
    cyd = sign_in(sessions, "Cyd", "admin")
    assert (await call(client, cyd, origin, "DELETE", f"/sessions/{bea.session_id}"))[0] == 404
    assert (await call(client, bea, origin, "GET", "/sessions"))[0] == 200


async def test_a_session_ends_by_itself_when_nobody_uses_it(
    client: Client, origin: str, bea: SignedInDesk, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        session.execute(update(StaffSession).values(seen_at=now() - IDLE))
    assert (await call(client, bea, origin, "GET", "/sessions"))[0] == 401


async def test_a_long_used_token_is_replaced_and_the_old_one_ends_soon(
    client: Client, origin: str, bea: SignedInDesk, sessions: Sessions
) -> None:
    grow_old(sessions, ROTATE_AFTER)
    status, told = await call(client, bea, origin, "GET", "")
    assert (status, told["cookie"] != bea.token) == (200, True)
    client.session.cookie_jar.clear()
    assert (await call(client, bea, origin, "GET", "/sessions"))[0] == 200  # was under way
    with sessions.begin() as session:
        session.execute(update(StaffSession).values(rotated_at=now() - OVERLAP))
    assert (await call(client, bea, origin, "GET", "/sessions"))[0] == 401
    async with client.get(
        "/desk/api/me/sessions", headers={"Cookie": f"{COOKIE}={told['cookie']}"}
    ) as response:
        assert response.status == 200


async def test_a_new_password_ends_all_other_sessions_and_renews_this_one(
    client: Client, origin: str, bea: SignedInDesk, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        other = open_session(session, bea.account_id, "password", Visit("Cyd's", ""))
    body = {"password": NEW_PASSWORD}
    status, told = await call(client, bea, origin, "PUT", "/password", body)
    assert (status, "cookie" in told) == (204, True)
    client.session.cookie_jar.clear()
    for token, expected in ((bea.token, 401), (other.token, 401), (told["cookie"], 200)):
        cookie = {"Cookie": f"{COOKIE}={token}"}
        async with client.get("/desk/api/me/sessions", headers=cookie) as response:
            assert response.status == expected
    client.session.cookie_jar.clear()
    assert (await log_in(client, origin, PASSWORD))[0] == 401
    assert (await log_in(client, origin, NEW_PASSWORD))[0] == 200


async def test_an_open_session_alone_is_not_enough_to_take_the_account(
    client: Client, origin: str, bea: SignedInDesk, sessions: Sessions
) -> None:
    grow_old(sessions, FRESH)
    for path, method, body in (
        ("/password", "PUT", {"password": NEW_PASSWORD}),
        ("/totp", "POST", {}),
    ):
        status, told = await call(client, bea, origin, method, path, body)
        assert (status, told["error"]["code"]) == (403, "prove")
        status, told = await call(client, bea, origin, method, path, body | {"current": "a guess"})
        assert (status, told["error"]["code"]) == (422, "wrong_password")
    body = {"password": NEW_PASSWORD, "current": PASSWORD}
    assert (await call(client, bea, origin, "PUT", "/password", body))[0] == 204


async def test_guessing_the_present_password_from_an_open_session_ends_after_ten(
    client: Client, origin: str, bea: SignedInDesk, sessions: Sessions
) -> None:
    grow_old(sessions, FRESH)
    body = {"password": NEW_PASSWORD, "current": "a guess"}
    statuses = [(await call(client, bea, origin, "PUT", "/password", body))[0] for _ in range(11)]
    assert statuses == [422] * 10 + [429]


async def test_bea_turns_codes_on_with_her_authenticator(
    client: Client, origin: str, bea: SignedInDesk, sessions: Sessions
) -> None:
    status, setup = await call(client, bea, origin, "POST", "/totp", {})
    assert status == 200
    parsed = pyotp.parse_uri(setup["uri"])
    assert isinstance(parsed, pyotp.TOTP)
    assert (parsed.secret, parsed.name, parsed.issuer) == (setup["secret"], EMAIL, "Frontdesk")
    status, _ = await call(client, bea, origin, "POST", "/totp/confirm", {"code": "000000"})
    assert status == 422
    code = parsed.now()
    status, told = await call(client, bea, origin, "POST", "/totp/confirm", {"code": code})
    assert (status, len(told["codes"]), len(set(told["codes"]))) == (200, 10, 10)
    client.session.cookie_jar.clear()
    _, answer = await log_in(client, origin)
    assert answer["state"] == "code_needed"
    body = {"step": answer["step"], "code": told["codes"][0]}
    assert (await post(client, origin, "log-in/code", body))[0] == 200


async def test_a_secret_that_was_not_confirmed_changes_nothing(
    client: Client, origin: str, bea: SignedInDesk
) -> None:
    await call(client, bea, origin, "POST", "/totp", {})
    assert (await log_in(client, origin))[1]["state"] == "signed_in"


async def test_codes_are_turned_off_with_a_code_only(
    client: Client, origin: str, bea: SignedInDesk, sessions: Sessions
) -> None:
    _, setup = await call(client, bea, origin, "POST", "/totp", {})
    code = pyotp.TOTP(setup["secret"]).now()
    _, told = await call(client, bea, origin, "POST", "/totp/confirm", {"code": code})
    client.session.cookie_jar.clear()
    renewed = replace(bea, token=told["cookie"])
    for wrong in ("123123", code):  # the second one was taken before
        status, _ = await call(client, renewed, origin, "POST", "/totp/off", {"code": wrong})
        assert status == 422
    right = {"code": told["codes"][3]}
    assert (await call(client, renewed, origin, "POST", "/totp/off", right))[0] == 204
    client.session.cookie_jar.clear()
    assert (await log_in(client, origin))[1]["state"] == "signed_in"
    with sessions() as session:
        account = session.get_one(Account, bea.account_id)
        assert account.totp_sealed is None
        actions = set(session.scalars(select(AuditEntry.action)))
    assert {"account.totp-on", "account.totp-off", "log-in"} <= actions
