"""The composition root of the web process and of the channels process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import redis.asyncio
import uvloop
from aiohttp import web
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from bot import migrate
from bot.api.routes import Api
from bot.channel import Channel, Receive
from bot.channel_setup import ChannelSetup
from bot.conversations import PUSHED_CHANNELS
from bot.dashboard.feed import Feed
from bot.dashboard.routes import Dashboard
from bot.database import (
    keyring_of_settings,
    make_async_engine,
    make_async_sessions,
    make_engine,
    make_sessions,
    without_transactions,
)
from bot.delivery import deliver_pending, is_due
from bot.events import ANYTHING, Hub, Publisher
from bot.intake import Intake
from bot.letters import Post, send_letters
from bot.logs import configure
from bot.messages import ChannelName
from bot.queue import Queue
from bot.redis_url import redis_py_url
from bot.sample_shop import SampleShop
from bot.settings import Settings, SettingsError
from bot.version import version
from bot.web.event_stream import Drain
from bot.web.headers import add_headers
from bot.web.health import Check, Health, NotReady
from bot.web.measures import Measures
from bot.web.refusals import tell_refusals
from bot.web.rules import enforce
from channels.chat.adapter import ChatChannel, share_with_any_page
from channels.email.adapter import EmailChannel, Listening
from channels.email.lmtp import Address
from channels.slack.accounts import Accounts
from channels.slack.adapter import SlackChannel

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 8 * 1024 * 1024
DRAIN_SECONDS = 25.0
# Twice as many are opened at most: what messages are stored with, and mail is read with.
THREADED_CONNECTIONS = 4
DELIVERY_PAUSE_SECONDS = 1.0
LETTERS_PAUSE_SECONDS = 2.0
# Bells make a delivery start at once; this often is enough, however many of them ring.
SHORTEST_DELIVERY_PAUSE_SECONDS = 0.1
# So many sends of one channel at once; what goes to one place keeps its order all the same.
DELIVERY_LANES = 3
CHANNELS_NICENESS = 10
AWAY_PAUSE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the processes are made of."""

    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    threaded: sessionmaker[Session]
    hub: Hub
    queue: Queue
    publisher: Publisher
    drain: Drain
    redis: redis.asyncio.Redis
    intake: Intake
    environ: Mapping[str, str]
    settings: Settings

    async def close(self) -> None:
        """End every connection and thread; nothing of it is used any more."""
        await asyncio.to_thread(self.intake.close)
        await self.hub.close()
        await self.redis.aclose()
        await self.engine.dispose()
        self.threaded.kw["bind"].dispose()
        self.publisher.close()
        self.queue.close()


def make_chat(parts: Parts) -> ChatChannel:
    """The web chat."""
    return ChatChannel(parts.sessions, parts.hub, parts.publisher, parts.drain)


def make_email(parts: Parts) -> EmailChannel:
    """E-mail. Raises SettingsError."""
    try:
        address = Address.parse(parts.settings.lmtp) if parts.settings.lmtp else None
    except ValueError as error:
        raise SettingsError(f"FRONTDESK_LMTP: {error}") from error
    return EmailChannel(
        parts.sessions,
        parts.threaded,
        parts.publisher,
        Listening(address, parts.settings.lmtp_protocol),
        public_url=parts.settings.public_url,
    )


def make_slack(parts: Parts) -> SlackChannel:
    """Slack. Its secrets are read from this process's environment, which no worker shares."""
    return SlackChannel(
        parts.sessions, Accounts(parts.sessions, parts.environ), parts.publisher, parts.queue
    )


CHANNELS: Mapping[ChannelName, Callable[[Parts], Channel]] = {
    "chat": make_chat,
    "email": make_email,
    "slack": make_slack,
}


# -- the web process -------------------------------------------------------------------------


