"""What the widget's browser tests share: pictures, staff at work, settings, stored rows."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

from playwright.sync_api import FilePayload
from sqlalchemy import func, select

from bot.agents import find_or_add_agent
from bot.conversations import reply_as_agent, resolve, take_over
from bot.tables import Conversation, Inbox, Message
from tests.e2e.conftest import Site

LONG_ENOUGH_S = 20.0


def picture(width: int = 40, height: int = 30, noise: int = 0) -> bytes:
    """A real PNG; `noise` bytes in a chunk of their own make it as large as wanted."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    row = b"\0" + bytes(value for x in range(width) for value in (x * 255 // width, 90, 140))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"tEXt", b"noise\0" + b"n" * noise),
            chunk(b"IDAT", zlib.compress(row * height)),
            chunk(b"IEND", b""),
        ]
    )


def named(name: str, media_type: str, content: bytes) -> FilePayload:
    """A file as a browser's file chooser hands it over."""
    return {"name": name, "mimeType": media_type, "buffer": content}


def set_widget(site: Site, widget: dict[str, Any], **others: Any) -> None:
    """Settings of the inbox; `others` stand beside the widget's."""
    with site.sessions.begin() as session:
        inbox = session.get_one(Inbox, site.inbox_id)
        inbox.settings = {**inbox.settings, "widget": widget, **others}


def newest(site: Site) -> Conversation:
    with site.sessions() as session:
        query = select(Conversation).order_by(Conversation.number.desc()).limit(1)
        return session.scalars(query).one()


def message_count(site: Site) -> int:
    with site.sessions() as session:
        return session.scalar(select(func.count()).select_from(Message)) or 0


def wait_until_stored(site: Site, count: int) -> None:
    """Until so many messages are committed."""
    wait_until(lambda: message_count(site) >= count)
    assert message_count(site) == count


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_ENOUGH_S
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_so(), "it did not come to be in time"


def bea_takes_over(site: Site, name: str = "Bea Fox") -> None:
    with site.sessions.begin() as session:
        bea = find_or_add_agent(session, name)
        advance = take_over(session, newest(site).id, bea)
    site.publisher.advanced(advance)


def bea_writes(site: Site, text: str, name: str = "Bea Fox") -> None:
    with site.sessions.begin() as session:
        bea = find_or_add_agent(session, name)
        advance = reply_as_agent(session, newest(site).id, bea, text)
    site.publisher.advanced(advance)


def bea_resolves(site: Site) -> None:
    with site.sessions.begin() as session:
        advance = resolve(session, newest(site).id)
    site.publisher.advanced(advance)
