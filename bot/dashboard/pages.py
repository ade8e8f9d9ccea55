"""The dashboard's built pages: one index for every address, assets that browsers keep for ever."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from aiohttp import ETag, web

from bot.web.headers import PAGE_POLICY
from bot.web.refusals import Refusal
from bot.web.rules import access

# The widget's settings show the widget in a frame, from our own address.
DESK_HEADERS = {"Content-Security-Policy": f"{PAGE_POLICY}; frame-src 'self'"}
DIST = Path(__file__).parent / "ui" / "dist"
# Their names carry a hash of their content (Vite), so that a name never means anything else.
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
COMPRESSED = frozenset({".html", ".js", ".css", ".svg", ".json"})


@dataclass(frozen=True, slots=True)
class Built:
    """One file of the build, as it is and compressed (RFC 1952)."""

    content: bytes
    compressed: bytes | None
    media_type: str
    etag: str


class Pages:
    """Serves the build of `ui/`; the page itself asks the API who is signed in."""

    def __init__(self, dist: Path = DIST) -> None:
        self._dist = dist

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """What stands under /desk and is no API. Mount these after the API's routes."""
        return [
            web.get("/desk/assets/{name}", self.asset),
            web.get("/desk/icon.svg", self.icon),
            web.get("/desk", self.index),
            web.get("/desk/{path:(?!api/).*}", self.index),
        ]

    @access("public")
    async def index(self, request: web.Request) -> web.StreamResponse:
        """The page of every address: its script reads which one it is."""
        return self._serve(request, self._dist / "index.html", ASK_AGAIN)

    @access("public")
    async def icon(self, request: web.Request) -> web.StreamResponse:
        """The tab's icon."""
        return self._serve(request, self._dist / "icon.svg", ASK_AGAIN)

    @access("public")
    async def asset(self, request: web.Request) -> web.StreamResponse:
        """A script or a style sheet; its name is good for one content."""
        name = request.match_info["name"]
        if name.startswith(".") or "/" in name or "\\" in name:
            raise _nothing()
        return self._serve(request, self._dist / "assets" / name, FOR_EVER)

    def _serve(self, request: web.Request, path: Path, caching: str) -> web.Response:
        built = self._read(path)
        known = request.if_none_match or ()
        if any(etag.value == built.etag for etag in known):
            response = web.Response(status=304)
        else:
            response = _whole(request, built)
        response.headers.update(DESK_HEADERS)
        response.headers["Cache-Control"] = caching
        response.headers["Vary"] = "Accept-Encoding"
        response.etag = ETag(built.etag, is_weak=True)
        return response

    def _read(self, path: Path) -> Built:
        try:
            return _load(path, path.stat().st_mtime_ns)
        except OSError as error:
            if path.name != "index.html":
                raise _nothing() from error
            raise Refusal(
                503,
                "not_built",
                "The dashboard's pages are not built yet: `./frontdesk` builds them, or "
                "`deploy/build-web bot/dashboard/ui` by hand.",
            ) from error


def _whole(request: web.Request, built: Built) -> web.Response:
    takes_gzip = "gzip" in request.headers.get("Accept-Encoding", "")
    is_packed = built.compressed is not None and takes_gzip
    response = web.Response(
        body=built.compressed if is_packed else built.content, content_type=built.media_type
    )
    if built.media_type.startswith("text/"):
        response.charset = "utf-8"
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    return response


@lru_cache(maxsize=256)
def _load(path: Path, _mtime_ns: int) -> Built:
    content = path.read_bytes()
    packed = gzip.compress(content, 9, mtime=0) if path.suffix in COMPRESSED else None
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Built(content, packed, media_type, hashlib.sha256(content).hexdigest()[:20])


def _nothing() -> Refusal:
    return Refusal(404, "not_found", "There is nothing at this address.")
