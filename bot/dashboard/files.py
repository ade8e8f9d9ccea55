"""Files and originals of messages: downloads that no browser opens as a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bot.dashboard import desk_payloads as payloads
from bot.originals import read_file, read_original
from bot.web.addressed import number_of, uuid_of
from bot.web.bodies import answer_with
from bot.web.refusals import Refusal
from bot.web.rules import access

ONE = "/desk/api/conversations/{number}/messages/{message}"


class Files:
    """The endpoints."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get(f"{ONE}/files/{{file}}", self.download),
            web.get(f"{ONE}/original", self.download_original),
            web.get(f"{ONE}/full-text", self.read_full_text),
        ]

    @access("staff")
    async def download(self, request: web.Request) -> web.Response:
        """The file, as a download whatever its type: it may hold a program."""
        number, message_id = number_of(request), uuid_of(request, "message")
        file_id = uuid_of(request, "file")
        async with self._sessions() as session:
            found = await session.run_sync(read_file, number, message_id, file_id)
        if found is None:
            raise Refusal(404, "not_found", "There is no such file.")
        return _download(found.content, found.name)

    @access("staff")
    async def download_original(self, request: web.Request) -> web.Response:
        """The message as it came, byte for byte."""
        number, message_id = number_of(request), uuid_of(request, "message")
        async with self._sessions() as session:
            found = await session.run_sync(read_original, number, message_id)
        if found is None:
            raise Refusal(404, "not_found", "This message has no original.")
        return _download(found.raw, "original.eml")

    @access("staff")
    async def read_full_text(self, request: web.Request) -> web.Response:
        """The whole text, with quotes and signature."""
        number, message_id = number_of(request), uuid_of(request, "message")
        async with self._sessions() as session:
            found = await session.run_sync(read_original, number, message_id)
        if found is None:
            raise Refusal(404, "not_found", "This message has no original.")
        return answer_with(payloads.Filled(text=found.full_text))


def _download(content: bytes, name: str) -> web.Response:
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:100]
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return web.Response(
        body=content,
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": disposition,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
