"""One's own account: who am I, password, second factor, where I am signed in."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import payloads, second_factor
from bot.dashboard.attempts import account_key, count_attempt, give_back
from bot.dashboard.door import Door
from bot.dashboard.links import end_links
from bot.dashboard.passwords import Passwords, WeakPassword, check_strength
from bot.dashboard.sessions import (
    SessionView,
    csrf_token,
    is_fresh,
    list_sessions,
    revoke,
    revoke_all,
    rotate,
    rotate_if_old,
)
from bot.dashboard.signed_in import SignedIn, signed_in, who_asks
from bot.privacy.audit import note
from bot.tables import Account
from bot.web.addressed import uuid_of
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal, refuse_too_many
from bot.web.rules import access

MAX_BODY_BYTES = 8 * 1024


class MyAccount:
    """The routes of one's own account."""

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], door: Door, passwords: Passwords
    ) -> None:
        self._sessions = sessions
        self._door = door
        self._passwords = passwords

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/desk/api/me", self.tell),
            web.put("/desk/api/me/password", self.set_password),
            web.post("/desk/api/me/totp", self.begin_totp),
            web.post("/desk/api/me/totp/confirm", self.confirm_totp),
            web.post("/desk/api/me/totp/off", self.end_totp),
            web.post("/desk/api/me/recovery-codes", self.renew_recovery_codes),
            web.get("/desk/api/me/sessions", self.list_sessions),
            web.delete("/desk/api/me/sessions", self.revoke_others),
            web.delete("/desk/api/me/sessions/{session}", self.revoke_one),
        ]

    @access("known_or_not")
    async def tell(self, request: web.Request) -> web.Response:
        """Who is signed in, and what writes must carry; now and then with a new cookie.

        `null` for nobody: the log-in page asks too, and browsers log a 401 as an error.
        """
        agent = who_asks(request)
        if agent is None:
            return web.json_response(None)
        async with self._sessions.begin() as session:
            token = await session.run_sync(rotate_if_old, agent.session_id)
            me = await session.run_sync(_tell, agent)
        response = answer_with(me)
        if token is not None:
            self._door.give_cookie(response, token)
        return response

    @access("staff")
    async def set_password(self, request: web.Request) -> web.Response:
        """All other sessions and links end with the old password."""
        agent = signed_in(request)
        asked = await read_json(request, payloads.NewPasswordIn, MAX_BODY_BYTES)
        await self._prove(agent, asked.current)
        async with self._sessions() as session:
            email = (await session.run_sync(_account, agent)).email
        try:
            check_strength(asked.password, email, agent.name)
        except WeakPassword as error:
            raise Refusal(422, "weak_password", str(error)) from error
        hashed = await self._passwords.hash(asked.password)
        async with self._sessions.begin() as session:
            token = await session.run_sync(_set_password, agent, hashed)
        return self._answer_with_cookie(token)

    @access("staff")
    async def begin_totp(self, request: web.Request) -> web.Response:
        """A new secret to scan; nothing changes until a code of it comes back."""
        agent = signed_in(request)
        asked = await read_json(request, payloads.ProofIn, MAX_BODY_BYTES)
        await self._prove(agent, asked.current)
        async with self._sessions.begin() as session:
            return answer_with(await session.run_sync(_begin_totp, agent))

    @access("staff")
    async def confirm_totp(self, request: web.Request) -> web.Response:
        """Codes are asked for from now on; the answer holds the recovery codes, this once."""
        agent = signed_in(request)
        asked = await read_json(request, payloads.ConfirmIn, MAX_BODY_BYTES)
        await self._count(agent)
        async with self._sessions.begin() as session:
            codes, token = await session.run_sync(_turn_on, agent, asked.code)
        response = answer_with(payloads.RecoveryCodes(codes=codes))
        self._door.give_cookie(response, token)
        return response

    @access("staff")
    async def end_totp(self, request: web.Request) -> web.Response:
        """The second factor is off."""
        agent = signed_in(request)
        asked = await read_json(request, payloads.ConfirmIn, MAX_BODY_BYTES)
        await self._count(agent)
        async with self._sessions.begin() as session:
            token = await session.run_sync(_turn_off, agent, asked.code)
        return self._answer_with_cookie(token)

    @access("staff")
    async def renew_recovery_codes(self, request: web.Request) -> web.Response:
        """Ten new ones, seen this once."""
        agent = signed_in(request)
        asked = await read_json(request, payloads.ConfirmIn, MAX_BODY_BYTES)
        await self._count(agent)
        async with self._sessions.begin() as session:
            codes = await session.run_sync(_renew_codes, agent, asked.code)
        return answer_with(payloads.RecoveryCodes(codes=codes))

    @access("staff")
    async def list_sessions(self, request: web.Request) -> web.Response:
        """Where they are signed in."""
        agent = signed_in(request)
        async with self._sessions() as session:
            views = await session.run_sync(list_sessions, agent.account_id)
        items = [session_out(view, agent.session_id) for view in views]
        return answer_with(payloads.SessionsOut(items=items))

    @access("staff")
    async def revoke_others(self, request: web.Request) -> web.Response:
        """All but this one."""
        agent = signed_in(request)
        async with self._sessions.begin() as session:
            await session.run_sync(revoke_all, agent.account_id, agent.session_id)
            await session.run_sync(note, agent.actor, "session.revoke-others")
        return web.Response(status=204)

    @access("staff")
    async def revoke_one(self, request: web.Request) -> web.Response:
        """One of their own; nobody else's can be named here."""
        agent = signed_in(request)
        wanted = uuid_of(request, "session")
        async with self._sessions.begin() as session:
            if not await session.run_sync(revoke, agent.account_id, wanted):
                raise _no_session()
            await session.run_sync(note, agent.actor, "session.revoke", str(wanted))
        return web.Response(status=204)

    async def _prove(self, agent: SignedIn, current: str) -> None:
        """A session left open on a desk must not be enough to take an account over."""
        async with self._sessions() as session:
            fresh = await session.run_sync(is_fresh, agent.session_id)
            stored = (await session.run_sync(_account, agent)).password_hash
        if fresh:
            return
        if not current or stored is None:
            raise Refusal(403, "prove", _PROVE if stored else _LOG_IN_ANEW)
        await self._count(agent)
        if not await self._passwords.is_right(stored, current):
            raise Refusal(422, "wrong_password", "That is not your present password.")
        async with self._sessions.begin() as session:
            account = await session.run_sync(_account, agent)
            await session.run_sync(give_back, account_key(account.email))

    async def _count(self, agent: SignedIn) -> None:
        async with self._sessions.begin() as session:
            wait_s = await session.run_sync(_count, agent)
        if wait_s > 0.0:
            raise refuse_too_many(wait_s)

    def _answer_with_cookie(self, token: str) -> web.Response:
        response = web.Response(status=204)
        self._door.give_cookie(response, token)
        return response


