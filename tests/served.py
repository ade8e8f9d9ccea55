"""The application behind a test client."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

Client = TestClient[Any, Any]


def app_of(client: Client) -> web.Application:
    """The application that a client of `TestServer(app)` speaks to."""
    assert isinstance(client.server, TestServer)
    return client.server.app
