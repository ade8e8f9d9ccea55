"""Files of the chat: a message with files comes in as a form; its visitor gets them back."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from aiohttp import BodyPartReader, web
from aiohttp.multipart import MultipartReader
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.file_types import judge_type, safe_name, warning_of
from bot.messages import Attachment
from bot.tables import Attachment as AttachmentRow
from bot.tables import Conversation, Message
from bot.web.refusals import Refusal
from channels.chat.payloads import NewMessage
from channels.chat.visitor import Visitor

MAX_FILES = 5
MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_ALL_BYTES = 20 * 1024 * 1024
MAX_FORM_FIELD_BYTES = 128 * 1024
# Each may hold MAX_ALL_BYTES in memory; whoever comes later waits for their turn.
UPLOADS_AT_ONCE = 4
UPLOAD_SECONDS = 600.0
# What a recorder writes for sound alone, in a container that may also hold pictures.
_SOUND_IN = {"audio/webm": ("video/webm", "video/x-matroska"), "audio/mp4": ("video/mp4",)}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as its visitor gets it back."""

    name: str
    media_type: str
    content: bytes


class Uploads:
    """Takes forms with files, a few at a time."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(UPLOADS_AT_ONCE)

    @asynccontextmanager
    async def take(
        self, request: web.Request
    ) -> AsyncIterator[tuple[NewMessage, tuple[Attachment, ...]]]:
        """The message and its files, in memory for as long as the block lasts. Raises Refusal."""
        if not request.content_type.startswith("multipart/form-data"):
            raise Refusal(415, "wrong_media_type", "Send the files as multipart/form-data.")
        if (request.content_length or 0) > MAX_ALL_BYTES + MAX_FORM_FIELD_BYTES * 2:
            raise _too_large(MAX_ALL_BYTES)
        async with self._slots, asyncio.timeout(UPLOAD_SECONDS):
            try:
                taken = await _read_form(await request.multipart())
            except ValueError as error:  # what aiohttp raises for a broken form
                raise Refusal(400, "invalid_form", "The form cannot be read.") from error
            yield taken


async def _read_form(form: MultipartReader) -> tuple[NewMessage, tuple[Attachment, ...]]:
    message: NewMessage | None = None
    files: list[Attachment] = []
    left = MAX_ALL_BYTES
    async for part in form:
        if not isinstance(part, BodyPartReader):
            raise Refusal(400, "invalid_form", "The form holds a form.")
        if part.name == "message":
            message = _parse_message(await _read_part(part, MAX_FORM_FIELD_BYTES))
        elif part.name == "file":
            if len(files) >= MAX_FILES:
                raise Refusal(413, "too_many", f"At most {MAX_FILES} files fit into one message.")
            file = _judge(part, await _read_part(part, min(MAX_FILE_BYTES, left)))
            left -= len(file.content)
            files.append(file)
    if message is None or not files:
        raise Refusal(422, "invalid", "The form needs a `message` and at least one `file`.")
    return message, tuple(files)


async def _read_part(part: BodyPartReader, max_bytes: int) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(65_536):
        content += chunk
        if len(content) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(content)


def _parse_message(raw: bytes) -> NewMessage:
    try:
        return NewMessage.model_validate_json(raw)
    except ValidationError as error:
        raise Refusal(422, "invalid", "The form's `message` cannot be read.") from error


def _judge(part: BodyPartReader, content: bytes) -> Attachment:
    declared = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()[:100]
    name = part.filename or ""
    judged = judge_type(content, declared, name)
    if judged in _SOUND_IN.get(declared, ()):
        judged = declared
    media_type = judged or "application/octet-stream"
    safe = safe_name(name, media_type)
    return Attachment(safe, media_type, content, warning_of(safe))


def read_file(session: Session, visitor: Visitor, attachment_id: UUID) -> StoredFile | None:
    """A file of the visitor's own thread; None for every other."""
    query = (
        select(AttachmentRow)
        .join(Message, Message.id == AttachmentRow.message_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(
            AttachmentRow.id == attachment_id,
            Message.private.is_(False),
            Message.state != "draft",
            Conversation.inbox_id == visitor.inbox_id,
            Conversation.thread_hash == visitor.thread_hash,
        )
    )
    row = session.scalars(query).one_or_none()
    if row is None:
        return None
    return StoredFile(row.name, row.media_type, base64.b64decode(row.content))


def _too_large(max_bytes: int) -> Refusal:
    return Refusal(
        413, "too_large", f"Files of at most {max_bytes // 1024**2} MiB fit; nothing was stored."
    )
