"""From passages to sentences: what in the articles comes nearest to answering the question."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from uuid import UUID

from bot.answering import calibration
from bot.answering.figures import Figure, read_figures
from bot.answering.ground import Support
from bot.answering.intent import addresses_the_bot
from bot.answering.outcome import Knowledge
from bot.answering.query import Question
from bot.answering.subject import subject_fit
from bot.answering.words import content_words, is_unsegmented, listed
from bot.knowledge.found import FoundPassage
from bot.knowledge.sentences import Sentence, split

SEARCH_LIMIT = 30
"""Passages asked of each search."""
KEPT_PASSAGES = 12
SENTENCE_PASSAGES = 6
"""Best passages whose sentences are compared with the question."""
SUBJECT = 0.15
"""What it is worth to be about the conversation's subject, in units of the search's score: more
helps where each house has an article, and hurts where articles name many things."""
MAX_SENTENCES = 60
MAX_SHOWN_CHARS = 600
LANGUAGE_GAP = 0.05
"""How much lower the embedder's cosine is between a question and the same text in another script:
.043 to .060 on the calibration questions whose article exists in English and in Chinese."""

_MARKUP = re.compile(r"\*\*|__|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)|`")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\](?!:)")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of an article and how well it fits the question.

    `rank` is its passage's, best first; `place` is where in the passage it stands; `subject` is
    how fully its article's title names what the conversation is about, 0..1.
    `cosine` compares it with the question, `title_cosine` its article's title; `coverage` is the
    share of the question's content words (the rarer, the heavier) that stand in it or above it,
    `score` ranks it.
    """

    passage: FoundPassage
    sentence: Sentence
    rank: int
    place: int = 0
    subject: float = 1.0
    cosine: float = 0.0
    title_cosine: float = 0.0
    coverage: float = 0.0
    score: float = 0.0
    features: Mapping[str, float] = field(default_factory=dict)

    @property
    def support(self) -> Support:
        """What a reply's sentence is checked against."""
        above = " ".join(filter(None, [self.passage.title, self.passage.heading]))
        return Support(plain(self.sentence.text), f"{above} {plain(self.sentence.context)}".strip())

    @property
    def shown(self) -> str:
        """The evidence as it may be sent: verbatim, with the line it hangs on."""
        return shown_text(self.sentence)

    @property
    def is_fragment(self) -> bool:
        """Whether it is no whole sentence, as a table row or a short item is none."""
        return _is_fragment(self.support.text)

    @property
    def stated(self) -> str:
        """The evidence as a model is given it."""
        return stated_text(self.sentence)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for one question, best first."""

    question: Question
    passages: tuple[FoundPassage, ...]
    evidence: tuple[Evidence, ...]
    weights: dict[str, float]


def plain(text: str) -> str:
    """An article's text without its Markdown signs."""
    words = _FOOTNOTE.sub("", _LINK.sub(r"\1", text))
    return " ".join(_TAG.sub(" ", _MARKUP.sub("", words)).split())


def line_of(sentence: Sentence) -> str:
    """The bare line, a table's row as people read it."""
    return plain(sentence.row or sentence.text)[:MAX_SHOWN_CHARS]


def shown_text(sentence: Sentence) -> str:
    """A list item or table row needs its lead-in; a whole sentence stands by itself."""
    return stated_text(replace(sentence, text=sentence.row or sentence.text))


def is_verbatim(text: str, sentence: Sentence) -> bool:
    """Whether the text is the line, with or without what it leans on in front."""
    line = line_of(sentence)
    before = text.removesuffix(line)
    return text == shown_text(sentence) or (
        text.endswith(line) and (not before or before.endswith((" ", "\n", "：")))
    )


def stated_text(sentence: Sentence) -> str:
    """The same for a model to read: each cell of a row under its heading."""
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
    fits = _search(question, inbox_id, knowledge)
    passages = tuple(fits)
    weights = word_weights(question, passages)
    sentences = _sentences(fits)
    return Found(question, passages, _ranked(question, sentences, weights, knowledge), weights)


