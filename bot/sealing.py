"""Encryption at rest: a data key per contact, wrapped by the master key, and sealed columns.

A sealed value is an envelope: version (1 byte), data key id (16), nonce (12), AES-256-GCM
ciphertext and tag. Its associated data is `table|row|column`, so ciphertext moved to another
row, column or table does not open. Lookups go through keyed hashes (HMAC-SHA-256).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, overload
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import LargeBinary, event
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session, object_session
from sqlalchemy.types import TypeDecorator

VERSION = b"\x01"
KEY_BYTES = 32
NONCE_BYTES = 12
SYSTEM_SCOPE = "system"
INDEX_SCOPE = "index"
CACHE_SECONDS = 300.0


class SealingError(Exception):
    """A sealed value cannot be opened: the key is gone, or the value is not where it was sealed."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One key-encryption key; `id` tells which one wrapped a data key."""

    id: str
    key: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """From 32 bytes in base64. Raises SealingError for anything weaker."""
        try:
            key = base64.urlsafe_b64decode(text.strip() + "=" * (-len(text.strip()) % 4))
        except (binascii.Error, ValueError) as error:
            raise SealingError("The master key is not base64.") from error
        if len(key) != KEY_BYTES or len(set(key)) < 12:
            raise SealingError(
                "The master key is not 32 random bytes in base64: "
                "make one with `./frontdesk keys new`."
            )
        return cls(hashlib.sha256(b"frontdesk master key id" + key).hexdigest()[:16], key)

    @classmethod
    def parse_all(cls, text: str) -> list[Self]:
        """From one key a line, the active one first. Raises SealingError."""
        return [cls.parse(line) for line in text.split()]

    @staticmethod
    def generate() -> str:
        """A new master key as text."""
        return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A row of `vault.data_key`, as the keyring reads it."""

    id: UUID
    wrapped: bytes
    master_id: str


class KeyStore(Protocol):
    """How the keyring reaches `vault.data_key`; `tables.py` implements it with a Session."""

    def newest(self, session: Session, scope: str) -> WrappedKey | None: ...

    def find(self, session: Session, key_id: UUID) -> WrappedKey | None: ...

    def add(self, session: Session, scope: str, key: WrappedKey) -> WrappedKey:
        """Store the scope's first key; if another process was first, return that one."""
        ...

    def keep_masters(self, session: Session) -> None:
        """Until the transaction ends, no master key is retired."""
        ...


