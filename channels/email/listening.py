"""Reads mailboxes by IMAP, each by one process at a time, and goes on after whatever happens."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import ParamSpec, TypeVar
from uuid import UUID, uuid4

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from channels.email import watermarks
from channels.email.imap import LOST, ImapConnection, LoginRefused
from channels.email.incoming import MailIntake
from channels.email.logins import Logins
from channels.email.mailboxes import Mailbox, MailboxError, ServerSetting, load_mailboxes
from channels.email.watermarks import LeaseLost

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient the listener is; tests are less so."""

    wait_s: float = 20.0
    lease: timedelta = timedelta(seconds=90)
    renew_every_s: float = 20.0
    first_backoff_s: float = 1.0
    longest_backoff_s: float = 300.0
    look_for_mailboxes_s: float = 15.0
    command_timeout_s: float = 30.0


class _Thread:
    """One thread for one connection: a line that hangs must not hold up the other mailboxes."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "imap")

    async def do(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call something that blocks."""
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, partial(function, *args, **kwargs)
        )

    async def connect(self, server: ServerSetting, timeout_s: float) -> ImapConnection:
        """Connect; a connection that came when nobody waited for it any more is freed."""
        connecting = self._executor.submit(ImapConnection, server, timeout_s)
        try:
            return await asyncio.wrap_future(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_release)
            raise

    def do_last(self, function: Callable[[], None]) -> None:
        """Call something once what is under way has ended."""
        self._executor.submit(function)

    def leave(self) -> None:
        """Take no more work; what was given ends by itself."""
        self._executor.shutdown(wait=False)


class MailboxReader:
    """Reads one mailbox for as long as it runs."""

    def __init__(
        self,
        mailbox: Mailbox,
        sessions: async_sessionmaker[AsyncSession],
        intake: MailIntake,
        logins: Logins,
        timing: Timing,
    ) -> None:
        self._mailbox = mailbox
        self._sessions = sessions
        self._intake = intake
        self._logins = logins
        self._timing = timing
        self._place = (mailbox.inbox_id, mailbox.setting.folder)
        self._holder = str(uuid4())
        self._renewed_at = 0.0
        self._failures = 0

    async def run(self) -> None:
        """Hold the lease, read, reconnect with patience; ends when it is cancelled."""
        try:
            while True:
                try:
                    if await self._renew_lease(force=True):
                        await self._connect_and_read()
                    await asyncio.sleep(self._timing.wait_s / 2)
                except LeaseLost:
                    log.info("another process reads inbox=%s", self._place[0])
                except (*LOST, MailboxError, SQLAlchemyError) as error:
                    self._failures += 1
                    await self._note(error)
                    await asyncio.sleep(self._backoff_s())
        finally:
            await self._release()

    async def _connect_and_read(self) -> None:
        """One connection's life. Raises what ended it."""
        server = self._mailbox.setting.imap
        assert server is not None, "only mailboxes with an IMAP server are read"
        credentials = await self._logins.credentials(self._mailbox)
        thread = _Thread()
        try:
            connection = await thread.connect(server, self._timing.command_timeout_s)
            try:
                await thread.do(connection.login, credentials)
                await self._follow(connection, thread)
            except LoginRefused:
                self._logins.forget(self._mailbox)
                raise
            finally:
                connection.abort()
                thread.do_last(connection.release)
        finally:
            thread.leave()

    async def _follow(self, connection: ImapConnection, thread: _Thread) -> None:
        validity, highest = await thread.do(connection.select, self._mailbox.setting.folder)
        async with self._sessions.begin() as session:
            mark = await session.run_sync(
                watermarks.begin, *self._place, self._holder, validity, highest
            )
        last_uid = mark.last_uid
        while True:
            for uid in await thread.do(connection.uids_after, last_uid):
                await self._read_one(connection, thread, uid, mark.since)
                last_uid = uid
            await self._renew_lease(force=True)
            async with self._sessions.begin() as session:
                await session.run_sync(watermarks.note_success, *self._place, self._holder)
            self._failures = 0
            await thread.do(connection.wait, self._timing.wait_s)

    async def _read_one(
        self, connection: ImapConnection, thread: _Thread, uid: int, since: datetime
    ) -> None:
        """Store one mail, then flag it, then note that it was read: in this order."""
        await self._renew_lease()
        fetched = await thread.do(connection.fetch, uid)
        if fetched is not None and fetched.received_at >= since:
            await self._intake.take(self._mailbox.inbox_id, fetched.raw)
            await thread.do(connection.mark_seen, uid)
        async with self._sessions.begin() as session:
            await session.run_sync(watermarks.advance, *self._place, self._holder, uid)

    async def _renew_lease(self, *, force: bool = False) -> bool:
        """False, or LeaseLost while reading, if another process is the reader."""
        loop = asyncio.get_running_loop()
        if not force and loop.time() < self._renewed_at + self._timing.renew_every_s:
            return True
        async with self._sessions.begin() as session:
            is_held = await session.run_sync(
                watermarks.acquire, *self._place, self._holder, self._timing.lease
            )
        if not is_held and not force:
            raise LeaseLost
        self._renewed_at = loop.time()
        return is_held

    async def _note(self, error: BaseException) -> None:
        log.warning("mailbox not read inbox=%s error=%s", self._place[0], type(error).__name__)
        try:
            async with self._sessions.begin() as session:
                await session.run_sync(watermarks.note_error, *self._place, _told(error))
        except SQLAlchemyError:
            log.warning("the database is away too inbox=%s", self._place[0])

    async def _release(self) -> None:
        try:
            async with self._sessions.begin() as session:
                await session.run_sync(watermarks.release, *self._place, self._holder)
        except SQLAlchemyError:
            log.warning("the lease runs out by itself inbox=%s", self._place[0])

    def _backoff_s(self) -> float:
        longest = min(
            self._timing.first_backoff_s * 2.0 ** min(self._failures - 1, 20),
            self._timing.longest_backoff_s,
        )
        return longest * random.uniform(0.5, 1.0)


