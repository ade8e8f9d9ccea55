"""Files of a mail: named, typed by what they hold, and bounded in number and size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from bot.file_types import judge_type, safe_name
from channels.email.mail import MailAttachment

MAX_ATTACHMENTS = 50
MAX_ONE_BYTES = 20 * 1024 * 1024
MAX_ALL_BYTES = 25 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file as the mail declares it."""

    name: str
    declared_type: str
    content: bytes
    content_id: str | None = None
    is_inline: bool = False


def take_attachments(files: Iterable[FoundFile]) -> tuple[MailAttachment, ...]:
    """The files of a mail within the limits; those beyond keep their name and size alone."""
    taken: list[MailAttachment] = []
    names: set[str] = set()
    left = MAX_ALL_BYTES
    for number, file in enumerate(files):
        one = _take(file)
        refused = _refusal(number, one.size_bytes, left)
        name = _unique(one.name, names)
        names.add(name.lower())
        if refused:
            taken.append(replace(one, name=name, content=b"", refused=refused))
        else:
            left -= one.size_bytes
            taken.append(replace(one, name=name))
        if number >= MAX_ATTACHMENTS * 4:
            break
    return tuple(taken)


def _refusal(number: int, size: int, left: int) -> str | None:
    if number >= MAX_ATTACHMENTS:
        return f"The mail has more than {MAX_ATTACHMENTS} files."
    if size > MAX_ONE_BYTES:
        return f"The file is larger than {MAX_ONE_BYTES // 1024**2} MB."
    if size > left:
        return f"The files together are larger than {MAX_ALL_BYTES // 1024**2} MB."
    return None


def _take(file: FoundFile) -> MailAttachment:
    media_type = judge_type(file.content, file.declared_type, file.name)
    return MailAttachment(
        name=safe_name(file.name, media_type),
        media_type=media_type,
        size_bytes=len(file.content),
        content=file.content,
        content_id=file.content_id,
        is_inline=file.is_inline,
    )


def _unique(name: str, taken: set[str]) -> str:
    if name.lower() not in taken:
        return name
    path = PurePosixPath(name)
    number = 2
    while f"{path.stem}-{number}{path.suffix}".lower() in taken:
        number += 1
    return f"{path.stem}-{number}{path.suffix}"
