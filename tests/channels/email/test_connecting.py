"""Connecting mailboxes: the command line, sealed secrets, TLS, OAuth2, the doctor."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import ssl
from pathlib import Path
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from bot.commands.mailbox_checks import check_mailboxes
from bot.settings import Settings, SettingsError
from bot.simulation.imap_server import ImapServer
from bot.simulation.mail_world import PASSWORD, MailWorld
from bot.simulation.smtp_sink import SmtpSink
from bot.tables import Inbox, InboxCollection, MailboxWatermark
from channels.email.logins import Logins
from channels.email.mailboxes import (
    LoginSetting,
    MailboxError,
    MailboxSetting,
    Secrets,
    ServerSetting,
    connect_mailbox,
    find_mailbox,
    find_mailbox_named,
)
from channels.email.trying import try_mailbox
from tests.channels.email.desk import Desk, eventually, set_up_mailbox
from tests.people import make_inbox
from tests.shell import Shell, shell_on

TO = "support@shop.example"


@pytest.fixture
def shell(settings: Settings) -> Shell:
    return shell_on(settings)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of our own for 127.0.0.1, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the mail world")])
    begins = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + datetime.timedelta(days=10))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def test_a_mailbox_is_connected_listed_and_tested_from_the_command_line(
    shell: Shell, world: MailWorld, sessions: sessionmaker[Session]
) -> None:
    def operate() -> None:
        done = shell.run(
            *("mail", "connect", "support", "--address", TO, "--collection", "help-centre"),
            *("--imap", f"127.0.0.1:{world.imap.port}", "--smtp", f"127.0.0.1:{world.smtp.port}"),
            *("--security", "none", "--since", "2026-11-01"),
            stdin=f"{PASSWORD}\n",
        )
        assert (done.status, done.err) == (0, "")
        tested = shell.run("mail", "test", "support")
        assert tested.status == 0, tested
        assert tested.out.count(": ok") == 2
        assert "not read yet" in shell.run("mail", "list").out

    await asyncio.to_thread(operate)
    with sessions() as session:
        assert session.scalars(select(InboxCollection)).one()
        assert session.scalars(select(MailboxWatermark)).one().since.year == 2026
        mailbox = find_mailbox_named(session, "support")
        assert mailbox.secrets.password == PASSWORD
        stored = session.execute(text("select settings::text from inbox")).scalar_one()
        assert PASSWORD not in stored, "sealed"


async def test_a_wrong_password_is_told_by_the_test_and_by_the_doctor(
    shell: Shell, desk: Desk, settings: Settings
) -> None:
    await desk.world.imap.add_user(desk.world.company, "another")
    desk.world.smtp.users[TO] = "another"
    tested = await asyncio.to_thread(shell.run, "mail", "test", "support")
    assert tested.status == 1
    assert tested.out.count("refuses the log-in") == 2
    findings = await asyncio.to_thread(lambda: list(check_mailboxes(settings, {})))
    assert [(f.part, f.level) for f in findings] == [("mailbox support", "fail")] * 2
    assert all(f.remedy for f in findings)


async def test_a_server_that_is_away_is_told(desk: Desk, settings: Settings) -> None:
    await desk.world.imap.stop()
    findings = await asyncio.to_thread(lambda: list(check_mailboxes(settings, {})))
    assert "does not answer" in findings[0].found
    assert findings[1].level == "ok"


def test_a_password_never_goes_out_unprotected(session: Session) -> None:
    setting = MailboxSetting(
        address=TO,
        imap=ServerSetting(host="mail.shop.example", port=143, security="none"),
        login=LoginSetting(),
    )
    with pytest.raises(MailboxError, match="without TLS"):
        connect_mailbox(session, "support", setting, Secrets("x"))


def test_a_name_of_another_channel_or_an_address_of_another_inbox_is_refused(
    session: Session,
) -> None:
    chat = session.get_one(Inbox, make_inbox(session)).name
    setting = MailboxSetting(address=TO)
    with pytest.raises(MailboxError, match="chat inbox"):
        connect_mailbox(session, chat, setting, None)
    connect_mailbox(session, "support", setting, None)
    with pytest.raises(MailboxError, match="belongs to the inbox 'support'"):
        connect_mailbox(session, "sales", MailboxSetting(address="Support@shop.example"), None)


@pytest.mark.parametrize(
    "wrong",
    [
        ("--address", "nobody"),
        ("--address", TO, "--imap", "nowhere"),
        ("--address", f"{TO}\r\nBcc: x@y"),
        ("--address", TO, "--since", "yesterday"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(shell: Shell, wrong: tuple[str, ...]) -> None:
    done = shell.run("mail", "connect", "support", *wrong, "--login", "none")
    assert done.status == 2
    assert len(done.err.strip().splitlines()) == 1


def test_a_secret_in_a_file_is_read_at_each_use(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    setting = MailboxSetting(address=TO, login=LoginSetting(file=str(file)))
    inbox_id = connect_mailbox(session, "support", setting, Secrets())
    assert find_mailbox(session, inbox_id).secrets.password == "first"
    file.write_text("second\n")
    assert find_mailbox(session, inbox_id).secrets.password == "second"
    file.unlink()
    with pytest.raises(MailboxError, match="cannot be read"):
        find_mailbox(session, inbox_id)


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_mail_goes_in_and_out_over_tls(
    sessions: sessionmaker[Session], desk: Desk, certificate: Path, security: str
) -> None:
    context, is_starttls = server_context(certificate), security == "starttls"
    imap = ImapServer(context, starttls=is_starttls)
    smtp = SmtpSink(context, starttls=is_starttls)
    async with MailWorld(imap=imap, smtp=smtp) as world:
        with sessions.begin() as session:
            set_up_mailbox(session, world, security=security, ca_file=str(certificate))
            mailbox = find_mailbox_named(session, "support")
        found = await asyncio.to_thread(try_mailbox, mailbox)
        assert [problem for _, problem in found] == [None, None]
        desk.world = world
        ada = world.customer("ada@example.org")
        async with desk.listen():
            await eventually(desk.is_read)
            await world.post(ada.write(TO, "Over TLS"))
            await eventually(desk.texts)
        desk.answer()
        await desk.deliver()
        assert len(ada.letters) == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    sessions: sessionmaker[Session], certificate: Path
) -> None:
    context = server_context(certificate)
    world = MailWorld(imap=ImapServer(context), smtp=SmtpSink(context))
    async with world:
        with sessions.begin() as session:
            set_up_mailbox(session, world, security="tls")
            mailbox = find_mailbox_named(session, "support")
        found = await asyncio.to_thread(try_mailbox, mailbox)
        assert all(problem for _, problem in found)
        assert smtp_logins(world) == []


def smtp_logins(world: MailWorld) -> list[str]:
    return world.smtp.logins


class TokenServer:
    """An OAuth2 token endpoint (RFC 6749 section 6)."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.status = 200

    async def serve(self, request: web.Request) -> web.Response:
        self.asked.append({name: str(value) for name, value in (await request.post()).items()})
        body = {"access_token": f"access-{len(self.asked)}", "expires_in": 3600}
        return web.Response(
            text=json.dumps(body if self.status == 200 else {"error": "invalid_grant"}),
            status=self.status,
        )


