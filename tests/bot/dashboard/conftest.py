"""A web process under test, and its own pages' origin."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from bot.app import build_web
from bot.settings import Settings
from tests.served import Client


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    """An HTTP client of a running web process; nobody is signed in."""
    async with TestClient(TestServer(build_web(settings))) as made:
        yield made


@pytest.fixture
def origin(client: Client) -> str:
    """What a browser sends as Origin from our own pages."""
    return str(client.make_url("/")).rstrip("/")
