"""Check a question set against the articles it asks about, and count what it holds.

    python tests/eval/check.py tests/eval/sample_shop.jsonl --articles deploy/sample_shop/articles

ARTICLES is a folder of Markdown files with an `id:` in their front matter, or a JSONL file with
`external_id`, `title` and `answer`. Every finding is printed; the exit status is 1 if there is one.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

ANSWERABLE_KINDS = {
    "fact",
    "yes_no",
    "number",
    "follow_up",
    "comparison",
    "paraphrase",
    "typo",
    "knowledge",
}
UNANSWERABLE_KINDS = {
    "policy_not_written",
    "near_miss",
    "off_topic",
    "small_talk",
    "wants_person",
    "injection",
    "out_of_scope",
    "not_knowledge",
}
CHINESE = re.compile(r"[\u4e00-\u9fff]")
FRONT_MATTER_ID = re.compile(r"^id:\s*[\"']?([^\"'\s]+)", re.MULTILINE)


class Turn(BaseModel):
    """One message before the question."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    role: Literal["contact", "bot"]
    text: str


class Question(BaseModel):
    """One line of a question set; README.md says what each field means."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    question: str
    history: tuple[Turn, ...] = ()
    expected: tuple[str, ...]
    answerable: bool
    expected_text: tuple[str, ...]
    language: Literal["en", "zh"]
    kind: str
    split: Literal["calibration", "report"]
    near_miss: str | None = None
    entity_named: Literal["question", "history", "nowhere"] | None = None


CLAIMS: dict[str, Callable[[Question], bool]] = {
    "answerable": lambda question: question.answerable,
    "English": lambda question: question.language == "en",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print counts and findings; return 1 if there is a finding."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("questions", type=Path)
    parser.add_argument("--articles", type=Path, required=True)
    options = parser.parse_args(arguments)
    articles = read_articles(options.articles)
    questions, findings = read_questions(options.questions)
    findings += check_set(questions, articles)
    print_counts(questions, articles)
    for finding in findings:
        print(f"FINDING {finding}")
    print(f"{len(findings)} findings")
    return 1 if findings else 0


def read_articles(source: Path) -> dict[str, str]:
    """Return the text of each article by its external id; files without an id are left out."""
    if source.is_dir():
        texts = (path.read_text(encoding="utf-8") for path in sorted(source.rglob("*.md")))
        matches = ((FRONT_MATTER_ID.search(text), text) for text in texts)
        return {match[1]: text for match, text in matches if match}
    lines = (json.loads(line) for line in source.read_text(encoding="utf-8").splitlines())
    return {line["external_id"]: f"{line['title']}\n{line['answer']}" for line in lines}


def read_questions(path: Path) -> tuple[list[Question], list[str]]:
    """Return the lines that parse, and a finding for each that does not."""
    questions, findings = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            questions.append(Question.model_validate_json(line))
        except ValidationError as error:
            findings.append(f"line {number}: {error.errors()[0]['loc']} {error.errors()[0]['msg']}")
    return questions, findings


def check_set(questions: Sequence[Question], articles: dict[str, str]) -> list[str]:
    """Return every finding: in single questions, between them, and in the balance of the set."""
    findings = [
        f"{question.id}: {problem}"
        for question in questions
        for problem in check_question(question, articles)
    ]
    return [*findings, *check_uniqueness(questions), *check_balance(questions)]


def check_question(question: Question, articles: dict[str, str]) -> Iterator[str]:
    """Yield what is wrong with one question."""
    for article in (*question.expected, *filter(None, [question.near_miss])):
        if article not in articles:
            yield f"no article {article}"
    if question.answerable != bool(question.expected):
        yield "answerable and expected do not agree"
    if question.kind not in (ANSWERABLE_KINDS if question.answerable else UNANSWERABLE_KINDS):
        # A follow-up nobody can answer is a near_miss with a history.
        yield f"kind {question.kind} does not go with answerable={question.answerable}"
    if question.kind == "follow_up" and not question.history:
        yield "a follow-up without a history"
    if question.kind == "near_miss" and question.near_miss is None:
        yield "a near miss that names no article"
    if question.near_miss in question.expected:
        yield "the near miss is also expected"
    if (question.language == "zh") != bool(CHINESE.search(question.question)):
        yield f"is not written in {question.language}"
    if not question.question.strip() or question.question != question.question.strip():
        yield "empty, or with white space around it"
    yield from check_expected_text(question, articles)


def check_expected_text(question: Question, articles: dict[str, str]) -> Iterator[str]:
    """Yield a finding unless an expected article holds one of the key phrases."""
    if question.kind == "knowledge":
        return  # Drawn from data that mark the article, not the phrase.
    if question.answerable != bool(question.expected_text):
        yield "answerable and expected_text do not agree"
    known = [fold(articles[name]) for name in question.expected if name in articles]
    if known and not any(fold(text) in body for text in question.expected_text for body in known):
        yield f"no expected article says any of {question.expected_text}"


def fold(text: str) -> str:
    """Drop case, emphasis marks and the spaces around Chinese, so that phrases can be compared."""
    plain = re.sub(r"\s+", " ", text.replace("*", "")).casefold()
    return re.sub(r" (?=[\u4e00-\u9fff])|(?<=[\u4e00-\u9fff]) ", "", plain)


def check_uniqueness(questions: Sequence[Question]) -> Iterator[str]:
    """Yield ids and wordings that occur twice."""
    for name, times in Counter(question.id for question in questions).items():
        if times > 1:
            yield f"{name}: {times} lines have this id"
    asked = Counter((question.question.casefold(), question.history) for question in questions)
    for (wording, _), times in asked.items():
        # Real customers repeat themselves, so drawn turns may; written questions may not.
        if times > 1 and not any(question.kind == "knowledge" for question in questions):
            yield f"asked {times} times: {wording}"


def check_balance(questions: Sequence[Question]) -> Iterator[str]:
    """Yield a finding when the two splits of a written set differ in their mix by over a tenth.

    A set that is all of one split has nothing to compare.
    """
    splits = {
        name: [question for question in questions if question.split == name]
        for name in ("calibration", "report")
    }
    if not all(splits.values()):
        return
    for label, claim in CLAIMS.items():
        calibration, report = (
            share_of(splits["calibration"], claim),
            share_of(splits["report"], claim),
        )
        if abs(calibration - report) > 0.1:
            yield f"{label}: {calibration:.0%} of calibration, but {report:.0%} of report"


def share_of(questions: Sequence[Question], claim: Callable[[Question], bool]) -> float:
    """Return which part of the questions, 0 to 1, the claim holds for."""
    return sum(map(claim, questions)) / len(questions) if questions else 0.0


def print_counts(questions: Sequence[Question], articles: dict[str, str]) -> None:
    """Print the size of the set and its mix."""
    print(f"{len(articles)} articles, {len(questions)} questions")
    used = {article for question in questions for article in question.expected}
    print(f"articles that answer a question: {len(used)}")
    print(f"questions with a history: {sum(bool(question.history) for question in questions)}")
    print(f"questions with a near miss: {sum(bool(question.near_miss) for question in questions)}")
    counts = Counter(
        (question.split, "answerable" if question.answerable else "not", question.language)
        for question in questions
    )
    for (split, answerable, language), times in sorted(counts.items()):
        print(f"  {split:<12}{answerable:<12}{language:<4}{times:>5}")
    for kind, times in Counter(question.kind for question in questions).most_common():
        print(f"  {kind:<28}{times:>5}")


if __name__ == "__main__":
    sys.exit(main())
