"""How a request is refused: always a status, a code for programs and a sentence for people."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler
from redis.exceptions import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

log = logging.getLogger(__name__)

CODES = {
    400: "bad_request",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    413: "too_large",
    415: "wrong_media_type",
    422: "invalid",
    429: "too_many_requests",
    431: "headers_too_large",
}


class Refusal(Exception):
    """The request is refused; `message` says what happened and what to do next."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def refuse_too_many(retry_after_s: float) -> Refusal:
    """429, with the seconds after which it is worth trying again."""
    seconds = max(1, int(retry_after_s + 0.999))
    return Refusal(
        429,
        "too_many_requests",
        f"Too many requests. Nothing was stored; try again in {seconds} s.",
        {"Retry-After": str(seconds)},
    )


def error_response(refusal: Refusal) -> web.Response:
    """The refusal as JSON: `{"error": {"code", "message"}}`."""
    body = {"error": {"code": refusal.code, "message": refusal.message}}
    return web.Response(
        status=refusal.status,
        text=json.dumps(body, ensure_ascii=False),
        content_type="application/json",
        headers=refusal.headers,
    )


@web.middleware
async def tell_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into a clear JSON answer; a bug is logged, not shown."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return error_response(refusal)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return error_response(_from_http(request, error))
    except (OperationalError, InterfaceError, PoolTimeout, RedisError) as error:
        log.warning("database away path=%s error=%s", request.path, type(error).__name__)
        return error_response(
            Refusal(
                503,
                "unavailable",
                "The database cannot be reached just now. This request was not stored; "
                "try again in a few seconds.",
                {"Retry-After": "2"},
            )
        )
    except Exception as error:  # the outermost place: the unforeseen is logged with its trace
        if isinstance(error, ConnectionError) and _has_hung_up(request):
            log.info("client hung up method=%s path=%s", request.method, request.path)
            return web.Response(status=400)  # nobody is there to read it
        log.exception("unforeseen error method=%s path=%s", request.method, request.path)
        return error_response(
            Refusal(500, "internal", "Something broke on our side. It was logged; try again.")
        )


def _has_hung_up(request: web.Request) -> bool:
    """Whether the client broke the line off, in the middle of an upload for instance."""
    return request.transport is None or request.transport.is_closing()


def _from_http(request: web.Request, error: web.HTTPException) -> Refusal:
    code = CODES.get(error.status, "error")
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    if error.status == 404:
        return Refusal(404, code, "There is nothing at this address.", headers)
    if error.status == 405:
        return Refusal(405, code, f"{request.method} is not possible here.", headers)
    return Refusal(error.status, code, error.reason, headers)
