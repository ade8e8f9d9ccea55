"""Bodies: a request's read up to a limit, parsed once into a pydantic model; an answer's made."""

from __future__ import annotations

from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from bot.web.refusals import Refusal

M = TypeVar("M", bound=BaseModel)


async def read_json(request: web.Request, model: type[M], max_bytes: int) -> M:
    """The body as a model. Raises a Refusal that names what is wrong and where."""
    if request.content_type != "application/json":
        raise Refusal(415, "wrong_media_type", "Send JSON with Content-Type: application/json.")
    raw = await read_raw(request, max_bytes)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise _explain(error) from error


async def read_raw(request: web.Request, max_bytes: int) -> bytes:
    """The body's bytes, as they came. Raises a Refusal if there are more than `max_bytes`."""
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    raw = bytearray()
    async for chunk in request.content.iter_chunked(65_536):
        raw += chunk
        if len(raw) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(raw)


def answer_with(model: BaseModel, status: int = 200) -> web.Response:
    """A model as JSON."""
    return web.Response(
        text=model.model_dump_json(), status=status, content_type="application/json"
    )


def _too_large(max_bytes: int) -> Refusal:
    return Refusal(413, "too_large", f"The request is larger than {max_bytes // 1024} KiB.")


def _explain(error: ValidationError) -> Refusal:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    if problems[0]["type"] == "json_invalid":
        return Refusal(400, "invalid_json", "The body is not valid JSON.")
    told = "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg']}"
        for problem in problems[:5]
    )
    return Refusal(422, "invalid", told)
