"""Administration over real HTTP: what admins change, what is noted, what agents may not."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import redis
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot.api_tokens import find_holder
from bot.conversations import keyed_hash
from bot.dashboard.invitations import find_invitation
from bot.knowledge.articles import put_article
from bot.letters import claim_letter
from bot.privacy.audit import verify
from bot.redis_url import redis_py_url
from bot.settings import Settings
from bot.tables import (
    Article,
    AuditEntry,
    Conversation,
    Delivery,
    Inbox,
    MailboxWatermark,
    StaffLetter,
    new_id,
    now,
)
from channels.email.mailboxes import (
    LoginSetting,
    MailboxSetting,
    Secrets,
    connect_mailbox,
    find_mailbox,
)
from tests.bot.api.conftest import Bells, bells
from tests.bot.dashboard.staff import SignedInDesk, sign_in
from tests.people import make_inbox, write
from tests.served import Client

__all__ = ["bells"]
Sessions = sessionmaker[Session]
MAILBOX = {
    "address": "help@larkspur.example",
    "imap": {"host": "127.0.0.1", "port": 9, "security": "tls"},
    "smtp": {"host": "127.0.0.1", "port": 9, "security": "starttls"},
    "password": "the-mailboxes-own-secret",
}


@pytest.fixture
def ann(sessions: Sessions) -> SignedInDesk:
    return sign_in(sessions, "Ann", "admin")


class Admin:
    """Ann's browser."""

    def __init__(self, client: Client, person: SignedInDesk, origin: str) -> None:
        self._client = client
        self._headers = person.headers(origin)

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self._client.request(
            method, f"/desk/api/admin/{path}", headers=self._headers, json=body
        ) as response:
            return response.status, await response.json() if response.content_length else {}


@pytest.fixture
def admin(client: Client, ann: SignedInDesk, origin: str) -> Admin:
    return Admin(client, ann, origin)


def noted(sessions: Sessions) -> list[str]:
    with sessions() as session:
        assert verify(session).problems == ()
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)))


async def test_ann_invites_changes_a_role_and_removes(
    admin: Admin, sessions: Sessions, settings: Settings
) -> None:
    bea = sign_in(sessions, "Bea")
    invited = {"name": "Dan", "email": "dan@larkspur.example", "role": "agent"}
    status, told = await admin("POST", "invitations", invited)
    assert (status, told["link"].startswith(f"{settings.public_url}/desk/invitation#")) == (
        201,
        True,
    )
    assert (await admin("PUT", f"staff/{bea.account_id}/role", {"role": "supervisor"}))[0] == 204
    _, staff = await admin("GET", "staff")
    assert {(m["name"], m["role"]) for m in staff["members"]} == {
        ("Ann", "admin"),
        ("Bea", "supervisor"),
    }
    assert [i["name"] for i in staff["invitations"]] == ["Dan"]
    assert (await admin("DELETE", f"invitations/{staff['invitations'][0]['id']}"))[0] == 204
    assert (await admin("DELETE", f"staff/{bea.account_id}"))[0] == 204
    _, staff = await admin("GET", "staff")
    assert ([m["name"] for m in staff["members"]], staff["invitations"]) == (["Ann"], [])
    assert staff["others"] == ["Bea"]
    assert noted(sessions) == [
        "staff.invite",
        "staff.role",
        "staff.withdraw-invitation",
        "staff.remove",
    ]


async def test_an_invitation_is_mailed_shown_to_nobody_and_sent_again(
    admin: Admin, sessions: Sessions, redis_url: str
) -> None:
    dan = {"name": "Dan", "email": "dan@larkspur.example", "role": "agent", "by_mail": True}
    status, told = await admin("POST", "invitations", dan)
    assert (status, told["error"]["code"]) == (409, "no_mailbox")
    await admin("POST", "inboxes", {"name": "support", "channel": "email", "mailbox": MAILBOX})
    status, told = await admin("POST", "invitations", dan)
    assert (status, told["link"]) == (201, None)
    first = waiting_link(sessions)
    _, staff = await admin("GET", "staff")
    assert staff["mail_from"] == "help@larkspur.example"
    invitation = staff["invitations"][0]
    assert (invitation["letter"]["state"], invitation["letter"]["error"]) == ("waiting", "")
    again = f"invitations/{invitation['id']}/again"
    assert (await admin("POST", again, {"by_mail": True}))[1]["link"] is None
    second = waiting_link(sessions)
    assert first.partition("#")[2] != second.partition("#")[2]
    shown = (await admin("POST", again, {"by_mail": False}))[1]["link"]
    assert shown.partition("#")[0] == first.partition("#")[0]
    with sessions() as session:
        opened = [find_invitation(session, link.partition("#")[2]) for link in (first, second)]
        assert opened == [None, None]
        assert find_invitation(session, shown.partition("#")[2]) is not None
        assert session.scalars(select(StaffLetter.link_sealed)).all() == [None, None]
    assert not held_by_redis(redis_url, first, second)
    assert noted(sessions) == [
        "inbox.make",
        "staff.invite",
        "staff.invite-again",
        "staff.invite-again",
    ]


