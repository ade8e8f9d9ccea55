"""Files, both ways: uploads beside a reply, and downloads with the bot's token from Slack alone.

A message is acknowledged before its files are fetched, so what is still to be fetched stands in
`remote_file`. A redirect is never followed, since it would carry the token elsewhere.
"""

from __future__ import annotations

import io
import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import aiohttp
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.channel import DeliveryError
from bot.conversations import UNDER_CARD, reply_as_agent, store_attachments
from bot.delivery import backoff_s
from bot.events import Advance, Publisher
from bot.messages import Attachment, Reply
from bot.tables import Message, RemoteFile, new_id, now
from channels.slack.accounts import Account, Accounts
from channels.slack.hearing import Heard, Place
from channels.slack.posting import Posting, is_retry
from channels.slack.web_api import WebApi, retry_after

log = logging.getLogger(__name__)

MAX_FILE_BYTES = 25 * 1024 * 1024
MAX_ATTEMPTS = 8
TRANSFER = aiohttp.ClientTimeout(total=60, connect=10)
CLAIM_EXPIRES = timedelta(seconds=90)
UNKNOWN_TYPE = "application/octet-stream"


class FileError(Exception):
    """A file was not transferred. `permanent` means that trying again cannot help."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


# -- out -------------------------------------------------------------------------------------


async def upload(
    api: WebApi, posting: Posting, account: Account, place: Place, reply: Reply
) -> None:
    """Share a reply's files beside it, except those that an earlier try shared already."""
    shared = set()
    if is_retry(reply) and reply.attachments:
        shared = {
            (str(one.get("name")), int(one.get("size") or 0))
            async for message in posting.since(account, place, reply)
            if message.get("bot_id") or message.get("user") == account.bot_user_id
            for one in message.get("files") or ()
        }
    for attachment in reply.attachments:
        if (attachment.name, len(attachment.content)) not in shared:
            await _upload(api, account, place, attachment)


async def _upload(api: WebApi, account: Account, place: Place, attachment: Attachment) -> None:
    size = len(attachment.content)
    if not 0 < size <= MAX_FILE_BYTES:
        log.warning("file left out account=%s size_bytes=%d", account.name, size)
        return
    slot = await api.call(
        account, "files.getUploadURLExternal", filename=attachment.name, length=size
    )
    url = str(slot["upload_url"])
    if not account.is_trusted_host(url):
        raise DeliveryError(
            "Slack named an address to upload to that is not its own.", permanent=True
        )
    try:
        async with (
            aiohttp.ClientSession(timeout=TRANSFER) as session,
            session.post(
                url, data=io.BytesIO(attachment.content), allow_redirects=False
            ) as response,
        ):
            if response.status != 200:
                raise DeliveryError(f"upload: status {response.status}", permanent=False)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise DeliveryError(f"upload: {type(error).__name__}", permanent=False) from error
    await api.call(
        account,
        "files.completeUploadExternal",
        files=[{"id": str(slot["file_id"]), "title": attachment.name}],
        channel_id=place.channel,
        thread_ts=place.thread_ts,
    )


