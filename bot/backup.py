"""Backups: the data and, apart from it, the keys that open it, both of one moment.

::

    DIR/data/   desk.sql.gz   manifest.json       everything but keys; texts stay sealed
    DIR/keys/   vault.sql.gz  manifest.json  master-key  ...

Whoever holds `data/` alone reads no customer's text. Restoring older data with newer keys keeps
an erased contact erased.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from bot.home import write_secret
from bot.postgres_tools import finish_tool, start_tool
from bot.settings import Settings

FORMAT = 1
DATA, KEYS, MANIFEST = "data", "keys", "manifest.json"
DESK_DUMP, VAULT_DUMP, MASTER_KEY = "desk.sql.gz", "vault.sql.gz", "master-key"
SCHEMAS = ("public", "vault")
PLAIN_DUMP = ("--exclude-extension=*", "--no-owner", "--no-privileges", "--no-comments")
# Structure of everything, rows of everything but the vault.
DESK_OPTIONS = (*PLAIN_DUMP, "--exclude-table-data=vault.*")
VAULT_OPTIONS = (*PLAIN_DUMP, "--data-only", "--schema=vault")
CHUNK_BYTES = 1 << 20

Progress = Callable[[str], None]


class BackupError(Exception):
    """A backup cannot be made or used; the message says why and what is safe."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a part of a backup holds: row counts by table, hashes by file.

    `vault_columns` tells the vault's shape, so that keys are only laid into data that fits.
    """

    format: int
    made_at: str
    revision: str
    extensions: list[str]
    vault_columns: list[str]
    rows: dict[str, int]
    sha256: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest of a part. Raises BackupError."""
        try:
            found = cls(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise BackupError(f"{folder} holds no readable backup: {error}") from error
        if found.format != FORMAT:
            raise BackupError(f"{folder} has the format {found.format}, not {FORMAT}.")
        return found

    def write(self, folder: Path) -> None:
        write_secret(folder / MANIFEST, json.dumps(asdict(self), indent=1))


@dataclass(frozen=True, slots=True)
class Saved:
    """Where a backup lies and what it holds."""

    data: Path
    keys: Path
    rows: int
    data_keys: int
    size_bytes: int


def save(
    settings: Settings, target: Path, keys_target: Path | None = None, progress: Progress = print
) -> Saved:
    """Write a backup of the running desk into a new folder; nobody is stopped.

    The keys go to `target/keys`, or to `keys_target`. Raises BackupError, ToolError.
    """
    database_url = settings.database_url or ""
    keys_folder = keys_target or target / KEYS
    with (
        _new_folder(target / DATA) as data,
        _new_folder(keys_folder) as keys,
        open_snapshot(database_url) as snapshot,
    ):
        progress("saving the data")
        desk_hash = _dump(database_url, DESK_OPTIONS, snapshot.id, data / DESK_DUMP)
        progress("saving the keys, apart from it")
        vault_hash = _dump(database_url, VAULT_OPTIONS, snapshot.id, keys / VAULT_DUMP)
        key_hashes = _copy_secrets(settings, keys)
        rows = snapshot.rows("public")
        snapshot.manifest(rows, {DESK_DUMP: desk_hash}).write(data)
        data_keys = snapshot.rows("vault")
        snapshot.manifest(data_keys, {VAULT_DUMP: vault_hash, **key_hashes}).write(keys)
        size = sum(file.stat().st_size for folder in (data, keys) for file in folder.iterdir())
    return Saved(target / DATA, keys_folder, sum(rows.values()), sum(data_keys.values()), size)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of the database, which pg_dump and the row counts both see."""

    id: str
    connection: psycopg.Connection

    def rows(self, schema: str) -> dict[str, int]:
        """Row counts of a schema's tables."""
        tables = self.connection.execute(
            "select tablename from pg_tables where schemaname = %s order by 1", [schema]
        ).fetchall()
        return {f"{schema}.{name}": self._count(schema, name) for (name,) in tables}

    def manifest(self, rows: dict[str, int], sha256: dict[str, str]) -> Manifest:
        return Manifest(
            format=FORMAT,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            revision=self._texts("select version_num from public.alembic_version")[0],
            extensions=self._texts(
                "select extname::text from pg_extension where extname <> 'plpgsql' order by 1"
            ),
            vault_columns=self._texts(VAULT_COLUMNS),
            rows=rows,
            sha256=sha256,
        )

    def _count(self, schema: str, table: str) -> int:
        query = sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))
        row = self.connection.execute(query).fetchone()
        assert row is not None, "count returns one row"
        return int(row[0])

    def _texts(self, query: str) -> list[str]:
        return [str(row[0]) for row in self.connection.execute(query.encode()).fetchall()]


VAULT_COLUMNS = (
    "select table_name || '.' || column_name || ' ' || data_type from information_schema.columns "
    "where table_schema = 'vault' order by 1"
)


@contextmanager
def open_snapshot(database_url: str) -> Iterator[Snapshot]:
    """A snapshot that lasts until the block ends. Raises BackupError where there is no desk."""
    with connect(database_url) as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        row = connection.execute(
            "select pg_export_snapshot(), to_regclass('public.alembic_version') is not null"
        ).fetchone()
        assert row is not None, "this query returns one row"
        if not row[1]:
            raise BackupError("This database holds no desk: there is nothing to save.")
        yield Snapshot(row[0], connection)
        connection.rollback()


def connect(database_url: str) -> psycopg.Connection:
    """A psycopg connection in a transaction, for what is beneath SQLAlchemy's tables."""
    url = make_url(database_url).set(drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False), connect_timeout=10)


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


# -- below: the steps ------------------------------------------------------------------------


def _dump(database_url: str, options: Sequence[str], snapshot: str, target: Path) -> str:
    """Write a compressed dump; returns the hash of the file."""
    process = start_tool("pg_dump", [*options, f"--snapshot={snapshot}"], database_url, reads=False)
    assert process.stdout is not None, "it was started with a pipe"
    try:
        only_ours = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(only_ours, "wb") as file:
            with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
                shutil.copyfileobj(process.stdout, packed, CHUNK_BYTES)
            file.flush()
            os.fsync(file.fileno())
        finish_tool("pg_dump", process)
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        process.stdout.close()
    return sha256_of(target)


def _copy_secrets(settings: Settings, keys: Path) -> dict[str, str]:
    """The master keys and the API token's file, which lie outside the database."""
    if not settings.master_key:
        raise BackupError("The master key is not known here: set FRONTDESK_MASTER_KEY_FILE.")
    write_secret(keys / MASTER_KEY, "\n".join(settings.master_key.split()))
    token = settings.home / "keys" / "api-token"
    if token.exists():
        write_secret(keys / token.name, token.read_text(encoding="utf-8").strip())
    return {file.name: sha256_of(file) for file in keys.iterdir() if file.name != VAULT_DUMP}


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder that is there whole, or not at all."""
    if folder.exists():
        raise BackupError(f"{folder} exists already: choose a new folder for each backup.")
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    unfinished.mkdir(mode=0o700)
    try:
        yield unfinished
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