async def test_a_log_in_link_is_mailed_and_ends_with_the_sign_out(
    admin: Admin, sessions: Sessions
) -> None:
    bea = sign_in(sessions, "Bea")
    await admin("POST", "inboxes", {"name": "support", "channel": "email", "mailbox": MAILBOX})
    status, told = await admin("POST", f"staff/{bea.account_id}/link", {"by_mail": True})
    assert (status, told) == (201, {"link": None, "minutes": 60})
    _, staff = await admin("GET", "staff")
    letters = {member["name"]: member["letter"] for member in staff["members"]}
    assert letters["Ann"] is None
    assert letters["Bea"]["state"] == "waiting"
    await admin("DELETE", f"staff/{bea.account_id}/sessions")
    with sessions.begin() as session:
        assert claim_letter(session) is None
    assert waiting_link(sessions) == ""


def waiting_link(sessions: Sessions) -> str:
    """The link in the one letter that waits."""
    with sessions() as session:
        query = select(StaffLetter).where(StaffLetter.state == "pending")
        letter = session.scalars(query).one_or_none()
        return letter.link if letter else ""


def held_by_redis(redis_url: str, *texts: str) -> list[str]:
    """Which of these stand in any key or value."""
    with redis.Redis.from_url(redis_py_url(redis_url)) as client:
        held = b"".join(key + (client.dump(key) or b"") for key in client.scan_iter())
    return [each for each in texts if each.partition("#")[2].encode() in held]


async def test_a_changed_role_holds_from_the_next_request_on(
    admin: Admin, client: Client, origin: str, sessions: Sessions
) -> None:
    dan = sign_in(sessions, "Dan", "admin")
    dans = Admin(client, dan, origin)
    assert (await dans("GET", "keys"))[0] == 200
    await admin("PUT", f"staff/{dan.account_id}/role", {"role": "agent"})
    status, told = await dans("GET", "keys")
    assert (status, told["error"]["code"]) == (403, "role")


async def test_the_last_admin_can_neither_go_nor_step_down(
    admin: Admin, ann: SignedInDesk, sessions: Sessions
) -> None:
    for method, path, body in (
        ("PUT", f"staff/{ann.account_id}/role", {"role": "agent"}),
        ("DELETE", f"staff/{ann.account_id}", None),
    ):
        status, told = await admin(method, path, body)
        assert (status, told["error"]["code"]) == (409, "last_admin")
    assert noted(sessions) == []


async def test_ann_ends_somebodys_sessions_and_hands_out_a_link(
    admin: Admin, client: Client, origin: str, sessions: Sessions
) -> None:
    bea = sign_in(sessions, "Bea")
    _, listed = await admin("GET", f"staff/{bea.account_id}/sessions")
    assert [item["browser"] for item in listed["items"]] == ["a test"]
    assert (await admin("DELETE", f"staff/{bea.account_id}/sessions"))[0] == 204
    async with client.get("/desk/api/me/sessions", headers=bea.headers(origin)) as response:
        assert response.status == 401
    status, told = await admin("POST", f"staff/{bea.account_id}/link", {})
    assert (status, told["minutes"]) == (201, 15)
    body = {"token": told["link"].partition("#")[2]}
    async with client.post(
        "/desk/api/log-in/link", json=body, headers={"Origin": origin}
    ) as response:
        assert response.status == 200


async def test_a_key_is_shown_once_works_and_ends(admin: Admin, sessions: Sessions) -> None:
    status, made = await admin("POST", "keys", {"name": "CRM export"})
    assert status == 201
    assert (await admin("POST", "keys", {"name": "CRM export"}))[0] == 409
    _, listed = await admin("GET", "keys")
    assert made["token"] not in str(listed)
    assert [row["name"] for row in listed["items"]] == ["CRM export"]
    with sessions() as session:
        assert find_holder(session, made["token"]) is not None
    assert (await admin("DELETE", "keys/CRM%20export"))[0] == 204
    with sessions() as session:
        assert find_holder(session, made["token"]) is None
    assert noted(sessions) == ["key.make", "key.revoke"]


