"""The two spellings of one Redis address: Celery's for a unix socket is not redis-py's."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, unquote, urlsplit

_CELERY_SCHEME = "redis+socket"
_REDIS_PY_SCHEME = "unix"


def celery_url(url: str) -> str:
    """Return the address as Celery and kombu read it; anything but a unix socket is unchanged."""
    parts = urlsplit(url)
    if parts.scheme != _REDIS_PY_SCHEME:
        return url
    return unix_socket_url(unquote(parts.path), _database(parts.query, "db"))


def redis_py_url(url: str) -> str:
    """Return the address as redis-py reads it; anything but a unix socket is unchanged."""
    parts = urlsplit(url)
    if parts.scheme != _CELERY_SCHEME:
        return url
    return f"unix://{parts.path}?db={_database(parts.query, 'virtual_host')}"


def unix_socket_url(path: str, database: int = 0) -> str:
    """Return Frontdesk's own form, which is Celery's, for the server at a socket."""
    return f"{_CELERY_SCHEME}://{quote(path)}?virtual_host={database}"


def _database(query: str, name: str) -> int:
    return int(parse_qs(query).get(name, ["0"])[0].lstrip("/") or 0)