# -- in --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a file is: the message that a contact sent it with, or the agent who sent it."""

    inbox_id: UUID
    conversation_id: UUID
    contact_id: UUID
    message_id: UUID | None = None
    agent_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that this process has claimed to fetch."""

    id: UUID
    inbox_id: UUID
    name: str
    media_type: str
    size_bytes: int
    url: str | None


def note_files(session: Session, owner: Owner, heard: Heard) -> None:
    """Remember a message's files to fetch; a redelivered message's are there already."""
    for file in heard.files:
        external_id = f"{heard.ts}/{file.id}"
        known = select(RemoteFile.id).where(
            RemoteFile.conversation_id == owner.conversation_id,
            RemoteFile.external_id == external_id,
        )
        if session.scalar(known) is not None:
            continue
        row = RemoteFile(
            id=new_id(),
            inbox_id=owner.inbox_id,
            conversation_id=owner.conversation_id,
            contact_id=owner.contact_id,
            message_id=owner.message_id,
            agent_id=owner.agent_id,
            external_id=external_id,
        )
        row.source = json.dumps(
            {
                "name": (file.name or "file")[:200],
                "media_type": file.mimetype or UNKNOWN_TYPE,
                "size_bytes": file.size,
                "url": file.url_private_download or file.url_private,
            }
        )
        session.add(row)
    session.flush()


class Fetching:
    """Fetches noted files, one after the other."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        accounts: Accounts,
        publisher: Publisher,
    ) -> None:
        self._sessions = sessions
        self._accounts = accounts
        self._publisher = publisher

    async def fetch_next(self) -> bool:
        """Fetch one file that is due; False if there is none."""
        async with self._sessions.begin() as session:
            wanted = await session.run_sync(_claim)
        if wanted is None:
            return False
        account = await self._accounts.of_inbox(wanted.inbox_id)
        try:
            if account is None:
                raise FileError("the inbox is gone", permanent=True)
            content = await download(account, wanted)
        except FileError as error:
            log.warning("file not fetched file=%s permanent=%s", wanted.id, error.permanent)
            async with self._sessions.begin() as session:
                await session.run_sync(_fail, wanted.id, error)
            return True
        attachment = Attachment(wanted.name, wanted.media_type, content)
        async with self._sessions.begin() as session:
            advance = await session.run_sync(_store, wanted.id, attachment)
        if advance is not None:
            self._publisher.advanced(advance)
        return True


async def download(account: Account, wanted: Wanted) -> bytes:
    """The file's bytes. Raises FileError; the token goes to Slack's hosts and nowhere else."""
    if wanted.size_bytes > MAX_FILE_BYTES:
        raise FileError(f"larger than {MAX_FILE_BYTES // 1024**2} MiB", permanent=True)
    if wanted.url is None or not account.is_trusted_host(wanted.url):
        raise FileError("not at an address of Slack's", permanent=True)
    headers = {"Authorization": f"Bearer {account.bot_token}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=TRANSFER) as session,
            session.get(wanted.url, headers=headers, allow_redirects=False) as response,
        ):
            return await _read(response, wanted)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise FileError(type(error).__name__, permanent=False) from error


async def _read(response: aiohttp.ClientResponse, wanted: Wanted) -> bytes:
    if response.status == 429:
        raise FileError(f"rate limited for {retry_after(response.headers)} s", permanent=False)
    if response.status != 200:
        raise FileError(f"status {response.status}", permanent=response.status in (404, 410))
    if response.content_type == "text/html" and wanted.media_type != "text/html":
        raise FileError("a log-in page came: the app lacks files:read", permanent=False)
    content = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        content += chunk
        if len(content) > MAX_FILE_BYTES:
            raise FileError(f"larger than {MAX_FILE_BYTES // 1024**2} MiB", permanent=True)
    return bytes(content)


def _claim(session: Session) -> Wanted | None:
    query = (
        select(RemoteFile)
        .where(RemoteFile.state == "pending", RemoteFile.next_attempt_at <= now())
        .order_by(RemoteFile.next_attempt_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = session.scalars(query).one_or_none()
    if row is None:
        return None
    row.attempts += 1
    row.next_attempt_at = now() + CLAIM_EXPIRES
    return Wanted(row.id, row.inbox_id, **json.loads(row.source))


def _fail(session: Session, file_id: UUID, error: FileError) -> None:
    row = session.get_one(RemoteFile, file_id, with_for_update=True)
    row.error = str(error)
    row.next_attempt_at = now() + timedelta(seconds=backoff_s(row.attempts))
    if error.permanent or row.attempts >= MAX_ATTEMPTS:
        row.state = "failed"


def _store(session: Session, file_id: UUID, attachment: Attachment) -> Advance | None:
    row = session.get_one(RemoteFile, file_id, with_for_update=True, populate_existing=True)
    if row.state != "pending":  # another process was faster, after our claim had expired
        return None
    row.state, row.error = "done", None
    if row.message_id is not None:
        store_attachments(session, session.get_one(Message, row.message_id), [attachment])
        return None
    assert row.agent_id is not None, "a file is a message's or an agent's"
    return reply_as_agent(
        session,
        row.conversation_id,
        row.agent_id,
        f"[{attachment.name}]",
        client_id=f"{UNDER_CARD}file:{row.id}",
        attachments=[attachment],
    )
