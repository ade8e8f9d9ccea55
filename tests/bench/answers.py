"""Calibrates and measures the answer's logic in this process, on a real Postgres, without the web.

    python -m tests.bench.answers prepare HOME --data FOLDER   articles into a database, once
    python -m tests.bench.answers fit HOME --data FOLDER       fit on calibration data, write it
    python -m tests.bench.answers report HOME SET [--model]    measure on one question set

HOME holds the embedded servers' data. FOLDER is the folder of third-party data; it is read, never
copied. Only lines whose split is `calibration` are ever fitted on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import yaml
from numpy.typing import NDArray
from sqlalchemy.orm import Session, sessionmaker

from bot import migrate
from bot.answering.answer import answer
from bot.answering.decide import log_odds, measure
from bot.answering.engine import Engine
from bot.answering.evidence import Found, gather
from bot.answering.outcome import AnswerRequest, Knowledge, Outcome
from bot.answering.phrasing import hear
from bot.answering.prompt import compose_check
from bot.answering.query import read_questions
from bot.answering.telling import tell
from bot.database import keyring_from, make_engine, make_sessions
from bot.evaluation import Case, PastTurn, Question, holds, judge, render
from bot.knowledge import articles
from bot.knowledge.found import FoundPassage
from bot.knowledge.indexing import index_article
from bot.knowledge.search import HybridSearch
from bot.local import LocalServers
from bot.messages import Turn
from bot.sealing import MasterKey
from tests.eval import build_dstc
from workers.embedding import load_embedder
from workers.engine.load import load_engine

Vector = NDArray[np.float64]
MANNERS = ("small_talk", "wants_person", "injection")
CALIBRATION = Path("bot/answering/calibration.py")
SHOP = Path("deploy/sample_shop/articles")
QUESTIONS = Path("tests/eval")
SETS = {
    "shop": ("sample_shop", "shop_more", "shop_fresh"),
    "arduino": ("arduino", "arduino_more", "arduino_fresh"),
}
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

    def search(
        self, inbox_id: UUID, query: str, limit: int, said: Sequence[str] = ()
    ) -> Sequence[FoundPassage]:
        found = self.knowledge.search(inbox_id, query, limit + 15, said)
        left = [each for each in found if each.external_id not in self.withheld]
        seen = [each for each in left if each in found[: limit + 15]]
        return [*seen[:limit], *(each for each in left if each not in seen)]

    def sentence_scores(self, query: str, sentences: Sequence[str]) -> Sequence[float]:
        return self.knowledge.sentence_scores(query, sentences)


class Remembering:
    """Knowledge that keeps what it was asked in a file, so that a second fit takes seconds."""

    def __init__(self, knowledge: Knowledge, file: Path) -> None:
        self._knowledge = knowledge
        self._file = file
        self._known: dict[object, object] = pickle.loads(file.read_bytes()) if file.exists() else {}

    def search(
        self, inbox_id: UUID, query: str, limit: int, said: Sequence[str] = ()
    ) -> Sequence[FoundPassage]:
        key = ("search", inbox_id, query, limit, tuple(said))
        if key not in self._known:
            self._known[key] = list(self._knowledge.search(inbox_id, query, limit, said))
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
            for base, rows in (
                ("shop", _markdown(SHOP)),
                ("arduino", _markdown(data / "arduino-help")),
            ):
                for row in rows:
                    articles.put_article(session, base, *row)
            for faq in build_dstc.make_articles(
                build_dstc.read_data(data / "dstc11_track5").knowledge
            ):
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
    lines = [
        line
        for name in SETS[base]
        for line in (QUESTIONS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
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


# -- measuring one question ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """A question with what was found for it; `right` if the evidence told would be right."""

    item: Item
    features: dict[str, float]
    right: bool
    weight: float


def sample(bench: Bench, item: Item, weight: float) -> Sample | None:
    """None where the search finds nothing at all: that is handed off without any model."""
    question = read_questions(item.turns, 1)[0]
    found = gather(question, bench.inboxes[item.base], bench.seen_by(item))
    if not found.evidence:
        return None
    return Sample(item, measure(found, found.evidence[0]), is_right(item, found), weight)


def is_right(item: Item, found: Found) -> bool:
    """Whether the verbatim answer names an expected article and holds an expected phrase."""
    told = [each for each in tell(found) if each.passage.external_id in item.expected]
    if not item.expected_text:
        return found.evidence[0] in told
    return any(holds(each.shown, text) for each in told for text in item.expected_text)


def calibration_samples(bench: Bench, data: Path) -> list[Sample]:
    """Everything that may be fitted on, with its weight.

    Written questions count 1, the same with their articles withheld .6 (another article may
    still answer), hotel and restaurant turns .3, questions of other trades .5. Then answerable
    and not answerable ones are given the same weight altogether, as a desk may expect them.
    """
    weighted: list[tuple[Item, float]] = []
    for base in ("shop", "arduino"):
        written = [each for each in read_items(base, data) if each.split == "calibration"]
        asked = [each for each in written if each.kind not in MANNERS]
        weighted += [(each, 0.6 if each.withheld else 1.0) for each in with_withheld(asked)]
    turns = [each for each in read_items("dstc", data) if each.split == "calibration"]
    seeking = with_withheld([each for each in turns if each.answerable][:90])
    weighted += [(each, 0.3) for each in seeking]
    weighted += [(each, 0.3) for each in turns if not each.answerable][:50]
    weighted += [(each, 0.5) for each in _other_trades(data)]
    answerable, other = (
        sum(weight for item, weight in weighted if item.answerable is kind)
        for kind in (True, False)
    )
    evened = [
        (item, weight if item.answerable else weight * answerable / other)
        for item, weight in weighted
    ]
    samples = [sample(bench, item, weight) for item, weight in evened]
    return [each for each in samples if each is not None]


def _other_trades(data: Path) -> Iterator[Item]:
    """Questions of clinc150's training part, asked where they do not belong."""
    lines = json.loads((data / "clinc150" / "data_full.json").read_text(encoding="utf-8"))
    for base in ("shop", "arduino"):
        draw = random.Random(len(base))
        for text, _ in [*draw.sample(lines["oos_train"], 15), *draw.sample(lines["train"], 15)]:
            yield Item(
                f"clinc-{base}-{text[:20]}", base, text, (), (), False, (), "en", "clinc",
                "calibration",
            )  # fmt: skip


