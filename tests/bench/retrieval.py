"""Measures the search alone: does the right article come first, or among the first five?

    python -m tests.bench.retrieval ARTICLES QUESTIONS.jsonl [--split calibration] [--home HOME]

ARTICLES is a folder or file as `frontdesk import` takes it. The same index is searched three
times: as shipped, by words only (BM25) and by vectors only. With --home the database is kept,
so that a second run imports nothing. Intervals are Wilson's at 95 %.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from bot import migrate
from bot.database import keyring_from, make_engine, make_sessions
from bot.knowledge import articles
from bot.knowledge.embedder import Embedder
from bot.knowledge.indexing import index_article
from bot.knowledge.readers import can_read, read_file
from bot.knowledge.search import Fusion, HybridSearch
from bot.knowledge.source_files import SourceFile, walk
from bot.local import LocalServers
from bot.sealing import MasterKey
from workers.embedding import load_embedder

INBOX = "bench"
PASSAGES = 20
PEERS = {
    "hybrid, as shipped": Fusion(),
    "words only (BM25)": Fusion(share=1.0, other_script=0.0),
    "vectors only": Fusion(share=0.0),
}


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the external ids any of which is right."""

    text: str
    expected: frozenset[str]
    language: str


@dataclass(frozen=True, slots=True)
class Rank:
    """The place of the first right article (None: not among those found), and the time it took."""

    question: Question
    place: int | None
    took_ms: float


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    questions = read_questions(options.questions, options.split)
    embedder = load_embedder()
    with _sessions(options.home) as sessions:
        inbox_id, took_s = import_articles(sessions, embedder, options.articles)
        print(f"{_size(sessions, inbox_id)}; imported and indexed in {took_s:.1f} s")
        for name, fusion in PEERS.items():
            search = HybridSearch(sessions, embedder, fusion)
            tell(name, [rank(search, inbox_id, question) for question in questions])
    return 0


def read_questions(path: Path, split: str | None) -> list[Question]:
    """The answerable questions of a set; the turns before one are put in front of it."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["answerable"] and row["expected"] and split in (None, row.get("split")):
            asked = [turn["text"] for turn in row.get("history", []) if turn["role"] == "contact"]
            text = " ".join([*asked[-1:], row["question"]])
            found.append(Question(text, frozenset(row["expected"]), row["language"]))
    return found


def import_articles(
    sessions: sessionmaker[Session], embedder: Embedder, path: Path
) -> tuple[UUID, float]:
    """Read and index in this process; the inbox and the seconds it took."""
    begun = time.monotonic()
    files = [one for one in walk(path) if isinstance(one, SourceFile) and can_read(one)]
    with sessions.begin() as session:
        inbox_id = articles.ensure_inbox(session, INBOX)
        articles.give_collection(session, inbox_id, INBOX)
        for found in (article for file in files for article in read_file(file).articles):
            articles.put_article(
                session, INBOX, found.external_id, found.title, found.body, found.language
            )
    with sessions() as session:
        waiting = articles.unindexed(session, limit=1_000_000)
    for article_id in waiting:
        index_article(sessions, embedder, article_id)
    return inbox_id, time.monotonic() - begun


def rank(search: HybridSearch, inbox_id: UUID, question: Question) -> Rank:
    """Where the first right article stands in what the search finds."""
    begun = time.perf_counter()
    found = search.search(inbox_id, question.text, PASSAGES)
    took_ms = (time.perf_counter() - begun) * 1000
    order = list(dict.fromkeys(passage.external_id for passage in found))
    places = (place for place, one in enumerate(order, start=1) if one in question.expected)
    return Rank(question, next(places, None), took_ms)


def tell(name: str, ranks: Sequence[Rank]) -> None:
    """One line for all questions and one for each language."""
    times = sorted(one.took_ms for one in ranks)
    p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    print(f"{name:20} {_hits(ranks)}  p50 {p50:.0f} ms  p95 {p95:.0f} ms")
    for language in sorted({one.question.language for one in ranks}):
        print(
            f"{'':16}{language:>4} {_hits([r for r in ranks if r.question.language == language])}"
        )


def interval(hits: int, total: int) -> tuple[float, float]:
    """Wilson's score interval at 95 % (Wilson 1927)."""
    z, share = 1.96, hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    spread = z / (1 + z * z / total)
    spread *= math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return middle - spread, middle + spread


def _hits(ranks: Sequence[Rank]) -> str:
    parts = []
    for depth in (1, 5):
        hits = sum(one.place is not None and one.place <= depth for one in ranks)
        low, high = interval(hits, len(ranks))
        parts.append(
            f"hit@{depth} {hits}/{len(ranks)} = {hits / len(ranks):.2f} [{low:.2f}, {high:.2f}]"
        )
    return "  ".join(parts)


def _size(sessions: sessionmaker[Session], inbox_id: UUID) -> str:
    with sessions() as session:
        status = articles.index_status(session, inbox_id)
    return f"{status.articles} articles in {status.passages} passages"


@contextmanager
def _sessions(home: Path | None) -> Iterator[sessionmaker[Session]]:
    with (
        tempfile.TemporaryDirectory(prefix="fd-") as scratch,
        LocalServers(home or Path(scratch), durable=False) as servers,
    ):
        migrate.upgrade(servers.database_url)
        engine = make_engine(servers.database_url)
        yield make_sessions(engine, keyring_from(MasterKey.generate()))
        engine.dispose()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("articles", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--split", choices=("calibration", "report"))
    parser.add_argument("--home", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