_PROVE = "Type your present password, to show that it is you."
_LOG_IN_ANEW = "Your log-in is a while ago: sign out, log in by a new link and try again."


def session_out(view: SessionView, this: UUID | None) -> payloads.SessionOut:
    """A session for the list."""
    return payloads.SessionOut(
        id=str(view.id),
        browser=view.browser,
        address=view.address,
        began_with=view.began_with,
        created_at=view.created_at,
        seen_at=view.seen_at,
        is_this=view.id == this,
    )


def _account(session: Session, agent: SignedIn) -> Account:
    account = session.get_one(Account, agent.account_id)
    _ = account.email  # opened here, where the database may be asked for its key
    return account


def _tell(session: Session, agent: SignedIn) -> payloads.Me:
    account = _account(session, agent)
    return payloads.Me(
        agent_id=str(agent.agent_id),
        name=agent.name,
        email=account.email,
        role=agent.role,
        csrf=csrf_token(session, agent.session_id),
        has_password=account.password_hash is not None,
        has_totp=second_factor.is_on(account),
        recovery_codes_left=second_factor.recovery_codes_left(session, account),
    )


def _count(session: Session, agent: SignedIn) -> float:
    return count_attempt(session, account_key(_account(session, agent).email))


def _set_password(session: Session, agent: SignedIn, hashed: str) -> str:
    _account(session, agent).password_hash = hashed
    return _secure_anew(session, agent, "account.password")


def _begin_totp(session: Session, agent: SignedIn) -> payloads.TotpSetup:
    account = _account(session, agent)
    if second_factor.is_on(account):
        raise Refusal(409, "totp_on", "Codes are on already: turn them off first.")
    secret = second_factor.begin(account)
    session.flush()
    uri = second_factor.provisioning_uri(account)
    size, path = second_factor.draw_qr_code(uri)
    return payloads.TotpSetup(secret=secret, uri=uri, qr_size=size, qr_path=path)


def _turn_on(session: Session, agent: SignedIn, code: str) -> tuple[list[str], str]:
    account = _account(session, agent)
    codes = None if second_factor.is_on(account) else second_factor.turn_on(session, account, code)
    if codes is None:
        raise _wrong_code()
    give_back(session, account_key(account.email))
    return codes, _secure_anew(session, agent, "account.totp-on")


def _turn_off(session: Session, agent: SignedIn, code: str) -> str:
    account = _account(session, agent)
    _take_code(session, account, code)
    second_factor.turn_off(session, account)
    return _secure_anew(session, agent, "account.totp-off")


def _renew_codes(session: Session, agent: SignedIn, code: str) -> list[str]:
    account = _account(session, agent)
    _take_code(session, account, code)
    codes = second_factor.new_recovery_codes(session, account)
    note(session, agent.actor, "account.recovery-codes", str(agent.account_id))
    return codes


def _take_code(session: Session, account: Account, code: str) -> None:
    if not second_factor.is_on(account) or not second_factor.take_code(session, account, code):
        raise _wrong_code()
    give_back(session, account_key(account.email))


def _secure_anew(session: Session, agent: SignedIn, action: str) -> str:
    """Whoever came in by the old means is out; this browser goes on with a new token."""
    revoke_all(session, agent.account_id, agent.session_id)
    end_links(session, agent.account_id)
    token = rotate(session, agent.session_id)
    note(session, agent.actor, action, str(agent.account_id))
    return token


def _no_session() -> Refusal:
    return Refusal(404, "not_found", "There is no such session.")


def _wrong_code() -> Refusal:
    return Refusal(422, "wrong_code", "That code is not right; take the one that is shown now.")
