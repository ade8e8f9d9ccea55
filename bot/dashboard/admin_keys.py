"""Administration of API keys: made and shown once, revoked by name."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.api_tokens import ensure_token, list_tokens, new_token, revoke_token
from bot.dashboard import admin_payloads as payloads
from bot.dashboard.signed_in import signed_in
from bot.privacy.audit import Actor, note
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 4 * 1024
# `up` puts its own key in force at each start; whoever wants it gone takes its file away.
OWN = "operator"


class AdminKeys:
    """The routes of the page API keys."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/desk/api/admin/keys", self.list),
            web.post("/desk/api/admin/keys", self.make),
            web.delete("/desk/api/admin/keys/{name}", self.revoke),
        ]

    @access("admin")
    async def list(self, _request: web.Request) -> web.Response:
        """Keys in force, by name."""
        async with self._sessions() as session:
            found = await session.run_sync(list_tokens)
        items = [
            payloads.KeyRow(name=row.name, created_at=row.created_at, is_own=row.name == OWN)
            for row in found
        ]
        return answer_with(payloads.KeysOut(items=items))

    @access("admin")
    async def make(self, request: web.Request) -> web.Response:
        """A new key; nobody can read it again."""
        asked = await read_json(request, payloads.KeyIn, MAX_BODY_BYTES)
        async with self._sessions.begin() as session:
            token = await session.run_sync(_make, signed_in(request).actor, asked.name)
        return answer_with(payloads.KeyMade(name=asked.name, token=token), 201)

    @access("admin")
    async def revoke(self, request: web.Request) -> web.Response:
        """Requests with this key are refused from now on."""
        name = request.match_info["name"]
        async with self._sessions.begin() as session:
            if not await session.run_sync(revoke_token, name):
                raise Refusal(404, "not_found", "There is no key of this name in force.")
            await session.run_sync(note, signed_in(request).actor, "key.revoke", name)
        return web.Response(status=204)


def _make(session: Session, actor: Actor, name: str) -> str:
    if any(row.name == name for row in list_tokens(session)) or name == OWN:
        raise Refusal(409, "name_taken", f"There is a key named {name} already.")
    token = new_token()
    ensure_token(session, name, token)
    note(session, actor, "key.make", name)
    return token
