"""A reply as the composer sends it: JSON, or a form where files come with it."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import BodyPartReader, web
from pydantic import ValidationError

from bot.dashboard import desk_payloads as payloads
from bot.messages import Attachment
from bot.web.bodies import read_json
from bot.web.refusals import Refusal

MAX_BODY_BYTES = 256 * 1024
MAX_FILES = 10
MAX_FILES_BYTES = 7 * 1024 * 1024
MAX_NAME_CHARS = 200
BINARY = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class AskedReply:
    """What somebody of the staff wants to say."""

    text: str
    client_id: str
    files: tuple[Attachment, ...] = ()


async def read_reply(request: web.Request) -> AskedReply:
    """The reply of a request. Raises a Refusal that says what is wrong with it."""
    if request.content_type != "multipart/form-data":
        asked = await read_json(request, payloads.ReplyIn, MAX_BODY_BYTES)
        return AskedReply(asked.text, asked.client_id)
    fields: dict[str, str] = {}
    files: list[Attachment] = []
    left = MAX_FILES_BYTES
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise Refusal(400, "bad_request", "A form within a form is nothing we know.")
        content = await _read(part, left)
        left -= len(content)
        if part.filename is None:
            fields[part.name or ""] = content.decode("utf-8", "replace")
        else:
            files.append(_file(part, content))
    if len(files) > MAX_FILES:
        raise Refusal(413, "too_large", f"A message takes {MAX_FILES} files at most.")
    return _checked(fields, files)


async def _read(part: BodyPartReader, most: int) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(65_536):
        content += chunk
        if len(content) > most:
            limit = MAX_FILES_BYTES // 1024**2
            raise Refusal(413, "too_large", f"The files of a message have {limit} MB at most.")
    return bytes(content)


def _file(part: BodyPartReader, content: bytes) -> Attachment:
    name = (part.filename or "file").replace("\\", "/").rpartition("/")[2]
    printable = "".join(letter for letter in name if letter.isprintable())[:MAX_NAME_CHARS]
    media_type = part.headers.get("Content-Type", BINARY).partition(";")[0].strip().lower()
    is_plain = media_type.isascii() and media_type.count("/") == 1 and len(media_type) < 100
    return Attachment(printable or "file", media_type if is_plain else BINARY, content)


def _checked(fields: dict[str, str], files: list[Attachment]) -> AskedReply:
    try:
        asked = payloads.ReplyIn(text=fields.get("text", ""), client_id=fields.get("client_id", ""))
    except ValidationError as error:
        raise Refusal(422, "invalid", "A reply needs some text beside its files.") from error
    return AskedReply(asked.text, asked.client_id, tuple(files))
