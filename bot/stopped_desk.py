"""The database for commands that also work while nothing runs: the embedded one is started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bot.instance import NothingRuns, find_settings, read_secret
from bot.local import LocalServers
from bot.settings import Settings


@contextmanager
def database_of(environ: Mapping[str, str]) -> Iterator[Settings]:
    """Settings whose database answers: the environment's, the running `up`'s, or the home's own.

    Raises NothingRuns where the home holds no desk.
    """
    try:
        settings = find_settings(environ, ("database_url", "master_key"))
    except NothingRuns:
        settings = Settings.from_env(environ)
        if settings.database_url or not (settings.home / "postgres").exists():
            raise
        with LocalServers(settings.home) as servers:
            yield with_home_keys(replace(settings, database_url=servers.database_url))
    else:
        yield settings


@contextmanager
def empty_database_of(environ: Mapping[str, str]) -> Iterator[Settings]:
    """Settings for a restore: DATABASE_URL's database, or that of a home in which nothing runs.

    Raises LocalError while something runs there.
    """
    settings = Settings.from_env(environ)
    if settings.database_url:
        yield settings
        return
    with LocalServers(settings.home) as servers:
        yield replace(settings, database_url=servers.database_url)


def with_home_keys(settings: Settings) -> Settings:
    """The same settings with the master key of the home, where they name none."""
    if settings.master_key:
        return settings
    file = home_master_key(settings.home)
    return replace(settings, master_key=read_secret(file), master_key_file=file)


def home_master_key(home: Path) -> Path:
    """Where `up` keeps the master key."""
    return home / "keys" / "master-key"
