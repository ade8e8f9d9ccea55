"""Articles in: files are read, written by external id, and waited for until they can be found."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session, sessionmaker

from bot.knowledge.articles import ensure_collection, ensure_inbox, give_collection, put_article
from bot.knowledge.readers import can_read, read_file
from bot.knowledge.source_files import FileContents, ReadArticle, SourceFile, Unreadable, walk
from bot.queue import Queue
from bot.tables import Article, Passage

# Files a transaction: little is done again after an interruption.
FILES_A_COMMIT = 20
POLL_S = 0.5
# Bells that may have been lost are rung again this often.
RING_AGAIN_S = 20.0
# So long may the index stand still before the workers are asked whether they live.
STILL_S = 15.0


class ImportStopped(Exception):
    """The import cannot go on; the message says what is safe and what to do."""


class Progress(Protocol):
    """Who watches an import."""

    def reading(self, done: int, total: int) -> None:
        """Files read so far."""
        ...

    def indexing(self, done: int, total: int) -> None:
        """Articles that can be found so far."""
        ...


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import and where to: an inbox answers from the collection afterwards."""

    paths: Sequence[Path]
    inbox: str
    collection: str
    prune: bool = False
    wait: bool = True


@dataclass(slots=True)
class ImportSummary:
    """What an import did; `skipped` counts files of kinds that are not read, by suffix."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    indexed: int = 0
    passages: int = 0
    seconds: float = 0.0
    unreadable: list[Unreadable] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def articles(self) -> int:
        return self.new + self.changed + self.unchanged


def import_paths(
    sessions: sessionmaker[Session], queue: Queue, request: ImportRequest, progress: Progress
) -> ImportSummary:
    """Bring files into a collection. Raises ImportStopped.

    May be interrupted at any point and run again: what was committed stays, is indexed by the
    workers, and is not done twice.
    """
    return _Import(sessions, queue, request, progress).run()


class _Import:
    """One import on its way."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        queue: Queue,
        request: ImportRequest,
        progress: Progress,
    ) -> None:
        self._sessions = sessions
        self._queue = queue
        self._request = request
        self._progress = progress
        self._summary = ImportSummary()
        self._ids: dict[str, str] = {}  # external id -> the file that gave it
        self._articles: list[UUID] = []

    def run(self) -> ImportSummary:
        begun = time.monotonic()
        self._open_collection()
        files = self._find_files()
        self._read_all(files)
        if self._request.prune:
            self._prune()
        if self._request.wait:
            self._wait()
        self._count()
        self._summary.seconds = time.monotonic() - begun
        return self._summary

    def _open_collection(self) -> None:
        with self._sessions.begin() as session:
            ensure_collection(session, self._request.collection)
            give_collection(
                session, ensure_inbox(session, self._request.inbox), self._request.collection
            )

    def _find_files(self) -> list[SourceFile]:
        files = []
        for found in (one for path in self._request.paths for one in walk(path)):
            if isinstance(found, Unreadable):
                self._summary.unreadable.append(found)
            elif can_read(found) or found.path.absolute() in self._named:
                files.append(found)
            else:
                self._summary.skipped[found.path.suffix.lower() or "no suffix"] += 1
        return files

    @property
    def _named(self) -> set[Path]:
        """What the operator named by itself is told of, even if its kind is not read."""
        return {path.absolute() for path in self._request.paths}

    def _read_all(self, files: Sequence[SourceFile]) -> None:
        done = 0
        self._progress.reading(0, len(files))
        for some in _batches(files, FILES_A_COMMIT):
            self._write([read_file(file) for file in some])
            done += len(some)
            self._progress.reading(done, len(files))

    def _write(self, contents: Sequence[FileContents]) -> None:
        """Store what some files hold, commit, then ring the workers."""
        changed: list[UUID] = []
        with self._sessions.begin() as session:
            for one in contents:
                self._summary.unreadable.extend(one.unreadable)
                changed.extend(self._put_all(session, one))
        for article_id in changed:
            self._queue.enqueue_index(article_id)

    def _put_all(self, session: Session, contents: FileContents) -> Iterator[UUID]:
        for article in contents.articles:
            if (twin := self._ids.get(article.external_id)) is not None:
                reason = f"its id {article.external_id} was given before, by {twin}"
                self._summary.unreadable.append(Unreadable(contents.source, reason))
                continue
            self._ids[article.external_id] = contents.source
            if article_id := self._put(session, article, contents.source):
                yield article_id

    def _put(self, session: Session, article: ReadArticle, source: str) -> UUID | None:
        put = put_article(
            session,
            self._request.collection,
            article.external_id,
            article.title,
            article.body,
            article.language,
            article.url,
            source,
            article.tags,
        )
        self._articles.append(put.article_id)
        self._summary.new += put.is_new
        self._summary.changed += put.is_changed and not put.is_new
        self._summary.unchanged += not put.is_changed
        return put.article_id if put.is_changed else None

    def _prune(self) -> None:
        """Remove what these paths gave before and no longer give; what is unreadable stays."""
        unreadable = [one.path for one in self._summary.unreadable]
        if any(Path(path) in self._named for path in unreadable):
            return
        kept = [Article.external_id.not_in(self._ids), Article.source.not_in(unreadable)]
        with self._sessions.begin() as session:
            owner = ensure_collection(session, self._request.collection)
            gone = session.execute(
                delete(Article)
                .where(Article.collection_id == owner, or_(*self._sources()), *kept)
                .returning(Article.id)
            )
            self._summary.removed = len(gone.all())

    def _sources(self) -> Iterator[ColumnElement[bool]]:
        for root in self._named:
            yield Article.source == str(root)
            yield Article.source.startswith(f"{str(root).rstrip('/')}/", autoescape=True)

    def _wait(self) -> None:
        """Return when every article can be found or is known not to be indexable."""
        watch = _StandstillWatch(self._queue)
        while waiting := self._waiting():
            self._progress.indexing(len(self._articles) - len(waiting), len(self._articles))
            watch.look(waiting)
            time.sleep(POLL_S)
        self._progress.indexing(len(self._articles), len(self._articles))

    def _waiting(self) -> list[UUID]:
        not_yet = select(Article.id).where(
            Article.id.in_(self._articles),
            Article.indexed_hash.is_distinct_from(Article.content_hash),
            Article.index_error.is_(None),
        )
        with self._sessions() as session:
            return list(session.scalars(not_yet))

    def _count(self) -> None:
        mine = Article.id.in_(self._articles)
        with self._sessions() as session:
            self._summary.indexed = session.execute(
                select(func.count()).where(mine, Article.indexed_hash == Article.content_hash)
            ).scalar_one()
            self._summary.passages = session.execute(
                select(func.count()).where(Passage.article_id.in_(self._articles))
            ).scalar_one()
            failed = select(Article.source, Article.index_error).where(
                mine, Article.index_error.is_not(None)
            )
            self._summary.unreadable.extend(
                Unreadable(source, str(error)) for source, error in session.execute(failed)
            )


class _StandstillWatch:
    """Rings again for what waits, and finds out whether anybody listens."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._left = -1
        self._moved = time.monotonic()
        # The first look rings at once, for what an interrupted import left behind.
        self._rung = -RING_AGAIN_S

    def look(self, waiting: Sequence[UUID]) -> None:
        """Raises ImportStopped if nothing moves and no worker answers."""
        now = time.monotonic()
        if len(waiting) != self._left:
            self._left, self._moved = len(waiting), now
        if now - self._moved > STILL_S:
            self._require_workers(len(waiting))
            self._moved = time.monotonic()
        if now - self._rung > RING_AGAIN_S:
            self._rung = now
            for article_id in waiting[:100]:
                self._queue.enqueue_index(article_id)

    def _require_workers(self, waiting: int) -> None:
        if not self._queue.ping_workers(timeout_s=3.0):
            raise ImportStopped(
                f"No worker answers, so {waiting} articles are stored but cannot be found yet. "
                "Nothing is lost: start a worker (`./frontdesk up`) and it indexes them."
            )


def _batches(files: Iterable[SourceFile], size: int) -> Iterator[list[SourceFile]]:
    rest = iter(files)
    while some := list(islice(rest, size)):
        yield some
