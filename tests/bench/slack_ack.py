"""How fast Slack is acknowledged while the model hangs (promise 8: within 1 s, p99).

    python -m tests.bench.slack_ack [--messages 1000] [--at-once 8]

Signed events over real HTTP into a scripted desk (Postgres with fsync, Valkey, a Celery worker
whose model hangs for the whole run), from many people at once, all on this machine together with
the sender. Every message is its own conversation's first, the dearest kind to take.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import func, select

from bot.database import keyring_from, make_engine, make_sessions
from bot.simulation.slack_events import SlackEvents
from bot.simulation.slack_workspace import APP, BOT, BOT_USER, TEAM, SlackWorkspace
from bot.tables import Inbox, Message, new_id
from tests.faults.desk import Desk, make_home
from tests.faults.script import Script

SECRET = "bench-signing-secret"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=8)
    asked = parser.parse_args(arguments)
    with make_home() as home:
        (Path(home) / "hang").touch()
        (Path(home) / "signing-secret").write_text(SECRET)
        with Desk(Script(Path(home), sentence_s=0.0)) as desk:
            connect(desk)
            took = asyncio.run(send(desk.url, asked.messages, asked.at_once))
            stored = count(desk)
            (Path(home) / "hang").unlink()
    report(took, stored)


def connect(desk: Desk) -> None:
    """A Slack inbox of the simulated team."""
    slack = {"team_id": TEAM, "app_id": APP, "bot_user_id": BOT_USER, "bot_id": BOT}
    slack["signing_secret"] = f"file:{desk.home / 'signing-secret'}"
    engine = make_engine(desk.database_url)
    with make_sessions(engine, keyring_from(desk.master_key)).begin() as session:
        session.add(Inbox(id=new_id(), name="slack", channel="slack", settings={"slack": slack}))
    engine.dispose()


def count(desk: Desk) -> int:
    """The messages that were committed."""
    engine = make_engine(desk.database_url)
    with make_sessions(engine, keyring_from(desk.master_key))() as session:
        stored = session.scalar(select(func.count()).select_from(Message)) or 0
    engine.dispose()
    return stored


async def send(url: str, messages: int, at_once: int) -> list[float]:
    """Seconds from sending to the acknowledgement, of every message."""
    workspace = SlackWorkspace()
    events = SlackEvents(url, SECRET, workspace, retries_after_s=())
    await asyncio.sleep(11)  # the web process reads its Slack inboxes again every ten seconds
    numbers = iter(range(messages))
    took: list[float] = []

    async def keep_on() -> None:
        for number in numbers:
            user = f"U{number:06d}"
            channel = workspace.open_direct(user)
            _, answer = await events.write(user, channel, f"question {number}.1")
            assert answer.status == 200, answer
            took.append(answer.took_s)

    await asyncio.gather(*(keep_on() for _ in range(at_once)))
    return took


def report(took: list[float], stored: int) -> None:
    ordered = sorted(took)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    told = [
        f"{name} {1000 * ordered[int(share * len(took))]:.0f} ms" for name, share in shares.items()
    ]
    told.append(f"max {1000 * ordered[-1]:.0f} ms")
    print(f"{len(took)} acknowledged, {stored} stored, the model hung: {', '.join(told)}")


if __name__ == "__main__":
    main()