def run_web(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is under way."""
    configure(settings)
    web.run_app(
        build_web(settings),
        host=settings.host,
        port=settings.port,
        shutdown_timeout=DRAIN_SECONDS,
        access_log=None,
        print=None,
        loop=uvloop.new_event_loop(),
    )


def build_web(settings: Settings) -> web.Application:
    """The web process's application; it opens nothing before it starts. Raises SettingsError."""
    parts = build_parts(settings)
    chat, slack = make_chat(parts), make_slack(parts)
    api = Api(
        parts.sessions,
        parts.hub,
        parts.queue,
        parts.publisher,
        answer_timeout_s=float(settings.answer_timeout_s),
        version=version(),
    )
    dashboard = Dashboard(
        parts.sessions,
        parts.hub,
        parts.queue,
        parts.publisher,
        parts.drain,
        ChannelSetup(parts.sessions, parts.environ, settings.public_url),
        public_url=settings.public_url,
        token_prices=settings.token_prices,
    )
    guards = enforce(
        {
            "visitor": chat.authenticate,
            "token": api.authenticate,
            "slack": slack.verify,
            **dashboard.guards,
        }
    )
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[tell_refusals, guards])
    app.on_response_prepare.append(add_headers)
    app.on_response_prepare.append(share_with_any_page)
    receive = parts.intake.receive
    others = [make(parts) for name, make in CHANNELS.items() if name not in ("chat", "slack")]
    served: list[Channel] = [chat, slack, *others]
    for channel in served:
        app.add_routes(channel.routes(receive))
    app.add_routes(api.routes())
    app.add_routes(dashboard.routes())
    app.add_routes(SampleShop(parts.sessions).routes())
    app.add_routes(Health(_checks(parts)).routes())
    app.add_routes(Measures(parts.sessions, parts.queue, parts.hub).routes())
    app.on_shutdown.append(lambda _app: _begin_drain(parts))
    app.cleanup_ctx.append(lambda _app: _run_parts(parts, chat, dashboard.feed))
    return app


def build_parts(settings: Settings) -> Parts:
    """Connections to be; nothing connects before it is used. Raises SettingsError."""
    if not settings.database_url or not settings.redis_url:
        raise SettingsError(
            "DATABASE_URL and REDIS_URL are not set: `./frontdesk up` brings its own servers, "
            "or name yours."
        )
    engine, keyring = make_async_engine(settings.database_url), keyring_of_settings(settings)
    threaded = make_sessions(make_engine(settings.database_url, THREADED_CONNECTIONS), keyring)
    redis_url = redis_py_url(settings.redis_url)
    queue, publisher = Queue(settings.redis_url), Publisher(redis_url)
    return Parts(
        engine=engine,
        sessions=make_async_sessions(engine, keyring),
        threaded=threaded,
        hub=Hub(redis_url),
        queue=queue,
        publisher=publisher,
        intake=Intake(threaded, queue, publisher),
        drain=Drain(),
        redis=redis.asyncio.Redis.from_url(redis_url, socket_connect_timeout=2, socket_timeout=2),
        environ=os.environ,
        settings=settings,
    )


async def _run_parts(parts: Parts, chat: ChatChannel, feed: Feed) -> AsyncIterator[None]:
    await parts.hub.start()
    tasks = [
        asyncio.create_task(chat.streams.look_again_and_again(), name="streams' look"),
        asyncio.create_task(feed.run(), name="inbox feed"),
    ]
    yield
    await _cancel(tasks)
    await parts.close()


async def _begin_drain(parts: Parts) -> None:
    # Streams end at once and their browsers come back elsewhere; other requests are finished.
    parts.drain.begin()
    parts.hub.wake_all()


def _checks(parts: Parts) -> dict[str, Check]:
    head = migrate.head_revision()

    async def postgres() -> None:
        async with parts.engine.connect() as connection:
            await connection.execute(text("select 1"))

    async def migrations() -> None:
        async with parts.engine.connect() as connection:
            found = await connection.run_sync(migrate.current_revision)
        if found != head:
            raise NotReady(f"the schema is {found}, this version needs {head}")

    async def ping() -> None:
        await parts.redis.ping()

    return {"postgres": postgres, "migrations": migrations, "redis": ping}


# -- the channels process --------------------------------------------------------------------


def run_channels(settings: Settings) -> None:
    """Listen and deliver until SIGTERM or SIGINT."""
    configure(settings)
    with contextlib.suppress(OSError):  # a flood of mail must not take the chat's share of the CPU
        os.nice(CHANNELS_NICENESS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run_channels(settings))


async def _run_channels(settings: Settings) -> None:
    parts = build_parts(settings)
    channels: dict[str, Channel] = {name: make(parts) for name, make in CHANNELS.items()}
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    receive = parts.intake.receive
    await parts.hub.start()
    listeners = [
        asyncio.create_task(_listen(name, channel, receive)) for name, channel in channels.items()
    ]
    try:
        await asyncio.gather(
            deliver_until(stop, parts.sessions, channels, parts.hub),
            *(
                send_letters_until(stop, parts.sessions, channel)
                for channel in channels.values()
                if isinstance(channel, EmailChannel)
            ),
        )
    finally:
        await _cancel(listeners)
        await parts.close()


