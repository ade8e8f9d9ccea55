"""Everything under /desk: the staff's web application, composed of its areas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bot.dashboard.admin_audit import AdminAudit
from bot.dashboard.admin_failures import AdminFailures
from bot.dashboard.admin_inboxes import AdminInboxes
from bot.dashboard.admin_keys import AdminKeys
from bot.dashboard.admin_staff import AdminStaff
from bot.dashboard.connections import Connections
from bot.dashboard.door import Door
from bot.dashboard.log_in import LogIn
from bot.dashboard.me import MyAccount
from bot.dashboard.pages import Pages
from bot.dashboard.passwords import Passwords
from bot.events import Publisher
from bot.queue import Queue
from bot.web.rules import Guard, Rule


class Area(Protocol):
    """A module of the dashboard: some routes."""

    def routes(self) -> Sequence[web.AbstractRouteDef]: ...


class Dashboard:
    """The areas, and the guards of their routes."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        queue: Queue,
        publisher: Publisher,
        connections: Connections,
        *,
        public_url: str,
    ) -> None:
        door, passwords = Door(sessions, public_url), Passwords()
        self.guards: Mapping[Rule, Guard] = door.guards()
        self._areas: Sequence[Area] = [
            LogIn(sessions, door, passwords),
            MyAccount(sessions, door, passwords),
            AdminStaff(sessions, public_url),
            AdminInboxes(sessions, connections),
            AdminKeys(sessions),
            AdminAudit(sessions),
            AdminFailures(sessions, queue, publisher),
            Pages(),  # last: every address that is no API's
        ]

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [route for area in self._areas for route in area.routes()]
