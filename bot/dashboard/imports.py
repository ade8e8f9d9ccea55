"""Files that become articles: one upload each, so that each shows how far it is by itself."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from aiohttp import BodyPartReader, web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import knowledge_payloads as payloads
from bot.dashboard.signed_in import SignedIn, signed_in
from bot.knowledge.articles import DEFAULT_COLLECTION, Put, give_collection, put_article
from bot.knowledge.readers import can_read, read_file
from bot.knowledge.source_files import MAX_BYTES, FileContents, ReadArticle, SourceFile, Unreadable
from bot.privacy.audit import note
from bot.queue import Queue
from bot.tables import Article, Collection, Inbox
from bot.web.bodies import answer_with
from bot.web.refusals import Refusal
from bot.web.rules import access

SOURCE = "upload:"
MAX_FIELD_BYTES = 2_000
MAX_NAME_CHARS = 200


class Imports:
    """The endpoint. Files are read one after the other, whoever sends them."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], queue: Queue) -> None:
        self._sessions = sessions
        self._queue = queue
        self._one_at_a_time = asyncio.Semaphore(1)

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [web.post("/desk/api/knowledge/imports", self.take)]

    @access("supervisor")
    async def take(self, request: web.Request) -> web.Response:
        """The articles of one file, written and rung for; sent again it changes nothing."""
        upload, agent = await _read_upload(request), signed_in(request)
        async with self._one_at_a_time:
            contents = await asyncio.to_thread(_read_contents, upload)
        async with self._sessions.begin() as session:
            told, changed = await session.run_sync(_store, upload, contents, agent)
        for article_id in changed:
            await asyncio.to_thread(self._queue.enqueue_index, article_id)
        return answer_with(told)


@dataclass(frozen=True, slots=True)
class _Upload:
    """A file, the path that it had in its folder, and where its articles go."""

    name: str
    content: bytes
    collection: str
    inbox_id: UUID | None


async def _read_upload(request: web.Request) -> _Upload:
    if request.content_type != "multipart/form-data":
        raise Refusal(415, "wrong_media_type", "Send a form with a file.")
    fields, name, content = dict[str, str](), "", b""
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise Refusal(400, "bad_request", "A form within a form is nothing we know.")
        if part.filename is None:
            fields[part.name or ""] = (await _read(part, MAX_FIELD_BYTES)).decode(
                "utf-8", "replace"
            )
        else:
            name, content = part.filename, await _read(part, MAX_BYTES)
    name = _safe_name(fields.get("path") or name)
    if not content.strip():
        raise Refusal(422, "invalid", f"{name}: the file is empty.")
    return _Upload(name, content, _collection(fields), _inbox(fields))


async def _read(part: BodyPartReader, most: int) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(65_536):
        content += chunk
        if len(content) > most:
            raise Refusal(413, "too_large", f"A file has {MAX_BYTES // 1024**2} MB at most.")
    return bytes(content)


def _safe_name(text: str) -> str:
    """`shop/returns.md`: printable, and it leads nowhere else."""
    parts = text.replace("\\", "/").split("/")
    plain = ["".join(c for c in part if c.isprintable()).strip() for part in parts]
    kept = [part for part in plain if part and part.strip(".")]
    return "/".join(kept)[-MAX_NAME_CHARS:] or "file"


def _collection(fields: dict[str, str]) -> str:
    name = fields.get("collection", "").strip() or DEFAULT_COLLECTION
    if len(name) > 100 or not name.isprintable():
        raise Refusal(422, "invalid", "collection: 1 to 100 printable characters.")
    return name


def _inbox(fields: dict[str, str]) -> UUID | None:
    try:
        return UUID(fields["inbox_id"]) if fields.get("inbox_id") else None
    except ValueError as error:
        raise Refusal(422, "invalid", "inbox_id: not an id.") from error


def _read_contents(upload: _Upload) -> FileContents:
    """What the readers of `bot.knowledge` make of the file; they never raise for its content."""
    with tempfile.TemporaryDirectory(prefix="frontdesk-import-") as folder:
        path = Path(folder, "file").with_suffix(Path(upload.name).suffix.lower())
        path.write_bytes(upload.content)
        file = SourceFile(path, upload.name)
        if not can_read(file):
            kinds = "Markdown, HTML, text, PDF, Word, CSV and JSON lines"
            reason = f"files of this kind are not read; {kinds} are"
            return FileContents(upload.name, unreadable=[Unreadable(upload.name, reason)])
        found = read_file(file)
        problems = [
            Unreadable(each.path.replace(str(path), upload.name), each.reason)
            for each in found.unreadable
        ]
        return FileContents(upload.name, found.articles, problems)


def _store(
    session: Session, upload: _Upload, contents: FileContents, agent: SignedIn
) -> tuple[payloads.Imported, list[UUID]]:
    if upload.inbox_id is not None:
        if session.get(Inbox, upload.inbox_id) is None:
            raise Refusal(404, "not_found", "There is no such inbox.")
        give_collection(session, upload.inbox_id, upload.collection)
    problems = [
        payloads.Problem(where=each.path, reason=each.reason) for each in contents.unreadable
    ]
    counts, changed = {"new": 0, "changed": 0, "unchanged": 0}, list[UUID]()
    for article in contents.articles:
        if twin := _twin(session, upload, article):
            reason = f"its id {article.external_id} was given before, by {twin}"
            problems.append(payloads.Problem(where=upload.name, reason=reason))
            continue
        put = _put(session, upload, article)
        counts["new" if put.is_new else "changed" if put.is_changed else "unchanged"] += 1
        if put.is_changed:
            changed.append(put.article_id)
    if changed:
        details = {"collection": upload.collection, "articles": len(changed)}
        note(session, agent.actor, "articles.imported", upload.collection, details)
    return payloads.Imported(**counts, problems=problems), changed


def _put(session: Session, upload: _Upload, article: ReadArticle) -> Put:
    return put_article(
        session,
        upload.collection,
        article.external_id,
        article.title,
        article.body,
        article.language,
        article.url,
        SOURCE + upload.name,
        article.tags,
    )


def _twin(session: Session, upload: _Upload, article: ReadArticle) -> str | None:
    """Another uploaded file that gave an article of this id: one would hide the other."""
    query = (
        select(Article.source)
        .join(Collection, Collection.id == Article.collection_id)
        .where(
            Collection.name == upload.collection,
            Article.external_id == article.external_id,
            Article.source.startswith(SOURCE, autoescape=True),
            Article.source != SOURCE + upload.name,
        )
    )
    source = session.scalar(query)
    return source.removeprefix(SOURCE) if source else None
