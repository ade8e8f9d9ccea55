"""Originals and files over the API: downloads that no browser opens as a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote
from uuid import UUID

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bot.api import models
from bot.api.endpoints import Endpoint, answer_with
from bot.originals import FileView, OriginalView, read_file, read_original
from bot.web.addressed import number_of, uuid_of
from bot.web.refusals import Refusal
from bot.web.rules import access

BINARY = "application/octet-stream"


class Originals:
    """The endpoints."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    def endpoints(self) -> Sequence[Endpoint]:
        one = "/conversations/{number}/messages/{message}"
        return [
            Endpoint(
                "GET",
                f"{one}/full-text",
                self.read_full_text,
                "Read the whole text of a message, with quotes and signature.",
                models.Original,
            ),
            Endpoint(
                "GET",
                f"{one}/original",
                self.download_original,
                "Download a message as it came, byte for byte.",
                None,
                media_type=BINARY,
            ),
            Endpoint(
                "GET",
                f"{one}/attachments/{{attachment}}",
                self.download_file,
                "Download a file of a message.",
                None,
                media_type=BINARY,
            ),
        ]

    @access("token")
    async def read_full_text(self, request: web.Request) -> web.Response:
        """The text, the size and the headers that a reply goes by."""
        found = await self._original(request)
        return answer_with(
            models.Original(
                media_type=found.media_type,
                size_bytes=len(found.raw),
                full_text=found.full_text,
                headers=found.headers,
            )
        )

    @access("token")
    async def download_original(self, request: web.Request) -> web.Response:
        """The raw bytes."""
        return _download((await self._original(request)).raw, "original.eml")

    @access("token")
    async def download_file(self, request: web.Request) -> web.Response:
        """The file, as a download whatever its type: it may hold a program."""
        file = await self._file(request)
        return _download(file.content, file.name)

    async def _original(self, request: web.Request) -> OriginalView:
        number, message_id = _place(request)
        async with self._sessions() as session:
            found = await session.run_sync(read_original, number, message_id)
        if found is None:
            raise _nothing()
        return found

    async def _file(self, request: web.Request) -> FileView:
        number, message_id = _place(request)
        attachment_id = uuid_of(request, "attachment")
        async with self._sessions() as session:
            found = await session.run_sync(read_file, number, message_id, attachment_id)
        if found is None:
            raise _nothing()
        return found


def _download(content: bytes, name: str) -> web.Response:
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:100]
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return web.Response(
        body=content,
        content_type=BINARY,
        headers={
            "Content-Disposition": disposition,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _place(request: web.Request) -> tuple[int, UUID]:
    return number_of(request), uuid_of(request, "message")


def _nothing() -> Refusal:
    return Refusal(404, "not_found", "There is no such message or file.")
