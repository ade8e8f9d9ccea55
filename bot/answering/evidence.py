"""From passages to sentences: what in the articles comes nearest to answering the question."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from bot.answering.figures import Figure, read_figures
from bot.answering.ground import Support
from bot.answering.intent import addresses_the_bot
from bot.answering.outcome import Knowledge
from bot.answering.query import Question
from bot.answering.words import content_words, is_unsegmented
from bot.knowledge.found import FoundPassage
from bot.knowledge.sentences import Sentence, split

SEARCH_LIMIT = 12
"""Passages asked of the search."""
SENTENCE_PASSAGES = 6
"""Best passages whose sentences are compared with the question."""
MAX_SENTENCES = 60
MAX_SHOWN_CHARS = 600

# How a sentence is ranked: cosine, plus what share of the question's words it holds, and so on.
COVERAGE_WEIGHT = 0.10
PASSAGE_WEIGHT = 0.5
RANGE_WEIGHT = 0.05
LEAN_WEIGHT = 0.5

_MARKUP = re.compile(r"\*\*|__|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)|`")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of an article and how well it fits the question.

    `cosine` compares it with the question, `coverage` is the share of the question's content
    words (the rarer, the heavier) that stand in it or above it, `score` ranks it.
    """

    passage: FoundPassage
    sentence: Sentence
    rank: int
    cosine: float = 0.0
    coverage: float = 0.0
    score: float = 0.0

    @property
    def support(self) -> Support:
        """What a reply's sentence is checked against."""
        above = " ".join(filter(None, [self.passage.title, self.passage.heading]))
        return Support(plain(self.sentence.text), f"{above} {plain(self.sentence.context)}".strip())

    @property
    def shown(self) -> str:
        """The evidence as it may be sent: verbatim, with the line it hangs on."""
        return shown_text(self.sentence)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for one question, best first."""

    question: Question
    passages: tuple[FoundPassage, ...]
    evidence: tuple[Evidence, ...]
    weights: dict[str, float]


def plain(text: str) -> str:
    """An article's text without its Markdown signs."""
    return " ".join(_TAG.sub(" ", _MARKUP.sub("", _LINK.sub(r"\1", text))).split())


def shown_text(sentence: Sentence) -> str:
    """A list item or table row needs its lead-in; a whole sentence stands by itself."""
    text, context = plain(sentence.text), plain(sentence.context)
    if context.endswith((":", "：")):
        return f"{context} {text}"[:MAX_SHOWN_CHARS]
    if context and _is_fragment(text):
        joint = "：" if is_unsegmented(context) else ": "
        return f"{context}{joint}{text}"[:MAX_SHOWN_CHARS]
    return text[:MAX_SHOWN_CHARS]


def _is_fragment(text: str) -> bool:
    return not text.endswith((".", "!", "?", "。", "！", "？", ".)", "）"))


def gather(question: Question, inbox_id: UUID, knowledge: Knowledge) -> Found:
    """Search, split the best passages into sentences and rank these against the question."""
    passages = _search(question, inbox_id, knowledge)
    weights = word_weights(question, passages)
    sentences = _sentences(passages)
    return Found(question, passages, _ranked(question, sentences, weights, knowledge), weights)


def _search(question: Question, inbox_id: UUID, knowledge: Knowledge) -> tuple[FoundPassage, ...]:
    """Passages for the question, and for the question completed by what was said before it."""
    alone = knowledge.search(inbox_id, question.text, SEARCH_LIMIT)
    if not question.context:
        return tuple(alone)
    completed = knowledge.search(inbox_id, question.complete, SEARCH_LIMIT)
    first, second = (completed, alone) if question.leans else (alone, completed)
    return _fused(first, second)


def _fused(
    first: Sequence[FoundPassage], second: Sequence[FoundPassage]
) -> tuple[FoundPassage, ...]:
    """Reciprocal rank fusion in which the first list counts more."""
    scores: dict[UUID, float] = {}
    known: dict[UUID, FoundPassage] = {}
    for passages, weight in ((first, 1.0), (second, LEAN_WEIGHT)):
        for rank, passage in enumerate(passages):
            scores[passage.passage_id] = scores.get(passage.passage_id, 0.0) + weight / (20 + rank)
            known.setdefault(passage.passage_id, passage)
    order = sorted(scores, key=lambda passage_id: -scores[passage_id])
    return tuple(known[passage_id] for passage_id in order[:SEARCH_LIMIT])


