"""`frontdesk mail connect|list|test`: the company's mailboxes."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot.commands.failures import UsageError
from bot.commands.sessions import open_sessions
from bot.instance import find_settings
from bot.knowledge.articles import give_collection
from bot.privacy.audit import TERMINAL, note
from bot.tables import MailboxWatermark
from channels.email.mailboxes import (
    LoginKind,
    LoginSetting,
    Mailbox,
    MailboxSetting,
    Secrets,
    Security,
    ServerSetting,
    broken_mailboxes,
    connect_mailbox,
    find_mailbox_named,
    load_mailboxes,
)
from channels.email.trying import try_mailbox
from channels.email.watermarks import read_from

NEEDED = ("database_url", "master_key")
PROVIDERS: dict[str, dict[str, Any]] = {
    "gmail": {
        "imap": "imap.gmail.com:993",
        "smtp": "smtp.gmail.com:465",
        "token_url": "https://oauth2.googleapis.com/token",
        "plus_addressing": True,
    },
    "microsoft365": {
        "imap": "outlook.office365.com:993",
        "smtp": "smtp.office365.com:587",
        "token_url": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        "scope": "https://outlook.office.com/IMAP.AccessAsUser.All "
        "https://outlook.office.com/SMTP.Send offline_access",
        "plus_addressing": True,
    },
}
# Ports whose line is TLS from the first byte (RFC 8314); on others it begins with STARTTLS.
TLS_PORTS = (993, 465)


def add_actions(actions: Any) -> None:
    """Declare the actions below `frontdesk mail`."""
    connect = actions.add_parser("connect", help="connect a mailbox, or change one")
    connect.add_argument("name", help="the inbox's name, such as support")
    connect.add_argument("--address", required=True, help="the mailbox's address")
    connect.add_argument("--alias", action="append", default=[], help="another address of it")
    connect.add_argument("--provider", choices=sorted(PROVIDERS), help="fills in the servers")
    connect.add_argument("--imap", metavar="HOST:PORT", help="where mail is read; none for LMTP")
    connect.add_argument("--smtp", metavar="HOST:PORT", help="where replies are submitted")
    connect.add_argument("--security", choices=("tls", "starttls", "none"), help="else by the port")
    connect.add_argument("--ca-file", metavar="FILE", help="certificates of your own authority")
    connect.add_argument("--login", choices=("password", "oauth2", "none"), default="password")
    connect.add_argument("--user", help="the log-in name, if it is not the address")
    connect.add_argument(
        "--secret-file",
        metavar="FILE",
        help="holds the password, the access token, or with --token-url the refresh token; "
        "it is read at each use. Without it the secret is asked for and sealed in the database",
    )
    connect.add_argument("--token-url", metavar="URL", help="renews OAuth2 tokens")
    connect.add_argument("--client-id", help="the OAuth2 client")
    connect.add_argument("--client-secret-file", metavar="FILE", help="its secret, to be sealed")
    connect.add_argument("--scope", help="the OAuth2 scopes")
    connect.add_argument("--display-name", default="", help="who replies seem to come from")
    connect.add_argument("--company", default="", help="the company's name in answers")
    connect.add_argument("--folder", default="INBOX")
    connect.add_argument(
        "--collection", action="append", default=[], help="articles to answer from"
    )
    connect.add_argument(
        "--plus-addressing",
        action=argparse.BooleanOptionalAction,
        help="replies carry support+token@...: only where mail to such addresses arrives",
    )
    connect.add_argument("--gateway", action="append", default=[], help="a form mailer's address")
    connect.add_argument("--list-unsubscribe", default="", metavar="URL")
    connect.add_argument("--since", metavar="DATE", help="read older mails from this day on, too")
    actions.add_parser("list", help="all mailboxes and how they are")
    test = actions.add_parser("test", help="try the log-ins of a mailbox")
    test.add_argument("name")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Do the action; returns the exit status."""
    with open_sessions(find_settings(environ, NEEDED)) as sessions:
        if arguments.action == "connect":
            return _connect(arguments, sessions)
        if arguments.action == "test":
            return _test(arguments.name, sessions)
        return _list(sessions)


def _connect(arguments: argparse.Namespace, sessions: sessionmaker[Session]) -> int:
    setting = _setting(arguments)
    since = _day(arguments.since) if arguments.since else None
    secrets = _secrets(arguments)
    with sessions.begin() as session:
        inbox_id = connect_mailbox(session, arguments.name, setting, secrets, arguments.company)
        for collection in arguments.collection:
            give_collection(session, inbox_id, collection)
        if since is not None:
            read_from(session, inbox_id, setting.folder, since)
        note(session, TERMINAL, "inbox.mailbox", str(inbox_id), {"login": setting.login.kind})
    print(f"{arguments.name}: {setting.address} is connected; try it with")
    print(f"  ./frontdesk mail test {arguments.name}")
    return 0


