"""Slack as the Channel port wants it: signed requests in, posts and revisions out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import aiohttp
from aiohttp import web
from slack_sdk.signature import SignatureVerifier
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.agents import AgentError
from bot.channel import DeliveryError, Receive
from bot.conversations import NOTICES_ONLY, ConversationError, channel_of, keyed_hash
from bot.events import Advance, Publisher
from bot.messages import Reply
from bot.queue import Queue
from bot.tables import ContactIdentity, Conversation, Message
from bot.web.bodies import read_raw
from bot.web.refusals import Refusal
from bot.web.rules import access
from channels.slack import staff
from channels.slack.accounts import Account, Accounts
from channels.slack.catching_up import CatchingUp
from channels.slack.files import Fetching, Owner, note_files, upload
from channels.slack.hearing import Heard, Ignored, find_account, hear, parse
from channels.slack.mrkdwn import escape
from channels.slack.names import Naming, ask_name_quickly
from channels.slack.payloads import Interaction, PayloadError, read_envelope, read_interaction
from channels.slack.posting import Posting, place_of
from channels.slack.staff import ClickRefused
from channels.slack.web_api import WebApi

log = logging.getLogger(__name__)

RAW = web.RequestKey("SLACK_RAW", bytes)
MAX_BODY_BYTES = 1024 * 1024
LOOK_SECONDS, NAMES_SECONDS, AWAY_SECONDS = 1.0, 5.0, 3.0
CATCH_UP_SECONDS = 600.0
# Slack waits three seconds for its answer; what is asked of it meanwhile may take one of them.
ASK_SECONDS = 1.0


class Signers(tuple[Account, ...]):
    """The accounts whose secret signed a request: whoever has one secret speaks for those."""


SIGNERS = web.RequestKey("SLACK_SIGNERS", Signers)


class SlackChannel:
    """The Slack workspaces of all Slack inboxes."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        accounts: Accounts,
        publisher: Publisher,
        queue: Queue,
    ) -> None:
        self._sessions = sessions
        self._accounts = accounts
        self._publisher = publisher
        self._queue = queue
        self._api = WebApi()
        self._posting = Posting(self._api)
        self._receive: Receive | None = None
        self._answers: set[asyncio.Task[None]] = set()

    # -- the port ----------------------------------------------------------------------------

    def routes(self, receive: Receive) -> Sequence[web.AbstractRouteDef]:
        """What Slack calls; `verify` is the guard of these routes."""
        self._receive = receive
        return [
            web.post("/slack/events", self.take_event),
            web.post("/slack/interactivity", self.take_click),
        ]

    async def listen(self, receive: Receive) -> None:
        """Fetch files, names and what was missed, for which nobody waits, until cancelled."""
        self._receive = receive
        catching_up = CatchingUp(self._sessions, self._api, self._hear)
        fetching = Fetching(self._sessions, self._accounts, self._publisher)
        naming = Naming(self._sessions, self._api)
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
            self._api.use(session)
            tasks.create_task(self._fetch_files(fetching))
            tasks.create_task(self._learn_names(naming))
            tasks.create_task(self._catch_up(catching_up))

    async def send(self, reply: Reply) -> str:
        """Post a reply with its files; returns `channel/ts`. Raises DeliveryError."""
        account = await self._account_of(reply)
        if reply.destination == NOTICES_ONLY:
            return await self._posting.notify(account, reply)
        external_id = await self._posting.send(account, reply)
        if reply.attachments:
            await upload(self._api, self._posting, account, place_of(reply), reply)
        return external_id

    async def revise(self, external_id: str, reply: Reply) -> None:
        """Replace a growing reply, or a card that has changed. Raises DeliveryError."""
        if reply.destination != NOTICES_ONLY:
            account = await self._account_of(reply)
            await self._posting.revise(account, external_id, reply)

    # -- who speaks --------------------------------------------------------------------------

    async def verify(self, request: web.Request) -> None:
        """The guard of `slack` routes: some account's secret signed this very body just now."""
        raw = await read_raw(request, MAX_BODY_BYTES)
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        accounts = await self._accounts.all()
        signers = Signers(one for one in accounts if is_signed(one, raw, timestamp, signature))
        if not signers:
            raise Refusal(401, "not_signed", "The request bears no valid signature of Slack's.")
        request[RAW], request[SIGNERS] = raw, signers

    # -- the handlers ------------------------------------------------------------------------

    @access("slack")
    async def take_event(self, request: web.Request) -> web.Response:
        """An event; what is for the desk is committed before Slack is answered."""
        try:
            envelope = read_envelope(request[RAW])
        except PayloadError as error:
            raise Refusal(400, "invalid", str(error)) from error
        if envelope.type == "url_verification":
            return web.json_response({"challenge": envelope.challenge})
        signers: Signers = request[SIGNERS]
        account = find_account(envelope, signers)
        if account is None:
            log.warning("event of an unknown team event=%s", envelope.event_id)
            return web.Response()
        heard = hear(envelope.event, account)
        if isinstance(heard, Ignored):
            log.info("ignored event=%s reason=%s", envelope.event_id, heard.reason)
        else:
            await self._hear(account, heard)
        return web.Response()

    @access("slack")
    async def take_click(self, request: web.Request) -> web.Response:
        """A click on a card; done before Slack is answered, and told there by the card."""
        try:
            interaction = read_interaction(request[RAW])
        except PayloadError as error:
            raise Refusal(400, "invalid", str(error)) from error
        signers: Signers = request[SIGNERS]
        account = _account_of_click(interaction, signers)
        if interaction.type == "block_actions" and interaction.actions and account is not None:
            await self._click(account, interaction)
        return web.Response()

    # -- below -------------------------------------------------------------------------------

    async def _hear(self, account: Account, heard: Heard) -> None:
        if heard.channel == account.staff_channel:
            await self._hear_staff(account, heard)
        else:
            await self._hear_customer(account, heard)

    async def _hear_customer(self, account: Account, heard: Heard) -> None:
        if heard.how == "overheard" and not await self._is_ours(account, heard):
            log.info("ignored ts=%s reason=not spoken to", heard.ts)
            return
        assert self._receive is not None, "routes() was called before any request came"
        recorded = [await self._receive(message) for message in parse(account, heard)]
        if heard.files:
            async with self._sessions.begin() as session:
                await session.run_sync(_note_files, account, heard, recorded[0].message_id)

    async def _is_ours(self, account: Account, heard: Heard) -> bool:
        """In a thread, who spoke to the bot once need not name it again."""
        if heard.root is None:
            return False
        async with self._sessions() as session:
            return await session.run_sync(_has_conversation, account, heard)

    async def _hear_staff(self, account: Account, heard: Heard) -> None:
        if heard.root is None or heard.is_stranger:
            log.info("ignored ts=%s reason=no answer of the staff", heard.ts)
            return
        await self._find_unconfirmed_card(account, heard, heard.root)
        name = await self._name_of_new_agent(account, heard.user)
        try:
            async with self._sessions.begin() as session:
                advance = await session.run_sync(staff.answer_under_card, account, heard, name)
        except (ConversationError, AgentError) as error:
            log.warning(
                "answer under a card refused ts=%s error=%s", heard.ts, type(error).__name__
            )
            return
        if advance is not None:
            await self._ring(advance)

    async def _find_unconfirmed_card(self, account: Account, heard: Heard, root: str) -> None:
        """Ask Slack whether this is the thread of a card whose post was not confirmed yet.

        Raises Refusal where Slack does not say: it tells of the answer again.
        """
        async with self._sessions() as session:
            known = await session.run_sync(staff.find_card, account, heard)
            if known or not await session.run_sync(staff.has_unconfirmed_card, account):
                return
        try:
            async with asyncio.timeout(ASK_SECONDS):
                delivery = await self._posting.delivery_at(account, heard.channel, root)
        except (DeliveryError, TimeoutError) as error:
            log.warning("thread not known yet ts=%s error=%s", heard.ts, type(error).__name__)
            told = "Whether this answers a card is not known yet. Nothing was stored; try again."
            raise Refusal(503, "unavailable", told, {"Retry-After": "2"}) from error
        if delivery is None:
            return
        async with self._sessions.begin() as session:
            if await session.run_sync(staff.confirm_card, account, delivery, heard):
                log.info("confirmed card delivery=%s", delivery)

    async def _click(self, account: Account, interaction: Interaction) -> None:
        name = await self._name_of_new_agent(account, interaction.user.id)
        try:
            async with self._sessions.begin() as session:
                advance = await session.run_sync(staff.click, account, interaction, name)
        except (ClickRefused, ConversationError) as error:
            self._tell_later(account, interaction, str(error))
            return
        await self._ring(advance)

    async def _name_of_new_agent(self, account: Account, user: str) -> str | None:
        async with self._sessions() as session:
            is_known = await session.run_sync(staff.knows_agent, account, user)
        return None if is_known else await ask_name_quickly(self._api, account, user)

    async def _ring(self, advance: Advance) -> None:
        await asyncio.to_thread(self._publisher.advanced, advance)
        if not advance.answer_due:
            return
        async with self._sessions() as session:
            channel = await session.run_sync(channel_of, advance.conversation_id)
        if channel is not None:
            await asyncio.to_thread(self._queue.enqueue_answer, advance.conversation_id, channel)

    def _tell_later(self, account: Account, interaction: Interaction, text: str) -> None:
        """Tell who clicked, and nobody else, once Slack has its answer."""
        if interaction.response_url and account.is_trusted_host(interaction.response_url):
            task = asyncio.create_task(_tell(interaction.response_url, escape(text)))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def _account_of(self, reply: Reply) -> Account:
        account = await self._accounts.of_inbox(reply.inbox_id)
        if account is None:
            raise DeliveryError("The Slack inbox is gone.", permanent=True)
        return account

    async def _fetch_files(self, fetching: Fetching) -> None:
        while True:
            try:
                if not await fetching.fetch_next():
                    await asyncio.sleep(LOOK_SECONDS)
            except SQLAlchemyError as error:
                log.warning("files wait for the database error=%s", type(error).__name__)
                await asyncio.sleep(AWAY_SECONDS)

    async def _catch_up(self, catching_up: CatchingUp) -> None:
        """At the start, and now and then: the web process may have been away by itself."""
        while True:
            try:
                for account in await self._accounts.all():
                    if account.bot_token is not None:
                        await self._catch_up_with(catching_up, account)
            except SQLAlchemyError as error:
                log.warning("what was missed waits for the database error=%s", type(error).__name__)
            await asyncio.sleep(CATCH_UP_SECONDS)

    async def _catch_up_with(self, catching_up: CatchingUp, account: Account) -> None:
        try:
            await catching_up.catch_up(account)
        except (DeliveryError, Refusal) as error:
            log.warning("not caught up inbox=%s error=%s", account.inbox_id, error)

    async def _learn_names(self, naming: Naming) -> None:
        while True:
            try:
                for account in await self._accounts.all():
                    if account.bot_token is not None:
                        await naming.learn(account)
            except SQLAlchemyError as error:
                log.warning("names wait for the database error=%s", type(error).__name__)
            await asyncio.sleep(NAMES_SECONDS)


