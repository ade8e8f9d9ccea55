"""A restore rehearsed: everything comes back or nothing does, and the erased stay erased."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import delete, make_url, select, text
from sqlalchemy.orm import Session, sessionmaker

from bot import restore as restoring
from bot.backup import DATA, DESK_DUMP, KEYS, MANIFEST, BackupError, Manifest, connect, save
from bot.conversations import record_incoming
from bot.database import keyring_from, make_engine, make_sessions
from bot.local import LocalServers
from bot.postgres_tools import ToolError
from bot.restore import restore
from bot.sealing import SealingError
from bot.settings import Settings
from bot.tables import Base, Conversation, DataKey
from bot.transcripts import messages_of
from tests.people import incoming, make_inbox, write
from tests.shell import Shell, shell_on

ROOT = Path(__file__).resolve().parents[2]
_numbers = itertools.count(1)

Sessions = sessionmaker[Session]
EmptyDatabase = Callable[[], str]


def quietly(_line: str) -> None:
    """No progress."""


@pytest.fixture
def empty_database(servers: LocalServers) -> Iterator[EmptyDatabase]:
    """Makes empty databases, gone with the test."""
    made: list[str] = []

    def make() -> str:
        name = f"restored_{os.getpid()}_{next(_numbers)}"
        execute(servers.database_url, f"create database {name}")
        made.append(name)
        url = make_url(servers.database_url).set(database=name)
        return url.render_as_string(hide_password=False)

    yield make
    for name in made:
        execute(servers.database_url, f"drop database {name} with (force)")


def execute(database_url: str, statement: str) -> None:
    url = make_url(database_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as made:
        made.execute(statement.encode())


def tables_in(database_url: str) -> int:
    with connect(database_url) as connection:
        row = connection.execute(
            "select count(*) from pg_tables where schemaname in ('public', 'vault')"
        ).fetchone()
    assert row is not None
    return int(row[0])


def contents(database_url: str) -> dict[str, str]:
    """A hash of every table's rows, whatever their order."""
    found = {}
    with connect(database_url) as connection:
        for table in Base.metadata.tables:
            rows = connection.execute(f"select t::text from {table} t".encode()).fetchall()
            found[table] = hashlib.sha256(
                "\n".join(sorted(r[0] for r in rows)).encode()
            ).hexdigest()
    return found


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "restored-master-key"


@pytest.fixture
def desk(sessions: Sessions) -> dict[str, UUID]:
    """Ada and Cyd have written; returns their conversations."""
    with sessions.begin() as session:
        inbox = make_inbox(session)
        return {
            name: record_incoming(
                session, incoming(inbox, f"{name} writes.", contact=name)
            ).conversation_id
            for name in ("Ada", "Cyd")
        }


@pytest.fixture
def reader() -> Iterator[Callable[[str, Path], Sessions]]:
    """Makes sessions on a restored database, with the keys that came back."""
    engines = []

    def make(database_url: str, keys_file: Path) -> Sessions:
        engines.append(make_engine(database_url, pool_size=1))
        keyring = keyring_from(keys_file.read_text(encoding="utf-8"))
        return make_sessions(engines[-1], keyring)

    yield make
    for engine in engines:
        engine.dispose()


def said(sessions: Sessions, conversation: UUID) -> list[str]:
    with sessions() as session:
        return [message.text for message in messages_of(session, conversation)]


def test_a_restore_brings_everything_back_and_it_goes_on(
    settings: Settings,
    database_url: str,
    desk: dict[str, UUID],
    empty_database: EmptyDatabase,
    tmp_path: Path,
    keys_file: Path,
    reader: Callable[[str, Path], Sessions],
) -> None:
    saved = save(settings, tmp_path / "backup", progress=quietly)
    target = empty_database()
    restored = restore(target, saved.data, saved.keys, keys_file, quietly)
    assert contents(target) == contents(database_url)
    assert (restored.rows, restored.data_keys) == (saved.rows, saved.data_keys)
    assert (restored.missing, restored.missing_masters) == ((), ())
    sessions = reader(target, keys_file)
    assert said(sessions, desk["Ada"]) == ["Ada writes."]
    with sessions.begin() as session:
        inbox = session.scalars(select(Conversation.inbox_id)).first()
        assert inbox is not None
        record_incoming(session, incoming(inbox, "Ada again.", contact="Ada", external_id="new"))
        write(session, inbox, "A newcomer's first words.", contact="Dee")
    assert said(sessions, desk["Ada"]) == ["Ada writes.", "Ada again."]
    with sessions() as session:
        assert session.scalars(select(Conversation.number).order_by(Conversation.number)).all() == [
            *(1, 2, 3)
        ]


