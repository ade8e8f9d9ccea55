"""The built pages over real HTTP: caching, compression, a strict policy, and nothing else."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.dashboard.pages import Pages
from bot.web.headers import add_headers
from bot.web.refusals import tell_refusals
from tests.served import Client

SCRIPT = "console.log('a page of the desk');" * 20


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Desk</title>")
    (tmp_path / "assets" / "index-1a2b.js").write_text(SCRIPT)
    (tmp_path / "secret.txt").write_text("not part of the build")
    return tmp_path


@pytest.fixture
async def pages(dist: Path) -> AsyncIterator[Client]:
    app = web.Application(middlewares=[tell_refusals])
    app.on_response_prepare.append(add_headers)
    app.add_routes(Pages(dist).routes())
    async with TestClient(TestServer(app), auto_decompress=False) as client:
        yield client


async def test_every_address_of_the_desk_is_the_one_page(pages: Client) -> None:
    for path in ("/desk", "/desk/", "/desk/inbox/mine/12", "/desk/log-in?to=/inbox"):
        async with pages.get(path) as response:
            assert (response.status, response.content_type) == (200, "text/html")
            assert response.headers["Cache-Control"] == "no-cache"
            policy = response.headers["Content-Security-Policy"]
            assert "unsafe" not in policy
            assert "script-src 'self'" in policy


async def test_hashed_assets_are_kept_for_ever_and_travel_compressed(pages: Client) -> None:
    async with pages.get(
        "/desk/assets/index-1a2b.js", headers={"Accept-Encoding": "gzip"}
    ) as response:
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert gzip.decompress(await response.read()).decode() == SCRIPT
        etag = response.headers["ETag"]
    async with pages.get("/desk/assets/index-1a2b.js", headers={"If-None-Match": etag}) as again:
        assert again.status == 304
    async with pages.get(
        "/desk/assets/index-1a2b.js", headers={"Accept-Encoding": "identity"}
    ) as plain:
        assert await plain.text() == SCRIPT


@pytest.mark.parametrize("name", ["..%2Fsecret.txt", "%2e%2e%2fsecret.txt", ".hidden", "gone.js"])
async def test_nothing_outside_the_build_is_served(pages: Client, name: str) -> None:
    async with pages.get(f"/desk/assets/{name}") as response:
        assert response.status == 404


async def test_an_unknown_api_address_is_no_page(pages: Client) -> None:
    async with pages.get("/desk/api/nothing") as response:
        assert (response.status, response.content_type) == (404, "application/json")


async def test_a_missing_build_says_how_to_make_it(tmp_path: Path) -> None:
    app = web.Application(middlewares=[tell_refusals])
    app.add_routes(Pages(tmp_path).routes())
    async with TestClient(TestServer(app)) as client, client.get("/desk/") as response:
        assert response.status == 503
        assert "build" in (await response.json())["error"]["message"]