# -- fitting ---------------------------------------------------------------------------------

FEATURES = (
    "cosine", "passage_cosine", "search", "cross", "margin", "passage_words", "names_missing",
    "figure",
)  # fmt: skip
RIDGE = 2.0
FOLDS = 8


def fit_weights(samples: Sequence[Sample]) -> Vector:
    """Weighted logistic regression with a ridge, by Newton's method: intercept, then weights."""
    x = np.array([[1.0, *(each.features[name] for name in FEATURES)] for each in samples])
    y = np.array([each.right for each in samples], float)
    weight = np.array([each.weight for each in samples])
    ridge = np.diag([1e-6, *[RIDGE] * len(FEATURES)])
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        slope = x.T @ (weight * (y - p)) - ridge @ w
        w += np.linalg.solve((x * (weight * p * (1 - p))[:, None]).T @ x + ridge, slope)
    return w


def cross_validated(samples: Sequence[Sample], seed: int = 0) -> Vector:
    """The probability of each sample from weights that never saw its question."""
    names = sorted({each.item.id.removesuffix("-withheld") for each in samples})
    random.Random(seed).shuffle(names)
    fold = {name: place % FOLDS for place, name in enumerate(names)}
    folds = np.array([fold[each.item.id.removesuffix("-withheld")] for each in samples])
    result = np.zeros(len(samples))
    for number in range(FOLDS):
        w = fit_weights([s for s, f in zip(samples, folds, strict=True) if f != number])
        for place in map(int, np.flatnonzero(folds == number)):
            result[place] = probability(w, samples[place].features)
    return result


def probability(w: Vector, features: dict[str, float]) -> float:
    return float(
        1
        / (1 + np.exp(-(w[0] + sum(a * features[n] for a, n in zip(w[1:], FEATURES, strict=True)))))
    )


def auroc(chances: Vector, right: Sequence[bool]) -> float:
    """The chance that a right one is above a wrong one."""
    good, bad = chances[np.array(right)], chances[~np.array(right)]
    above = (good[:, None] > bad).sum() + 0.5 * (good[:, None] == bad).sum()
    return float(above / max(1, len(good) * len(bad)))


