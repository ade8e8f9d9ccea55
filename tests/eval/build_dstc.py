"""Draw a question set from the DSTC11 Track 5 data: its FAQs as articles, its turns as questions.

    python tests/eval/build_dstc.py FOLDER OUT [--seed 11] [--turns 200] [--unanswerable 100]

FOLDER holds `knowledge.json` and `val/logs.json`, `val/labels.json` as published. OUT receives
`articles.jsonl` (every FAQ, so that each question has thousands of wrong articles beside the right
one) and `questions.jsonl` in the format of README.md. Nothing of the data belongs in this
repository: OUT is a folder outside it.

A turn is drawn when at least one of its gold snippets is an FAQ; these FAQs are its expected
articles, and any of them is right. Turns whose gold is FAQs *only* are too few (4 of 2,129 in the
validation part): the task pairs almost every FAQ with customer reviews, which are no articles.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter


@dataclass(frozen=True)
class Article:
    """One FAQ of one hotel or restaurant; the external id is `domain:entity:doc`."""

    external_id: str
    title: str
    question: str
    answer: str
    language: str = "en"


@dataclass(frozen=True)
class Turn:
    """One message of the conversation before the question."""

    role: Literal["contact", "bot"]
    text: str


@dataclass(frozen=True)
class Question:
    """One customer turn, its conversation so far, and the articles that answer it."""

    id: str
    question: str
    history: tuple[Turn, ...]
    expected: tuple[str, ...]
    answerable: bool
    kind: Literal["knowledge", "not_knowledge"]
    entity_named: Literal["question", "history", "nowhere"]
    expected_text: tuple[str, ...] = ()
    language: str = "en"
    split: str = "report"


class RawFaq(BaseModel):
    """An entry of `faqs` in knowledge.json."""

    question: str
    answer: str


class RawEntity(BaseModel):
    """A hotel or restaurant in knowledge.json; its reviews are left aside."""

    model_config = ConfigDict(extra="ignore")
    name: str
    faqs: dict[str, RawFaq]


class RawTurn(BaseModel):
    """A message in logs.json."""

    speaker: Literal["U", "S"]
    text: str


class RawSnippet(BaseModel):
    """A gold snippet in labels.json."""

    model_config = ConfigDict(extra="ignore")
    domain: str
    entity_id: int
    doc_type: Literal["faq", "review"]
    doc_id: int

    @property
    def external_id(self) -> str:
        return f"{self.domain}:{self.entity_id}:{self.doc_id}"


class RawLabel(BaseModel):
    """What labels.json says about the last turn of the dialogue at the same position."""

    model_config = ConfigDict(extra="ignore")
    target: bool
    knowledge: list[RawSnippet] = []

    @property
    def faqs(self) -> list[RawSnippet]:
        return [snippet for snippet in self.knowledge if snippet.doc_type == "faq"]


Knowledge = dict[str, dict[str, RawEntity]]
Dialogue = list[RawTurn]


@dataclass(frozen=True)
class Data:
    """The published files, parsed; `dialogues` and `labels` have the same length and order."""

    knowledge: Knowledge
    dialogues: list[Dialogue]
    labels: list[RawLabel]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both files and print how many lines each has."""
    options = parse_options(arguments)
    data = read_data(options.folder)
    articles = list(make_articles(data.knowledge))
    questions = draw_questions(
        data, turns=options.turns, unanswerable=options.unanswerable, seed=options.seed
    )
    options.out.mkdir(parents=True, exist_ok=True)
    write_lines(options.out / "articles.jsonl", articles)
    write_lines(options.out / "questions.jsonl", questions)
    answerable = sum(question.answerable for question in questions)
    print(
        f"{len(articles)} articles; {answerable} answerable and"
        f" {len(questions) - answerable} unanswerable questions in {options.out}"
    )
    return 0


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="the dstc11_track5 folder")
    parser.add_argument("out", type=Path, help="where the two files go; not in the repository")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--turns", type=int, default=200, help="knowledge-seeking turns to draw")
    parser.add_argument("--unanswerable", type=int, default=0, help="other turns to draw")
    return parser.parse_args(arguments)


def read_data(folder: Path) -> Data:
    """Parse the published files; pydantic's ValidationError names what does not fit."""
    data = Data(
        knowledge=TypeAdapter(Knowledge).validate_json((folder / "knowledge.json").read_bytes()),
        dialogues=TypeAdapter(list[Dialogue]).validate_json(
            (folder / "val" / "logs.json").read_bytes()
        ),
        labels=TypeAdapter(list[RawLabel]).validate_json(
            (folder / "val" / "labels.json").read_bytes()
        ),
    )
    if len(data.dialogues) != len(data.labels):
        raise ValueError(f"{len(data.dialogues)} dialogues, but {len(data.labels)} labels")
    return data


def make_articles(knowledge: Knowledge) -> Iterable[Article]:
    """Every FAQ, titled with the name of its hotel or restaurant: many ask the same question."""
    for domain, entities in knowledge.items():
        for entity_id, entity in entities.items():
            for doc_id, faq in entity.faqs.items():
                yield Article(
                    external_id=f"{domain}:{entity_id}:{doc_id}",
                    title=f"{entity.name}: {faq.question}",
                    question=faq.question,
                    answer=faq.answer,
                )


def draw_questions(data: Data, *, turns: int, unanswerable: int, seed: int) -> list[Question]:
    """Draw without replacement; the same seed and data give the same questions.

    Raises ValueError when the data hold fewer turns of a kind than asked for.
    """
    seeking = [place for place, label in enumerate(data.labels) if label.target and label.faqs]
    other = [place for place, label in enumerate(data.labels) if not label.target]
    if turns > len(seeking) or unanswerable > len(other):
        raise ValueError(f"the data hold {len(seeking)} FAQ turns and {len(other)} others")
    # Two generators, so that asking for unanswerable turns leaves the others as they are.
    drawn = random.Random(seed).sample(seeking, turns)
    drawn_other = random.Random(seed + 1).sample(other, unanswerable)
    return [make_question(data, place) for place in [*drawn, *drawn_other]]


def make_question(data: Data, place: int) -> Question:
    """Turn one dialogue into a question.

    The whole conversation goes along, not a window: in most turns the customer says "it" or "they",
    and the name stands wherever the bot proposed it.
    """
    dialogue, label = data.dialogues[place], data.labels[place]
    *before, last = dialogue
    history = tuple(
        Turn(role="contact" if turn.speaker == "U" else "bot", text=turn.text) for turn in before
    )
    names = [data.knowledge[faq.domain][str(faq.entity_id)].name for faq in label.faqs]
    return Question(
        id=f"dstc-val-{place}",
        question=last.text,
        history=history,
        expected=tuple(dict.fromkeys(faq.external_id for faq in label.faqs)),
        answerable=label.target,
        kind="knowledge" if label.target else "not_knowledge",
        entity_named=find_name(names, last.text, history),
    )


def find_name(
    names: Sequence[str], question: str, history: Sequence[Turn]
) -> Literal["question", "history", "nowhere"]:
    """Say where all of the names stand, literally; results can then be told apart by it."""
    in_question, in_history = question.casefold(), " ".join(t.text for t in history).casefold()
    if names and all(name.casefold() in in_question for name in names):
        return "question"
    if names and all(name.casefold() in f"{in_history} {in_question}" for name in names):
        return "history"
    return "nowhere"


def write_lines(path: Path, items: Iterable[Article | Question]) -> None:
    lines = (json.dumps(asdict(item), ensure_ascii=False) + "\n" for item in items)
    path.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
