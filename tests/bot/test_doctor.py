"""The doctor names what is wrong and how to mend it, part by part."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import redis

from bot.doctor import (
    Finding,
    check_disk,
    check_embedder,
    check_model,
    check_page,
    check_postgres,
    check_python,
    check_redis,
    check_workers,
    examine,
    exit_status,
)
from bot.model_files import LANGUAGE_MODELS
from bot.redis_url import redis_py_url
from bot.settings import Settings
from tests.shell import Shell

PACKAGED = "qwen2.5-coder-1.5b-instruct"
NOWHERE = {"HOME": "/nonexistent", "FRONTDESK_ENGINE": "none"}


def levels(findings: Iterable[Finding]) -> dict[str, str]:
    return {finding.part: finding.level for finding in findings}


def test_servers_in_order_are_well(settings: Settings) -> None:
    well = {"postgres": "ok", "extensions": "ok", "schema": "ok", "clock": "ok"}
    assert levels(check_postgres(settings, {})) == well
    assert levels(check_redis(settings, {})) == {"redis": "ok", "redis persistence": "ok"}


def test_nothing_running_fails_with_the_command_that_starts_it(tmp_path: Path) -> None:
    settings = Settings.from_env({**NOWHERE, "FRONTDESK_HOME": str(tmp_path)})
    findings = examine(settings, NOWHERE)
    wrong = [finding for finding in findings if finding.level == "fail"]
    assert {finding.part for finding in wrong} == {"postgres", "redis", "worker"}
    assert all("./frontdesk up" in finding.remedy for finding in wrong)
    assert exit_status(findings) == 1


def test_every_finding_that_is_not_well_carries_a_remedy(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "FRONTDESK_HOME": str(tmp_path)}
    findings = examine(Settings.from_env(environ), environ)
    assert levels(findings)["model"] == "fail"
    assert all(finding.remedy for finding in findings if finding.level != "ok")


def test_a_postgres_that_is_gone_is_told_without_its_password(settings: Settings) -> None:
    gone = "postgresql+psycopg://frontdesk:hush@/frontdesk?host=/nonexistent"
    (finding,) = check_postgres(replace(settings, database_url=gone), {})
    assert finding.level == "fail"
    assert "hush" not in finding.found


def test_a_schema_that_is_behind_names_the_command(settings: Settings) -> None:
    assert settings.database_url is not None
    address = settings.database_url.replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        connection.execute("delete from alembic_version")
    schema = next(f for f in check_postgres(settings, {}) if f.part == "schema")
    assert schema.level == "fail"
    assert "./frontdesk migrate" in schema.remedy


def test_a_missing_extension_is_named(settings: Settings) -> None:
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.replace("+psycopg", "")) as connection:
        connection.execute("drop extension pg_trgm cascade")
    extensions = next(f for f in check_postgres(settings, {}) if f.part == "extensions")
    assert extensions.found == "missing: pg_trgm"
    assert "create extension pg_trgm" in extensions.remedy


def test_a_redis_that_forgets_or_evicts_is_a_warning(settings: Settings) -> None:
    assert settings.redis_url is not None
    client = redis.Redis.from_url(redis_py_url(settings.redis_url))
    client.config_set("appendonly", "no")
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        found = levels(check_redis(settings, {}))
    finally:
        client.config_set("appendonly", "yes")
        client.config_set("maxmemory-policy", "noeviction")
        client.close()
    assert found == {"redis": "warn", "redis persistence": "warn"}


def test_a_damaged_model_of_the_right_size_is_found(tmp_path: Path) -> None:
    manifest = LANGUAGE_MODELS[PACKAGED]
    with (tmp_path / manifest.file).open("wb") as file:
        file.truncate(manifest.size_bytes)  # sparse: the size is right, the bytes are not
    environ = {"HOME": str(tmp_path), "FRONTDESK_MODELS": str(tmp_path)}
    (finding,) = check_model(Settings.from_env(environ), environ)
    assert finding.level == "fail"
    assert "damaged" in finding.found


def test_a_port_in_use_is_found_while_nothing_of_ours_runs(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        environ = {"HOME": str(tmp_path), "FRONTDESK_PORT": port}
        (finding,) = check_page(Settings.from_env(environ), environ)
    assert finding.level == "fail"
    assert "FRONTDESK_PORT" in finding.remedy


def test_a_queue_that_nobody_serves_is_found(settings: Settings) -> None:
    (finding,) = check_workers(settings, {})
    assert (finding.part, finding.level) == ("worker", "fail")


def test_this_machine_can_run_frontdesk(settings: Settings) -> None:
    assert levels(check_python(settings, {})) == {"python": "ok"}
    assert levels(check_embedder(settings, {})) == {"embedder": "ok"}
    assert set(levels(check_disk(settings, {"HOME": "/"}))) == {"disk", "disk of models"}


@pytest.mark.parametrize("way", ["--json", ""])
def test_the_command_exits_with_one_when_a_part_fails(tmp_path: Path, way: str) -> None:
    shell = Shell({**NOWHERE, "FRONTDESK_HOME": str(tmp_path)})
    finished = shell.run("doctor", *([way] if way else []))
    assert finished.status == 1
    if way:
        found = {finding["part"]: finding["level"] for finding in json.loads(finished.out)}
        assert found["postgres"] == "fail"
    else:
        assert "✗ postgres" in finished.out