def fit(bench: Bench, data: Path) -> None:
    """Fit, print how good it is on questions it did not see, and write calibration.py."""
    samples = calibration_samples(bench, data)
    chances = np.mean([cross_validated(samples, seed) for seed in range(3)], axis=0)
    w = fit_weights(samples)
    for name, chosen in _subsets(samples).items():
        right = [samples[place].right for place in chosen]
        cosine = np.array([samples[place].features["cosine"] for place in chosen])
        print(
            f"{name}: n={len(chosen)} right={sum(right)} "
            f"AUROC {auroc(chances[chosen], right):.3f} (top cosine {auroc(cosine, right):.3f})"
        )
    for line in reliability(chances, [each.right for each in samples]):
        print(line)
    lines = "".join(f'    "{n}": {a:.3f},\n' for n, a in zip(FEATURES, w[1:], strict=True))
    replace_between(
        CALIBRATION,
        "fitted",
        f"INTERCEPT = {w[0]:.3f}\nCOEFFICIENTS = {{\n{lines}}}\n",
    )
    print(f"written to {CALIBRATION}")


def _subsets(samples: Sequence[Sample]) -> dict[str, list[int]]:
    tests: dict[str, Callable[[Sample], bool]] = {
        "all": lambda each: True,
        "written questions": lambda each: each.item.kind not in ("withheld", "clinc", "knowledge"),
        "written and withheld": lambda each: each.item.base != "dstc" and each.item.kind != "clinc",
        "dstc": lambda each: each.item.base == "dstc",
    }
    return {
        name: [place for place, each in enumerate(samples) if test(each)]
        for name, test in tests.items()
    }


def reliability(chances: Vector, right: Sequence[bool]) -> Iterator[str]:
    """Ten bins: what was said, and what came true."""
    yield "said       n   mean said  came true"
    for low in range(10):
        inside = [
            place for place, chance in enumerate(chances) if low <= min(9.99, chance * 10) < low + 1
        ]
        if inside:
            said = float(np.mean([chances[place] for place in inside]))
            true = float(np.mean([right[place] for place in inside]))
            yield f"{low / 10:.1f}-{low / 10 + 0.1:.1f} {len(inside):4}   {said:9.2f}  {true:9.2f}"


@dataclass(frozen=True, slots=True)
class Said:
    """What the model gave for the evidence of a calibration question answering it, 0..1."""

    id: str
    heard: float


def weigh(bench: Bench, data: Path, engine: Engine, file: Path, limit: int | None) -> None:
    """Ask the model about calibration questions and write what its word is worth.

    `file` keeps what was said, so that an interrupted run goes on where it stopped. The worth is
    fitted over chances from weights that never saw the question.
    """
    samples = calibration_samples(bench, data)
    chances = np.mean([cross_validated(samples, seed) for seed in range(3)], axis=0)
    doubtful = {
        each.item.id: (each, float(chance))
        for each, chance in zip(samples, chances, strict=True)
        if each.item.base != "dstc" and each.item.kind != "clinc" and 0.05 <= chance <= 0.9
    }
    known = {said.id for said in read_said(file)}
    waiting = [each for name, (each, _) in doubtful.items() if name not in known]
    most = len(waiting) if limit is None else min(limit, len(waiting))
    for each in random.Random(2).sample(waiting, most):
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(asdict(said_of(bench, each, engine))) + "\n")
    heard = [(*doubtful[said.id], said.heard) for said in read_said(file) if said.id in doubtful]
    fit_worth(heard)


def read_said(file: Path) -> list[Said]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [Said(**json.loads(line)) for line in lines]


def said_of(bench: Bench, each: Sample, engine: Engine) -> Said:
    item = each.item
    question = read_questions(item.turns, 1)[0]
    found = gather(question, bench.inboxes[item.base], bench.seen_by(item))
    written = compose_check(question, tell(found))
    heard = hear(engine, written, timedelta(minutes=2), "batch")
    return Said(item.id, 0.5 if heard is None else heard)


def fit_worth(heard: Sequence[tuple[Sample, float, float]]) -> None:
    """Logistic regression of right or wrong on the log odds of the evidence and of the model.

    Prints how well each tells right from wrong, and writes the weights.
    """
    right = [each.right for each, _, _ in heard]
    weight = np.array([each.weight for each, _, _ in heard])
    evidence = np.array([log_odds(chance) for _, chance, _ in heard])
    model = np.array([log_odds(said) for _, _, said in heard])
    x = np.stack([np.ones(len(heard)), evidence, model], 1)
    w = np.array([0.0, 1.0, 0.0]) + fit_offset(x, np.array(right, float), evidence, weight)
    for name, odds in (("evidence", evidence), ("model", model), ("both", x @ w)):
        print(f"{name}: n={len(heard)} right={sum(right)} AUROC {auroc(odds, right):.3f}")
    for line in reliability(1 / (1 + np.exp(-(x @ w))), right):
        print(line)
    weights = ", ".join(f"{each:.3f}" for each in w)
    replace_between(CALIBRATION, "weighed", f"HEARD = ({weights})\n")


