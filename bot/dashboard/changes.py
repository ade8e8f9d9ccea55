"""A change of a conversation that somebody of the staff asks for: commit, then ring."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot import conversations
from bot.conversations import ConversationError
from bot.dashboard.rows import read_row
from bot.dashboard.signed_in import SignedIn, signed_in
from bot.events import Advance, Publisher
from bot.queue import Queue
from bot.web.addressed import find, number_of
from bot.web.bodies import answer_with
from bot.web.refusals import Refusal

Change = Callable[[Session, UUID, SignedIn], Advance]


class Changes:
    """Makes changes and tells all who watch; the same for every area of the desk."""

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], queue: Queue, publisher: Publisher
    ) -> None:
        self._sessions = sessions
        self._queue = queue
        self._publisher = publisher

    async def apply(self, request: web.Request, change: Change) -> web.Response:
        """Change the conversation of the address; the answer is its row as it stands then."""
        number, agent = number_of(request), signed_in(request)
        try:
            async with self._sessions.begin() as session:
                advance = await session.run_sync(
                    lambda sync: change(sync, find(sync, number), agent)
                )
        except ConversationError as error:
            raise Refusal(409, "conflict", str(error)) from error
        await self.ring([advance])
        async with self._sessions() as session:
            row = await session.run_sync(read_row, advance.conversation_id)
        assert row is not None, "it was changed a moment ago"
        return answer_with(row)

    async def ring(self, advances: Sequence[Advance]) -> None:
        """Tell browsers, and workers where an answer is due."""
        for advance in advances:
            await asyncio.to_thread(self._publisher.advanced, advance)
            if advance.answer_due:
                async with self._sessions() as session:
                    channel = await session.run_sync(
                        conversations.channel_of, advance.conversation_id
                    )
                if channel is not None:
                    await asyncio.to_thread(
                        self._queue.enqueue_answer, advance.conversation_id, channel
                    )
