"""Keeps the claims of running answers alive, and gives them back when the worker must stop."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from bot.conversations import Claim, abandon_run, renew_lease
from bot.events import Advance

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=20)
RENEWALS = 4


class Leases:
    """The claims that this process holds; a thread renews them while their runs go on.

    A worker that is killed renews nothing, so its claims end by themselves after `length`.
    """

    def __init__(self, sessions: sessionmaker[Session], length: timedelta = LEASE) -> None:
        self.length = length
        self._sessions = sessions
        self._claims: dict[int, Claim] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    @contextlib.contextmanager
    def keep(self, claim: Claim) -> Iterator[None]:
        """Renew the claim's lease while the block runs."""
        with self._lock:
            self._claims[id(claim)] = claim
        try:
            yield
        finally:
            with self._lock:
                self._claims.pop(id(claim), None)

    def hand_back(self) -> list[tuple[Claim, Advance]]:
        """Abandon all claims, so that another worker goes on at once; their runs write no more."""
        with self._lock:
            claims = list(self._claims.values())
            self._claims.clear()
        advances = []
        for claim in claims:
            try:
                with self._sessions.begin() as session:
                    advances.append((claim, abandon_run(session, claim, failed=False)))
            except SQLAlchemyError as error:  # then the lease ends by itself
                _warn("not handed back", claim, error)
        return advances

    def _renew(self) -> None:
        while not self._stopped.wait(self.length.total_seconds() / RENEWALS):
            with self._lock:
                claims = list(self._claims.values())
            for claim in claims:
                self._renew_one(claim)

    def _renew_one(self, claim: Claim) -> None:
        try:
            with self._sessions.begin() as session:
                renew_lease(session, claim, self.length)
        except SQLAlchemyError as error:  # whatever it is, the other claims need this thread
            _warn("lease not renewed", claim, error)


def _warn(what: str, claim: Claim, error: Exception) -> None:
    log.warning("%s conversation=%s error=%s", what, claim.conversation_id, type(error).__name__)