def _search(question: Question, inbox_id: UUID, knowledge: Knowledge) -> dict[FoundPassage, float]:
    """Passages for the question, and for the question completed by what was said before it.

    Best first, each with how far it is about what the conversation is about, 0..1.
    """
    totals: dict[UUID, float] = {}
    known: dict[UUID, FoundPassage] = {}
    lists = [
        (knowledge.search(inbox_id, text, SEARCH_LIMIT, () if place else question.subject), weight)
        for place, (text, weight) in enumerate(question.searches)
    ]
    for passages, _ in lists:
        known |= {passage.passage_id: passage for passage in passages if passages}
    for passages, weight in lists:
        scores = {passage.passage_id: passage.score for passage in passages}
        least = min((passage.score for passage in passages[:SEARCH_LIMIT]), default=0.0)
        for passage_id in known:
            totals[passage_id] = totals.get(passage_id, 0.0) + weight * scores.get(
                passage_id, least
            )
    titles = [passage.title for passage in known.values()]
    fits = dict(zip(known, subject_fit(question.subject, titles), strict=True))
    order = sorted(known, key=lambda one: -(totals[one] + SUBJECT * fits[one]))
    kept = order[:KEPT_PASSAGES]
    return {replace(known[one], score=totals[one]): fits[one] for one in kept}


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


def _sentences(passages: Mapping[FoundPassage, float]) -> list[Evidence]:
    found: list[Evidence] = []
    seen: set[str] = set()
    for rank, (passage, fit) in enumerate(list(passages.items())[:SENTENCE_PASSAGES]):
        for place, sentence in enumerate(split(passage.text, passage.heading)):
            if _is_evidence(sentence) and sentence.standalone not in seen:
                seen.add(sentence.standalone)
                found.append(Evidence(passage, sentence, rank, place, fit))
    return found[:MAX_SENTENCES]


def _is_evidence(sentence: Sentence) -> bool:
    """Neither a lead-in nor a question, which say nothing by themselves, nor words for a bot."""
    text = plain(sentence.text)
    if addresses_the_bot(sentence.text) or _TAGS.match(text):
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
    cosines = _cosines(question, [each.sentence.standalone for each in found], knowledge)
    titles = list(dict.fromkeys(each.passage.title for each in found))
    of_title = dict(zip(titles, _cosines(question, titles, knowledge), strict=True))
    scored = [
        _scored(
            replace(each, cosine=cosine, title_cosine=of_title[each.passage.title]),
            question,
            weights,
            found[0].passage,
        )
        for each, cosine in zip(found, cosines, strict=True)
    ]
    return tuple(sorted(scored, key=lambda each: -each.score))


def crosses(question: str, text: str) -> bool:
    """Whether question and text are in different scripts: then their words cannot be compared."""
    return is_unsegmented(question) != is_unsegmented(text)


def _cosines(question: Question, sentences: Sequence[str], knowledge: Knowledge) -> list[float]:
    """Of each sentence with the question, on one scale for all languages."""
    plain_cosines = _raw_cosines(question, sentences, knowledge)
    return [
        cosine + (LANGUAGE_GAP if crosses(question.text, sentence) else 0.0)
        for cosine, sentence in zip(plain_cosines, sentences, strict=True)
    ]


def _raw_cosines(
    question: Question, sentences: Sequence[str], knowledge: Knowledge
) -> Sequence[float]:
    """Of the question; of one that leans on what was said before, the mean of it and the whole."""
    alone = knowledge.sentence_scores(question.text, sentences)
    if not question.leans:
        return alone
    complete = knowledge.sentence_scores(question.complete, sentences)
    return [(one + other) / 2 for one, other in zip(alone, complete, strict=True)]


def _scored(
    evidence: Evidence, question: Question, weights: dict[str, float], first: FoundPassage
) -> Evidence:
    features = _fit(evidence, question, weights, first)
    score = sum(weight * features[name] for name, weight in calibration.RANKING.items())
    headed = f"{evidence.support.context} {evidence.support.text}"
    return replace(evidence, coverage=coverage(headed, weights), score=score, features=features)


