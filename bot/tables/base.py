"""What all tables share: ids that sort by time, aware times, names of constraints."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    DateTime,
    MetaData,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase

from bot.messages import Author, ChannelName, ConversationStatus, DeliveryKind


def new_id() -> UUID:
    """A time-ordered UUID (RFC 9562 version 7), so that new rows land together in an index."""
    random = int.from_bytes(os.urandom(10), "big")
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (2**48 - 1)) << 80 | 0x7 << 76 | (random >> 64 & 0xFFF) << 64
    return UUID(int=value | 0x2 << 62 | random & (2**62 - 1))


def now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """What all tables share: constraint names that Alembic can find again, aware times."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
        str: Text,
        Author: Text,
        ChannelName: Text,
        ConversationStatus: Text,
        DeliveryKind: Text,
    }