async def test_ann_makes_a_chat_inbox_and_gives_it_articles(
    admin: Admin, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        put_article(session, "returns", "a1", "Returns", "Thirty days.", "en", None, "test")
    body = {"name": "shop", "channel": "chat", "company": "Larkspur", "collections": ["returns"]}
    status, made = await admin("POST", "inboxes", body)
    assert (status, made["company"], made["mode"], made["is_open"]) == (
        201,
        "Larkspur",
        "answer",
        True,
    )
    assert made["collections"] == [{"name": "returns", "articles": 1, "is_given": True}]
    assert (await admin("POST", "inboxes", body))[0] == 409
    change = {"company": "Larkspur Outdoor", "collections": []}
    _, changed = await admin("PUT", f"inboxes/{made['id']}", change)
    assert (changed["company"], changed["collections"][0]["is_given"]) == (
        "Larkspur Outdoor",
        False,
    )
    assert noted(sessions) == ["inbox.make", "inbox.change"]


async def test_hours_holidays_and_mode_are_saved_and_wrong_ones_named(
    admin: Admin, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        inbox_id = make_inbox(session)
    policy = {
        "mode": "draft",
        "hours": "mon-fri 09:00-17:00",
        "zone": "Europe/Berlin",
        "holidays": [{"day": "2026-12-25", "text": "Merry Christmas."}],
    }
    status, saved = await admin("PUT", f"inboxes/{inbox_id}/policy", policy)
    assert (status, saved["policy"]["holidays"], saved["mode"]) == (
        200,
        policy["holidays"],
        "draft",
    )
    status, told = await admin("PUT", f"inboxes/{inbox_id}/policy", policy | {"hours": "always"})
    assert (status, "no hours" in told["error"]["message"]) == (422, True)
    status, told = await admin("PUT", f"inboxes/{inbox_id}/policy", policy | {"zone": "Moon"})
    assert (status, "time zone" in told["error"]["message"]) == (422, True)
    with sessions() as session:
        entry = session.scalars(select(AuditEntry)).one()
    assert (entry.action, sorted(entry.details["changed"])) == (
        "inbox.policy",
        ["holidays", "hours", "mode", "zone"],
    )


async def test_waits_are_saved_the_usual_ones_told_and_impossible_ones_refused(
    admin: Admin, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        chat, mail = make_inbox(session), make_inbox(session, "email")
    _, shown = await admin("GET", f"inboxes/{chat}")
    assert shown["usual_waits"] == {"remind": 5, "tell": 15}
    assert (await admin("GET", f"inboxes/{mail}"))[1]["usual_waits"] == {"remind": 240, "tell": 0}
    waits = {"remind_after_minutes": 30, "tell_after_minutes": 0}
    status, saved = await admin("PUT", f"inboxes/{chat}/policy", shown["policy"] | waits)
    assert (status, saved["policy"]) == (200, shown["policy"] | waits)
    for wrong in (-1, 2.5, 60 * 24 * 31):
        body = shown["policy"] | {"remind_after_minutes": wrong}
        status, told = await admin("PUT", f"inboxes/{chat}/policy", body)
        assert (status, "remind_after_minutes" in told["error"]["message"]) == (422, True)


async def test_how_sure_the_bot_must_be_is_saved_and_nonsense_refused(
    admin: Admin, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        chat = make_inbox(session)
    _, shown = await admin("GET", f"inboxes/{chat}")
    assert shown["policy"]["answer_at"] == 0.5
    careful = shown["policy"] | {"answer_at": 0.65}
    status, saved = await admin("PUT", f"inboxes/{chat}/policy", careful)
    assert (status, saved["policy"]) == (200, careful)
    for wrong in (0, 1, "sure"):
        body = shown["policy"] | {"answer_at": wrong}
        assert (await admin("PUT", f"inboxes/{chat}/policy", body))[0] == 422


async def test_hours_are_explained_while_they_are_typed(admin: Admin) -> None:
    body = {"hours": "mon-sun 00:00-24:00", "zone": "UTC", "holidays": []}
    assert (await admin("POST", "hours", body))[1]["is_open"] is True
    today = now().date().isoformat()
    _, told = await admin("POST", "hours", body | {"holidays": [today]})
    assert (told["is_open"], told["opens_at"] is not None) == (False, True)
    assert (await admin("POST", "hours", body | {"hours": "mon-fri"}))[1]["problem"]


async def test_a_mailbox_is_connected_its_password_never_shown_and_its_test_says_what_fails(
    admin: Admin, sessions: Sessions
) -> None:
    body = {"name": "support", "channel": "email", "company": "Larkspur", "mailbox": MAILBOX}
    status, made = await admin("POST", "inboxes", body)
    assert (status, made["mailbox"]["address"]) == (201, "help@larkspur.example")
    assert "the-mailboxes-own-secret" not in str(made)
    _, tried = await admin("POST", f"inboxes/{made['id']}/test", {})
    assert [(p["part"], p["level"]) for p in tried["items"]] == [
        ("IMAP 127.0.0.1", "fail"),
        ("SMTP 127.0.0.1", "fail"),
        ("Articles", "warn"),
    ]
    kept = MAILBOX | {"password": "", "display_name": "Larkspur Help"}
    status, changed = await admin("PUT", f"inboxes/{made['id']}/mailbox", kept)
    assert (status, changed["mailbox"]["display_name"]) == (200, "Larkspur Help")
    with sessions() as session:
        mailbox = find_mailbox(session, UUID(made["id"]))
    assert mailbox.secrets.password == MAILBOX["password"]


async def test_a_slack_inbox_says_how_it_stands_and_how_to_connect_it(
    admin: Admin, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        inbox = session.get_one(Inbox, make_inbox(session, "slack"))
        inbox.settings = {
            "slack": {"team_id": "T042", "bot_token": "env:SLACK_NOWHERE"},
            "staff_channel": "C0STAFF",
        }
        inbox_id, name = inbox.id, inbox.name
    _, shown = await admin("GET", f"inboxes/{inbox_id}")
    assert "Installed in T042. Handoffs go to C0STAFF." in shown["steps"]["state"]
    assert shown["steps"]["commands"][1] == (
        f"./frontdesk slack connect {name} --staff-channel C0STAFF"
    )
    assert shown["steps"]["guide"] == "docs/connecting-slack.md"
    assert "env:SLACK_NOWHERE" in shown["problem"]
    _, tried = await admin("POST", f"inboxes/{inbox_id}/test", {})
    assert (tried["items"][0]["part"], tried["items"][0]["level"]) == ("Slack", "fail")


async def test_an_oauth2_mailbox_says_how_it_logs_in_and_how_to_connect_it(
    admin: Admin, sessions: Sessions
) -> None:
    login = LoginSetting(
        kind="oauth2",
        token_url="https://login.microsoftonline.com/common/oauth2/v2.0/token",
        client_id="an-application",
    )
    setting = MailboxSetting(address="help@larkspur.example", login=login)
    with sessions.begin() as session:
        secrets = Secrets(refresh_token="the-refresh-token")
        inbox_id = connect_mailbox(session, "support", setting, secrets)
        without = make_inbox(session, "email")
    _, shown = await admin("GET", f"inboxes/{inbox_id}")
    assert shown["steps"]["state"].startswith("Logs in by OAuth2 as help@larkspur.example;")
    assert shown["steps"]["commands"][0].startswith(
        "./frontdesk mail connect support --provider microsoft365 "
        "--address help@larkspur.example --login oauth2 --client-id an-application"
    )
    assert "the-refresh-token" not in str(shown)
    _, shown = await admin("GET", f"inboxes/{without}")
    assert shown["steps"]["state"] == "No mailbox is connected yet."


async def test_what_a_mailbox_was_once_said_to_suffer_from_ends_with_its_server(
    admin: Admin, sessions: Sessions
) -> None:
    body = {"name": "support", "channel": "email", "mailbox": MAILBOX}
    _, made = await admin("POST", "inboxes", body)
    with sessions.begin() as session:
        told = "The mail server does not answer."
        session.add(MailboxWatermark(inbox_id=UUID(made["id"]), folder="INBOX", error=told))
    assert (await admin("GET", f"inboxes/{made['id']}"))[1]["problem"] == told
    without = MAILBOX | {"imap": None}
    assert (await admin("PUT", f"inboxes/{made['id']}/mailbox", without))[1]["problem"] is None


async def test_a_stored_password_is_not_sent_to_a_server_that_was_named_without_it(
    admin: Admin, sessions: Sessions
) -> None:
    body = {"name": "support", "channel": "email", "mailbox": MAILBOX}
    _, made = await admin("POST", "inboxes", body)
    moved = MAILBOX | {
        "password": "",
        "imap": {"host": "imap.cyd.example", "port": 993, "security": "tls"},
    }
    status, told = await admin("PUT", f"inboxes/{made['id']}/mailbox", moved)
    assert (status, "type it again" in told["error"]["message"]) == (422, True)


async def test_a_chat_inbox_that_the_world_cannot_reach_says_so(
    admin: Admin, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        inbox_id = make_inbox(session)
    _, tried = await admin("POST", f"inboxes/{inbox_id}/test", {})
    assert (tried["items"][0]["part"], tried["items"][0]["level"]) == ("Address", "fail")


async def test_a_failed_delivery_is_sent_again(admin: Admin, sessions: Sessions) -> None:
    with sessions.begin() as session:
        recorded = write(session, make_inbox(session, "email"), "Where is my tent?")
        conversation = session.get_one(Conversation, recorded.conversation_id)
        row = Delivery(
            id=new_id(),
            message_id=recorded.message_id,
            conversation_id=conversation.id,
            contact_id=conversation.contact_id,
            epoch=0,
            destination_hash=keyed_hash(session, "test", "ada"),
            state="failed",
            error="The server refused it.",
        )
        row.destination = "ada@example.org"
        session.add(row)
    _, listed = await admin("GET", "deliveries")
    assert [(each["id"], each["error"]) for each in listed["items"]] == [
        (str(row.id), "The server refused it.")
    ]
    assert (await admin("POST", f"deliveries/{row.id}/send-again", {}))[0] == 204
    assert (await admin("POST", f"deliveries/{row.id}/send-again", {}))[0] == 404
    with sessions() as session:
        assert session.get_one(Delivery, row.id).state == "pending"
    assert noted(sessions) == ["delivery.send-again"]


async def test_an_answer_that_was_given_up_runs_again(
    admin: Admin, sessions: Sessions, bells: Bells
) -> None:
    with sessions.begin() as session:
        recorded = write(session, make_inbox(session), "Where is my tent?")
        conversation = session.get_one(Conversation, recorded.conversation_id)
        conversation.status, conversation.handoff_reason = "open", "repeated_failure"
        conversation.unanswered_since = None
    _, listed = await admin("GET", "tasks")
    assert [(each["kind"], each["conversation"]) for each in listed["items"]] == [
        ("answer", conversation.number)
    ]
    assert (await admin("POST", f"tasks/answer/{conversation.id}/run-again", {}))[0] == 204
    assert bells.wait()[1] == str(conversation.id)
    with sessions() as session:
        assert session.get_one(Conversation, conversation.id).status == "pending"
    assert (await admin("GET", "tasks"))[1]["items"] == []


async def test_an_article_that_could_not_be_read_is_indexed_again(
    admin: Admin, sessions: Sessions, bells: Bells
) -> None:
    with sessions.begin() as session:
        put = put_article(session, "returns", "a1", "Returns", "Thirty days.", "en", None, "test")
        session.get_one(Article, put.article_id).index_error = "there is no text in it"
    _, listed = await admin("GET", "tasks")
    assert [(each["kind"], each["about"]) for each in listed["items"]] == [("article", "Returns")]
    assert (await admin("POST", f"tasks/article/{put.article_id}/run-again", {}))[0] == 204
    assert bells.wait("knowledge")[1] == str(put.article_id)


async def test_the_audit_page_shows_the_latest_first_and_whether_the_log_is_whole(
    admin: Admin, sessions: Sessions
) -> None:
    for number in range(60):
        await admin("POST", "keys", {"name": f"key {number}"})
    _, first = await admin("GET", "audit")
    assert [row["subject"] for row in first["items"][:2]] == ["key 59", "key 58"]
    _, second = await admin("GET", f"audit?before={first['next_before']}")
    assert (len(first["items"]), len(second["items"]), second["next_before"]) == (50, 10, None)
    _, verdict = await admin("POST", "audit/verify", {})
    assert (verdict["entries"], verdict["problems"]) == (60, [])
    with sessions.begin() as session:
        session.get_one(AuditEntry, 30).actor = "nobody"
    _, verdict = await admin("POST", "audit/verify", {})
    assert verdict["problems"] == ["entry 30 was changed"]


async def test_no_secret_and_no_address_is_in_the_audit_log(
    admin: Admin, sessions: Sessions
) -> None:
    body = {"name": "support", "channel": "email", "mailbox": MAILBOX}
    await admin("POST", "inboxes", body)
    _, invited = await admin(
        "POST", "invitations", {"name": "Dan", "email": "dan@larkspur.example", "role": "agent"}
    )
    _, key = await admin("POST", "keys", {"name": "CRM"})
    with sessions() as session:
        rows = session.scalars(select(AuditEntry)).all()
    told = " ".join(f"{row.actor} {row.action} {row.subject} {row.details}" for row in rows)
    assert len(rows) == 3
    for secret in ("@", MAILBOX["password"], key["token"], invited["link"].partition("#")[2]):
        assert str(secret) not in told
