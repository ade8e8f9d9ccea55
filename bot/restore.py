"""Restores: a backup into an empty database, all of it or nothing, checked before it counts.

Data and keys go through one transaction of psql, whose last statements compare every row count
with the manifest. Whatever interrupts it leaves the database empty.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from bot import migrate
from bot.backup import (
    CHUNK_BYTES,
    DESK_DUMP,
    MASTER_KEY,
    VAULT_COLUMNS,
    VAULT_DUMP,
    BackupError,
    Manifest,
    Progress,
    connect,
    sha256_of,
)
from bot.database import make_engine
from bot.home import write_secret
from bot.postgres_tools import finish_tool, start_tool
from bot.sealing import MasterKey

_TABLE = re.compile(r"(public|vault)\.[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. `missing` are data keys that sealed texts name and the vault lacks."""

    rows: int
    data_keys: int
    missing: tuple[str, ...]
    missing_masters: tuple[str, ...]


def restore(
    database_url: str,
    data: Path | None,
    keys: Path | None,
    master_key_file: Path | None,
    progress: Progress = print,
) -> Restored:
    """Bring a part of a backup, or both, into a database that lacks it.

    `data` needs an empty database, `keys` alone one whose vault is empty. The backup's master
    keys are added to `master_key_file` first. Raises BackupError or ToolError and changes
    nothing in the database then.
    """
    progress("checking the backup")
    parts = [_checked(data, DESK_DUMP)] if data else []
    parts += [_checked(keys, VAULT_DUMP)] if keys else []
    if not parts:
        raise BackupError("There is nothing to restore: name the data, the keys, or both.")
    with connect(database_url) as connection:
        _check_target(connection, parts)
    if keys is not None and master_key_file is not None:
        add_master_keys(keys / MASTER_KEY, master_key_file)
    progress("restoring, in one transaction")
    _run(database_url, parts)
    _upgrade(database_url)
    progress("checking the keys")
    with connect(database_url) as connection:
        return _report(connection, parts, master_key_file)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a backup whose hashes were right."""

    dump: Path
    manifest: Manifest

    @property
    def is_data(self) -> bool:
        return self.dump.name == DESK_DUMP


def add_master_keys(source: Path, target: Path) -> int:
    """Add the backup's master keys to the file, after those it has; returns how many were new."""
    present = target.read_text(encoding="utf-8").split() if target.exists() else []
    added = [line for line in source.read_text(encoding="utf-8").split() if line not in present]
    MasterKey.parse_all("\n".join(added))
    if added:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_secret(target, "\n".join([*present, *added]))
    return len(added)


def missing_data_keys(connection: psycopg.Connection) -> list[str]:
    """Ids of data keys that sealed columns name and the vault lacks: erased, or not restored."""
    columns = connection.execute(
        "select table_name, column_name from information_schema.columns "
        "where table_schema = 'public' and column_name like '%\\_sealed' order by 1, 2"
    ).fetchall()
    found: set[str] = set()
    for table, column in columns:
        query = sql.SQL(
            "select distinct substring({column} from 2 for 16) from public.{table} "
            "where {column} is not null"
        ).format(column=sql.Identifier(column), table=sql.Identifier(table))
        found |= {bytes(row[0]).hex() for row in connection.execute(query)}
    known = connection.execute("select replace(id::text, '-', '') from vault.data_key")
    return sorted(found - {row[0] for row in known})


# -- below: the steps ------------------------------------------------------------------------


def _checked(folder: Path, dump: str) -> Part:
    """The part, its files compared with the manifest's hashes."""
    manifest = Manifest.read(folder)
    if dump not in manifest.sha256:
        raise BackupError(f"{folder} is not the part that holds {dump}.")
    for name, expected in manifest.sha256.items():
        file = folder / name
        if not file.is_file() or sha256_of(file) != expected:
            raise BackupError(f"{file} is missing or damaged: use another backup.")
    if any(not _TABLE.fullmatch(table) for table in manifest.rows):
        raise BackupError(f"{folder} names tables that are none of Frontdesk's.")
    return Part(folder / dump, manifest)


