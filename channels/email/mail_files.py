"""Raw mails from files as operators have them: single mails, mbox files, Maildirs, folders."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from channels.email.reading import MAX_MAIL_BYTES

MAX_FILES = 100_000
_MBOX_LINE = re.compile(rb"From \S+ .*\d{2}:\d{2}.*\d{4}")
_FIELD = re.compile(rb"[!-9;-~]{1,100}[ \t]*:")


@dataclass(frozen=True, slots=True)
class RawMail:
    """A mail and where it was found; `error` says why there are no bytes."""

    name: str
    raw: bytes = b""
    error: str | None = None


def read_mail_files(path: Path) -> Iterator[RawMail]:
    """The mails of a file or folder, in order of their names; errors are told, never raised."""
    name = _shown(path)
    try:
        if not path.is_dir():
            yield from _read_file(path, name)
            return
        files = sorted(_files_below(path))
    except (OSError, ValueError) as error:
        yield RawMail(name, error=_reason(error))
        return
    if not files:
        yield RawMail(name, error="There is no mail in this folder.")
    for file in files:
        yield from _read_quietly(file)


def _files_below(folder: Path) -> list[Path]:
    """A Maildir's mails stand in its cur and new; `tmp` and hidden files are being written."""
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if one != "tmp")
        found += [Path(root, one) for one in names if not one.startswith(".")]
        if len(found) > MAX_FILES:
            break
    return found[:MAX_FILES]


def _read_quietly(path: Path) -> Iterator[RawMail]:
    try:
        yield from _read_file(path, _shown(path))
    except (OSError, ValueError) as error:
        yield RawMail(_shown(path), error=_reason(error))


def _read_file(path: Path, name: str) -> Iterator[RawMail]:
    if not stat.S_ISREG(path.stat().st_mode):
        # A device or a pipe may never end.
        yield RawMail(name, error="This is not a file.")
        return
    with path.open("rb") as file:
        first = file.readline(1000)
        if not _MBOX_LINE.match(first):
            yield RawMail(name, first + file.read(MAX_MAIL_BYTES + 1 - len(first)))
            return
        for number, raw in enumerate(_mails_of_mbox(first, file), start=1):
            yield RawMail(f"{name}#{number}", raw)


def _mails_of_mbox(first: bytes, file: Iterator[bytes]) -> Iterator[bytes]:
    """The mails of an mbox (RFC 4155): each begins with a "From " line after an empty one."""
    lines: list[bytes] = []
    size = 0
    last = first
    pending: bytes | None = None
    for line in file:
        if pending is not None:
            if _FIELD.match(line):
                yield b"".join(lines)
                lines, size = [], 0
            else:
                lines.append(pending)
            pending = None
        if _MBOX_LINE.match(line) and not last.strip():
            pending = line
        elif size <= MAX_MAIL_BYTES:
            lines.append(line[1:] if line.startswith(b">From ") else line)
            size += len(line)
        last = line
    yield b"".join([*lines, pending or b""])


def _shown(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "There is no such file."
    if isinstance(error, OSError) and error.strerror:
        return f"It cannot be read: {error.strerror}."
    return "It cannot be read."
