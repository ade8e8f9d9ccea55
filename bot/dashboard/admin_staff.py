"""Administration of the staff: members, roles, invitations, links, other people's sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.agents import AgentError
from bot.dashboard import admin_payloads as payloads
from bot.dashboard import second_factor
from bot.dashboard.accounts import (
    AccountError,
    Member,
    change_role,
    list_members,
    remove_account,
)
from bot.dashboard.invitations import LIFETIME, invite, list_invitations, withdraw
from bot.dashboard.links import LIFETIMES, end_links, link_url, make_link
from bot.dashboard.me import session_out
from bot.dashboard.sessions import list_sessions, revoke_all
from bot.dashboard.signed_in import SignedIn, signed_in
from bot.privacy.audit import Actor, note
from bot.tables import Account, Agent, Role
from bot.web.addressed import uuid_of
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 8 * 1024


class AdminStaff:
    """The routes of the page Staff."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], public_url: str) -> None:
        self._sessions = sessions
        self._public_url = public_url

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        one = "/desk/api/admin/staff/{account}"
        return [
            web.get("/desk/api/admin/staff", self.list),
            web.put(f"{one}/role", self.set_role),
            web.post(f"{one}/link", self.make_link),
            web.post(f"{one}/totp-off", self.end_totp),
            web.get(f"{one}/sessions", self.list_sessions),
            web.delete(f"{one}/sessions", self.revoke_sessions),
            web.delete(one, self.remove),
            web.post("/desk/api/admin/invitations", self.invite),
            web.delete("/desk/api/admin/invitations/{invitation}", self.withdraw),
        ]

    @access("admin")
    async def list(self, request: web.Request) -> web.Response:
        """Members, open invitations, and agents without an account."""
        me = signed_in(request)
        async with self._sessions() as session:
            return answer_with(await session.run_sync(_list, me))

    @access("admin")
    async def invite(self, request: web.Request) -> web.Response:
        """An invitation's link, shown this once."""
        asked = await read_json(request, payloads.InviteIn, MAX_BODY_BYTES)
        async with self._sessions.begin() as session:
            token = await session.run_sync(_invite, signed_in(request), asked)
        link = link_url(self._public_url, "invitation", token)
        return answer_with(payloads.LinkOut(link=link, minutes=_minutes(LIFETIME)), 201)

    @access("admin")
    async def withdraw(self, request: web.Request) -> web.Response:
        """The invitation opens nothing any more."""
        wanted = uuid_of(request, "invitation")
        async with self._sessions.begin() as session:
            if not await session.run_sync(withdraw, wanted):
                raise _nobody()
            await session.run_sync(
                note, signed_in(request).actor, "staff.withdraw-invitation", str(wanted)
            )
        return web.Response(status=204)

    @access("admin")
    async def set_role(self, request: web.Request) -> web.Response:
        """From the next request on they may do what their new role may."""
        wanted = uuid_of(request, "account")
        asked = await read_json(request, payloads.RoleIn, MAX_BODY_BYTES)
        async with self._sessions.begin() as session:
            await session.run_sync(set_role, signed_in(request).actor, wanted, asked.role)
        return web.Response(status=204)

    @access("admin")
    async def make_link(self, request: web.Request) -> web.Response:
        """A one-time log-in link for somebody who forgot their password."""
        wanted = uuid_of(request, "account")
        async with self._sessions.begin() as session:
            token = await session.run_sync(hand_out_link, signed_in(request).actor, wanted)
        link = link_url(self._public_url, "link", token)
        return answer_with(payloads.LinkOut(link=link, minutes=_minutes(LIFETIMES["link"])), 201)

    @access("admin")
    async def end_totp(self, request: web.Request) -> web.Response:
        """For somebody who lost authenticator and recovery codes; all their sessions end."""
        wanted = uuid_of(request, "account")
        async with self._sessions.begin() as session:
            await session.run_sync(end_totp, signed_in(request).actor, wanted)
        return web.Response(status=204)

    @access("admin")
    async def list_sessions(self, request: web.Request) -> web.Response:
        """Where somebody is signed in."""
        wanted, me = uuid_of(request, "account"), signed_in(request)
        async with self._sessions() as session:
            await session.run_sync(_account, wanted)
            views = await session.run_sync(list_sessions, wanted)
        items = [session_out(view, me.session_id) for view in views]
        return answer_with(payloads.MemberSessions(items=items))

    @access("admin")
    async def revoke_sessions(self, request: web.Request) -> web.Response:
        """They are signed out everywhere, at once."""
        wanted = uuid_of(request, "account")
        async with self._sessions.begin() as session:
            await session.run_sync(_revoke_sessions, signed_in(request).actor, wanted)
        return web.Response(status=204)

    @access("admin")
    async def remove(self, request: web.Request) -> web.Response:
        """They cannot log in any more; what they wrote keeps their name."""
        wanted = uuid_of(request, "account")
        async with self._sessions.begin() as session:
            await session.run_sync(remove_member, signed_in(request).actor, wanted)
        return web.Response(status=204)