def word_weights(question: Question, passages: Sequence[FoundPassage]) -> dict[str, float]:
    """How much each content word of the question tells: the fewer passages hold it, the more."""
    held = [set(content_words(_whole(passage))) for passage in passages]
    wanted = content_words(question.text)
    return {
        word: math.log((len(held) + 1.5) / (sum(word in words for words in held) + 0.5))
        for word in wanted
    }


def _whole(passage: FoundPassage) -> str:
    return f"{passage.title} {passage.heading} {passage.text}"


def _sentences(passages: Sequence[FoundPassage]) -> list[Evidence]:
    found: list[Evidence] = []
    seen: set[str] = set()
    for rank, passage in enumerate(passages[:SENTENCE_PASSAGES]):
        for sentence in split(passage.text, passage.heading):
            if _is_evidence(sentence) and sentence.standalone not in seen:
                seen.add(sentence.standalone)
                found.append(Evidence(passage, sentence, rank))
    return found[:MAX_SENTENCES]


def _is_evidence(sentence: Sentence) -> bool:
    """Neither a lead-in, which says nothing by itself, nor words meant for a bot."""
    text = plain(sentence.text)
    if addresses_the_bot(sentence.text):
        return False
    return (
        len(text) > 3
        and not text.endswith((":", "："))
        and bool(content_words(text) or read_figures(text))
    )


def _ranked(
    question: Question, found: Sequence[Evidence], weights: dict[str, float], knowledge: Knowledge
) -> tuple[Evidence, ...]:
    if not found:
        return ()
    texts = [each.sentence.standalone for each in found]
    cosines = knowledge.sentence_scores(_asked(question), texts)
    best_passage = max(each.passage.cosine for each in found)
    scored = [
        _scored(each, cosine, question, weights, best_passage)
        for each, cosine in zip(found, cosines, strict=True)
    ]
    return tuple(sorted(scored, key=lambda each: -each.score))


def _asked(question: Question) -> str:
    return question.complete if question.leans else question.text


def _headed(evidence: Evidence) -> str:
    """The sentence with the titles above it: where the question's words may stand."""
    support = evidence.support
    return f"{support.context} {support.text}"


def _scored(
    evidence: Evidence,
    cosine: float,
    question: Question,
    weights: dict[str, float],
    best_passage: float,
) -> Evidence:
    covered = coverage(_headed(evidence), weights)
    score = (
        cosine
        + COVERAGE_WEIGHT * covered
        - PASSAGE_WEIGHT * (best_passage - evidence.passage.cosine)
        + RANGE_WEIGHT * holds_the_figure(question.text, evidence.support.text)
    )
    return replace(evidence, cosine=cosine, coverage=covered, score=score)


def coverage(text: str, weights: dict[str, float]) -> float:
    """The weighted share of the question's words that the text holds, 0..1."""
    total = sum(weights.values())
    held = set(content_words(text))
    return sum(weight for word, weight in weights.items() if word in held) / total if total else 0.0


def holds_the_figure(question: str, text: str) -> float:
    """1 where a range or figure of the text holds a figure of the question, by arithmetic."""
    asked = [figure for figure in read_figures(question) if figure.unit not in {"weekday"}]
    stated = read_figures(text)
    return float(any(_holds(stated, figure) for figure in asked))


def _holds(stated: Sequence[Figure], figure: Figure) -> bool:
    if any(each.value == figure.value and each.code == figure.code for each in stated):
        return True
    for low, high in zip(stated, stated[1:], strict=False):
        if low.unit == high.unit and _within(low, figure, high):
            return True
    return False


def _within(low: Figure, figure: Figure, high: Figure) -> bool:
    if figure.unit == "code":
        return (
            low.code != ""
            and len(low.code) == len(figure.code)
            and low.code <= figure.code <= high.code
        )
    alike = low.unit in {figure.unit, ""}
    return alike and low.code == "" and low.value <= figure.value <= high.value