async def test_an_access_token_is_made_of_the_refresh_token_and_kept_until_it_ends(
    sessions: sessionmaker[Session], world: MailWorld
) -> None:
    tokens = TokenServer()
    app = web.Application()
    app.router.add_post("/token", tokens.serve)
    async with TestServer(app) as server:
        with sessions.begin() as session:
            login = LoginSetting(
                kind="oauth2",
                user=TO,
                token_url=str(server.make_url("/token")),
                client_id="frontdesk",
            )
            setting = MailboxSetting(
                address=TO,
                smtp=ServerSetting(host="127.0.0.1", port=world.smtp.port, security="none"),
                login=login,
            )
            secrets = Secrets(refresh_token="a refresh token", client_secret="a client's secret")
            connect_mailbox(session, "support", setting, secrets)
            mailbox = find_mailbox_named(session, "support")
        world.smtp.users[TO] = "access-1"
        from channels.email.submission import try_login

        logins = Logins()
        await try_login(mailbox, logins)
        await try_login(mailbox, logins)
        assert world.smtp.logins == [TO, TO]
        (asked,) = tokens.asked
        assert (asked["grant_type"], asked["refresh_token"]) == ("refresh_token", "a refresh token")
        logins.forget(mailbox)
        tokens.status = 400
        with pytest.raises(MailboxError, match="invalid_grant"):
            await logins.credentials(mailbox)