class Keyring:
    """Data keys by scope, unwrapped in memory for a few minutes; safe to share by threads.

    The first master key wraps new data keys; the others still open old ones, which is how
    the master key rotates without downtime: `reload` reads the master keys anew when a data key
    names an unknown one, and before a new data key is wrapped.
    """

    def __init__(
        self,
        master_keys: Sequence[MasterKey],
        store: KeyStore,
        clock: Callable[[], float] = time.monotonic,
        reload: Callable[[], Sequence[MasterKey]] | None = None,
    ) -> None:
        self._take(master_keys)
        self._store = store
        self._reload = reload
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[UUID, tuple[float, bytes]] = {}
        self._scopes: dict[str, tuple[float, UUID]] = {}

    def seal(self, session: Session, scope: str, place: str, value: bytes) -> bytes:
        """Encrypt `value` for `place` (`table|row|column`) with the scope's newest key."""
        key_id, key = self._key_of_scope(session, scope)
        nonce = secrets.token_bytes(NONCE_BYTES)
        return VERSION + key_id.bytes + nonce + AESGCM(key).encrypt(nonce, value, place.encode())

    def open(self, session: Session, place: str, envelope: bytes) -> bytes:
        """Decrypt an envelope. Raises SealingError if it was moved, altered or its key erased."""
        if envelope[:1] != VERSION or len(envelope) < 1 + 16 + NONCE_BYTES + 16:
            raise SealingError(f"{place} holds no sealed value.")
        key = self._key(session, UUID(bytes=envelope[1:17]))
        nonce, ciphertext = envelope[17:29], envelope[29:]
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, place.encode())
        except InvalidTag as error:
            raise SealingError(f"{place} was altered or moved.") from error

    def keyed_hash(self, session: Session, purpose: str, value: str) -> bytes:
        """HMAC-SHA-256 of a value for equality lookups; `purpose` keeps indexes apart."""
        _, key = self._key_of_scope(session, INDEX_SCOPE)
        return hmac.digest(key, f"{purpose}|{value}".encode(), "sha256")

    def new_data_key(self, session: Session) -> WrappedKey:
        """A fresh data key under the active master key, which stays until the transaction ends."""
        self._store.keep_masters(session)
        self._read_masters()
        return self._wrap(uuid4(), secrets.token_bytes(KEY_BYTES))

    def rewrap(self, key: WrappedKey) -> WrappedKey:
        """The same data key wrapped by the active master key."""
        return self._wrap(key.id, self._unwrap(key))

    def forget(self) -> None:
        """Drop all unwrapped keys, for instance after an erasure."""
        with self._lock:
            self._keys.clear()
            self._scopes.clear()

    def _key_of_scope(self, session: Session, scope: str) -> tuple[UUID, bytes]:
        fresh = _fresh_keys(session)
        if scope in fresh:
            return fresh[scope]
        with self._lock:
            until, key_id = self._scopes.get(scope, (0.0, None))
        if key_id is not None and until > self._clock():
            return key_id, self._key(session, key_id)
        stored = self._store.newest(session, scope)
        if stored is None:
            return self._create(session, scope)
        key = self._remember(stored)
        with self._lock:
            self._scopes[scope] = (self._clock() + CACHE_SECONDS, stored.id)
        return stored.id, key

    def _create(self, session: Session, scope: str) -> tuple[UUID, bytes]:
        # Kept with the session until it commits: a rolled-back key must never seal anything.
        stored = self._store.add(session, scope, self.new_data_key(session))
        _fresh_keys(session)[scope] = stored.id, self._unwrap(stored)
        return _fresh_keys(session)[scope]

    def _key(self, session: Session, key_id: UUID) -> bytes:
        for fresh_id, key in _fresh_keys(session).values():
            if fresh_id == key_id:
                return key
        with self._lock:
            until, cached = self._keys.get(key_id, (0.0, b""))
        if until > self._clock():
            return cached
        stored = self._store.find(session, key_id)
        if stored is None:
            raise SealingError(f"Data key {key_id} was erased.")
        return self._remember(stored)

    def _remember(self, stored: WrappedKey) -> bytes:
        key = self._unwrap(stored)
        with self._lock:
            self._keys[stored.id] = (self._clock() + CACHE_SECONDS, key)
        return key

    def _take(self, master_keys: Sequence[MasterKey]) -> None:
        if not master_keys:
            raise SealingError("There is no master key.")
        self._active = master_keys[0]
        self._master_keys = {key.id: key for key in master_keys}

    def _read_masters(self) -> None:
        if self._reload is not None:
            self._take(self._reload())

    def _wrap(self, key_id: UUID, key: bytes) -> WrappedKey:
        active = self._active  # once: another thread may read the master keys anew
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(active.key).encrypt(nonce, key, key_id.bytes)
        return WrappedKey(key_id, nonce + sealed, active.id)

    def _unwrap(self, stored: WrappedKey) -> bytes:
        if stored.master_id not in self._master_keys:
            self._read_masters()
        master = self._master_keys.get(stored.master_id)
        if master is None:
            raise SealingError(
                f"Data key {stored.id} was wrapped by master key {stored.master_id}, "
                "which is not among the keys given."
            )
        nonce, sealed = stored.wrapped[:NONCE_BYTES], stored.wrapped[NONCE_BYTES:]
        try:
            return AESGCM(master.key).decrypt(nonce, sealed, stored.id.bytes)
        except InvalidTag as error:
            raise SealingError(f"Data key {stored.id} was altered.") from error