def _check_target(connection: psycopg.Connection, parts: Sequence[Part]) -> None:
    present = connection.execute(
        "select schemaname || '.' || tablename from pg_tables "
        "where schemaname in ('public', 'vault')"
    ).fetchall()
    if parts[0].is_data:
        if present:
            raise BackupError(
                "The database is not empty; nothing was changed. Restore into a new one: set "
                "FRONTDESK_HOME to a new folder, or DATABASE_URL to an empty database."
            )
        shape = parts[0].manifest.vault_columns
        if not migrate.knows(parts[0].manifest.revision):
            raise BackupError(
                f"The backup was made by a newer Frontdesk (schema "
                f"{parts[0].manifest.revision}): restore it with that version."
            )
    else:
        if ("vault.data_key",) not in present:
            raise BackupError("The database holds no desk: restore the data first.")
        if _has_rows(connection):
            raise BackupError("The vault holds keys already; nothing was changed.")
        shape = [str(row[0]) for row in connection.execute(VAULT_COLUMNS.encode())]
    keys = parts[-1]
    if not keys.is_data and keys.manifest.vault_columns != shape:
        raise BackupError(
            "Data and keys come from different versions of Frontdesk; nothing was changed. "
            "Restore with --data-only, run `./frontdesk upgrade`, then restore with --keys-only."
        )


def _has_rows(connection: psycopg.Connection) -> bool:
    return connection.execute("select 1 from vault.data_key limit 1").fetchone() is not None


def _run(database_url: str, parts: Sequence[Part]) -> None:
    options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    process = start_tool("psql", options, database_url, reads=True)
    assert process.stdin is not None, "it was started with a pipe"
    try:
        with suppress(BrokenPipeError):  # psql gave up: `finish_tool` tells why
            _write(process.stdin, parts)
    except BaseException:
        process.kill()  # before it could read `commit`: the transaction is rolled back
        _end(process)
        raise
    with suppress(BrokenPipeError):
        process.stdin.close()
    finish_tool("psql", process)


def _write(pipe: IO[bytes], parts: Sequence[Part]) -> None:
    pipe.write(b"begin;\n")
    for part in parts:
        for extension in part.manifest.extensions if part.is_data else ():
            pipe.write(f'create extension if not exists "{_plain(extension)}";\n'.encode())
        with gzip.open(part.dump) as dump:
            shutil.copyfileobj(dump, pipe, CHUNK_BYTES)
    for statement in _verification(parts):
        pipe.write(statement.encode())
    pipe.write(b"commit;\n")


def _verification(parts: Sequence[Part]) -> Iterator[str]:
    """Statements that fail, and so undo the restore, if any count is not the saved one."""
    for part in parts:
        for table, count in part.manifest.rows.items():
            # The names were matched with _TABLE before.
            yield (
                f"do $check$ begin if (select count(*) from {table}) <> {int(count)} then "  # noqa: S608
                f"raise exception '{table} has other rows than were saved'; end if; end $check$;\n"
            )


def _plain(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]+", name):
        raise BackupError(f"{name!r} is no extension of Postgres.")
    return name


def _end(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    for pipe in (process.stdin, process.stderr):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


def _upgrade(database_url: str) -> None:
    engine = make_engine(database_url, pool_size=1)
    try:
        migrate.upgrade_engine(engine)
    finally:
        engine.dispose()


def _report(
    connection: psycopg.Connection, parts: Sequence[Part], master_key_file: Path | None
) -> Restored:
    rows = {part.is_data: sum(part.manifest.rows.values()) for part in parts}
    return Restored(
        rows.get(True, 0),
        rows.get(False, 0),
        tuple(missing_data_keys(connection)),
        tuple(_missing_masters(connection, master_key_file)),
    )


def _missing_masters(connection: psycopg.Connection, master_key_file: Path | None) -> list[str]:
    if master_key_file is None or not master_key_file.exists():
        return []
    known = {key.id for key in MasterKey.parse_all(master_key_file.read_text(encoding="utf-8"))}
    used = connection.execute("select distinct master_id from vault.data_key")
    return sorted({row[0] for row in used} - known)
