"""Log-in over real HTTP: password, code, link, invitation, and what Cyd meets who has none."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from bot.dashboard.attempts import WINDOW
from bot.dashboard.door import COOKIE, CSRF_HEADER
from bot.dashboard.invitations import invite, invite_first_admin
from bot.dashboard.links import make_link
from bot.dashboard.second_factor import begin, turn_on
from bot.tables import (
    Account,
    Agent,
    AuditEntry,
    Invitation,
    LogInAttempt,
    LogInLink,
    StaffSession,
    now,
)
from tests.bot.dashboard.staff import SignedInDesk, sign_in
from tests.served import Client

PASSWORD = "four unrelated garden words"
EMAIL = "bea@larkspur.example"
# Quick to compute: the same function with less work, as its hash says itself.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def bea(sessions: sessionmaker[Session]) -> SignedInDesk:
    return sign_in(sessions, "Bea", "agent", QUICK.hash(PASSWORD))


async def post(
    client: Client, origin: str, path: str, body: dict[str, Any], **headers: str
) -> tuple[int, dict[str, Any]]:
    sent = {"Origin": origin, **headers}
    async with client.post(f"/desk/api/{path}", json=body, headers=sent) as response:
        return response.status, await response.json() if response.content_length else {}


async def log_in(client: Client, origin: str, password: str = PASSWORD) -> tuple[int, Any]:
    return await post(client, origin, "log-in", {"email": EMAIL, "password": password})


async def who(client: Client) -> dict[str, Any] | None:
    """Who the server says is signed in; None for nobody."""
    async with client.get("/desk/api/me") as response:
        assert response.status == 200
        told: dict[str, Any] | None = await response.json()
        return told


async def me_of(client: Client) -> dict[str, Any]:
    told = await who(client)
    assert told is not None
    return told


def turn_on_codes(
    sessions: sessionmaker[Session], bea: SignedInDesk
) -> tuple[pyotp.TOTP, list[str]]:
    """Bea's authenticator, as if it had shown a code half a minute ago, and her recovery codes."""
    with sessions.begin() as session:
        account = session.get_one(Account, bea.account_id)
        totp = pyotp.TOTP(begin(account))
        session.flush()
        codes = turn_on(session, account, totp.at(time.time() - 30))
        assert codes is not None
    return totp, codes


async def test_bea_logs_in_by_her_password(client: Client, origin: str, bea: SignedInDesk) -> None:
    assert await log_in(client, origin) == (200, {"state": "signed_in", "step": None})
    me = await me_of(client)
    assert (me["name"], me["role"], me["email"]) == ("Bea", "agent", EMAIL)


async def test_nobody_is_told_so_without_an_error_and_every_other_route_refuses_them(
    client: Client,
) -> None:
    assert await who(client) is None
    for path in ("me/sessions", "inbox", "macros", "live"):
        async with client.get(f"/desk/api/{path}") as response:
            assert response.status == 401, path


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(
    client: Client, origin: str, bea: SignedInDesk
) -> None:
    body = {"email": EMAIL, "password": PASSWORD}
    async with client.post("/desk/api/log-in", json=body, headers={"Origin": origin}) as response:
        cookie = response.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/desk"} <= set(cookie.split("; "))
    assert "Secure" not in cookie  # the test's page is http


async def test_a_wrong_password_and_an_unknown_address_sound_the_same(
    client: Client, origin: str, bea: SignedInDesk
) -> None:
    wrong = await log_in(client, origin, "not the password")
    nobody = await post(
        client, origin, "log-in", {"email": "cyd@example.org", "password": PASSWORD}
    )
    assert wrong == nobody
    assert wrong[0] == 401


