"""Structured logs: an event and `name=value` pairs, ids only, in lines for people or in JSON.

What must not reach a log is kept out in three ways: our own calls pass ids (a test reads every
call), a foreign library's values are withheld, and an exception is told by its type and place,
never by its message, which may quote the very row or text that broke. What slips through still
meets the patterns of addresses and secrets.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from bot.settings import Settings

OUR_PACKAGES = ("bot", "channels", "workers")
WITHHELD = "…"
LONGEST_VALUE = 200
ROOT = Path(__file__).resolve().parent.parent

_REPLACED = (
    (re.compile(r"(?<=://)[^\s/@]+@"), f"{WITHHELD}@"),  # user:password@ in a URL
    (re.compile(r"[^\s=<>,;:\"']+@[^\s=<>,;:\"']+\.\w+"), "<address>"),
    (re.compile(r"(?i)\bbearer\s+\S+"), "bearer <secret>"),
    (re.compile(r"[A-Za-z0-9_+/-]{40,}={0,2}"), "<secret>"),  # a UUID has 36 characters
)
_PAIR = re.compile(r"\b([a-z_][a-z0-9_]*)=(\S+)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send this process's logs to a stream (standard error) in the format of the settings.

    Ours from INFO, foreign libraries' from WARNING. Called by composition roots, once.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if settings.log_format == "json" else TextLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for package in OUR_PACKAGES:
        logging.getLogger(package).setLevel(logging.INFO)


class TextLines(logging.Formatter):
    """`2026-01-31T12:00:00.000Z INFO bot.intake received conversation=... message=...`"""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname} {record.name} {safe_message(record)}"
        error = _error(record)
        if error is None:
            return line
        lines = [
            f"{line} error={described(error)}",
            *(f"    at {place}" for place in places(error)),
        ]
        return "\n".join(lines)


class JsonLines(logging.Formatter):
    """One object a line: at, level, logger, event, and the message's pairs as fields."""

    def format(self, record: logging.LogRecord) -> str:
        message = safe_message(record)
        fields: dict[str, Any] = {
            "at": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _PAIR.sub("", message).strip(" :,"),
        }
        for name, value in _PAIR.findall(message):
            fields.setdefault(name, _number_or_text(value))
        error = _error(record)
        if error is not None:
            fields |= {"error": described(error), "places": list(places(error))}
        return json.dumps(fields, ensure_ascii=False)


def safe_message(record: logging.LogRecord) -> str:
    """The record's message on one line, without foreign values, addresses and secrets."""
    ours = record.name.partition(".")[0] in OUR_PACKAGES
    message = record.getMessage() if ours else _without_values(record)
    for pattern, replacement in _REPLACED:
        message = pattern.sub(replacement, message)
    message = _CONTROL.sub(" ", message)
    return " ".join(_shortened(word) for word in message.split(" "))


def described(error: BaseException) -> str:
    """An exception's types, outermost first, with the SQLSTATE where there is one."""
    names = []
    for cause in _chain(error):
        state = getattr(cause, "sqlstate", None)
        names.append(type(cause).__name__ + (f"[{state}]" if state else ""))
    return "<".join(names)


def places(error: BaseException) -> Iterator[str]:
    """Where it was raised: `bot/intake.py:54 in receive`, outermost call first."""
    yield from _places(error.__traceback__)


def _places(trace: TracebackType | None) -> Iterator[str]:
    for frame in traceback.extract_tb(trace):
        file = Path(frame.filename)
        shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else Path(*file.parts[-2:])
        yield f"{shown}:{frame.lineno} in {frame.name}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or getattr(current, "orig", None) or current.__context__


class _Withheld:
    """Stands for a foreign value; a library's template prints it as an ellipsis."""

    def __repr__(self) -> str:
        return WITHHELD

    __str__ = __repr__


def _without_values(record: logging.LogRecord) -> str:
    """A foreign record's template with its numbers, all other values withheld."""
    arguments = record.args
    masked: Any
    if isinstance(arguments, Mapping):
        masked = {name: _masked(value) for name, value in arguments.items()}
    else:
        masked = tuple(_masked(value) for value in arguments or ())
    try:
        return str(record.msg) % masked if masked else str(record.msg)
    except (TypeError, ValueError, KeyError):
        return str(record.msg)


def _masked(value: object) -> object:
    return value if isinstance(value, int | float) else _Withheld()


def _error(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shortened(word: str) -> str:
    return word if len(word) <= LONGEST_VALUE else word[:LONGEST_VALUE] + WITHHELD


def _number_or_text(value: str) -> object:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return {"True": True, "False": False, "None": None}.get(value, value)
