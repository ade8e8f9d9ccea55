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

TEMPLATE = "frontdesk_template"
hypothesis.settings.register_profile("ci", derandomize=True)  # new finds are for developers
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")
os.environ["COLUMNS"] = "120"  # tables fit the terminal; the tests' is the same everywhere
_numbers = itertools.count(1)


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


@pytest.fixture
def database_url(
    servers: LocalServers, postgres: psycopg.Connection, template: str
) -> Iterator[str]:
    """A fresh migrated database of this test's own."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    # Copying the files takes a sixth of the time of Postgres's default, which logs every block.
    _execute(postgres, f"create database {name} template {template} strategy file_copy")
    yield _sibling(servers.database_url, name)
    _execute(postgres, f"drop database {name} with (force)")


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
