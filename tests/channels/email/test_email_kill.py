"""The channels process, killed with `kill -9` while SMTP has the mail and we have no answer."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.settings import Settings
from bot.simulation.smtp_sink import Failure
from bot.up import CHECKOUT
from tests.channels.email.desk import Desk, eventually

pytestmark = pytest.mark.kill
PATIENCE_S = 60.0
TO = "support@shop.example"


@contextmanager
def channels_process(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    environ = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "FRONTDESK_HOME": str(settings.home),
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "FRONTDESK_MASTER_KEY": settings.master_key or "",
    }
    command = [sys.executable, "-P", "-m", "bot", "channels"]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_a_kill_between_smtps_answer_and_the_mark_repeats_at_most_once_under_one_id(
    desk: Desk, settings: Settings
) -> None:
    ada = desk.world.customer("ada@example.org", "Ada")
    await desk.take(ada.write(TO, "How long?", subject="Tent"))
    desk.answer()
    desk.world.smtp.failures.append(Failure("data", trouble="keep-and-hang"))
    with channels_process(settings) as first:
        await eventually(lambda: len(ada.letters) == 1, PATIENCE_S)
        first.kill()
        first.wait()
    assert [state for state, _, _ in desk.deliveries()] == ["sending"]
    desk.make_due()  # its claim runs out by itself after two minutes
    with channels_process(settings) as second:
        await eventually(lambda: [state for state, _, _ in desk.deliveries()] == ["sent"], 60.0)
        await asyncio.sleep(2.0)  # for what might come a third time
        second.terminate()
        second.wait()
        assert second.returncode == 0
    assert len(ada.letters) == 2
    assert len({str(letter["Message-ID"]) for letter in ada.letters}) == 1
    assert ada.letters[0].as_bytes() == ada.letters[1].as_bytes()


async def test_a_kill_after_the_mark_repeats_nothing(desk: Desk, settings: Settings) -> None:
    ada = desk.world.customer("ada@example.org", "Ada")
    await desk.take(ada.write(TO, "How long?", subject="Tent"))
    desk.answer()
    with channels_process(settings) as first:
        await eventually(lambda: [state for state, _, _ in desk.deliveries()] == ["sent"], 60.0)
        first.kill()
        first.wait()
    desk.make_due()
    with channels_process(settings):
        await desk.take(ada.write(TO, "And the price?", subject="Another"))
        desk.answer("It costs 5 EUR.")
        await eventually(lambda: len(ada.letters) == 2, PATIENCE_S)
    assert len({str(letter["Message-ID"]) for letter in ada.letters}) == 2
