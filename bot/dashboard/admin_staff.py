"""Administration of the staff: members, roles, invitations, links, other people's sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal
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
from bot.dashboard.connections import Connections
from bot.dashboard.invitations import LIFETIME, invite, list_invitations, renew, withdraw
from bot.dashboard.links import (
    LIFETIMES,
    MAILED_LIFETIME,
    end_links,
    link_url,
    make_link,
    make_mailed_link,
)
from bot.dashboard.me import session_out
from bot.dashboard.sessions import list_sessions, revoke_all
from bot.dashboard.signed_in import SignedIn, signed_in
from bot.letters import LetterView, latest_letters, withdraw_letters, write_letter
from bot.privacy.audit import Actor, note
from bot.tables import Account, Agent, Role
from bot.web.addressed import uuid_of
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 8 * 1024


class AdminStaff:
    """The routes of the page Staff."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        connections: Connections,
        public_url: str,
    ) -> None:
        self._sessions = sessions
        self._connections = connections
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
            web.post("/desk/api/admin/invitations/{invitation}/again", self.invite_again),
            web.delete("/desk/api/admin/invitations/{invitation}", self.withdraw),
        ]

    @access("admin")
    async def list(self, request: web.Request) -> web.Response:
        """Members, open invitations, and agents without an account."""
        me = signed_in(request)
        async with self._sessions() as session:
            return answer_with(await session.run_sync(self._list, me))

    @access("admin")
    async def invite(self, request: web.Request) -> web.Response:
        """An invitation's link, mailed or shown this once."""
        asked = await read_json(request, payloads.InviteIn, MAX_BODY_BYTES)
        async with self._sessions.begin() as session:
            link = await session.run_sync(self._invite, signed_in(request), asked)
        return answer_with(payloads.LinkOut(link=link, minutes=_minutes(LIFETIME)), 201)

    @access("admin")
    async def invite_again(self, request: web.Request) -> web.Response:
        """A new link for an open invitation, mailed or shown; the one before is void."""
        wanted = uuid_of(request, "invitation")
        asked = await read_json(request, payloads.HandOverIn, MAX_BODY_BYTES)
        async with self._sessions.begin() as session:
            link = await session.run_sync(self._invite_again, signed_in(request), wanted, asked)
        return answer_with(payloads.LinkOut(link=link, minutes=_minutes(LIFETIME)), 201)

    @access("admin")
    async def withdraw(self, request: web.Request) -> web.Response:
        """The invitation opens nothing any more."""
        wanted = uuid_of(request, "invitation")
        async with self._sessions.begin() as session:
            if not await session.run_sync(withdraw, wanted):
                raise _nobody()
            await session.run_sync(withdraw_letters, wanted)
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
        """A one-time log-in link for somebody who forgot their password, mailed or shown."""
        wanted, actor = uuid_of(request, "account"), signed_in(request).actor
        asked = await read_json(request, payloads.HandOverIn, MAX_BODY_BYTES)
        async with self._sessions.begin() as session:
            if asked.by_mail:
                await session.run_sync(self._mail_link, actor, wanted)
                told = payloads.LinkOut(link=None, minutes=_minutes(MAILED_LIFETIME))
            else:
                token = await session.run_sync(hand_out_link, actor, wanted)
                link = link_url(self._public_url, "link", token)
                told = payloads.LinkOut(link=link, minutes=_minutes(LIFETIMES["link"]))
        return answer_with(told, 201)

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

    def _list(self, session: Session, me: SignedIn) -> payloads.StaffOut:
        sender = self._connections.sender(session)
        return _list(session, me, sender.address if sender else None)

    def _invite(self, session: Session, me: SignedIn, asked: payloads.InviteIn) -> str | None:
        try:
            token, view = invite(session, asked.name, asked.email, asked.role, me.agent_id)
        except (AccountError, AgentError) as error:
            raise Refusal(422, "invalid", str(error)) from error
        link = self._hand_over(session, view.id, token, asked)
        details = {"role": asked.role, "by_mail": asked.by_mail}
        note(session, me.actor, "staff.invite", str(view.id), details)
        return link

    def _invite_again(
        self, session: Session, me: SignedIn, invitation_id: UUID, asked: payloads.HandOverIn
    ) -> str | None:
        renewed = renew(session, invitation_id)
        if renewed is None:
            raise _nobody()
        withdraw_letters(session, invitation_id)
        link = self._hand_over(session, invitation_id, renewed[0], asked)
        details = {"by_mail": asked.by_mail}
        note(session, me.actor, "staff.invite-again", str(invitation_id), details)
        return link

    def _hand_over(
        self, session: Session, invitation_id: UUID, token: str, asked: payloads.HandOverIn
    ) -> str | None:
        """The link to be shown; None once it is on its way by mail."""
        link = link_url(self._public_url, "invitation", token)
        if not asked.by_mail:
            return link
        write_letter(session, self._sender(session), link, invitation_id=invitation_id)
        return None

    def _mail_link(self, session: Session, actor: Actor, account_id: UUID) -> None:
        account = _account(session, account_id)
        inbox_id = self._sender(session)
        token, link_id = make_mailed_link(session, account.id)
        link = link_url(self._public_url, "link", token)
        write_letter(session, inbox_id, link, log_in_link_id=link_id)
        note(session, actor, "staff.link", str(account_id), {"by_mail": True})

    def _sender(self, session: Session) -> UUID:
        sender = self._connections.sender(session)
        if sender is None:
            told = "No mailbox can send mail: connect one, or hand the link over yourself."
            raise Refusal(409, "no_mailbox", told)
        return sender.inbox_id


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


def _list(session: Session, me: SignedIn, mail_from: str | None) -> payloads.StaffOut:
    members, letters = list_members(session), latest_letters(session)
    taken = {member.agent_id for member in members}
    agents = session.execute(select(Agent.id, Agent.name).order_by(Agent.name))
    return payloads.StaffOut(
        members=[_member(member, me, _letter(letters, member.account_id)) for member in members],
        invitations=[
            payloads.InvitationRow(
                id=str(view.id),
                name=view.name,
                email=view.email,
                role=view.role,
                expires_at=view.expires_at,
                letter=_letter(letters, view.id),
            )
            for view in list_invitations(session)
        ],
        others=[name for agent_id, name in agents if agent_id not in taken],
        mail_from=mail_from,
    )


def _letter(letters: Mapping[UUID, LetterView], about: UUID) -> payloads.LetterOut | None:
    view = letters.get(about)
    if view is None:
        return None
    state: Literal["waiting", "sent", "failed"] = "waiting"
    if view.state in ("sent", "failed"):
        state = "sent" if view.state == "sent" else "failed"
    return payloads.LetterOut(state=state, error=view.error, at=view.at)


def _account(session: Session, account_id: UUID) -> Account:
    account = session.get(Account, account_id, with_for_update=True)
    if account is None or account.removed_at is not None:
        raise _nobody()
    return account


def _member(member: Member, me: SignedIn, letter: payloads.LetterOut | None) -> payloads.MemberOut:
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
        letter=letter,
    )


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)


def _nobody() -> Refusal:
    return Refusal(404, "not_found", "There is no such member of the staff, or not any more.")
