"""Who may call a route: every handler declares its rule, and one without a rule is closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, TypeVar

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from bot.web.refusals import Refusal

Rule = Literal[
    "public",
    "visitor",
    "token",
    "slack",
    "same_origin",  # whoever asks from the dashboard's own page: the log-in
    "known_or_not",  # whoever asks, known by the cookie where there is one: who am I?
    "staff",
    "supervisor",
    "admin",
]
Guard = Callable[[web.Request], Awaitable[None]]
H = TypeVar("H", bound=Callable[..., object])

_ATTRIBUTE = "frontdesk_rule"


def access(rule: Rule) -> Callable[[H], H]:
    """Declare beside a handler who may call it."""

    def declare(handler: H) -> H:
        setattr(handler, _ATTRIBUTE, rule)
        return handler

    return declare


def rule_of(handler: object) -> Rule | None:
    """The declared rule of a handler, or None."""
    found: Rule | None = getattr(handler, _ATTRIBUTE, None)
    return found


def enforce(guards: Mapping[Rule, Guard]) -> Middleware:
    """Ask the guard of the route's rule before its handler runs."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.http_exception is None:  # else no route was found: 404, 405
            rule = rule_of(request.match_info.handler)
            if rule is None:
                raise Refusal(403, "closed", "This route declares no rule, so it is closed.")
            if rule != "public":
                await guards[rule](request)
        return await handler(request)

    return middleware


def bearer_token(request: web.Request) -> str:
    """The token of the Authorization header. Raises a 401 Refusal if there is none."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip() or len(token) > 200:
        raise unauthorized("This request needs a token: Authorization: Bearer ...")
    return token.strip()


def unauthorized(message: str) -> Refusal:
    """401, as RFC 9110 section 11.6.1 wants it."""
    return Refusal(401, "not_signed_in", message, {hdrs.WWW_AUTHENTICATE: "Bearer"})
