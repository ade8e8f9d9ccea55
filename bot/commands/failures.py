"""What an operator reads when a command fails: what happened and what to do, in one line."""

from __future__ import annotations

from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError, OperationalError

from bot.settings import SettingsError

_OUR_PACKAGES = frozenset({"bot", "channels", "workers"})


class UsageError(Exception):
    """A command was called in a way that cannot work; the message says how it can."""


def is_usage(error: Exception) -> bool:
    """True when another command line or setting would have worked."""
    return isinstance(error, SettingsError | UsageError)


def explain(error: Exception) -> str:
    """One line about an error."""
    if _is_ours(error):
        return _one_line(str(error))
    if isinstance(error, OperationalError):
        return f"Postgres does not answer ({_one_line(str(error.orig))}): see `./frontdesk doctor`."
    if isinstance(error, DBAPIError):
        return (
            f"Postgres refused a statement ({type(error.orig).__name__}); nothing of it was "
            "kept. `--debug` shows where; `./frontdesk migrate` mends a schema that is behind."
        )
    if isinstance(error, RedisError):
        return f"Redis does not answer ({_one_line(str(error))}): see `./frontdesk doctor`."
    if isinstance(error, ModuleNotFoundError):
        return f"This installation lacks {error.name}: run `./frontdesk` once more to install it."
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{place}."
    return (
        f"Something unexpected happened ({type(error).__name__}: {_one_line(str(error))[:200]}). "
        "`--debug` shows where."
    )


def _is_ours(error: Exception) -> bool:
    # Our errors' messages are written for the person who reads them.
    return type(error).__module__.partition(".")[0] in _OUR_PACKAGES


def _one_line(text: str) -> str:
    return " ".join(text.split())
