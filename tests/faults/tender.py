"""A scripted desk under Frontdesk's own supervisor, in a process of its own.

`python -m tests.faults.tender HOME [NAME...]` starts Postgres, Valkey, web, workers of these names
and beat as `up` does, and the channels process if `channels` is among the names. It writes
HOME/run/desk.json and tends them until SIGTERM. Whoever starts it may kill any of them: the pids
stand in HOME/run/NAME.pid.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from bot import migrate
from bot.database import keyring_from, make_engine, make_sessions
from bot.knowledge.articles import ensure_inbox
from bot.local import LocalServers
from bot.machine import find_free_port
from bot.queue import Queue
from bot.sealing import MasterKey
from bot.spawn import Program
from bot.supervisor import StopRequest, Supervisor
from bot.terminal import Terminal
from bot.up import CHECKOUT, GRACE_S, QUEUES, answers_http

INBOX = "faults"
HOST = "127.0.0.1"
CHANNELS = "channels"


class Tender:
    """Starts the programs of one home in the order of `up` and keeps them running."""

    def __init__(self, home: Path, worker_names: list[str], stop: StopRequest) -> None:
        self._home = home
        self._workers = [name for name in worker_names if name != CHANNELS]
        self._has_channels = CHANNELS in worker_names
        self._lmtp = f"{HOST}:{find_free_port(HOST)}"
        self._servers = LocalServers(home)
        self._port = find_free_port(HOST)
        self._stop = stop
        self._supervisor = Supervisor(Terminal(sys.stdout, is_live=False), home / "run", stop)

    def start(self) -> None:
        """Return when all is ready; then HOME/run/desk.json says where."""
        self._servers.prepare()
        for program in self._servers.programs:
            self._supervisor.start(program)
        migrate.upgrade(self._servers.database_url)
        master_key = MasterKey.generate()
        self._make_inbox(master_key)
        programs = self._programs(self._environ(master_key))
        for program in programs:
            self._supervisor.launch(program)
        if self._supervisor.tend_until_ready([program.name for program in programs], 120.0):
            self._tell(master_key)

    def tend(self) -> None:
        self._supervisor.tend_until_stopped()

    def stop(self) -> None:
        self._supervisor.drain()
        self._servers.release()

    def _make_inbox(self, master_key: str) -> None:
        engine = make_engine(self._servers.database_url, pool_size=1)
        with make_sessions(engine, keyring_from(master_key)).begin() as session:
            ensure_inbox(session, INBOX)
        engine.dispose()

    def _tell(self, master_key: str) -> None:
        told = {
            "url": f"http://{HOST}:{self._port}",
            "database_url": self._servers.database_url,
            "redis_url": self._servers.redis_url,
            "master_key": master_key,
            "lmtp": self._lmtp,
        }
        unfinished = self._home / "run" / "desk.new"
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(told), encoding="utf-8")
        unfinished.rename(self._home / "run" / "desk.json")

    def _environ(self, master_key: str) -> dict[str, str]:
        """The environment we were given, which carries the script, and the servers' addresses."""
        scripted = {name: text for name, text in os.environ.items() if name.startswith("SCRIPT_")}
        return {
            **scripted,
            "DATABASE_URL": self._servers.database_url,
            "REDIS_URL": self._servers.redis_url,
            "FRONTDESK_MASTER_KEY": master_key,
            "FRONTDESK_HOME": str(self._home),
            "FRONTDESK_HOST": HOST,
            "FRONTDESK_PORT": str(self._port),
            "FRONTDESK_ENGINE": "none",
            "FRONTDESK_LMTP": self._lmtp,
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
        }

    def _programs(self, environ: dict[str, str]) -> list[Program]:
        celery = [sys.executable, "-P", "-m", "celery", "-A", "tests.bench.scripted_worker"]
        schedule = str(self._home / "run" / "beat-schedule")
        web = [sys.executable, "-P", "-m", "tests.bench.scripted_web"]
        channels = [sys.executable, "-P", "-m", "bot", "channels"]
        return [
            self._program("web", web, environ, self._web_answers),
            *([self._program(CHANNELS, channels, environ)] if self._has_channels else []),
            *(self._worker(name, celery, environ) for name in self._workers),
            self._program("beat", [*celery, "beat", "-s", schedule], environ),
        ]

    def _worker(self, name: str, celery: list[str], environ: dict[str, str]) -> Program:
        node = f"{name}@desk"
        command = [*celery, "worker", "-Q", QUEUES, "-c", "8", "-n", node]
        queue = Queue(self._servers.redis_url)
        return self._program(name, command, environ, lambda: node in queue.ping_workers(0.3))

    def _program(
        self,
        name: str,
        command: list[str],
        environ: dict[str, str],
        is_ready: object = None,
    ) -> Program:
        return Program(
            name=name,
            command=command,
            log=self._home / "logs" / f"{name}.log",
            environ=environ,
            is_ready=is_ready if callable(is_ready) else lambda: True,
            grace_s=GRACE_S,
        )

    def _web_answers(self) -> bool:
        return answers_http(HOST, self._port, "/healthz")


def main() -> None:
    home, *workers = sys.argv[1:]
    with StopRequest() as stop:
        tender = Tender(Path(home), workers or ["worker"], stop)
        try:
            tender.start()
            stop.interrupts = False
            tender.tend()
        except KeyboardInterrupt:
            pass
        finally:
            stop.interrupts = False
            tender.stop()


if __name__ == "__main__":
    main()
