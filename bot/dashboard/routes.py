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
from bot.dashboard.admin_widget import AdminWidget
from bot.dashboard.articles import Articles
from bot.dashboard.bench import Bench
from bot.dashboard.changes import Changes
from bot.dashboard.connections import Connections
from bot.dashboard.contacts import Contacts
from bot.dashboard.conversation import Conversations
from bot.dashboard.copilot import Copilot
from bot.dashboard.copilot_runs import CopilotRuns
from bot.dashboard.door import Door
from bot.dashboard.drafts import Drafts
from bot.dashboard.files import Files
from bot.dashboard.gaps import Gaps
from bot.dashboard.imports import Imports
from bot.dashboard.inbox import InboxLists
from bot.dashboard.insights import Insights
from bot.dashboard.live import Live
from bot.dashboard.log_in import LogIn
from bot.dashboard.macros import Macros
from bot.dashboard.me import MyAccount
from bot.dashboard.notes import Notes
from bot.dashboard.pages import Pages
from bot.dashboard.passwords import Passwords
from bot.dashboard.search import Search
from bot.dashboard.tags import Tags
from bot.dashboard.why import Why
from bot.events import Hub, Publisher
from bot.queue import Queue
from bot.settings import TokenPrices
from bot.web.event_stream import Drain
from bot.web.rules import Guard, Rule


class Area(Protocol):
    """A module of the dashboard: some routes."""

    def routes(self) -> Sequence[web.AbstractRouteDef]: ...


class Dashboard:
    """The areas, and the guards of their routes."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        hub: Hub,
        queue: Queue,
        publisher: Publisher,
        drain: Drain,
        connections: Connections,
        *,
        public_url: str,
        token_prices: TokenPrices | None = None,
    ) -> None:
        door, passwords = Door(sessions, public_url), Passwords()
        changes = Changes(sessions, queue, publisher)
        live = Live(sessions, hub, publisher, drain)
        runs = CopilotRuns(sessions, hub, queue)
        self.feed = live.feed
        self.guards: Mapping[Rule, Guard] = door.guards()
        self._areas: Sequence[Area] = [
            LogIn(sessions, door, passwords),
            MyAccount(sessions, door, passwords),
            AdminStaff(sessions, connections, public_url),
            AdminInboxes(sessions, connections),
            AdminWidget(sessions, connections, public_url),
            AdminKeys(sessions),
            AdminAudit(sessions),
            AdminFailures(sessions, queue, publisher),
            InboxLists(sessions),
            Conversations(sessions, changes),
            Files(sessions),
            Notes(changes),
            Tags(sessions, changes),
            Macros(sessions),
            Search(sessions),
            Contacts(sessions, changes),
            Copilot(sessions, runs),
            Why(sessions),
            Articles(sessions, queue),
            Drafts(sessions),
            Imports(sessions, queue),
            Gaps(sessions, runs),
            Bench(sessions, runs),
            Insights(sessions, token_prices),
            live,
            Pages(),  # last: every address that is no API's
        ]

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [route for area in self._areas for route in area.routes()]