async def _listen(name: str, channel: Channel, receive: Receive) -> None:
    """Listen; what ends a listener is logged and it begins again, the other channels go on."""
    while True:
        try:
            return await channel.listen(receive)
        except Exception:
            log.exception("a listener ended channel=%s", name)
            await asyncio.sleep(AWAY_PAUSE_SECONDS)


async def deliver_until(
    stop: asyncio.Event,
    sessions: async_sessionmaker[AsyncSession],
    channels: Mapping[str, Channel],
    hub: Hub | None = None,
) -> None:
    """Deliver what is due, again and again; a send under way is finished before it returns.

    Each channel has lanes of its own, so that a mail server that hangs holds up no other channel.
    With a hub, a bell of any conversation makes them look at once.
    """
    work = [
        task
        for name, channel in channels.items()
        if name in PUSHED_CHANNELS
        for task in _lanes(stop, sessions, {name: channel}, hub)
    ]
    await asyncio.gather(stop.wait(), *work)


async def send_letters_until(
    stop: asyncio.Event, sessions: async_sessionmaker[AsyncSession], post: Post
) -> None:
    """Send letters to the staff; few are ever written, so no bell rings for them."""
    while not stop.is_set():
        pause_s = LETTERS_PAUSE_SECONDS
        try:
            await send_letters(sessions, post)
        except SQLAlchemyError as error:
            log.warning("letters wait for the database error=%s", type(error).__name__)
            pause_s = AWAY_PAUSE_SECONDS
        await _pause(stop, pause_s, None)


def _lanes(
    stop: asyncio.Event,
    sessions: async_sessionmaker[AsyncSession],
    channels: Mapping[str, Channel],
    hub: Hub | None,
) -> list[Coroutine[None, None, None]]:
    """The lanes of a channel, and who looks for them: bells ring for every sentence of every
    chat, and most of them mean nothing here."""
    found = asyncio.Event()
    return [
        _look_for_deliveries(stop, without_transactions(sessions), list(channels), hub, found),
        *(_deliver_in_lane(stop, sessions, channels, found) for _ in range(DELIVERY_LANES)),
    ]


async def _look_for_deliveries(
    stop: asyncio.Event,
    sessions: async_sessionmaker[AsyncSession],
    channels: list[str],
    hub: Hub | None,
    found: asyncio.Event,
) -> None:
    """Wake the lanes whenever something is due, and once more when it is over."""
    async with contextlib.AsyncExitStack() as stack:
        bells = await stack.enter_async_context(hub.listen(ANYTHING)) if hub else None
        stack.callback(found.set)
        while not stop.is_set():
            try:
                async with sessions() as session:
                    if await session.run_sync(is_due, channels):
                        found.set()
                await _pause(stop, DELIVERY_PAUSE_SECONDS, bells)
            except SQLAlchemyError as error:
                log.warning("delivery waits for the database error=%s", type(error).__name__)
                await _pause(stop, AWAY_PAUSE_SECONDS, None)


async def _deliver_in_lane(
    stop: asyncio.Event,
    sessions: async_sessionmaker[AsyncSession],
    channels: Mapping[str, Channel],
    found: asyncio.Event,
) -> None:
    while not stop.is_set():
        await found.wait()
        found.clear()
        try:
            while not stop.is_set() and await deliver_pending(sessions, channels):
                pass
        except SQLAlchemyError as error:
            log.warning("delivery waits for the database error=%s", type(error).__name__)
            await _pause(stop, AWAY_PAUSE_SECONDS, None)


async def _pause(
    stop: asyncio.Event, pause_s: float, bells: asyncio.Queue[dict[str, Any]] | None
) -> None:
    """Until the time is over, somebody asks to stop, or a bell rings."""
    waits = [asyncio.create_task(stop.wait())]
    if bells is not None:
        waits.append(asyncio.create_task(_hear(bells)))
    await asyncio.wait(waits, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


async def _hear(bells: asyncio.Queue[dict[str, Any]]) -> Literal[True]:
    await bells.get()
    await asyncio.sleep(SHORTEST_DELIVERY_PAUSE_SECONDS)
    while not bells.empty():
        bells.get_nowait()
    return True


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
