"""Real servers for the tests: one Postgres and one Valkey a session, a database a test."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
import redis
from sqlalchemy import make_url
from sqlalchemy.orm import Session, sessionmaker

from bot import migrate
from bot.database import keyring_from, make_engine, make_sessions
from bot.local import LocalServers
from bot.redis_url import redis_py_url
from bot.sealing import Keyring, MasterKey
from bot.settings import Settings
from tests.databases import EmptiedDatabase

TEMPLATE = "frontdesk_template"
hypothesis.settings.register_profile("ci", derandomize=True)  # new finds are for developers
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")
os.environ["COLUMNS"] = "120"  # tables fit the terminal; the tests' is the same everywhere
_WAITING = ("kill", "browser", "model")  # the longest first
_AFTER_EACH = 4  # so that the last of twenty begins after half of the others


def pytest_xdist_auto_num_workers() -> int:
    """Twice the cores: much of a run waits for browsers and for processes that were killed."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait for processes among files that compute, and none of them near the end."""
    files = [list(found) for _, found in itertools.groupby(items, lambda item: item.path)]
    ranks = {mark: rank for rank, mark in enumerate(_WAITING)}
    waiting = [file for file in files if _mark_of(file[0]) in ranks]
    others = iter([file for file in files if _mark_of(file[0]) not in ranks])
    waiting.sort(key=lambda file: ranks[_mark_of(file[0])])
    mixed = ((file, *itertools.islice(others, _AFTER_EACH)) for file in waiting)
    ordered = [*itertools.chain.from_iterable(mixed), *others]
    items[:] = itertools.chain.from_iterable(ordered)


def _mark_of(item: pytest.Item) -> str:
    return next((mark for mark in _WAITING if item.get_closest_marker(mark)), "")


@pytest.fixture(scope="session")
def servers() -> Iterator[LocalServers]:
    """The embedded servers, in a home that goes when the tests end."""
    with tempfile.TemporaryDirectory(prefix="fd-", ignore_cleanup_errors=True) as home:
        local = LocalServers(Path(home), durable=False)
        local.start()
        try:
            yield local
        finally:
            local.stop()


@pytest.fixture(scope="session")
def master_key() -> str:
    return MasterKey.generate()


@pytest.fixture(scope="session")
def keyring(master_key: str) -> Keyring:
    """A keyring for rolled-back sessions; tests that commit make their own."""
    return keyring_from(master_key)


@pytest.fixture(scope="session")
def postgres(servers: LocalServers) -> Iterator[psycopg.Connection]:
    """A connection that makes and drops databases."""
    url = make_url(servers.database_url).set(drivername="postgresql")
    conninfo = url.render_as_string(hide_password=False)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def template(servers: LocalServers, postgres: psycopg.Connection) -> str:
    """The name of a database with the newest schema, from which tests' databases are cloned."""
    _execute(postgres, f"create database {TEMPLATE}")
    migrate.upgrade(_sibling(servers.database_url, TEMPLATE))
    return TEMPLATE


@pytest.fixture(scope="session")
def emptied_database(
    servers: LocalServers, postgres: psycopg.Connection, template: str
) -> Iterator[EmptiedDatabase]:
    def make(name: str) -> str:
        # Copying files takes a sixth of the time of Postgres's default, which logs every block.
        _execute(postgres, f"create database {name} template {template} strategy file_copy")
        return _sibling(servers.database_url, name)

    database = EmptiedDatabase(
        make, lambda name: _execute(postgres, f"drop database {name} with (force)")
    )
    yield database
    database.close()


@pytest.fixture
def database_url(emptied_database: EmptiedDatabase) -> Iterator[str]:
    """A migrated database that is this test's own until it ends."""
    yield emptied_database.lend()
    emptied_database.take_back()


@pytest.fixture
def redis_url(servers: LocalServers) -> str:
    """Valkey, emptied; in Celery's form."""
    client = redis.Redis.from_url(redis_py_url(servers.redis_url))
    client.flushall()
    client.close()
    return servers.redis_url


@pytest.fixture
def sessions(database_url: str, master_key: str) -> Iterator[sessionmaker[Session]]:
    """Sessions that really commit, on this test's own database."""
    engine = make_engine(database_url)
    yield make_sessions(engine, keyring_from(master_key))
    engine.dispose()


@pytest.fixture(scope="session")
def rolled_back_url(servers: LocalServers, postgres: psycopg.Connection, template: str) -> str:
    _execute(postgres, f"create database test_rolled_back template {template}")
    return _sibling(servers.database_url, "test_rolled_back")


@pytest.fixture
def session(rolled_back_url: str, master_key: str) -> Iterator[Session]:
    """A session whose work, commits included, is rolled back when the test ends."""
    engine = make_engine(rolled_back_url, pool_size=1)
    with engine.connect() as connection:
        outer = connection.begin()
        sessions = make_sessions(engine, keyring_from(master_key))
        with sessions(bind=connection, join_transaction_mode="create_savepoint") as made:
            yield made
        outer.rollback()
    engine.dispose()


@pytest.fixture
def settings(database_url: str, redis_url: str, master_key: str, tmp_path: Path) -> Settings:
    """Settings of processes under test."""
    return Settings.from_env(
        {
            "FRONTDESK_HOME": str(tmp_path / "home"),
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "FRONTDESK_MASTER_KEY": master_key,
            "FRONTDESK_PORT": "0",
            "FRONTDESK_ENGINE": "none",
        }
    )


def _sibling(database_url: str, name: str) -> str:
    return make_url(database_url).set(database=name).render_as_string(hide_password=False)


def _execute(connection: psycopg.Connection, statement: str) -> None:
    connection.execute(statement.encode())
