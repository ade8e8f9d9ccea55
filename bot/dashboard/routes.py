"""The dashboard's parts, put together: its API and its pages."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from bot.dashboard.pages import Pages


class Dashboard:
    """Everything under /desk."""

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [*Pages().routes()]