def _fit(
    evidence: Evidence, question: Question, weights: dict[str, float], first: FoundPassage
) -> dict[str, float]:
    """How a sentence fits its question, in readable features of about 0..1."""
    text, passage = evidence.support.text, evidence.passage
    return {
        "cosine": (evidence.cosine - 0.85) / 0.05,
        "title": max(0.0, evidence.title_cosine - evidence.cosine) / 0.05,
        "words": coverage(f"{plain(evidence.sentence.context)} {text}", weights),
        "passage": (level_cosine(question, passage) - level_cosine(question, first)) / 0.05,
        "place": 1 / (1 + evidence.rank),
        "subject": evidence.subject,
        "figure": figure_fit(question.text, text),
        "range": holds_the_figure(question.text, text),
        "fragment": float(_is_fragment(text) and ":" not in text),
        "pointer": float(bool(_POINTER.search(text))),
        "short": float(len(content_words(text)) < 4),
    }


def level_cosine(question: Question, passage: FoundPassage) -> float:
    """The passage's cosine with the question, on one scale for all languages."""
    return passage.cosine + (LANGUAGE_GAP if crosses(question.text, passage.text) else 0.0)


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
    if any(each.key == figure.key for each in stated):
        return True
    return any(
        low.unit == high.unit and _within(low, figure, high) for low, high in pairwise(stated)
    )


def _within(low: Figure, figure: Figure, high: Figure) -> bool:
    if figure.unit != low.unit:
        return False
    if figure.unit == "code":
        alike = len(low.code) == len(figure.code) == len(high.code)
        return alike and low.code <= figure.code <= high.code
    return low.value <= figure.value <= high.value


def figure_fit(question: str, text: str) -> float:
    """1 where a figure is asked for and stated, -1 where it is asked for and not stated."""
    wanted = next((units for pattern, units in _WANTED if pattern.search(question)), None)
    if wanted is None:
        return 0.0
    stated = {figure.unit for figure in read_figures(text)}
    return 1.0 if stated & wanted or (not wanted and stated) else -1.0


_MONEY = frozenset(("EUR", "USD", "GBP", "CNY", "JPY", "percent", "fold"))
_TIME = listed("hour minute second day week month year clock weekday") | {
    "working day",
    "month of year",
    "day of month",
}
# Which units answer which question; an empty set stands for any figure.
_WANTED = tuple(
    (re.compile(pattern, re.IGNORECASE), units)
    for pattern, units in (
        (
            r"\bhow (?:long|soon|late|early)\b|\bwhen\b|\bwhat (?:time|date|day)\b|\bdeadline\b"
            r"|\buntil when\b|多久|多长时间|几[天点月]|什么时候|何时",
            _TIME,
        ),
        (
            r"\b(?:what|how much)\b.*\b(?:cost|costs|price|fee|charge|pay)\b|多少钱|费用|运费是"
            r"|价格|单价",
            _MONEY,
        ),
        (r"\bhow heavy\b|\b(?:weight|weigh|weighs)\b|多重|重量", frozenset(("kg", "g"))),
        (
            r"\bhow (?:tall|deep|wide|far|thick|high)\b|\bdimensions?\b|多高|多远|多宽|多厚|尺寸",
            frozenset(("m", "cm", "mm", "km", "l")),
        ),
        (r"\bhow (?:hot|cold|warm)\b|\btemperature\b|温度|多少度", frozenset(("degree",))),
        (
            r"\bhow (?:much|many|often|old|big|fast|large)\b"
            r"|\bwhat (?:price|size|percentage|number|amount)\b"
            r"|多少|多大|几[个年次折小分岁号位]|百分之几",
            frozenset(),
        ),
    )
)
_TAGS = re.compile(r"^(?:tags?|keywords?|labels?|标签|关键词)\s*[:：]", re.IGNORECASE)
_POINTER = re.compile(
    r"^(?:to )?(?:learn (?:more|how|about)|see (?:also|the|our)?|read (?:more|about)|find out"
    r"|in this article"
    r"|this article|further reading|follow (?:the|these) (?:steps|instructions)|tags?:"
    r"|if you have (?:any )?questions)\b"
    r"|^(?:了解更多|参见|另请参阅|本文)|\bsee (?:the )?(?:article|page|section)\b",
    re.IGNORECASE,
)