def set_role(session: Session, actor: Actor, account_id: UUID, role: Role) -> None:
    """Change somebody's role and note it. Raises a Refusal."""
    account = _account(session, account_id)
    before = account.role
    try:
        change_role(session, account, role)
    except AccountError as error:
        raise Refusal(409, "last_admin", str(error)) from error
    if before != role:
        note(session, actor, "staff.role", str(account_id), {"from": before, "to": role})


def hand_out_link(session: Session, actor: Actor, account_id: UUID) -> str:
    """A one-time link's secret, noted. Raises a Refusal."""
    account = _account(session, account_id)
    token = make_link(session, account.id)
    note(session, actor, "staff.link", str(account_id))
    return token


def end_totp(session: Session, actor: Actor, account_id: UUID) -> None:
    """Take somebody's second factor off, end their sessions, note it. Raises a Refusal."""
    account = _account(session, account_id)
    second_factor.turn_off(session, account)
    revoke_all(session, account.id)
    note(session, actor, "staff.totp-off", str(account_id))


def remove_member(session: Session, actor: Actor, account_id: UUID) -> None:
    """End somebody's account, sessions and links, noted. Raises a Refusal."""
    account = _account(session, account_id)
    try:
        remove_account(session, account)
    except AccountError as error:
        raise Refusal(409, "last_admin", str(error)) from error
    revoke_all(session, account.id)
    end_links(session, account.id)
    note(session, actor, "staff.remove", str(account_id))


def _revoke_sessions(session: Session, actor: Actor, account_id: UUID) -> None:
    _account(session, account_id)
    ended = revoke_all(session, account_id)
    end_links(session, account_id)
    note(session, actor, "staff.sign-out", str(account_id), {"sessions": ended})


def _list(session: Session, me: SignedIn) -> payloads.StaffOut:
    members = list_members(session)
    taken = {member.agent_id for member in members}
    agents = session.execute(select(Agent.id, Agent.name).order_by(Agent.name))
    return payloads.StaffOut(
        members=[_member(member, me) for member in members],
        invitations=[
            payloads.InvitationRow(
                id=str(view.id),
                name=view.name,
                email=view.email,
                role=view.role,
                expires_at=view.expires_at,
            )
            for view in list_invitations(session)
        ],
        others=[name for agent_id, name in agents if agent_id not in taken],
    )


def _invite(session: Session, me: SignedIn, asked: payloads.InviteIn) -> str:
    try:
        token, view = invite(session, asked.name, asked.email, asked.role, me.agent_id)
    except (AccountError, AgentError) as error:
        raise Refusal(422, "invalid", str(error)) from error
    note(session, me.actor, "staff.invite", str(view.id), {"role": asked.role})
    return token


def _account(session: Session, account_id: UUID) -> Account:
    account = session.get(Account, account_id, with_for_update=True)
    if account is None or account.removed_at is not None:
        raise _nobody()
    return account


def _member(member: Member, me: SignedIn) -> payloads.MemberOut:
    return payloads.MemberOut(
        id=str(member.account_id),
        agent_id=str(member.agent_id),
        name=member.name,
        email=member.email,
        role=member.role,
        has_password=member.has_password,
        has_totp=member.has_totp,
        created_at=member.created_at,
        is_me=member.account_id == me.account_id,
    )


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)


def _nobody() -> Refusal:
    return Refusal(404, "not_found", "There is no such member of the staff, or not any more.")
