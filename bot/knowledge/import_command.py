"""`frontdesk import`: the import with a person watching, and its summary."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from sqlalchemy.orm import Session, sessionmaker

from bot.knowledge.articles import DEFAULT_COLLECTION, DEFAULT_INBOX
from bot.knowledge.importing import ImportRequest, ImportStopped, ImportSummary, import_paths
from bot.queue import Queue

BAR_WIDTH = 30
INTERRUPTED, STOPPED, NOTHING_READ = 130, 1, 1


def run(
    sessions: sessionmaker[Session],
    queue: Queue,
    paths: Sequence[str],
    inbox: str = DEFAULT_INBOX,
    collection: str = DEFAULT_COLLECTION,
    prune: bool = False,
    as_json: bool = False,
    out: TextIO = sys.stdout,
    err: TextIO = sys.stderr,
) -> int:
    """Import and tell how it went; returns the exit status.

    Progress goes to `err`, the summary to `out`. 1 if nothing at all could be read or the
    index stands still, 130 after Ctrl-C.
    """
    request = ImportRequest([Path(path) for path in paths], inbox, collection, prune)
    bar = ProgressBar(err)
    try:
        summary = import_paths(sessions, queue, request, bar)
    except KeyboardInterrupt:
        bar.end()
        err.write("Stopped. What was read is stored and will be indexed; run it again to go on.\n")
        return INTERRUPTED
    except ImportStopped as stopped:
        bar.end()
        err.write(f"{stopped}\n")
        return STOPPED
    bar.end()
    lines = (
        [json.dumps(_plain(summary), ensure_ascii=False)] if as_json else _told(summary, request)
    )
    out.write("\n".join(lines) + "\n")
    return 0 if summary.articles or not summary.unreadable else NOTHING_READ


@dataclass(slots=True)
class ProgressBar:
    """A bar that moves on a terminal; elsewhere a line each tenth."""

    stream: TextIO
    _told: tuple[str, int] = field(default=("", -1), init=False)
    _is_open: bool = field(default=False, init=False)

    def reading(self, done: int, total: int) -> None:
        self._show("reading files", done, total)

    def indexing(self, done: int, total: int) -> None:
        self._show("indexing articles", done, total)

    def end(self) -> None:
        """Leave the moving line as it is."""
        if self._is_open:
            self.stream.write("\n")
            self._is_open = False

    def _show(self, what: str, done: int, total: int) -> None:
        percent = 100 * done // total if total else 100
        if self.stream.isatty():
            if self._told[0] not in ("", what):
                self.end()
            self._told = (what, percent)
            filled = BAR_WIDTH * percent // 100
            bar = "█" * filled + "░" * (BAR_WIDTH - filled)
            self.stream.write(f"\r\x1b[2K{what:18} {bar} {done}/{total}")
            self._is_open = True
        elif self._told != (what, percent // 10):
            self._told = (what, percent // 10)
            self.stream.write(f"{what}: {done}/{total}\n")
        self.stream.flush()


def _told(summary: ImportSummary, request: ImportRequest) -> list[str]:
    lines = [
        f"{summary.articles} articles in collection {request.collection!r}, "
        f"answering in inbox {request.inbox!r}: {summary.new} new, {summary.changed} changed, "
        f"{summary.unchanged} unchanged, {summary.removed} removed.",
        f"{summary.indexed} can be found, in {summary.passages} passages, "
        f"after {summary.seconds:.0f} seconds.",
    ]
    return [*lines, *_unread(summary)]


def _unread(summary: ImportSummary) -> Iterator[str]:
    if summary.unreadable:
        yield f"{len(summary.unreadable)} could not be read:"
    for one in summary.unreadable:
        yield f"  {one.path}: {one.reason}"
    if summary.skipped:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in summary.skipped.most_common())
        yield f"{sum(summary.skipped.values())} files of kinds that are no articles: {kinds}"


def _plain(summary: ImportSummary) -> dict[str, object]:
    return {"articles": summary.articles, **asdict(summary), "skipped": dict(summary.skipped)}
