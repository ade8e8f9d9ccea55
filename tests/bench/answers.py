"""Calibrates and measures the answer's logic in this process, on a real Postgres, without the web.

    python tests/bench/answers.py prepare HOME --data FOLDER   articles into a database, once
    python tests/bench/answers.py fit HOME --data FOLDER       fit on calibration data, write it
    python tests/bench/answers.py report HOME SET [--model]    measure on one question set

HOME holds the embedded servers' data. FOLDER is the folder of third-party data; it is read, never
copied. Only lines whose split is `calibration` are ever fitted on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from sqlalchemy.orm import Session, sessionmaker

from bot import migrate
from bot.answering.evidence import Found, gather
from bot.answering.outcome import AnswerRequest, Knowledge
from bot.answering.query import read_questions
from bot.database import keyring_from, make_engine, make_sessions
from bot.knowledge import articles
from bot.knowledge.found import FoundPassage
from bot.knowledge.indexing import index_article
from bot.knowledge.search import HybridSearch
from bot.local import LocalServers
from bot.messages import Turn
from bot.sealing import MasterKey
from tests.eval import build_dstc
from workers.embedding import load_embedder

SHOP = Path("deploy/sample_shop/articles")
QUESTIONS = Path("tests/eval")
COMPANIES = {"shop": "Larkspur Outdoor", "arduino": "Arduino", "dstc": "the city guide"}


@dataclass(frozen=True, slots=True)
class Item:
    """A question of a set, over the articles of `base`; `withheld` articles are hidden from it."""

    id: str
    base: str
    question: str
    history: tuple[Turn, ...]
    expected: tuple[str, ...]
    answerable: bool
    expected_text: tuple[str, ...]
    language: str
    kind: str
    split: str
    withheld: tuple[str, ...] = ()

    @property
    def turns(self) -> tuple[Turn, ...]:
        return (*self.history, Turn("contact", self.question))


@dataclass(frozen=True, slots=True)
class Withholding:
    """Knowledge without some articles: what a question meets whose answer nobody wrote."""

    knowledge: Knowledge
    withheld: frozenset[str]

    def search(self, inbox_id: UUID, query: str, limit: int) -> Sequence[FoundPassage]:
        found = self.knowledge.search(inbox_id, query, limit + 15)
        return [each for each in found if each.external_id not in self.withheld][:limit]

    def sentence_scores(self, query: str, sentences: Sequence[str]) -> Sequence[float]:
        return self.knowledge.sentence_scores(query, sentences)


class Remembering:
    """Knowledge that keeps what it was asked in a file, so that a second fit takes seconds."""

    def __init__(self, knowledge: Knowledge, file: Path) -> None:
        self._knowledge = knowledge
        self._file = file
        self._known: dict[object, object] = (
            pickle.loads(file.read_bytes()) if file.exists() else {}
        )

    def search(self, inbox_id: UUID, query: str, limit: int) -> Sequence[FoundPassage]:
        key = ("search", inbox_id, query, limit)
        if key not in self._known:
            self._known[key] = list(self._knowledge.search(inbox_id, query, limit))
        return self._known[key]  # type: ignore[return-value]

    def sentence_scores(self, query: str, sentences: Sequence[str]) -> Sequence[float]:
        key = ("sentences", query, hash_of(sentences))
        if key not in self._known:
            self._known[key] = list(self._knowledge.sentence_scores(query, sentences))
        return self._known[key]  # type: ignore[return-value]

    def save(self) -> None:
        self._file.write_bytes(pickle.dumps(self._known))


def hash_of(sentences: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sentences).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Bench:
    knowledge: Remembering
    inboxes: dict[str, UUID]
    sessions: sessionmaker[Session]

    def seen_by(self, item: Item) -> Knowledge:
        """The knowledge that a question meets."""
        return Withholding(self.knowledge, frozenset(item.withheld))


def open_bench(home: Path, servers: LocalServers) -> Bench:
    key_file = home / "bench.key"
    if not key_file.exists():
        key_file.write_text(MasterKey.generate())
    migrate.upgrade(servers.database_url)
    sessions = make_sessions(make_engine(servers.database_url), keyring_from(key_file.read_text()))
    search = HybridSearch(sessions, load_embedder())
    inboxes = {}
    with sessions.begin() as session:
        for base in COMPANIES:
            inbox = articles.ensure_inbox(session, base)
            articles.give_collection(session, inbox, base)
            inboxes[base] = inbox
    return Bench(Remembering(search, home / "remembered.pickle"), inboxes, sessions)


def prepare(home: Path, data: Path) -> None:
    """Write and index the articles of every base; those that are there already cost nothing."""
    with LocalServers(home / "servers", durable=False) as servers:
        bench = open_bench(home, servers)
        sessions, embedder = bench.sessions, load_embedder()
        with sessions.begin() as session:
            for base, rows in (("shop", _markdown(SHOP)), ("arduino", _markdown(data / "arduino-help"))):
                for row in rows:
                    articles.put_article(session, base, *row)
            for faq in build_dstc.make_articles(build_dstc.read_data(data / "dstc11_track5").knowledge):
                articles.put_article(session, "dstc", faq.external_id, faq.title, faq.answer)
        with sessions() as session:
            waiting = articles.unindexed(session, limit=10_000)
        for number, article_id in enumerate(waiting, start=1):
            index_article(sessions, embedder, article_id)
            if number % 100 == 0:
                print(f"{number} of {len(waiting)} indexed", flush=True)


def _markdown(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """External id, title, body and language of each article with a front matter."""
    for file in sorted(folder.rglob("*.md")):
        text = file.read_text(encoding="utf-8")
        if text.startswith("---"):
            _, head, body = text.split("---", 2)
            front = yaml.safe_load(head)
            yield str(front["id"]), str(front["title"]), body, str(front.get("language", "en"))


def read_items(base: str, data: Path) -> list[Item]:
    """The questions of a set: `shop` and `arduino` from the repository, `dstc` drawn."""
    if base == "dstc":
        return _dstc_items(data)
    name = {"shop": "sample_shop", "arduino": "arduino"}[base]
    lines = (QUESTIONS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [_item(base, json.loads(line)) for line in lines if line.strip()]


def _item(base: str, line: dict[str, Any]) -> Item:
    return Item(
        id=line["id"],
        base=base,
        question=line["question"],
        history=tuple(Turn(turn["role"], turn["text"]) for turn in line.get("history", ())),
        expected=tuple(line["expected"]),
        answerable=line["answerable"],
        expected_text=tuple(line.get("expected_text", ())),
        language=line["language"],
        kind=line["kind"],
        split=line["split"],
    )


def _dstc_items(data: Path) -> list[Item]:
    """The report's draw (seed 11), and for calibration every FAQ turn that it left."""
    raw = build_dstc.read_data(data / "dstc11_track5")
    reported = build_dstc.draw_questions(raw, turns=200, unanswerable=100, seed=11)
    drawn = {question.id for question in reported}
    seeking = [n for n, label in enumerate(raw.labels) if label.target and label.faqs]
    other = [n for n, label in enumerate(raw.labels) if not label.target]
    places = [*seeking, *random.Random(5).sample(other, 120)]
    rest = [build_dstc.make_question(raw, place) for place in places]
    fresh = [replace(each, split="calibration") for each in rest if each.id not in drawn]
    return [_dstc_item(each) for each in (*reported, *fresh)]


def _dstc_item(question: build_dstc.Question) -> Item:
    return Item(
        id=question.id,
        base="dstc",
        question=question.question,
        history=tuple(Turn(turn.role, turn.text) for turn in question.history),
        expected=question.expected,
        answerable=question.answerable,
        expected_text=(),
        language="en",
        kind=question.kind,
        split=question.split,
    )


def with_withheld(items: Sequence[Item]) -> list[Item]:
    """Each answerable question once more without its articles: a near miss is all that is left."""
    hidden = [
        replace(
            item,
            id=f"{item.id}-withheld",
            expected=(),
            answerable=False,
            kind="withheld",
            withheld=item.expected,
        )
        for item in items
        if item.answerable
    ]
    return [*items, *hidden]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("task", choices=("prepare", "fit", "report"))
    parser.add_argument("home", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    if options.task == "prepare":
        prepare(options.home, options.data)


if __name__ == "__main__":
    main()
