"""Who of the staff a request comes from: the guard of staff routes writes it, handlers read it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from bot.privacy.audit import Actor
from bot.tables import ROLES, Role


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person of the staff in one signed-in browser."""

    agent_id: UUID
    name: str
    role: Role
    session_id: UUID
    account_id: UUID

    @property
    def actor(self) -> Actor:
        """The same person, as the audit log names them."""
        return Actor(self.agent_id, self.name)


AGENT = web.RequestKey("agent", SignedIn)


def signed_in(request: web.Request) -> SignedIn:
    """Who asks. Only routes with a staff rule know it."""
    return request[AGENT]


def who_asks(request: web.Request) -> SignedIn | None:
    """Who asks, where nobody may ask too."""
    return request.get(AGENT)


def ranks_at_least(role: Role, needed: Role) -> bool:
    """Agents stand below supervisors, supervisors below admins."""
    return ROLES.index(role) >= ROLES.index(needed)
