"""The channels process, killed with `kill -9` while Slack holds its post: nothing comes twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.settings import Settings
from bot.simulation.slack_workspace import TOKEN
from tests.channels.slack.desk import SECRET, SlackDesk

pytestmark = pytest.mark.kill
ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60.0


@contextmanager
def channels_process(settings: Settings, master_key: str) -> Iterator[subprocess.Popen[bytes]]:
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FRONTDESK_HOME": str(settings.home),
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "FRONTDESK_MASTER_KEY": master_key,
        "SLACK_BOT_TOKEN": TOKEN,
        "SLACK_SIGNING_SECRET": SECRET,
    }
    command = [sys.executable, "-P", "-m", "bot", "channels"]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_a_channels_process_that_is_killed_while_it_posts_doubles_nothing(
    desk: SlackDesk, settings: Settings, master_key: str
) -> None:
    await desk.direct("Where is my parcel?")
    desk.hand_off("A colleague will answer you.")
    desk.workspace.fail("chat.postMessage", "hang_after", times=2)
    with channels_process(settings, master_key) as first:
        await desk.workspace.wait_for(lambda: both_are_there(desk), PATIENCE_S)
        first.kill()
        first.wait()
    assert [state for _, state, _ in desk.deliveries()] == ["sending", "sending"]
    desk.make_due()  # its claims run out by themselves after two minutes
    with channels_process(settings, master_key) as second:
        await desk.workspace.wait_for(lambda: all_is_sent(desk), PATIENCE_S)
        desk.workspace.fail("chat.update", "server_error")
        await desk.events.write(
            "U0BEA", "C0STAFF", "Here I am.", thread_ts=desk.workspace.posts("C0STAFF")[0]["ts"]
        )
        await desk.workspace.wait_for(lambda: len(desk.workspace.posts("D0ADA")) == 2, PATIENCE_S)
        second.terminate()
        second.wait()
        assert second.returncode == 0
    assert desk.workspace.texts("D0ADA") == ["A colleague will answer you.", "Bea: Here I am."]
    assert len(desk.workspace.posts("C0STAFF")) == 1


def both_are_there(desk: SlackDesk) -> bool:
    return bool(desk.workspace.posts("D0ADA")) and bool(desk.workspace.posts("C0STAFF"))


def all_is_sent(desk: SlackDesk) -> bool:
    return {state for _, state, _ in desk.deliveries()} == {"sent"}
