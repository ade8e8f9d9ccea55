"""`/healthz`: the process lives. `/readyz`: it can do its work, and if not, what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web

from bot.web.rules import access

Check = Callable[[], Awaitable[None]]
CHECK_SECONDS = 3.0


class NotReady(Exception):
    """A part is not ready; the message says why, without secrets."""


class Health:
    """Answers for the process; `checks` raise what is wrong."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [web.get("/healthz", self.live), web.get("/readyz", self.ready)]

    @access("public")
    async def live(self, _request: web.Request) -> web.Response:
        """200 as long as the event loop turns."""
        return web.json_response({"status": "ok"})

    @access("public")
    async def ready(self, _request: web.Request) -> web.Response:
        """200 if every part is ready, else 503 with the state of each part."""
        names = list(self._checks)
        found = await asyncio.gather(*(_state(self._checks[name]) for name in names))
        parts = dict(zip(names, found, strict=True))
        is_ready = all(state == "ok" for state in parts.values())
        body = {"status": "ok" if is_ready else "not ready", "parts": parts}
        return web.json_response(body, status=200 if is_ready else 503)


async def _state(check: Check) -> str:
    try:
        await asyncio.wait_for(check(), CHECK_SECONDS)
    except NotReady as error:
        return str(error)
    except TimeoutError:
        return f"no answer in {CHECK_SECONDS:.0f} s"
    except Exception as error:  # whatever it is, this part is not ready
        return type(error).__name__
    return "ok"
