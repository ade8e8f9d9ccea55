"""Files that the web process serves: read once, compressed, with an ETag of their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from aiohttp import ETag, web


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file's bytes and the ETag that names them."""

    content: bytes
    etag: str


def serve_file(request: web.Request, path: Path, content_type: str) -> web.Response:
    """The file, or 304 when the browser has it already."""
    served = _load(path, path.stat().st_mtime_ns)
    known = request.if_none_match or ()
    if any(etag.value in (served.etag, "*") for etag in known):
        response = web.Response(status=304)
    else:
        response = web.Response(body=served.content, content_type=content_type, charset="utf-8")
        response.enable_compression()
    response.etag = ETag(served.etag, is_weak=True)
    response.headers["Cache-Control"] = "public, max-age=60"
    return response


@lru_cache(maxsize=64)
def _load(path: Path, _mtime_ns: int) -> ServedFile:
    content = path.read_bytes()
    return ServedFile(content, hashlib.sha256(content).hexdigest()[:20])