def test_the_data_alone_opens_nothing_and_says_which_keys_are_missing(
    settings: Settings, desk: dict[str, UUID], empty_database: EmptyDatabase, tmp_path: Path
) -> None:
    saved = save(settings, tmp_path / "backup", progress=quietly)
    target = empty_database()
    restored = restore(target, saved.data, None, None, quietly)
    assert len(restored.missing) == 2
    packed = (saved.data / DESK_DUMP).read_bytes()
    assert b"Ada writes." not in gzip.decompress(packed)
    assert settings.master_key is not None
    assert all(
        settings.master_key.encode() not in file.read_bytes() for file in saved.data.iterdir()
    )


def test_keys_can_follow_the_data_later(
    settings: Settings,
    desk: dict[str, UUID],
    empty_database: EmptyDatabase,
    tmp_path: Path,
    keys_file: Path,
    reader: Callable[[str, Path], Sessions],
) -> None:
    saved = save(settings, tmp_path / "backup", tmp_path / "elsewhere", quietly)
    assert not (tmp_path / "backup" / KEYS).exists()
    target = empty_database()
    restore(target, saved.data, None, None, quietly)
    restored = restore(target, None, saved.keys, keys_file, quietly)
    assert restored.missing == ()
    assert said(reader(target, keys_file), desk["Cyd"]) == ["Cyd writes."]
    with pytest.raises(BackupError, match="holds keys already"):
        restore(target, None, saved.keys, keys_file, quietly)


def test_an_erased_contact_stays_erased_when_older_data_meets_newer_keys(
    settings: Settings,
    sessions: Sessions,
    desk: dict[str, UUID],
    empty_database: EmptyDatabase,
    tmp_path: Path,
    keys_file: Path,
    reader: Callable[[str, Path], Sessions],
) -> None:
    older = save(settings, tmp_path / "older", progress=quietly)
    with sessions.begin() as session:
        ada = session.get_one(Conversation, desk["Ada"]).key_scope
        session.execute(delete(DataKey).where(DataKey.scope == ada))
    newer = save(settings, tmp_path / "newer", progress=quietly)
    target = empty_database()
    restored = restore(target, older.data, newer.keys, keys_file, quietly)
    assert len(restored.missing) == 1
    back = reader(target, keys_file)
    assert said(back, desk["Cyd"]) == ["Cyd writes."]
    with pytest.raises(SealingError, match="erased"):
        said(back, desk["Ada"])


def test_a_backup_is_of_one_moment(
    settings: Settings, sessions: Sessions, desk: dict[str, UUID], tmp_path: Path
) -> None:
    def write_meanwhile(line: str) -> None:
        with sessions.begin() as session:
            inbox = session.get_one(Conversation, desk["Ada"]).inbox_id
            write(session, inbox, line, contact=line)

    saved = save(settings, tmp_path / "backup", progress=write_meanwhile)
    with sessions() as session:
        assert session.scalar(text("select count(*) from message")) == 4
    assert Manifest.read(saved.data).rows["public.message"] == 2
    assert Manifest.read(saved.keys).rows["vault.data_key"] == saved.data_keys
    dumped = gzip.decompress((saved.data / DESK_DUMP).read_bytes()).decode()
    rows = dumped.split("COPY public.message ")[1].split("\\.")[0].splitlines()[1:]
    assert len(rows) == 2


def test_only_its_owner_reads_a_backup(
    settings: Settings, desk: dict[str, UUID], tmp_path: Path
) -> None:
    saved = save(settings, tmp_path / "backup", progress=quietly)
    modes = {
        stat.S_IMODE(path.stat().st_mode)
        for folder in (saved.data, saved.keys)
        for path in (folder, *folder.iterdir())
    }
    assert modes <= {0o700, 0o600}


