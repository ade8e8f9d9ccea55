"""Who else of the staff looks at a conversation: told by pub/sub and kept nowhere.

Each open stream says again and again that somebody is there; who says nothing for a while is
gone. Whoever comes asks the others to speak up at once.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from bot.dashboard.signed_in import SignedIn
from bot.events import Publisher, presence_topic

SAY_SECONDS = 10.0
GONE_SECONDS = 25.0
WRITING_SECONDS = 6.0


@dataclass(slots=True)
class Looker:
    """One colleague at the conversation."""

    name: str
    until: float
    doing: str = "looking"
    doing_until: float = 0.0


@dataclass(slots=True)
class Presence:
    """One stream's view of who else is there."""

    agent: SignedIn
    conversation_id: UUID
    publisher: Publisher
    others: dict[str, Looker] = field(default_factory=dict)
    said_at: float = 0.0

    async def come(self) -> None:
        """Say that I am here, and ask who else is."""
        await self._say({"asks": True})

    async def leave(self) -> None:
        """Say that I am gone."""
        await self._say({"gone": True})

    async def stay(self) -> None:
        """Say it again, when it is time."""
        if time.monotonic() - self.said_at >= SAY_SECONDS:
            await self._say({})

    async def hear(self, told: dict[str, Any]) -> bool:
        """Take in what somebody said; True when that changes who is there."""
        agent_id, current = str(told.get("agent")), time.monotonic()
        if agent_id == str(self.agent.agent_id):
            return False
        before = self.seen()
        if told.get("gone"):
            self.others.pop(agent_id, None)
        else:
            known = self.others.setdefault(agent_id, Looker(str(told.get("name")), 0.0))
            known.until = current + GONE_SECONDS
            if told.get("doing"):
                known.doing = str(told["doing"])
                known.doing_until = current + WRITING_SECONDS
        if told.get("asks"):
            await self._say({})
        return self.seen() != before

    def seen(self) -> list[dict[str, str]]:
        """Who is there now besides me."""
        current = time.monotonic()
        return [
            {
                "id": agent_id,
                "name": looker.name,
                "doing": looker.doing if looker.doing_until > current else "looking",
            }
            for agent_id, looker in sorted(self.others.items())
            if looker.until > current
        ]

    async def _say(self, more: dict[str, Any]) -> None:
        self.said_at = time.monotonic()
        await say(self.publisher, self.conversation_id, self.agent, more)


async def say(
    publisher: Publisher, conversation_id: UUID, agent: SignedIn, more: dict[str, Any]
) -> None:
    """Tell the conversation's other streams about an agent."""
    told = {"agent": str(agent.agent_id), "name": agent.name, **more}
    topic = presence_topic(conversation_id)
    await asyncio.to_thread(publisher.publish, topic, {"presence": told})