def is_signed(account: Account, raw: bytes, timestamp: str, signature: str) -> bool:
    """Whether the account's secret signed the body within the last five minutes.

    Slack, "Verifying requests from Slack"; slack_sdk compares in constant time. An account
    without a secret has signed nothing.
    """
    if not account.signing_secret or not (timestamp.isascii() and timestamp.isdigit()):
        return False
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:  # Slack sends UTF-8; the verifier would raise
        return False
    is_plain = signature.isascii() and len(timestamp) < 20
    return is_plain and SignatureVerifier(account.signing_secret).is_valid(
        raw, timestamp, signature
    )


def _account_of_click(interaction: Interaction, signers: Sequence[Account]) -> Account | None:
    """Whose card was clicked; a stranger in a shared channel is nobody of the staff."""
    team = interaction.team.id if interaction.team else None
    enterprise = interaction.enterprise.id if interaction.enterprise else None
    for account in signers:
        is_of_app = account.app_id in (None, interaction.api_app_id)
        if is_of_app and account.is_installed_for(team, enterprise):
            clicker = interaction.user.team_id
            is_own = clicker is None or clicker in (account.team_id, account.enterprise_id, team)
            return account if is_own else None
    return None


def _has_conversation(session: Session, account: Account, heard: Heard) -> bool:
    query = (
        select(Conversation.id)
        .join(ContactIdentity, ContactIdentity.contact_id == Conversation.contact_id)
        .where(
            Conversation.inbox_id == account.inbox_id,
            Conversation.thread_hash == keyed_hash(session, "thread", heard.place),
            ContactIdentity.inbox_id == account.inbox_id,
            ContactIdentity.address_hash == keyed_hash(session, "address", heard.user),
        )
        .limit(1)
    )
    return session.scalar(query) is not None


def _note_files(session: Session, account: Account, heard: Heard, message_id: UUID) -> None:
    message = session.get_one(Message, message_id)
    owner = Owner(
        account.inbox_id, message.conversation_id, message.contact_id, message_id=message.id
    )
    note_files(session, owner, heard)


async def _tell(url: str, text: str) -> None:
    body: dict[str, Any] = {
        "response_type": "ephemeral",
        "replace_original": False,
        "text": text,
    }
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, json=body, allow_redirects=False) as response,
        ):
            log.info("told the clicker status=%d", response.status)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        log.warning("clicker not told error=%s", type(error).__name__)
