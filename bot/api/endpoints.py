"""A route of the API with everything its documentation says, in one value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from bot.api_tokens import TokenHolder
from bot.web.bodies import answer_with as answer_with
from bot.web.refusals import Refusal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PREFIX = "/api/v1"
HOLDER = web.RequestKey("holder", TokenHolder)  # whose token it is; the guard writes it


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A parameter after the question mark."""

    name: str
    description: str
    kind: str = "string"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path."""

    method: str
    path: str
    handler: Handler
    summary: str
    answer: type[BaseModel] | None
    body: type[BaseModel] | None = None
    status: int = 200
    query: Sequence[QueryParameter] = ()
    streams: bool = False
    media_type: str | None = None
    is_public: bool = False

    @property
    def route(self) -> web.RouteDef:
        return web.RouteDef(self.method, PREFIX + self.path, self.handler, {})


CURSOR = QueryParameter("cursor", "`next_cursor` of the page before.")
LIMIT = QueryParameter("limit", "Items of a page, 1 to 200; 50 if not given.", "integer")


def read_limit(request: web.Request) -> int:
    """The page's size. Raises a 422 Refusal."""
    text = request.query.get("limit", "50")
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= 200):
        raise Refusal(422, "invalid", "limit: a whole number from 1 to 200.")
    return int(text)


def read_number_cursor(request: web.Request) -> int | None:
    """A cursor that is a number. Raises a 422 Refusal."""
    text = request.query.get("cursor")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise Refusal(422, "invalid", "cursor: not one that this API gave.")
    return int(text)