async def read_mailboxes(
    sessions: async_sessionmaker[AsyncSession],
    intake: MailIntake,
    logins: Logins,
    timing: Timing,
) -> None:
    """Read every mailbox that has an IMAP server; new and changed ones are noticed."""
    readers: dict[UUID, tuple[Mailbox, asyncio.Task[None]]] = {}
    try:
        while True:
            try:
                async with sessions.begin() as session:
                    mailboxes = await session.run_sync(load_mailboxes)
            except SQLAlchemyError as error:
                log.warning("mailboxes unknown for now error=%s", type(error).__name__)
            else:
                wanted = {box.inbox_id: box for box in mailboxes if box.setting.imap is not None}
                await _stop_changed(readers, wanted)
                for inbox_id, mailbox in wanted.items():
                    if inbox_id not in readers:
                        reader = MailboxReader(mailbox, sessions, intake, logins, timing)
                        readers[inbox_id] = (mailbox, asyncio.create_task(reader.run()))
            await asyncio.sleep(timing.look_for_mailboxes_s)
    finally:
        await _stop([task for _, task in readers.values()])


async def _stop_changed(
    readers: dict[UUID, tuple[Mailbox, asyncio.Task[None]]], wanted: dict[UUID, Mailbox]
) -> None:
    """Stop the readers of mailboxes that were changed or taken away; forget those that ended."""
    for inbox_id, (mailbox, task) in list(readers.items()):
        if task.done():
            error = None if task.cancelled() else task.exception()
            log.error("a reader ended, it begins anew inbox=%s", inbox_id, exc_info=error)
        if task.done() or wanted.get(inbox_id) != mailbox:
            await _stop([task])
            del readers[inbox_id]


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _release(connecting: Future[ImapConnection]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().release()


def _told(error: BaseException) -> str:
    """What the staff is told of a mailbox that cannot be read."""
    if isinstance(error, MailboxError):
        return str(error)
    if isinstance(error, SQLAlchemyError):
        return "The database is away."
    return f"The mail server does not answer ({type(error).__name__})."
