"""What came in before it was read, for the staff: the whole is always one step away."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.tables import Attachment, Conversation, Message, Original


@dataclass(frozen=True, slots=True)
class OriginalView:
    """A message as it came; `raw` is for a download, never for a page."""

    media_type: str
    raw: bytes
    full_text: str
    headers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FileView:
    """A file of a message."""

    name: str
    media_type: str
    content: bytes


def read_original(session: Session, number: int, message_id: UUID) -> OriginalView | None:
    """The original of a message of the conversation that people call by this number."""
    query = (
        select(Original)
        .join(Message, Message.id == Original.message_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Conversation.number == number, Original.message_id == message_id)
    )
    row = session.scalars(query).one_or_none()
    if row is None:
        return None
    return OriginalView(row.media_type, row.raw, row.full_text, json.loads(row.headers))


def read_file(
    session: Session, number: int, message_id: UUID, attachment_id: UUID
) -> FileView | None:
    """A file of a message of that conversation."""
    query = (
        select(Attachment)
        .join(Message, Message.id == Attachment.message_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(
            Conversation.number == number,
            Attachment.message_id == message_id,
            Attachment.id == attachment_id,
        )
    )
    row = session.scalars(query).one_or_none()
    return FileView(row.name, row.media_type, base64.b64decode(row.content)) if row else None
