"""The embedded Postgres: made once, started with our options, asked, and cleared after a crash."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psycopg

from bot.home import LocalError, write_secret
from bot.local_layout import Layout
from bot.spawn import StartError

DATABASE = "frontdesk"
ROLE = "frontdesk"
EXTENSIONS = ("vector", "pg_trgm")
_STILL_COMING = (
    "starting up",
    "shutting down",
    "not yet accepting",
    "recovery",
    "too many clients",
)


def make_cluster(layout: Layout, password: str, *, durable: bool) -> None:
    """initdb into a folder beside the final one, so that an interrupted one is done again."""
    unfinished = layout.postgres / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    secret = layout.postgres / "password.new"
    write_secret(secret, password)
    if layout.account is not None:
        os.chown(secret, layout.account.uid, layout.account.gid)
    _run(
        layout,
        [
            str(layout.binaries / "initdb"),
            f"--pgdata={unfinished}",
            f"--username={ROLE}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            # Thousands of log-ins a run of the tests: each is 4,096 rounds of HMAC otherwise.
            *([] if durable else ["--no-sync", "-c", "scram_iterations=1"]),
        ],
    )
    secret.unlink()
    _run_single(layout, unfinished, "postgres", [f"create database {DATABASE}"])
    _run_single(
        layout, unfinished, DATABASE, [f"create extension {extension}" for extension in EXTENSIONS]
    )
    unfinished.rename(layout.postgres_data)


def _run_single(layout: Layout, data: Path, database: str, statements: Sequence[str]) -> None:
    command = [str(layout.binaries / "postgres"), "--single", "-j", "-D", str(data)]
    quick = ["-c", "fsync=off", "-c", "exit_on_error=on"]
    _run(layout, [*command, *quick, database], ";\n\n".join(statements) + ";\n\n")


def _run(layout: Layout, command: Sequence[str], text: str = "") -> None:
    account = layout.account
    finished = subprocess.run(
        command,
        input=text,
        text=True,
        capture_output=True,
        cwd="/",
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
        extra_groups=None if account is None else (),
        check=False,
    )
    if finished.returncode != 0:
        said = (finished.stderr or finished.stdout).strip().splitlines() or ["no reason given"]
        raise LocalError(
            f"The database could not be made in {layout.postgres}: {said[-1]} Free disk space and "
            "start again, or set DATABASE_URL to a Postgres of your own."
        )


def postgres_options(layout: Layout, *, durable: bool) -> list[str]:
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(layout.postgres_socket),
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "recovery_init_sync_method": "syncfs" if os.uname().sysname == "Linux" else "fsync",
        # Parallel plans need /dev/shm, of which a container has 64 MB.
        "max_parallel_workers_per_gather": "0",
        "max_parallel_maintenance_workers": "0",
        # A log holds no statement and no row, so no text of a customer either.
        # The text of an ERROR itself quotes values; whoever sent the statement is told it anyway.
        "log_min_messages": "log",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_parameter_max_length_on_error": "0",
        "log_timezone": "UTC",
        "timezone": "UTC",
    }
    if not durable:
        # Commits still reach the kernel, so that killed servers lose nothing in tests either.
        options |= {"fsync": "off", "full_page_writes": "off"}
    return [word for name, value in options.items() for word in ("-c", f"{name}={value}")]


def postgres_answers(layout: Layout, password: str) -> bool:
    """Raises StartError when it answers and will never let us in: its data is damaged."""
    try:
        with psycopg.connect(
            host=str(layout.postgres_socket),
            user=ROLE,
            dbname=DATABASE,
            password=password,
            connect_timeout=5,
        ) as connection:
            connection.execute("select 1")
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())
        if "FATAL:" in said and not any(word in said for word in _STILL_COMING):
            raise StartError(f"postgres says: {said}") from error
        return False
    return True


def clear_postgres(layout: Layout) -> None:
    """End an orphan of this very data folder, and drop a pid file that names somebody else.

    The home's lock is ours, so no other supervisor runs here; what is left is from a crash.
    """
    pid_file = layout.postgres_data / "postmaster.pid"
    with suppress(OSError, ValueError, IndexError):
        pid = int(pid_file.read_text(encoding="ascii").splitlines()[0])
        if _works_in(pid, layout.postgres_data):
            os.kill(pid, signal.SIGQUIT)
            _wait_for_end(pid, layout.postgres_data)
        else:
            pid_file.unlink()
    for stale in layout.postgres_socket.glob(".s.PGSQL.*"):
        stale.unlink()


def _works_in(pid: int, folder: Path) -> bool:
    """True when a live process has that data folder as its working folder."""
    if sys.platform == "linux":
        with suppress(OSError):
            return Path(f"/proc/{pid}/cwd").readlink() == folder
        return False
    finished = subprocess.run(
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return str(folder) in finished.stdout


def _wait_for_end(pid: int, folder: Path) -> None:
    for _ in range(250):
        if not _works_in(pid, folder):
            return
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