class Envelope(TypeDecorator[bytes]):
    """The column type of sealed values: it stores envelopes and refuses anything else."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        if value is not None and (value[:1] != VERSION or len(value) < 45):
            raise SealingError("An unsealed value was about to be stored in a sealed column.")
        return value


class SealedText:
    """The attribute through which a row's sealed column is read and written as text.

    ::

        class Message(Sealing, Base):
            text_sealed: Mapped[bytes] = mapped_column(Envelope)
            text = SealedText("text_sealed")

    Plain text waits in memory until the flush, where it is sealed with the row's `key_scope`.
    """

    def __init__(self, column: str) -> None:
        self.column = column

    @overload
    def __get__(self, row: None, owner: type) -> Self: ...
    @overload
    def __get__(self, row: Sealing, owner: type) -> str: ...
    def __get__(self, row: Sealing | None, owner: type) -> str | Self:
        if row is None:
            return self
        pending = _pending(row).get(self.column)
        if isinstance(pending, str):
            return pending
        envelope: bytes | None = getattr(row, self.column)
        if envelope is None:
            return ""
        session, keyring = _session_and_keyring(row)
        return keyring.open(session, place_of(row, self.column), envelope).decode()

    def __set__(self, row: Sealing, value: str) -> None:
        _pending(row)[self.column] = value
        # Marks the row as changed; Envelope refuses b"", so plain text can never be stored.
        setattr(row, self.column, b"")


class SealedBytes:
    """The same for a sealed column that holds bytes."""

    def __init__(self, column: str) -> None:
        self.column = column

    @overload
    def __get__(self, row: None, owner: type) -> Self: ...
    @overload
    def __get__(self, row: Sealing, owner: type) -> bytes: ...
    def __get__(self, row: Sealing | None, owner: type) -> bytes | Self:
        if row is None:
            return self
        pending = _pending(row).get(self.column)
        if isinstance(pending, bytes):
            return pending
        envelope: bytes = getattr(row, self.column)
        session, keyring = _session_and_keyring(row)
        return keyring.open(session, place_of(row, self.column), envelope)

    def __set__(self, row: Sealing, value: bytes) -> None:
        _pending(row)[self.column] = value
        setattr(row, self.column, b"")


class Sealing:
    """Mixin of rows with sealed columns; tells their key scope and their place."""

    __tablename__: Any

    @property
    def key_scope(self) -> str:
        """The contact whose key seals this row, or SYSTEM_SCOPE."""
        return SYSTEM_SCOPE

    @property
    def sealing_id(self) -> str:
        """What names the row in the associated data; must not change once written.

        Raises SealingError for a row without an id: a default would come after the sealing.
        """
        found = getattr(self, "id")  # noqa: B009 - rows declare id in their own ways
        if found is None:
            raise SealingError(f"A row of {self.__tablename__} needs its id before it is sealed.")
        return str(found)


def place_of(row: Sealing, column: str) -> str:
    """The associated data of one sealed column of one row."""
    return f"{row.__tablename__}|{row.sealing_id}|{column}"


def install(session_class: type[Session] | Any) -> None:
    """Seal pending text at every flush of sessions made by `session_class`."""
    event.listen(session_class, "before_flush", seal_pending)
    event.listen(session_class, "after_commit", _drop_fresh_keys)
    event.listen(session_class, "after_rollback", _drop_fresh_keys)


def keyring_of(session: Session) -> Keyring:
    """The keyring that the session was made with."""
    keyring = session.info.get("keyring")
    if not isinstance(keyring, Keyring):
        raise SealingError("This session was made without a keyring.")
    return keyring


def seal_pending(session: Session, *_: object) -> None:
    """Seal the plain text that waits in the session's new and changed rows."""
    for row in [*session.new, *session.dirty]:
        if isinstance(row, Sealing):
            for column, value in _pending(row).items():
                plain = value if isinstance(value, bytes) else value.encode()
                sealed = keyring_of(session).seal(
                    session, row.key_scope, place_of(row, column), plain
                )
                setattr(row, column, sealed)
            _pending(row).clear()


def _pending(row: Sealing) -> dict[str, str | bytes]:
    pending: dict[str, str | bytes] = row.__dict__.setdefault("_pending_text", {})
    return pending


def _session_and_keyring(row: Sealing) -> tuple[Session, Keyring]:
    session = object_session(row)
    if session is None:
        raise SealingError("A sealed column was read from a row that belongs to no session.")
    return session, keyring_of(session)


def _fresh_keys(session: Session) -> dict[str, tuple[UUID, bytes]]:
    fresh: dict[str, tuple[UUID, bytes]] = session.info.setdefault("fresh_keys", {})
    return fresh


def _drop_fresh_keys(session: Session) -> None:
    _fresh_keys(session).clear()