def fit_offset(x: Vector, y: Vector, offset: Vector, weight: Vector) -> Vector:
    """Logistic regression over a fixed offset with a ridge of 1, by Newton's method."""
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(offset + x @ w)))
        slope = x.T @ (weight * (y - p)) - w
        w += np.linalg.solve((x * (weight * p * (1 - p))[:, None]).T @ x + np.eye(len(w)), slope)
    return w


def replace_between(file: Path, mark: str, lines: str) -> None:
    """Put lines between `# MARK below` and `# MARK above`."""
    head, tail = file.read_text(encoding="utf-8").split(f"# {mark} below\n", 1)
    kept = tail.split(f"# {mark} above", 1)[1]
    file.write_text(f"{head}# {mark} below\n{lines}# {mark} above{kept}", encoding="utf-8")


# -- reporting -------------------------------------------------------------------------------


def report(
    bench: Bench, base: str, data: Path, engine: Engine | None, limit: int | None, prefix: str = ""
) -> list[Case]:
    """Answer a set's report questions whose ids begin so; judge them as `frontdesk eval` does."""
    items = [each for each in read_items(base, data) if each.split == "report"]
    items = [each for each in items if each.id.startswith(prefix)]
    if limit is not None:
        items = random.Random(1).sample(items, min(limit, len(items)))
    cases = []
    for item in items:
        outcome = ask(bench, item, engine)
        case = judge(_as_question(item), _as_reply(outcome))
        cases.append(case)
        print(json.dumps(_trace(item, outcome, case), ensure_ascii=False), file=sys.stderr)
    return cases


def ask(bench: Bench, item: Item, engine: Engine | None) -> Outcome:
    request = AnswerRequest(
        bench.inboxes[item.base], COMPANIES[item.base], item.turns, timedelta(seconds=120)
    )
    last = list(answer(request, bench.seen_by(item), engine))[-1]
    assert isinstance(last, Outcome)
    return last


def _as_question(item: Item) -> Question:
    return Question(
        id=item.id,
        question=item.question,
        answerable=item.answerable,
        history=tuple(
            PastTurn(role="bot" if t.author == "bot" else "contact", text=t.text)
            for t in item.history
        ),
        expected=item.expected,
        expected_text=item.expected_text,
        language=item.language,
        kind=item.kind,
    )


def _as_reply(outcome: Outcome) -> dict[str, Any]:
    return {
        "action": outcome.action,
        "text": outcome.text,
        "confidence": outcome.confidence,
        "citations": [asdict(citation) for citation in outcome.citations],
    }


def _trace(item: Item, outcome: Outcome, case: Case) -> dict[str, Any]:
    return {
        "id": item.id,
        "verdict": case.verdict,
        "action": outcome.action,
        "reason": outcome.reason,
        "confidence": round(outcome.confidence, 3),
        "text": outcome.text,
        "rejected": [asdict(each) for each in outcome.rejected],
        "first_sentence_ms": outcome.first_sentence_ms,
        "total_ms": outcome.total_ms,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("task", choices=("prepare", "fit", "weigh", "report"))
    parser.add_argument("home", type=Path)
    parser.add_argument("base", nargs="?", choices=tuple(COMPANIES), default="shop")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="phrase with this model")
    parser.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache" / "frontdesk" / "engine"
    )
    parser.add_argument("--limit", type=int, help="so many questions, drawn at random")
    parser.add_argument("--prefix", default="", help="only ids that begin so, as arduino-f")
    options = parser.parse_args()
    if options.task == "prepare":
        prepare(options.home, options.data)
        return
    with LocalServers(options.home / "servers", durable=False) as servers:
        run(open_bench(options.home, servers), options)


def run(bench: Bench, options: argparse.Namespace) -> None:
    """Fit, weigh or report on an open bench."""
    engine = load_engine("auto", options.model, cache_dir=options.cache) if options.model else None
    if options.task == "fit":
        fit(bench, options.data)
    elif options.task == "weigh":
        assert engine is not None, "weigh needs --model"
        weigh(bench, options.data, engine, options.home / "said.jsonl", options.limit)
    else:
        cases = report(bench, options.base, options.data, engine, options.limit, options.prefix)
        print("\n".join(render(cases)))
    bench.knowledge.save()


if __name__ == "__main__":
    main()