def _setting(arguments: argparse.Namespace) -> MailboxSetting:
    preset = PROVIDERS.get(arguments.provider or "", {})
    plus = arguments.plus_addressing
    login = LoginSetting(
        kind=_kind(arguments.login),
        user=arguments.user or "",
        file=str(Path(arguments.secret_file).expanduser().absolute())
        if arguments.secret_file
        else None,
        token_url=arguments.token_url or (preset.get("token_url") if arguments.client_id else None),
        client_id=arguments.client_id,
        scope=arguments.scope or preset.get("scope"),
    )
    try:
        return MailboxSetting(
            address=arguments.address,
            aliases=arguments.alias,
            display_name=arguments.display_name,
            folder=arguments.folder,
            imap=_server(arguments.imap or preset.get("imap"), arguments),
            smtp=_server(arguments.smtp or preset.get("smtp"), arguments),
            login=login,
            plus_addressing=preset.get("plus_addressing", False) if plus is None else plus,
            gateways=arguments.gateway,
            list_unsubscribe=arguments.list_unsubscribe,
        )
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise UsageError(f"--{place.replace('_', '-')}: {problem['msg']}") from error


def _server(text: str | None, arguments: argparse.Namespace) -> ServerSetting | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise UsageError(f"{text!r} is no server: write HOST:PORT.")
    security: Security = arguments.security or ("tls" if int(port) in TLS_PORTS else "starttls")
    return ServerSetting(
        host=host.strip("[]"), port=int(port), security=security, ca_file=arguments.ca_file
    )


def _kind(text: str) -> LoginKind:
    return "password" if text == "password" else "oauth2" if text == "oauth2" else "none"


def _secrets(arguments: argparse.Namespace) -> Secrets | None:
    if arguments.login == "none":
        return Secrets()
    client_secret = ""
    if arguments.client_secret_file:
        client_secret = Path(arguments.client_secret_file).expanduser().read_text().strip()
    if arguments.secret_file:
        return Secrets(client_secret=client_secret)
    renews = arguments.login == "oauth2" and arguments.client_id
    what = "refresh token" if renews else "password" if arguments.login == "password" else "token"
    secret = _ask(f"The mailbox's {what}: ")
    if renews:
        return Secrets(refresh_token=secret, client_secret=client_secret)
    return Secrets(password=secret)


def _ask(prompt: str) -> str:
    """A secret from the terminal, or from a pipe; never from the command line, which others see."""
    secret = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().strip()
    if not secret:
        raise UsageError("No secret was given: type it, pipe it in, or name a --secret-file.")
    return secret


def _day(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise UsageError(f"--since {text!r} is no day: write 2026-11-01.") from error


def _list(sessions: sessionmaker[Session]) -> int:
    with sessions() as session:
        mailboxes, broken = load_mailboxes(session), broken_mailboxes(session)
        marks = {row.inbox_id: row for row in session.scalars(select(MailboxWatermark))}
    if not mailboxes and not broken:
        print("No mailbox is connected: `./frontdesk mail connect --help`.")
    for mailbox in mailboxes:
        print(f"{mailbox.inbox}  {mailbox.setting.address}  {_state(mailbox, marks)}")
    for name, reason in broken:
        print(f"{name}  cannot be used: {reason}")
    return 1 if broken else 0


def _state(mailbox: Mailbox, marks: Mapping[Any, MailboxWatermark]) -> str:
    if mailbox.setting.imap is None:
        return "by LMTP"
    mark = marks.get(mailbox.inbox_id)
    if mark is None or (mark.read_at is None and mark.error is None):
        return "not read yet"
    if mark.error is not None and mark.error_since is not None:
        return f"not read since {mark.error_since.astimezone():%Y-%m-%d %H:%M}: {mark.error}"
    return f"read {mark.read_at.astimezone():%Y-%m-%d %H:%M:%S}" if mark.read_at else ""


def _test(name: str, sessions: sessionmaker[Session]) -> int:
    with sessions() as session:
        mailbox = find_mailbox_named(session, name)
    failed = False
    for part, problem in try_mailbox(mailbox):
        failed = failed or problem is not None
        print(f"{part}: {problem or 'ok'}")
    return int(failed)
