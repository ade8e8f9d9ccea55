"""A Valkey of a test's own, which it may kill, freeze and start again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from bot.local import LocalServers, start_server
from bot.spawn import Child


class OwnValkey:
    """Started and ended from the main thread."""

    def __init__(self, home: Path) -> None:
        self._servers = LocalServers(home)
        self._servers.prepare(postgres=False)
        self._program = self._servers.programs[1]
        self._child: Child | None = None
        self.url = self._servers.redis_url
        self.start()

    def start(self) -> None:
        """Bring it up, the first time or again."""
        self._child = start_server(self._program)

    def kill(self) -> None:
        """SIGKILL it, as a crash would."""
        assert self._child is not None
        self._child.kill()

    def freeze(self) -> None:
        self._send(signal.SIGSTOP)

    def wake(self) -> None:
        self._send(signal.SIGCONT)

    def stop(self) -> None:
        """End it and give its home back."""
        assert self._child is not None
        self._child.stop()
        self._servers.release()

    def _send(self, number: signal.Signals) -> None:
        assert self._child is not None
        os.kill(self._child.pid, number)