async def test_imap_takes_an_access_token(
    sessions: sessionmaker[Session], world: MailWorld
) -> None:
    with sessions.begin() as session:
        setting = MailboxSetting(
            address=TO,
            imap=ServerSetting(host="127.0.0.1", port=world.imap.port, security="none"),
            login=LoginSetting(kind="oauth2", user=TO),
        )
        connect_mailbox(session, "support", setting, Secrets(password="a token"))
        mailbox = find_mailbox_named(session, "support")
    world.imap.tokens[TO] = "a token"
    assert await asyncio.to_thread(try_mailbox, mailbox) == [("IMAP 127.0.0.1", None)]
    world.imap.tokens[TO] = "another"
    ((_, problem),) = await asyncio.to_thread(try_mailbox, mailbox)
    assert problem == "The IMAP server refuses the log-in."


def test_an_unusable_lmtp_address_is_told_at_the_start(settings: Settings) -> None:
    from dataclasses import replace

    from bot.app import CHANNELS, build_parts

    parts = build_parts(replace(settings, lmtp="everywhere"))
    with pytest.raises(SettingsError, match="FRONTDESK_LMTP"):
        CHANNELS["email"](parts)


def test_inboxes_tell_and_take_their_behaviour(
    shell: Shell, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        connect_mailbox(session, "support", MailboxSetting(address=TO), None)
        make_inbox(session)
    done = shell.run(
        *("inboxes", "set", "support", "--mode", "draft", "--hours", "mon-fri 09:00-17:00"),
        *(
            "--zone",
            "Europe/Berlin",
            "--holiday",
            "2026-12-25 Merry Christmas",
            "--budget-per-thread",
        ),
        "2",
    )
    assert done.status == 0, done.err
    assert "draft" in done.out
    shell.run("inboxes", "set", "support", "--holiday", "2027-01-01")
    with sessions() as session:
        policy = (
            session.scalars(select(Inbox).where(Inbox.name == "support")).one().settings["policy"]
        )
    assert policy["mode"] == "draft"
    assert [day["day"] for day in policy["holidays"]] == ["2026-12-25", "2027-01-01"]
    assert policy["budgets"]["per_thread"] == 2
    wrong = shell.run("inboxes", "set", "support", "--hours", "whenever")
    assert wrong.status != 0
    assert "mon-fri 09:00-17:00" in wrong.err


async def test_failed_deliveries_are_listed_and_sent_again_from_the_command_line(
    shell: Shell, desk: Desk
) -> None:
    ada = desk.world.customer("ada@example.org")
    await desk.take(ada.write(TO, "Hello"))
    desk.answer()
    desk.world.smtp.refused["ada@example.org"] = "550 5.1.1 no"
    await desk.deliver()
    listed = await asyncio.to_thread(shell.run, "deliveries")
    assert "550 5.1.1" in listed.out
    assert "ada@example.org" not in listed.out
    delivery_id = listed.out.split()[0]
    assert UUID(delivery_id)
    again = await asyncio.to_thread(shell.run, "deliveries", "--send-again", delivery_id)
    assert again.out == "1 to be sent again\n"
    desk.world.smtp.refused.clear()
    await desk.deliver()
    assert len(ada.letters) == 1
    assert (await asyncio.to_thread(shell.run, "deliveries")).out == "0 failed\n"
