"""`frontdesk staff`: who may log in to the dashboard, from the operator's own terminal."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from bot.commands.failures import UsageError
from bot.commands.sessions import open_sessions
from bot.dashboard.accounts import Member, list_members
from bot.dashboard.admin_staff import end_totp, hand_out_link, remove_member, set_role
from bot.dashboard.invitations import (
    FIRST_LIFETIME,
    LIFETIME,
    invite,
    invite_first_admin,
    list_invitations,
)
from bot.dashboard.links import LIFETIMES, link_url
from bot.instance import find_settings
from bot.privacy.audit import TERMINAL, note
from bot.tables import ROLES
from bot.terminal_text import visible_line

NEEDED = ("database_url", "master_key")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    inviting = actions.add_parser("invite", help="print a link by which somebody joins, once")
    inviting.add_argument("name", help="what customers and colleagues see")
    inviting.add_argument("email", help="what they log in with")
    inviting.add_argument("--role", choices=ROLES, default="agent")
    actions.add_parser("list", help="everybody with an account, and open invitations")
    linking = actions.add_parser("link", help="print a one-time log-in link")
    linking.add_argument("name", nargs="?", help="whose; without it the first admin's")
    linking.add_argument(
        "--without-codes",
        action="store_true",
        help="also turn their second factor off: they lost authenticator and recovery codes",
    )
    changing = actions.add_parser("role", help="change what somebody may do")
    changing.add_argument("name")
    changing.add_argument("role", choices=ROLES)
    removing = actions.add_parser("remove", help="end somebody's account and sessions")
    removing.add_argument("name")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = find_settings(environ, NEEDED)
    with open_sessions(settings) as sessions, sessions.begin() as session:
        for line in _act(session, arguments, settings.public_url):
            print(line)
    return 0


def _act(session: Session, arguments: argparse.Namespace, public_url: str) -> list[str]:
    if arguments.action == "invite":
        return _invite(session, arguments, public_url)
    if arguments.action == "link":
        return _link(session, arguments, public_url)
    if arguments.action == "role":
        set_role(session, TERMINAL, _account(session, arguments.name), arguments.role)
        return [f"{arguments.name} is {arguments.role} now"]
    if arguments.action == "remove":
        remove_member(session, TERMINAL, _account(session, arguments.name))
        return [f"{arguments.name} cannot log in any more; what they wrote keeps their name"]
    return _list(session)


def _invite(session: Session, arguments: argparse.Namespace, public_url: str) -> list[str]:
    token, view = invite(session, arguments.name, arguments.email, arguments.role, None)
    note(session, TERMINAL, "staff.invite", str(view.id), {"role": arguments.role})
    return [
        link_url(public_url, "invitation", token),
        f"{view.name} joins as {view.role} with it: once, within {_told(LIFETIME)}. "
        "Hand it over by a way that only they read.",
    ]


def _link(session: Session, arguments: argparse.Namespace, public_url: str) -> list[str]:
    if arguments.name is None:
        return _first_link(session, public_url)
    account_id = _account(session, arguments.name)
    if arguments.without_codes:
        end_totp(session, TERMINAL, account_id)
    token = hand_out_link(session, TERMINAL, account_id)
    return [
        link_url(public_url, "link", token),
        f"{arguments.name} logs in with it: once, within {_told(LIFETIMES['link'])}.",
    ]


def _first_link(session: Session, public_url: str) -> list[str]:
    token = invite_first_admin(session)
    if token is None:
        raise UsageError("There is an admin already: `./frontdesk staff link NAME`.")
    return [
        link_url(public_url, "invitation", token),
        f"The first admin makes their account there: once, within {_told(FIRST_LIFETIME)}.",
    ]


def _list(session: Session) -> list[str]:
    lines = [_line(member) for member in list_members(session)]
    for view in list_invitations(session):
        until = f"{view.expires_at.astimezone():%Y-%m-%d %H:%M}"
        person = f"{visible_line(view.name)} <{visible_line(view.email)}>"
        lines.append(f"{person}  {view.role}  invited, until {until}")
    return lines or ["Nobody yet: `./frontdesk staff link` prints the first admin's link."]


def _line(member: Member) -> str:
    ways = "password" if member.has_password else "no password"
    codes = "codes" if member.has_totp else "no codes"
    person = f"{visible_line(member.name)} <{visible_line(member.email)}>"
    return f"{person}  {member.role}  {ways}, {codes}"


def _account(session: Session, name: str) -> UUID:
    members = list_members(session)
    for member in members:
        if name.strip() in (member.name, member.email):
            return member.account_id
    names = ", ".join(member.name for member in members)
    raise UsageError(f"Nobody with an account is called {name!r}; there are: {names or 'none'}.")


def _told(span: timedelta) -> str:
    if span >= timedelta(days=1):
        return f"{span.days} days"
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} minutes"
