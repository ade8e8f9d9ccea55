"""Log-in: password, code, one-time link, invitation; every failure sounds the same."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aiohttp import hdrs, web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.agents import AgentError
from bot.dashboard import payloads
from bot.dashboard.accounts import AccountError, find_account, normal_email
from bot.dashboard.attempts import account_key, address_key, count_attempt, forget_attempts
from bot.dashboard.door import COOKIE, Door
from bot.dashboard.invitations import InvitationView, accept, find_invitation
from bot.dashboard.links import Kind, find_step, make_link, use_link
from bot.dashboard.passwords import Passwords, WeakPassword, check_strength
from bot.dashboard.second_factor import is_on, take_code
from bot.dashboard.sessions import Visit, find_signed_in, open_session, revoke
from bot.dashboard.signed_in import signed_in
from bot.privacy.audit import Actor, note
from bot.tables import Account, Agent
from bot.web.bodies import answer_with, read_json
from bot.web.limits import client_address
from bot.web.refusals import Refusal, refuse_too_many
from bot.web.rules import access

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 8 * 1024
BeganWith = Literal["password", "link", "invitation"]
_BEFORE_CODE: dict[Kind, BeganWith] = {"password_code": "password", "link_code": "link"}


@dataclass(frozen=True, slots=True)
class Entered:
    """What a log-in came to: the new session's token, or the step to a code."""

    token: str | None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """The browser that asks: where it is, and the cookie that it brought along."""

    visit: Visit
    address: str
    cookie: str

    @staticmethod
    def of(request: web.Request) -> Caller:
        address = client_address(request)
        browser = request.headers.get(hdrs.USER_AGENT, "")
        cookie = request.cookies.get(COOKIE, "")
        return Caller(Visit(browser, address or ""), address_key(address), cookie[:100])


class LogIn:
    """The routes of the log-in page."""

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], door: Door, passwords: Passwords
    ) -> None:
        self._sessions = sessions
        self._door = door
        self._passwords = passwords

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.post("/desk/api/log-in", self.with_password),
            web.post("/desk/api/log-in/code", self.with_code),
            web.post("/desk/api/log-in/link", self.with_link),
            web.post("/desk/api/invitation", self.show_invitation),
            web.post("/desk/api/invitation/accept", self.accept_invitation),
            web.post("/desk/api/log-out", self.log_out),
        ]

    @access("same_origin")
    async def with_password(self, request: web.Request) -> web.Response:
        """A session, or the step to the code. It takes as long for an address nobody has."""
        asked = await read_json(request, payloads.PasswordIn, MAX_BODY_BYTES)
        caller, email = Caller.of(request), _folded(asked.email)
        await self._count(account_key(email), caller.address)
        async with self._sessions() as session:
            stored = await session.run_sync(_password_hash, email)
        is_right = await self._passwords.is_right(stored, asked.password)
        async with self._sessions.begin() as session:
            entered = await session.run_sync(_after_password, email, is_right, stored, caller)
        return self._answer(entered)

    @access("same_origin")
    async def with_code(self, request: web.Request) -> web.Response:
        """The second step: a code of the authenticator, or a recovery code."""
        asked = await read_json(request, payloads.CodeIn, MAX_BODY_BYTES)
        caller = Caller.of(request)
        async with self._sessions() as session:
            email = await session.run_sync(_email_of_step, asked.step)
        await self._count(*([account_key(email)] if email else []), caller.address)
        async with self._sessions.begin() as session:
            entered = await session.run_sync(_after_code, asked, caller)
        return self._answer(entered)

    @access("same_origin")
    async def with_link(self, request: web.Request) -> web.Response:
        """A one-time link is used up by this, not by whoever merely fetches its page."""
        asked = await read_json(request, payloads.LinkIn, MAX_BODY_BYTES)
        caller = Caller.of(request)
        await self._count(caller.address)
        async with self._sessions.begin() as session:
            entered = await session.run_sync(_after_link, asked.token, caller)
        return self._answer(entered, "This link was used before or is too old: ask for a new one.")

    @access("same_origin")
    async def show_invitation(self, request: web.Request) -> web.Response:
        """For whom an invitation is, while it can be accepted."""
        asked = await read_json(request, payloads.LinkIn, MAX_BODY_BYTES)
        async with self._sessions() as session:
            found = await session.run_sync(find_invitation, asked.token)
        if found is None:
            await self._count(Caller.of(request).address)
            raise _no_invitation()
        return answer_with(_invitation(found))

    @access("same_origin")
    async def accept_invitation(self, request: web.Request) -> web.Response:
        """The account is made and its owner signed in."""
        asked = await read_json(request, payloads.AcceptIn, MAX_BODY_BYTES)
        caller = Caller.of(request)
        await self._count(caller.address)
        async with self._sessions() as session:
            found = await session.run_sync(find_invitation, asked.token)
        if found is None:
            raise _no_invitation()
        _check_password(asked.password, found.email or asked.email, found.name or asked.name)
        hashed = await self._passwords.hash(asked.password)
        async with self._sessions.begin() as session:
            entered = await session.run_sync(_accept, asked, hashed, caller)
        return self._answer(entered)

    @access("staff")
    async def log_out(self, request: web.Request) -> web.Response:
        """The session ends here and everywhere it was copied to."""
        agent = signed_in(request)
        async with self._sessions.begin() as session:
            await session.run_sync(revoke, agent.account_id, agent.session_id)
            await session.run_sync(note, agent.actor, "log-out", str(agent.account_id))
        response = web.Response(status=204)
        self._door.take_cookie(response)
        return response

    async def _count(self, *keys: str) -> None:
        """Committed before anything is compared: tries sent all at once count as well."""
        async with self._sessions.begin() as session:
            wait_s = await session.run_sync(count_attempt, *keys)
        if wait_s > 0.0:
            log.warning("log-in held back wait_s=%d", wait_s)
            raise refuse_too_many(wait_s)

    def _answer(self, entered: Entered | None, told: str | None = None) -> web.Response:
        if entered is None:
            raise Refusal(401, "log_in_failed", told or "That did not match. Check and try again.")
        if entered.token is None:
            return answer_with(payloads.LoggedIn(state="code_needed", step=entered.step))
        response = answer_with(payloads.LoggedIn(state="signed_in"))
        self._door.give_cookie(response, entered.token)
        return response


