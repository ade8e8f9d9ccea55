"""`frontdesk staff`: the operator's terminal lets the first people in."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot.dashboard.second_factor import begin, is_on, turn_on
from bot.first_start import first_link
from bot.settings import Settings
from bot.tables import Account, AuditEntry
from tests.bot.dashboard.staff import sign_in
from tests.bot.dashboard.test_log_in import EMAIL, PASSWORD, me_of, post
from tests.served import Client
from tests.shell import Shell, shell_on

Sessions = sessionmaker[Session]


@pytest.fixture
def shell(settings: Settings) -> Shell:
    return shell_on(settings, FRONTDESK_PUBLIC_URL="https://help.larkspur.example")


def secret_of(out: str, page: str) -> str:
    link = out.splitlines()[0]
    assert link.startswith(f"https://help.larkspur.example/desk/{page}#")
    return link.partition("#")[2]


async def test_the_first_admin_comes_in_by_the_link_of_the_terminal(
    client: Client, origin: str, shell: Shell
) -> None:
    told = shell.run("staff", "link")
    token = secret_of(told.out, "invitation")
    body = {"token": token, "password": PASSWORD, "name": "Bea", "email": EMAIL}
    assert (await post(client, origin, "invitation/accept", body))[0] == 200
    assert (await me_of(client))["role"] == "admin"
    again = shell.run("staff", "link")
    assert again.status == 2
    assert "There is an admin already" in again.err


async def test_a_newer_first_link_ends_the_older_one(
    client: Client, origin: str, shell: Shell
) -> None:
    older = secret_of(shell.run("staff", "link").out, "invitation")
    newer = secret_of(shell.run("staff", "link").out, "invitation")
    body = {"password": PASSWORD, "name": "Bea", "email": EMAIL}
    assert (await post(client, origin, "invitation/accept", body | {"token": older}))[0] == 401
    assert (await post(client, origin, "invitation/accept", body | {"token": newer}))[0] == 200


def test_up_has_a_link_until_there_is_an_admin(settings: Settings, sessions: Sessions) -> None:
    found = first_link(settings)
    assert found is not None
    assert found.startswith(f"{settings.public_url}/desk/invitation#")
    sign_in(sessions, "Bea", "admin")
    assert first_link(settings) is None


async def test_an_operator_invites_and_lists(client: Client, origin: str, shell: Shell) -> None:
    told = shell.run("staff", "invite", "Bea", EMAIL, "--role", "supervisor")
    body = {"token": secret_of(told.out, "invitation"), "password": PASSWORD}
    assert f"Bea <{EMAIL}>  supervisor  invited, until" in shell.run("staff", "list").out
    assert (await post(client, origin, "invitation/accept", body))[0] == 200
    assert shell.run("staff", "list").out == f"Bea <{EMAIL}>  supervisor  password, no codes\n"


async def test_an_operator_lets_somebody_in_who_lost_password_and_authenticator(
    client: Client, origin: str, shell: Shell, sessions: Sessions
) -> None:
    bea = sign_in(sessions, "Bea")
    with sessions.begin() as session:
        account = session.get_one(Account, bea.account_id)
        begin(account)
        session.flush()
        account.totp_since = account.created_at
        assert is_on(account)
        assert turn_on(session, account, "000000") is None
    told = shell.run("staff", "link", "Bea", "--without-codes")
    token = secret_of(told.out, "link")
    status, answer = await post(client, origin, "log-in/link", {"token": token})
    assert (status, answer["state"]) == (200, "signed_in")


async def test_somebody_who_left_is_out_at_once(
    client: Client, origin: str, shell: Shell, sessions: Sessions
) -> None:
    sign_in(sessions, "Ann", "admin")
    bea = sign_in(sessions, "Bea")
    assert shell.run("staff", "remove", "Bea").status == 0
    async with client.get("/desk/api/me/sessions", headers=bea.headers(origin)) as response:
        assert response.status == 401
    assert "Bea" not in shell.run("staff", "list").out
    again = shell.run("staff", "invite", "Bea", EMAIL)
    assert again.status == 0


def test_the_last_admin_stays(shell: Shell, sessions: Sessions) -> None:
    sign_in(sessions, "Bea", "admin")
    for command in (("remove", "Bea"), ("role", "Bea", "agent")):
        told = shell.run("staff", *command)
        assert told.status == 1
        assert "last admin" in told.err


def test_what_the_terminal_does_is_in_the_audit_log(shell: Shell, sessions: Sessions) -> None:
    sign_in(sessions, "Ann", "admin")
    sign_in(sessions, "Bea")
    shell.run("staff", "role", "Bea", "supervisor")
    shell.run("staff", "link", "Bea")
    shell.run("staff", "remove", "Bea")
    with sessions() as session:
        rows = session.execute(select(AuditEntry.actor, AuditEntry.action)).all()
    assert [tuple(row) for row in rows] == [
        ("terminal", "staff.role"),
        ("terminal", "staff.link"),
        ("terminal", "staff.remove"),
    ]
