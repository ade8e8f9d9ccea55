"""Data keys, wrapped by a master key, and how the keyring reaches them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Mapped, Session, mapped_column

from bot.sealing import KeyStore, WrappedKey
from bot.tables.base import Base, now

# Held shared while a new data key is wrapped, alone while a master key is retired.
MASTER_KEYS_LOCK = 0x6D6173746572  # "master"


class DataKey(Base):
    """A contact's data key (or the system's), wrapped by a master key."""

    __tablename__ = "data_key"
    __table_args__ = (UniqueConstraint("scope", "generation"), {"schema": "vault"})

    id: Mapped[UUID] = mapped_column(primary_key=True)
    scope: Mapped[str]
    generation: Mapped[int] = mapped_column(default=1)
    master_id: Mapped[str]
    wrapped: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(default=now)


class VaultKeys(KeyStore):
    """The keyring's store: `vault.data_key`."""

    def newest(self, session: Session, scope: str) -> WrappedKey | None:
        query = select(DataKey).where(DataKey.scope == scope).order_by(DataKey.generation.desc())
        with session.no_autoflush:
            return _wrapped(session.scalars(query.limit(1)).first())

    def find(self, session: Session, key_id: UUID) -> WrappedKey | None:
        with session.no_autoflush:
            return _wrapped(session.get(DataKey, key_id))

    def add(self, session: Session, scope: str, key: WrappedKey) -> WrappedKey:
        row = {"id": key.id, "scope": scope, "master_id": key.master_id, "wrapped": key.wrapped}
        added = upsert(DataKey).values(**row).on_conflict_do_nothing().returning(DataKey.id)
        with session.no_autoflush:
            if session.scalar(added) is not None:
                return key
        stored = self.newest(session, scope)
        assert stored is not None, "another process wrote it"
        return stored

    def keep_masters(self, session: Session) -> None:
        with session.no_autoflush:
            session.execute(select(func.pg_advisory_xact_lock_shared(MASTER_KEYS_LOCK)))


def _wrapped(row: DataKey | None) -> WrappedKey | None:
    return WrappedKey(row.id, row.wrapped, row.master_id) if row else None
