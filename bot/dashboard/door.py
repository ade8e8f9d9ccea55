"""The guards of staff routes: a session in force, the right role, and writes from our own pages."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard.sessions import LIFETIME, csrf_token, find_signed_in
from bot.dashboard.signed_in import AGENT, SignedIn, ranks_at_least, signed_in
from bot.tables import Role
from bot.web.refusals import Refusal
from bot.web.rules import Guard, Rule

COOKIE = "frontdesk_session"
CSRF_HEADER = "X-Frontdesk-CSRF"
_READS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


class Door:
    """Knows who comes in by the cookie alone."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], public_url: str) -> None:
        self._sessions = sessions
        self._origin = origin_of(public_url)
        self._is_secure = public_url.startswith("https://")

    def guards(self) -> dict[Rule, Guard]:
        """A guard for each of the staff's rules."""
        return {
            "same_origin": self._from_our_page,
            "known_or_not": self._recognize,
            "staff": lambda request: self._let_in(request, "agent"),
            "supervisor": lambda request: self._let_in(request, "supervisor"),
            "admin": lambda request: self._let_in(request, "admin"),
        }

    def give_cookie(self, response: web.StreamResponse, token: str) -> None:
        """The browser is signed in from here on."""
        response.set_cookie(
            COOKIE,
            token,
            max_age=int(LIFETIME.total_seconds()),
            path="/desk",
            httponly=True,
            samesite="Strict",
            secure=self._is_secure,
        )

    def take_cookie(self, response: web.StreamResponse) -> None:
        """The browser is signed out."""
        response.del_cookie(
            COOKIE, path="/desk", httponly=True, samesite="Strict", secure=self._is_secure
        )

    async def _from_our_page(self, request: web.Request) -> None:
        self._check_origin(request)

    async def _recognize(self, request: web.Request) -> None:
        agent, _ = await self._look(request)
        if agent is not None:
            request[AGENT] = agent

    async def _let_in(self, request: web.Request, needed: Role) -> None:
        agent, csrf = await self._look(request)
        if agent is None:
            raise Refusal(401, "not_signed_in", "You are not signed in, or not any more.")
        request[AGENT] = agent
        if request.method not in _READS:
            self._check_origin(request)
            if not hmac.compare_digest(
                request.headers.get(CSRF_HEADER, "").encode(), csrf.encode()
            ):
                raise Refusal(403, "csrf", "This page is out of date: load it again.")
        if not ranks_at_least(signed_in(request).role, needed):
            raise Refusal(403, "role", f"Only {_plural(needed)} may do this.")

    async def _look(self, request: web.Request) -> tuple[SignedIn | None, str]:
        token = request.cookies.get(COOKIE, "")
        if not token or len(token) > 100:
            return None, ""
        async with self._sessions.begin() as session:
            return await session.run_sync(_find, token)

    def _check_origin(self, request: web.Request) -> None:
        """A browser names the page that asks; it must be one of ours."""
        origin = request.headers.get(hdrs.ORIGIN, "")
        if origin not in (self._origin, f"{request.scheme}://{request.host}"):
            raise Refusal(403, "csrf", "This request did not come from the dashboard's own page.")


def origin_of(url: str) -> str:
    """Scheme and host, as browsers write an origin."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _find(session: Session, token: str) -> tuple[SignedIn | None, str]:
    agent = find_signed_in(session, token)
    return agent, csrf_token(session, agent.session_id) if agent else ""


def _plural(role: Role) -> str:
    return {"agent": "the staff", "supervisor": "supervisors and admins", "admin": "admins"}[role]