def _folded(email: str) -> str:
    try:
        return normal_email(email)
    except AccountError:
        return email.strip().casefold()


def _password_hash(session: Session, email: str) -> str | None:
    account = find_account(session, email)
    return account.password_hash if account else None


def _after_password(
    session: Session, email: str, is_right: bool, stored: str | None, caller: Caller
) -> Entered | None:
    account = find_account(session, email)
    # Compared again: the password may have been changed while this one was looked at.
    if account is None or not is_right or account.password_hash != stored:
        _note_failure(session, account, "password")
        return None
    if is_on(account):
        return Entered(None, make_link(session, account.id, "password_code"))
    return _enter(session, account, "password", caller)


def _email_of_step(session: Session, step: str) -> str | None:
    found = find_step(session, step)
    return found[0].email if found else None


def _after_code(session: Session, asked: payloads.CodeIn, caller: Caller) -> Entered | None:
    found = find_step(session, asked.step)
    if found is None:
        return None
    account, kind = found
    if not is_on(account) or not take_code(session, account, asked.code):
        _note_failure(session, account, "code")
        return None
    if use_link(session, asked.step, kind) is None:
        return None
    return _enter(session, account, _BEFORE_CODE[kind], caller)


def _after_link(session: Session, token: str, caller: Caller) -> Entered | None:
    account = use_link(session, token, "link")
    if account is None:
        return None
    if is_on(account):
        return Entered(None, make_link(session, account.id, "link_code"))
    return _enter(session, account, "link", caller)


def _accept(
    session: Session, asked: payloads.AcceptIn, hashed: str, caller: Caller
) -> Entered | None:
    try:
        account = accept(session, asked.token, asked.name, asked.email)
    except (AccountError, AgentError) as error:
        raise Refusal(422, "invalid", str(error)) from error
    if account is None:
        return None
    account.password_hash = hashed
    entered = _enter(session, account, "invitation", caller)
    note(session, _actor(session, account), "staff.join", str(account.id), {"role": account.role})
    return entered


def _enter(session: Session, account: Account, began_with: BeganWith, caller: Caller) -> Entered:
    before = find_signed_in(session, caller.cookie) if caller.cookie else None
    if before is not None:
        revoke(session, before.account_id, before.session_id)
    opened = open_session(session, account.id, began_with, caller.visit)
    forget_attempts(session, account_key(account.email), caller.address)
    details = {"with": began_with, "code": is_on(account), "session": opened.session_id}
    note(session, _actor(session, account), "log-in", str(account.id), details)
    return Entered(opened.token)


def _note_failure(session: Session, account: Account | None, what: str) -> None:
    """Noted for an account there is; whoever guesses addresses shall not fill the log."""
    if account is not None:
        note(session, _actor(session, account), "log-in.failed", str(account.id), {"with": what})


def _actor(session: Session, account: Account) -> Actor:
    return Actor(account.agent_id, session.get_one(Agent, account.agent_id).name)


def _check_password(password: str, email: str, name: str) -> None:
    try:
        check_strength(password, email, name)
    except WeakPassword as error:
        raise Refusal(422, "weak_password", str(error)) from error


def _invitation(found: InvitationView) -> payloads.InvitationOut:
    return payloads.InvitationOut(
        name=found.name,
        email=found.email,
        role=found.role,
        expires_at=found.expires_at,
        is_first=not found.email,
    )


def _no_invitation() -> Refusal:
    return Refusal(
        401, "no_invitation", "This invitation was used before or is too old: ask for a new one."
    )
