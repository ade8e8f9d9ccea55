"""What moves in the inbox, read once for all open desks of this process.

Bells name conversations; those that rang within a moment are read together. A bell may get lost,
so now and then one query asks what moved since the last look.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import desk_payloads as payloads
from bot.dashboard.rows import read_rows, row_query
from bot.events import ANYTHING, CONVERSATION, Hub
from bot.tables import Conversation

log = logging.getLogger(__name__)

TOGETHER_SECONDS = 0.1
LOOK_SECONDS = 5.0
# Clocks of processes differ, and a transaction that began earlier may commit later.
OVERLAP = timedelta(seconds=30)
AT_ONCE = 200
REMEMBERED = 4 * AT_ONCE


class Feed:
    """Tells every open desk the rows of conversations that moved."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], hub: Hub) -> None:
        self._sessions = sessions
        self._hub = hub
        self._desks: set[asyncio.Queue[dict[str, Any]]] = set()
        self._told: dict[UUID, tuple[datetime, int]] = {}

    @contextlib.contextmanager
    def tell(self, desk: asyncio.Queue[dict[str, Any]]) -> Iterator[None]:
        """Put `{"rows": [...]}` into this queue while the block lasts."""
        self._desks.add(desk)
        try:
            yield
        finally:
            self._desks.discard(desk)

    async def run(self) -> None:
        """Hear and tell; a task of the web process."""
        async with self._hub.listen(ANYTHING) as bells:
            while True:
                try:
                    changed = await _changed(bells)
                    if self._desks:
                        await self._tell(changed)
                except SQLAlchemyError as error:
                    log.warning("the inbox's feed waits error=%s", type(error).__name__)
                    await asyncio.sleep(LOOK_SECONDS)

    async def _tell(self, changed: set[UUID] | None) -> None:
        async with self._sessions() as session:
            found = await session.run_sync(_read, changed)
        news = [(id_, seen, row) for id_, seen, row in found if self._told.get(id_) != seen]
        if not news:
            return
        for id_, seen, _ in news:
            self._told.pop(id_, None)
            self._told[id_] = seen
        while len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        payload = {"rows": [row.model_dump(mode="json") for _, _, row in news]}
        for desk in self._desks:
            with contextlib.suppress(asyncio.QueueFull):  # then it will look at everything again
                desk.put_nowait(payload)


async def _changed(bells: asyncio.Queue[dict[str, Any]]) -> set[UUID] | None:
    """Conversations that bells rang for; None: look at whatever moved of late."""
    try:
        # Not wait_for: in Python 3.11 it loses a cancellation that comes together with a bell,
        # as both do when the process ends.
        async with asyncio.timeout(LOOK_SECONDS):
            first = await bells.get()
    except TimeoutError:
        return None
    await asyncio.sleep(TOGETHER_SECONDS)
    rung = [first]
    while not bells.empty():
        rung.append(bells.get_nowait())
    if any(not payload for payload in rung):
        return None
    return {
        UUID(payload["topic"].removeprefix(CONVERSATION))
        for payload in rung
        if payload.get("topic", "").startswith(CONVERSATION) and "seq" in payload
    }


def _read(
    session: Session, changed: set[UUID] | None
) -> list[tuple[UUID, tuple[datetime, int], payloads.Row]]:
    where = (
        Conversation.updated_at > func.now() - OVERLAP
        if changed is None
        else Conversation.id.in_(changed)
    )
    moved = session.execute(
        select(Conversation.id, Conversation.number, Conversation.updated_at, Conversation.last_seq)
        .where(where)
        .order_by(Conversation.updated_at.desc())
        .limit(AT_ONCE)
    ).all()
    query = row_query().where(Conversation.id.in_([each.id for each in moved]))
    rows = {row.number: row for row in read_rows(session, query)} if moved else {}
    return [
        (each.id, (each.updated_at, each.last_seq), rows[each.number])
        for each in moved
        if each.number in rows
    ]
