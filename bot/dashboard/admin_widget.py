"""The widget's settings of a chat inbox, the snippet to paste, and the page that shows it live."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any
from uuid import UUID

from aiohttp import web
from pydantic import RootModel
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import admin_payloads as payloads
from bot.dashboard.connections import ConnectionRefused, Connections
from bot.dashboard.signed_in import signed_in
from bot.privacy.audit import Actor, note
from bot.tables import Inbox
from bot.web.addressed import uuid_of
from bot.web.bodies import answer_with, read_json
from bot.web.headers import PAGE_POLICY
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 256 * 1024  # an avatar comes along
# Only the desk's own page may show this one inside itself.
PREVIEW_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY.replace(
        "frame-ancestors 'none'", "frame-ancestors 'self'"
    )
    + "; media-src 'self' blob:",
    "X-Frame-Options": "SAMEORIGIN",
}


class WidgetIn(RootModel[dict[str, Any]]):
    """The settings as docs/widget.md describes them; the chat channel checks them."""


class AdminWidget:
    """The routes of the page Widget."""

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
        one = "/desk/api/admin/inboxes/{id}/widget"
        return [
            web.get(one, self.read),
            web.put(one, self.change),
            web.get("/desk/preview/{id}", self.preview),
        ]

    @access("supervisor")
    async def read(self, request: web.Request) -> web.Response:
        """The settings, and what to paste into the shop's pages."""
        inbox_id = uuid_of(request, "id")
        async with self._sessions() as session:
            inbox = await session.run_sync(_chat_inbox, inbox_id)
        return answer_with(self._told(inbox))

    @access("supervisor")
    async def change(self, request: web.Request) -> web.Response:
        """In force for whoever opens a page from now on."""
        asked = await read_json(request, WidgetIn, MAX_BODY_BYTES)
        inbox_id, actor = uuid_of(request, "id"), signed_in(request).actor
        async with self._sessions.begin() as session:
            inbox = await session.run_sync(self._change, actor, inbox_id, asked.root)
        return answer_with(self._told(inbox))

    @access("supervisor")
    async def preview(self, request: web.Request) -> web.Response:
        """An empty page with the widget on it, to be shown inside the settings' page."""
        inbox_id = uuid_of(request, "id")
        async with self._sessions() as session:
            inbox = await session.run_sync(_chat_inbox, inbox_id)
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Preview</title>'
            '<meta name="viewport" content="width=device-width"><body>'
            f'<script src="/chat/widget.js" data-inbox="{escape(inbox.name)}"></script>'
        )
        return web.Response(text=page, content_type="text/html", headers=PREVIEW_HEADERS)

    def _change(
        self, session: Session, actor: Actor, inbox_id: UUID, values: dict[str, Any]
    ) -> Inbox:
        inbox = _chat_inbox(session, inbox_id, lock=True)
        try:
            inbox.settings = self._connections.with_widget(inbox, values)
        except ConnectionRefused as error:
            raise Refusal(422, "invalid", str(error)) from error
        note(session, actor, "inbox.widget", str(inbox_id))
        return inbox

    def _told(self, inbox: Inbox) -> payloads.WidgetOut:
        address = escape(self._public_url)
        return payloads.WidgetOut(
            inbox=inbox.name,
            widget=self._connections.show_widget(inbox),
            snippet=f'<script src="{address}/chat/widget.js" data-inbox="{escape(inbox.name)}" '
            "async></script>",
        )


def _chat_inbox(session: Session, inbox_id: UUID, *, lock: bool = False) -> Inbox:
    inbox = session.get(Inbox, inbox_id, with_for_update=lock or None)
    if inbox is None or inbox.channel != "chat":
        raise _nothing()
    return inbox


def _nothing() -> Refusal:
    return Refusal(404, "not_found", "There is no such chat inbox.")
