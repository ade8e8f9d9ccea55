"""How a command finds the Frontdesk it works on: the environment's servers, or the running `up`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.home import HomeLock
from bot.running import Running, read_running
from bot.settings import Settings, SettingsError


class NothingRuns(Exception):
    """No Frontdesk runs that this command could talk to."""


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """Where the HTTP API answers, and the bearer token it takes."""

    url: str
    token: str


EVERYTHING = ("database_url", "redis_url", "master_key")
_VARIABLES = {
    "database_url": "DATABASE_URL",
    "redis_url": "REDIS_URL",
    "master_key": "FRONTDESK_MASTER_KEY",
}


def find_settings(environ: Mapping[str, str], needed: Sequence[str] = EVERYTHING) -> Settings:
    """The settings with the servers' URLs and the master key filled in.

    What the environment names comes first; if something `needed` is not there, all the rest is
    read from the `up` that runs in the same home. Raises NothingRuns, or SettingsError where the
    environment names one half and the other is nowhere.
    """
    settings = Settings.from_env(environ)
    if all(getattr(settings, name) for name in needed):
        return settings
    running = _find_running_for(settings, needed)
    return replace(
        settings,
        database_url=settings.database_url or read_secret(Path(running.database_url_file)),
        redis_url=settings.redis_url or read_secret(Path(running.redis_url_file)),
        master_key=settings.master_key or read_secret(Path(running.master_key_file)),
        master_key_file=settings.master_key_file
        or (None if settings.master_key else Path(running.master_key_file)),
        public_url=running.page_url or settings.public_url,
    )


def find_running(home: Path) -> Running:
    """The `up` that runs in a home. Raises NothingRuns."""
    running = read_running(home)
    if running is None or not HomeLock.is_held(home):
        raise NothingRuns(f"Nothing runs in {home}: start it with `./frontdesk up`.")
    return running


def _find_running_for(settings: Settings, needed: Sequence[str]) -> Running:
    try:
        return find_running(settings.home)
    except NothingRuns:
        missing = [name for name in needed if not getattr(settings, name)]
        if len(missing) == len(needed):
            raise
    names = " and ".join(f"{_VARIABLES[name]}_FILE" for name in missing)
    raise SettingsError(f"{names} must be set too, since nothing runs in {settings.home}.")


def find_api(environ: Mapping[str, str]) -> ApiAccess:
    """The API named by FRONTDESK_API_URL and FRONTDESK_API_TOKEN_FILE, or the running `up`'s."""
    url = environ.get("FRONTDESK_API_URL", "").strip()
    token_file = environ.get("FRONTDESK_API_TOKEN_FILE", "").strip()
    if url and token_file:
        return ApiAccess(url.rstrip("/"), read_secret(Path(token_file).expanduser()))
    if url or token_file:
        raise SettingsError("FRONTDESK_API_URL and FRONTDESK_API_TOKEN_FILE go together: set both.")
    running = find_running(Settings.from_env(environ).home)
    return ApiAccess(running.api_url.rstrip("/"), read_secret(Path(running.api_token_file)))


def read_secret(path: Path) -> str:
    """The text of a secret's file, without the line's end. Raises SettingsError."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
