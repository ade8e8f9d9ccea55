"""Private notes of the staff, with `@name` calling a colleague."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from aiohttp import web
from sqlalchemy.orm import Session

from bot import conversations
from bot.dashboard import desk_payloads as payloads
from bot.dashboard.changes import Changes
from bot.dashboard.signed_in import SignedIn
from bot.events import Advance
from bot.web.bodies import read_json
from bot.web.rules import access

MAX_BODY_BYTES = 256 * 1024


class Notes:
    """The endpoint."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [web.post("/desk/api/conversations/{number}/notes", self.write)]

    @access("staff")
    async def write(self, request: web.Request) -> web.Response:
        """A note that no customer ever sees."""
        asked = await read_json(request, payloads.NoteIn, MAX_BODY_BYTES)

        def change(session: Session, conversation_id: UUID, agent: SignedIn) -> Advance:
            advance, _ = conversations.write_note(
                session, conversation_id, agent.agent_id, asked.text, client_id=asked.client_id
            )
            return advance

        return await self._changes.apply(request, change)