async def test_the_eleventh_try_waits_even_with_the_right_password(
    client: Client, origin: str, bea: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    for _ in range(10):
        assert (await log_in(client, origin, "a guess of Cyd's"))[0] == 401
    assert (await log_in(client, origin))[0] == 429
    with sessions.begin() as session:  # a quarter of an hour later
        session.execute(update(LogInAttempt).values(tried_at=now() - WINDOW))
    assert (await log_in(client, origin))[0] == 200


async def test_tries_on_many_accounts_from_one_address_are_counted_together(
    client: Client, origin: str, bea: SignedInDesk
) -> None:
    for number in range(10):
        body = {"email": f"person{number}@example.org", "password": "a guess of Cyd's"}
        assert (await post(client, origin, "log-in", body))[0] == 401
    assert (await log_in(client, origin))[0] == 429


async def test_tries_on_one_account_from_many_addresses_are_counted_together(
    client: Client, origin: str, bea: SignedInDesk
) -> None:
    body = {"email": EMAIL, "password": "a guess of Cyd's"}
    for number in range(10):
        address = {"X-Forwarded-For": f"192.0.2.{number}"}
        assert (await post(client, origin, "log-in", body, **address))[0] == 401
    last = {"X-Forwarded-For": "192.0.2.99"}
    assert (await post(client, origin, "log-in", body | {"password": PASSWORD}, **last))[0] == 429


async def test_a_whole_office_logs_in_behind_one_address(
    client: Client, origin: str, bea: SignedInDesk
) -> None:
    for _ in range(12):
        assert (await log_in(client, origin))[0] == 200


async def test_each_log_in_gets_a_new_session_and_ends_the_one_before(
    client: Client, origin: str, bea: SignedInDesk
) -> None:
    await log_in(client, origin)
    first = client.session.cookie_jar.filter_cookies(client.make_url("/desk/"))[COOKIE].value
    await log_in(client, origin)
    second = client.session.cookie_jar.filter_cookies(client.make_url("/desk/"))[COOKIE].value
    assert first != second
    async with client.get(
        "/desk/api/me/sessions", headers={"Cookie": f"{COOKIE}={first}"}
    ) as response:
        assert response.status in (200, 401)  # the jar's own cookie is sent along
    client.session.cookie_jar.clear()
    async with client.get(
        "/desk/api/me/sessions", headers={"Cookie": f"{COOKIE}={first}"}
    ) as response:
        assert response.status == 401


async def test_a_cookie_that_cyd_planted_never_becomes_a_session(
    client: Client, origin: str, bea: SignedInDesk
) -> None:
    planted = "planted-by-cyd"
    body = {"email": EMAIL, "password": PASSWORD}
    headers = {"Origin": origin, "Cookie": f"{COOKIE}={planted}"}
    async with client.post("/desk/api/log-in", json=body, headers=headers) as response:
        assert planted not in response.headers["Set-Cookie"]
    client.session.cookie_jar.clear()
    async with client.get(
        "/desk/api/me/sessions", headers={"Cookie": f"{COOKIE}={planted}"}
    ) as response:
        assert response.status == 401


async def test_a_log_in_from_a_foreign_page_is_refused(
    client: Client, origin: str, bea: SignedInDesk
) -> None:
    assert (await log_in(client, "https://cyd.example"))[0] == 403
    body = {"email": EMAIL, "password": PASSWORD}
    async with client.post("/desk/api/log-in", json=body) as response:
        assert response.status == 403


async def test_with_codes_on_a_password_alone_opens_nothing(
    client: Client, origin: str, bea: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    totp, _ = turn_on_codes(sessions, bea)
    status, told = await log_in(client, origin)
    assert (status, told["state"]) == (200, "code_needed")
    assert await who(client) is None
    body = {"step": told["step"], "code": totp.now()}
    assert (await post(client, origin, "log-in/code", body))[0] == 200
    assert await who(client) is not None


async def test_a_code_is_taken_once(
    client: Client, origin: str, bea: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    totp, _ = turn_on_codes(sessions, bea)
    code = totp.now()
    answers = []
    for _ in range(2):
        _, told = await log_in(client, origin)
        body = {"step": told["step"], "code": code}
        answers.append((await post(client, origin, "log-in/code", body))[0])
    assert answers == [200, 401]


async def test_codes_are_guessed_ten_times_at_most_however_often_the_password_is_right(
    client: Client, origin: str, bea: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    turn_on_codes(sessions, bea)
    statuses = []
    for _ in range(12):
        status, told = await log_in(client, origin)
        if status == 200:
            body = {"step": told["step"], "code": "000000"}
            status = (await post(client, origin, "log-in/code", body))[0]
        statuses.append(status)
    assert statuses[0] == 401
    assert statuses[-1] == 429
    with sessions() as session:
        noted = select(func.count()).where(AuditEntry.action == "log-in.failed")
        assert session.scalar(noted) == statuses.count(401) <= 10


async def test_a_recovery_code_stands_in_for_the_authenticator_once(
    client: Client, origin: str, bea: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    _, codes = turn_on_codes(sessions, bea)
    answers = []
    for typed in (codes[0].upper(), codes[0], codes[1].replace("-", " ")):
        _, told = await log_in(client, origin)
        body = {"step": told["step"], "code": typed}
        answers.append((await post(client, origin, "log-in/code", body))[0])
    assert answers == [200, 401, 200]
    assert (await me_of(client))["recovery_codes_left"] == 8


async def test_a_link_logs_in_once(
    client: Client, origin: str, bea: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        token = make_link(session, bea.account_id)
    assert (await post(client, origin, "log-in/link", {"token": token}))[0] == 200
    assert (await me_of(client))["name"] == "Bea"
    assert (await post(client, origin, "log-in/link", {"token": token}))[0] == 401


async def test_a_link_is_no_way_around_the_code(
    client: Client, origin: str, bea: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    totp, _ = turn_on_codes(sessions, bea)
    with sessions.begin() as session:
        token = make_link(session, bea.account_id)
    _, told = await post(client, origin, "log-in/link", {"token": token})
    assert told["state"] == "code_needed"
    assert await who(client) is None
    body = {"step": told["step"], "code": totp.now()}
    assert (await post(client, origin, "log-in/code", body))[0] == 200


async def test_a_link_ends_with_its_time_and_with_the_next_link(
    client: Client, origin: str, bea: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        older = make_link(session, bea.account_id)
        newer = make_link(session, bea.account_id)
    assert (await post(client, origin, "log-in/link", {"token": older}))[0] == 401
    with sessions.begin() as session:
        session.execute(update(LogInLink).values(expires_at=now() - timedelta(seconds=1)))
    assert (await post(client, origin, "log-in/link", {"token": newer}))[0] == 401


async def test_an_invited_colleague_joins_once(
    client: Client, origin: str, bea: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        token, _ = invite(session, "Dan", "Dan@Larkspur.example", "supervisor", bea.agent_id)
    status, shown = await post(client, origin, "invitation", {"token": token})
    assert (status, shown["name"], shown["email"]) == (200, "Dan", "dan@larkspur.example")
    body = {"token": token, "password": PASSWORD}
    assert (await post(client, origin, "invitation/accept", body))[0] == 200
    me = await me_of(client)
    assert (me["name"], me["role"]) == ("Dan", "supervisor")
    assert (await post(client, origin, "invitation/accept", body))[0] == 401
    with sessions() as session:
        dan = session.scalars(select(Account).where(Account.agent_id != bea.agent_id)).one()
    assert str(dan.password_hash).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


async def test_an_invitation_cannot_be_turned_into_another_role_or_person(
    client: Client, origin: str, bea: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        token, _ = invite(session, "Dan", "dan@larkspur.example", "agent", bea.agent_id)
    body = {"token": token, "password": PASSWORD}
    assert (await post(client, origin, "invitation/accept", {**body, "role": "admin"}))[0] == 422
    body |= {"name": "Bea", "email": EMAIL}
    assert (await post(client, origin, "invitation/accept", body))[0] == 200
    me = await me_of(client)
    assert (me["name"], me["role"]) == ("Dan", "agent")


async def test_a_weak_password_is_refused_and_the_invitation_stays(
    client: Client, origin: str, bea: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        token, _ = invite(session, "Dan", "dan@larkspur.example", "agent", bea.agent_id)
    for weak in ("short", "password1234", "dan@larkspur.example", "aaaaaaaaaaaaaa"):
        body = {"token": token, "password": weak}
        status, told = await post(client, origin, "invitation/accept", body)
        assert (status, told["error"]["code"]) == (422, "weak_password")
    body = {"token": token, "password": PASSWORD}
    assert (await post(client, origin, "invitation/accept", body))[0] == 200


async def test_the_first_admin_names_themselves_and_there_is_no_second_first(
    client: Client, origin: str, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        token = invite_first_admin(session)
    assert token is not None
    body = {"token": token, "password": PASSWORD, "name": "Bea", "email": EMAIL}
    assert (await post(client, origin, "invitation/accept", body))[0] == 200
    assert (await me_of(client))["role"] == "admin"
    with sessions.begin() as session:
        assert invite_first_admin(session) is None


async def test_an_agent_known_from_the_terminal_keeps_their_conversations(
    client: Client, origin: str, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        session.add(Agent(name="Dan"))
        token, _ = invite(session, "Dan", "dan@larkspur.example", "agent", None)
    body = {"token": token, "password": PASSWORD}
    assert (await post(client, origin, "invitation/accept", body))[0] == 200
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Agent)) == 1


async def test_logging_out_ends_the_session_on_the_server(
    client: Client, origin: str, bea: SignedInDesk
) -> None:
    headers = bea.headers(origin)
    async with client.post("/desk/api/log-out", headers=headers) as response:
        assert response.status == 204
    async with client.get("/desk/api/me/sessions", headers=headers) as response:
        assert response.status == 401


async def test_a_write_without_the_csrf_token_or_from_elsewhere_is_refused(
    client: Client, origin: str, bea: SignedInDesk
) -> None:
    headers = bea.headers(origin)
    for broken in (
        {name: value for name, value in headers.items() if name != CSRF_HEADER},
        headers | {CSRF_HEADER: "0" * 64},
        headers | {"Origin": "https://cyd.example"},
        headers | {"Origin": "null"},
        {name: value for name, value in headers.items() if name != "Origin"},
    ):
        async with client.post("/desk/api/log-out", headers=broken) as response:
            assert (response.status, (await response.json())["error"]["code"]) == (403, "csrf")
    async with client.get("/desk/api/me/sessions", headers=headers) as response:
        assert response.status == 200


async def test_secrets_and_addresses_of_the_staff_stand_nowhere_in_the_clear(
    client: Client, origin: str, bea: SignedInDesk, sessions: sessionmaker[Session]
) -> None:
    totp, codes = turn_on_codes(sessions, bea)
    with sessions.begin() as session:
        link = make_link(session, bea.account_id)
        invited, _ = invite(session, "Dan", "dan@larkspur.example", "agent", None)
    secrets = [EMAIL, "dan@larkspur", totp.secret, *codes, link, invited, bea.token, PASSWORD]
    with sessions() as session:
        tables = (Account, StaffSession, LogInLink, Invitation, AuditEntry)
        stored = " ".join(
            repr(row) + str([bytes(v) if isinstance(v, memoryview) else v for v in row])
            for table in tables
            for row in session.execute(select(table.__table__))
        )
    assert "argon2" in stored  # it is the rows' content that was looked through
    assert [secret for secret in secrets if secret in stored] == []
