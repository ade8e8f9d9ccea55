"""The web process of a scripted desk: `bot.app` as it is, with places to die and planted bugs.

`python -m tests.bench.scripted_web`; its settings come from the environment.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from bot import intake
from bot.app import run_web
from bot.conversations import Recorded, record_incoming
from bot.intake import Intake
from bot.messages import IncomingMessage
from bot.settings import Settings
from channels.chat import adapter
from channels.chat.reading import Position
from channels.chat.visitor import parse
from tests.faults.points import Points
from tests.faults.script import Script

LATE_S = 1.5


def mark_points(points: Points) -> None:
    """Reach the armed points in the middle of an acceptance."""
    receive = Intake.receive

    def record_with_point(session: Session, message: IncomingMessage) -> Recorded:
        recorded = record_incoming(session, message)
        points.reach("web.in_transaction")
        return recorded

    def ring_with_point(ring: Callable[..., None]) -> Callable[..., None]:
        def ring_after_point(self: Intake, *args: Any) -> None:
            points.reach("web.after_record")
            ring(self, *args)

        return ring_after_point

    async def receive_with_point(self: Intake, message: IncomingMessage) -> Recorded:
        recorded = await receive(self, message)
        points.reach("web.before_ack")
        return recorded

    _replace(intake, "record_incoming", record_with_point)
    _replace(Intake, "_ring", ring_with_point(Intake._ring))
    _replace(Intake, "receive", receive_with_point)


class AckBeforeCommit:
    """The planted bug: answer first, store a little later."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._receive = Intake.receive
        self._late: set[asyncio.Task[Recorded]] = set()

    async def receive(self, intake: Intake, message: IncomingMessage) -> Recorded:
        if not self._script.is_planted("ack_before_commit"):
            return await self._receive(intake, message)
        task = asyncio.create_task(self._store_later(intake, message))
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return Recorded(uuid4(), uuid4(), 0, is_new=True, answer_due=False)

    async def _store_later(self, intake: Intake, message: IncomingMessage) -> Recorded:
        await asyncio.sleep(LATE_S)
        return await self._receive(intake, message)


def mark_bugs(script: Script) -> None:
    """Let the bugs of the web process come out while they are planted."""
    early, read_position = AckBeforeCommit(script), Position.parse

    async def receive(self: Intake, message: IncomingMessage) -> Recorded:
        return await early.receive(self, message)

    def parse_as_new(*args: Any) -> IncomingMessage:
        message = parse(*args)
        if script.is_planted("no_dedup"):
            return replace(message, external_id=uuid4().hex, client_id=uuid4().hex)
        return message

    def forget_position(text: str) -> Position:
        return Position() if script.is_planted("no_position") else read_position(text)

    _replace(Intake, "receive", receive)
    _replace(adapter, "parse", parse_as_new)
    _replace(Position, "parse", forget_position)


def _replace(place: Any, name: str, function: Any) -> None:
    setattr(place, name, function)


def main() -> None:
    script = Script.from_environ(os.environ)
    mark_points(Points(script.folder / "points"))
    mark_bugs(script)
    run_web(Settings.from_env(os.environ))


if __name__ == "__main__":
    main()