def test_a_backup_never_overwrites_another(settings: Settings, tmp_path: Path) -> None:
    save(settings, tmp_path / "backup", progress=quietly)
    before = (tmp_path / "backup" / DATA / MANIFEST).read_bytes()
    with pytest.raises(BackupError, match="exists already"):
        save(settings, tmp_path / "backup", progress=quietly)
    assert (tmp_path / "backup" / DATA / MANIFEST).read_bytes() == before


def test_an_interrupted_backup_leaves_no_folder_that_looks_like_one(
    settings: Settings, tmp_path: Path
) -> None:
    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(settings, tmp_path / "backup", progress=interrupt)
    assert list((tmp_path / "backup").iterdir()) == []


def test_a_restore_into_a_desk_changes_nothing(
    settings: Settings, database_url: str, desk: dict[str, UUID], tmp_path: Path, keys_file: Path
) -> None:
    saved = save(settings, tmp_path / "backup", progress=quietly)
    before = contents(database_url)
    with pytest.raises(BackupError, match="not empty; nothing was changed"):
        restore(database_url, saved.data, saved.keys, keys_file, quietly)
    assert contents(database_url) == before
    assert not keys_file.exists()


@pytest.mark.parametrize("part", [DATA, KEYS])
def test_a_damaged_backup_is_refused_before_anything_is_touched(
    settings: Settings,
    desk: dict[str, UUID],
    empty_database: EmptyDatabase,
    tmp_path: Path,
    keys_file: Path,
    part: str,
) -> None:
    saved = save(settings, tmp_path / "backup", progress=quietly)
    dump = next((tmp_path / "backup" / part).glob("*.sql.gz"))
    damaged = bytearray(dump.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    dump.write_bytes(damaged)
    target = empty_database()
    with pytest.raises(BackupError, match="missing or damaged"):
        restore(target, saved.data, saved.keys, keys_file, quietly)
    assert tables_in(target) == 0


def test_a_backup_with_a_row_less_than_it_tells_is_undone(
    settings: Settings,
    desk: dict[str, UUID],
    empty_database: EmptyDatabase,
    tmp_path: Path,
    keys_file: Path,
) -> None:
    saved = save(settings, tmp_path / "backup", progress=quietly)
    forge(saved.data, lambda manifest: manifest["rows"].update({"public.message": 3}))
    target = empty_database()
    with pytest.raises(ToolError, match=r"public\.message has other rows"):
        restore(target, saved.data, saved.keys, keys_file, quietly)
    assert tables_in(target) == 0


def forge(folder: Path, change: Callable[[dict[str, dict[str, int]]], None]) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def test_an_interrupted_restore_leaves_the_database_empty(
    settings: Settings,
    desk: dict[str, UUID],
    empty_database: EmptyDatabase,
    tmp_path: Path,
    keys_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved = save(settings, tmp_path / "backup", progress=quietly)
    target = empty_database()

    def interrupt(_parts: object) -> Iterator[str]:
        # All rows are in the pipe, the commit is not.
        raise KeyboardInterrupt

    monkeypatch.setattr(restoring, "_verification", interrupt)
    with pytest.raises(KeyboardInterrupt):
        restore(target, saved.data, saved.keys, keys_file, quietly)
    assert tables_in(target) == 0
    monkeypatch.undo()
    assert restore(target, saved.data, saved.keys, keys_file, quietly).missing == ()


KILLED_RESTORE = """
import sys, time
from pathlib import Path
from bot import restore as restoring

def wait_for_the_kill(parts):
    print("rows are written", flush=True)
    time.sleep(600)
    yield ""

restoring._verification = wait_for_the_kill
url, data, keys, file = sys.argv[1:]
restoring.restore(url, Path(data), Path(keys), Path(file), lambda line: None)
"""


@pytest.mark.kill
def test_a_killed_restore_leaves_the_database_empty(
    settings: Settings,
    desk: dict[str, UUID],
    empty_database: EmptyDatabase,
    tmp_path: Path,
    keys_file: Path,
) -> None:
    saved = save(settings, tmp_path / "backup", progress=quietly)
    target = empty_database()
    arguments = [target, str(saved.data), str(saved.keys), str(keys_file)]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_RESTORE, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "rows are written\n"
        process.send_signal(signal.SIGKILL)
    wait_until_alone(target)
    assert tables_in(target) == 0


def wait_until_alone(database_url: str) -> None:
    """Until the killed restore's psql has ended."""
    query = "select count(*) from pg_stat_activity where datname = current_database()"
    for _ in range(1000):
        with connect(database_url) as connection:
            row = connection.execute(query).fetchone()
        if row == (1,):
            return
        threading.Event().wait(0.02)
    raise AssertionError("somebody is still connected")


def test_keys_of_another_schema_are_refused_and_the_way_is_told(
    settings: Settings,
    desk: dict[str, UUID],
    empty_database: EmptyDatabase,
    tmp_path: Path,
    keys_file: Path,
) -> None:
    saved = save(settings, tmp_path / "backup", progress=quietly)
    manifest = json.loads((saved.keys / MANIFEST).read_text(encoding="utf-8"))
    manifest["vault_columns"].append("erasure.contact_id uuid")
    (saved.keys / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    target = empty_database()
    with pytest.raises(BackupError, match="--data-only"):
        restore(target, saved.data, saved.keys, keys_file, quietly)
    assert tables_in(target) == 0


def test_a_backup_of_a_newer_version_is_refused(
    settings: Settings, empty_database: EmptyDatabase, tmp_path: Path, keys_file: Path
) -> None:
    saved = save(settings, tmp_path / "backup", progress=quietly)
    manifest = json.loads((saved.data / MANIFEST).read_text(encoding="utf-8"))
    manifest["revision"] = "9999"
    (saved.data / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BackupError, match="newer Frontdesk"):
        restore(empty_database(), saved.data, saved.keys, keys_file, quietly)


def test_a_manifest_cannot_smuggle_statements_in(
    settings: Settings, empty_database: EmptyDatabase, tmp_path: Path, keys_file: Path
) -> None:
    saved = save(settings, tmp_path / "backup", progress=quietly)
    forge(saved.data, lambda manifest: manifest["rows"].update({"public.x; drop table y": 0}))
    with pytest.raises(BackupError, match="none of Frontdesk's"):
        restore(empty_database(), saved.data, saved.keys, keys_file, quietly)


# -- the commands ----------------------------------------------------------------------------


def test_an_operator_backs_up_and_restores(
    settings: Settings,
    desk: dict[str, UUID],
    empty_database: EmptyDatabase,
    tmp_path: Path,
    keys_file: Path,
) -> None:
    folder = str(tmp_path / "backup")
    assert shell_on(settings).run("backup", folder).status == 0
    there = shell_on(
        settings,
        DATABASE_URL=empty_database(),
        FRONTDESK_MASTER_KEY="",
        FRONTDESK_HOME=str(tmp_path / "other"),
    )
    out = there.run("restore", folder).out
    assert "data keys" in out
    assert "missing" not in out
    again = there.run("restore", folder)
    assert again.status == 1
    assert again.err.startswith("frontdesk: The database is not empty")
    key = (tmp_path / "other" / "keys" / "master-key").read_text(encoding="utf-8").strip()
    assert key == settings.master_key


def test_a_folder_that_is_no_backup_is_one_line(
    settings: Settings, empty_database: EmptyDatabase, tmp_path: Path
) -> None:
    finished = shell_on(settings, DATABASE_URL=empty_database()).run("restore", str(tmp_path))
    assert finished.status == 1
    assert len(finished.err.splitlines()) == 1
    assert "holds no readable backup" in finished.err


def test_a_database_without_a_desk_has_nothing_to_save(
    settings: Settings, empty_database: EmptyDatabase, tmp_path: Path
) -> None:
    shell = shell_on(settings, DATABASE_URL=empty_database())
    finished = shell.run("backup", str(tmp_path / "backup"))
    assert (finished.status, "nothing to save" in finished.err) == (1, True)


def test_the_embedded_desk_is_saved_and_restored_while_nothing_runs(
    settings: Settings, desk: dict[str, UUID], tmp_path: Path
) -> None:
    folder, home = str(tmp_path / "backup"), tmp_path / "home-of-a-new-machine"
    shell_on(settings).run("backup", folder)
    elsewhere = Shell({"FRONTDESK_HOME": str(home)})
    assert elsewhere.run("restore", folder).status == 0
    second = elsewhere.run("backup", str(tmp_path / "second"))
    assert second.status == 0
    assert [
        Manifest.read(tmp_path / name / DATA).rows["public.message"]
        for name in ("backup", "second")
    ] == [2, 2]
