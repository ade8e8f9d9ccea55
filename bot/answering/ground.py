"""Checks a sentence that the model wrote against its evidence, before anybody sees it.

The check knows no meaning. It compares what can be compared - figures, names, denials,
conditions, promises, links, words - and refuses when in doubt, because the evidence itself is
always at hand to be shown instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.answering import polarity
from bot.answering.figures import Figure, contains, read_figures, without_figures
from bot.answering.language import same_language, written_language
from bot.answering.words import content_words, is_unsegmented, listed, stem

MIN_SUPPORT = 0.7
"""Least share of a reply's content words that its evidence must hold."""
MIN_RECALL = 0.4
"""Least share of what its evidence says that a reply must keep: less is a generalisation."""
SHORT_CLAUSE, MIN_RECALL_IF_SHORT = 4, 0.75
"""A clause of so few words must be kept nearly whole."""
MAX_STRANGE_WORDS = 0.2
"""Largest share of content words that neither evidence nor question holds."""

_LINK = re.compile(
    r"https?://[^\s)>\]]+|www\.[^\s)>\]]+|\b[\w.+-]+@[\w-]+\.[\w.-]+|\b[\w-]+\.(?:com|org|net|io"
    r"|cc|shop|cn|de|eu)\b\S*",
    re.IGNORECASE,
)
_PHONE = re.compile(r"\+?\d[\d ()/.-]{6,}\d")
_CLAUSE = re.compile(
    r"[;；。.!！?？]\s+|[;；。！？\n]|,\s+|，|、(?=不)|\s+(?:but|and|while|whereas|however)\s+"
    r"|\s+(?=(?:except|unless|without)\b)|但是?|而且?|不过",
    re.IGNORECASE,
)
_CONTROL = re.compile(
    r"<\||\|>|```|</?[a-z_]+>|\{\{|\}\}|^\s*(?:assistant|system|user)\s*:", re.IGNORECASE
)
_TALK_OF_PROMPT = re.compile(
    r"\b(?:system prompt|my instructions|the (?:given |provided )?facts?|provided (?:facts"
    r"|information|text|context)"
    r"|fact \d|language model|as an ai|i was (?:told|instructed))\b|系统提示|提示词|根据提供的"
    r"|所提供的|上述事实|事实\s*\d|语言模型|我的指令",
    re.IGNORECASE,
)
_OWN_DEED = re.compile(
    r"\b(?:i(?:'ll|'ve| will| have| can| am| would)|i'm|let me|we(?:'ll| will| have| are going))\b"
    r"|我(?:会|将|已|来|可以|帮|这就)|我们(?:会|将|已)|已(?:经)?(?:为您|帮您)",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)(?<![\w'’])[A-Z][\w'’-]+|\b[A-Z]{2,}\b")
_PROMPT_RUN = 5
_SMALL_WORDS = frozenset(
    map(
        stem,
        listed(
            """
    available offer provide allow accept able include contact additional information also
    currently typically usually total cost price please note however following within order item
    product customer store shop company option request
    """
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Support:
    """What a sentence leans on: the evidence's own text and what it stands under."""

    text: str
    context: str = ""

    @property
    def whole(self) -> str:
        return f"{self.context} {self.text}" if self.context else self.text


@dataclass(frozen=True, slots=True)
class Asked:
    """The circumstances of a check: the question, the language to reply in, the system prompt.

    `translates` says that a sentence restates the whole of evidence in another language.
    """

    question: str
    language: str
    company: str = ""
    system: str = ""
    translates: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The evidence a sentence is supported by, or the name of the check that it failed."""

    evidence: int | None
    failed: str = ""
    text: str = ""


def check_sentence(sentence: str, evidence: Sequence[Support], asked: Asked) -> Verdict:
    """Find the one evidence sentence that supports the whole sentence.

    A leading yes or no that the evidence does not bear out is dropped, and the rest is checked
    alone. `text` of the verdict is the sentence as it may be shown.
    """
    if failed := _unfit(sentence, asked):
        return Verdict(None, failed)
    verdict = _best(sentence, evidence, asked)
    bare = polarity.without_opening(sentence)
    if verdict.evidence is not None or bare == sentence or not bare:
        return verdict
    return _best(bare, evidence, asked)


def _best(sentence: str, evidence: Sequence[Support], asked: Asked) -> Verdict:
    """Try the evidence in order of how much of the sentence it holds."""
    names = _names_asked(asked.question)
    held = [_held_names(names, each) for each in evidence]
    order = sorted(range(len(evidence)), key=lambda i: -_support(sentence, evidence[i]))
    failed = "nothing to support it"
    for place, index in enumerate(order):
        reason = _unsupported(sentence, evidence[index], asked)
        if not reason and (
            held[index] < max(held) or _borrows(sentence, evidence, index, asked.question)
        ):
            reason = "beside the question"
        if not reason:
            return Verdict(index, text=sentence)
        if place == 0:
            failed = reason
    return Verdict(None, failed)


MOST_BORROWED = 1


def _borrows(sentence: str, evidence: Sequence[Support], index: int, question: str) -> bool:
    """Whether the sentence mixes its evidence with another's.

    It does when a word that it shares with the question, or several others, are missing from its
    own evidence and stand in another: `WeChat is charged on dispatch` from `cards are charged on
    dispatch` and `WeChat is charged at once`.
    """
    own = set(_words_of(evidence[index].whole))
    others = set().union(*(_words_of(each.whole) for each in evidence))
    borrowed = (set(_words_of(sentence)) - own) & others
    return bool(borrowed & set(_words_of(question))) or len(borrowed) > MOST_BORROWED


def _names_asked(question: str) -> list[str]:
    """What the question names: what another name's evidence says is no answer to it."""
    if is_unsegmented(question):
        return _latin(question)
    return [
        *_NAME.findall(question),
        *(figure.code for figure in read_figures(question) if figure.code),
    ]


def _held_names(names: Sequence[str], evidence: Support) -> int:
    return sum(_known(name, evidence.whole.lower()) for name in names)


def _unfit(sentence: str, asked: Asked) -> str:
    """What no evidence could make right."""
    if _CONTROL.search(sentence):
        return "control text"
    if _TALK_OF_PROMPT.search(sentence) or _echoes(sentence, asked.system):
        return "talks of its prompt"
    if not same_language(sentence, asked.language):
        return "language"
    if sentence.rstrip().endswith(("?", "？")):
        return "asks a question"
    return ""


def _unsupported(sentence: str, evidence: Support, asked: Asked) -> str:
    """The first check that the sentence fails against this evidence; empty if it passes all."""
    for name, holds in _CHECKS:
        if not holds(sentence, evidence, asked):
            return name
    return ""


def _links(sentence: str, evidence: Support, asked: Asked) -> bool:
    links = [*_LINK.findall(sentence), *_PHONE.findall(sentence)]
    return all(link.rstrip(".,;!?。，") in evidence.text for link in links)


def _figures(sentence: str, evidence: Support, asked: Asked) -> bool:
    stated = read_figures(evidence.whole)
    return all(contains(stated, figure) for figure in read_figures(sentence))


def _bindings(sentence: str, evidence: Support, asked: Asked) -> bool:
    """Each figure belongs to what the evidence says it belongs to, not to its neighbour."""
    clauses = list(_clauses(evidence.text))
    if not _speak_alike(sentence, evidence.text):
        return not _has_rivals(sentence, clauses)
    return all(
        _bound(clause, figure, clauses)
        for clause in _clauses(sentence)
        for figure in read_figures(clause)
    )


def _bound(clause: str, figure: Figure, clauses: Sequence[str]) -> bool:
    said = set(_words_of(clause))
    own = [each for each in clauses if contains(read_figures(each), figure)]
    rivals = [
        each
        for each in clauses
        if each not in own and any(rival.unit == figure.unit for rival in read_figures(each))
    ]
    at_home = max((len(said & set(content_words(each))) for each in own), default=0)
    elsewhere = max((len(said & set(content_words(each))) for each in rivals), default=0)
    return not own or at_home >= elsewhere


def _has_rivals(sentence: str, clauses: Sequence[str]) -> bool:
    """Whether the evidence holds another figure of the same unit that the sentence leaves out."""
    said = read_figures(sentence)
    units = {figure.unit for figure in said if figure.unit != "weekday"}
    stated = [figure for clause in clauses for figure in read_figures(clause)]
    return any(figure.unit in units and not contains(said, figure) for figure in stated)


def _names(sentence: str, evidence: Support, asked: Asked) -> bool:
    known = f"{evidence.whole} {asked.company}".lower()
    names = _NAME.findall(sentence) if not is_unsegmented(sentence) else _latin(sentence)
    return all(_known(name, known) for name in names)


def _latin(text: str) -> list[str]:
    return re.findall(r"[A-Za-z][A-Za-z'’-]+", text)


def _known(name: str, known: str) -> bool:
    name = name.lower().removesuffix("'s").removesuffix("’s")
    return name in known or stem(name) in map(stem, _latin(known)) or name in _UNITS_IN_LATIN


_UNITS_IN_LATIN = listed("kg km cm mm ml wh mah gb mb am pm eur usd gbp")


def _denials(sentence: str, evidence: Support, asked: Asked) -> bool:
    """Each clause denies exactly when the clause of the evidence that it restates does."""
    clauses = list(_clauses(evidence.text)) or [evidence.text]
    pieces = list(_clauses(polarity.without_opening(sentence)))
    if not _speak_alike(sentence, evidence.text):
        if asked.translates:
            return polarity.denials(sentence) == polarity.denials(evidence.text)
        denied = {polarity.is_denied(clause) for clause in clauses}
        return len(denied) == 1 and {polarity.is_denied(piece) for piece in pieces} <= denied
    return all(_denies_alike(piece, clauses) for piece in pieces)


def _denies_alike(piece: str, clauses: Sequence[str]) -> bool:
    """What the piece restates of a denied clause it denies, and it denies nothing else."""
    denied = [clause for clause in clauses if polarity.is_denied(clause)]
    affirmed = [clause for clause in clauses if clause not in denied]
    said = _anchors(piece)
    in_denied = said & set().union(*map(_anchors, denied))
    in_affirmed = said & set().union(*map(_anchors, affirmed))
    if polarity.is_denied(piece):
        return bool(in_denied) and len(in_denied) >= len(in_affirmed - in_denied)
    return not in_denied - in_affirmed and (bool(in_affirmed) or not denied)


def _anchors(text: str) -> set[str]:
    """What a clause is recognised by: its content words and figures."""
    return {*_words_of(text), *(str(figure.key) for figure in read_figures(text))}


def _words_of(text: str) -> tuple[str, ...]:
    """Content words beside the figures: `sixty days` is a figure, not two words."""
    return content_words(without_figures(text))


def _opening(sentence: str, evidence: Support, asked: Asked) -> bool:
    """A leading yes or no follows from the evidence without any judgement of ours.

    `No` needs a denial; `Yes` needs a plain affirmation of the question's own words, and no
    figure in the question, because comparing figures is not the model's work.
    """
    answer = polarity.opening_answer(sentence)
    if answer is None:
        return True
    if not _speak_alike(asked.question, evidence.text) or polarity.is_denied(asked.question):
        return False
    if answer is False:
        rest = polarity.without_opening(sentence)
        return polarity.denials(rest) > 0 and polarity.denials(evidence.text) > 0
    wanted, stated = content_words(asked.question), set(content_words(evidence.whole))
    covered = sum(word in stated for word in wanted) / max(1, len(wanted))
    plain = not polarity.denials(evidence.text) and "condition" not in polarity.marks(evidence.text)
    return plain and covered >= 0.6 and not read_figures(asked.question)


def _claims(sentence: str, evidence: Support, asked: Asked) -> bool:
    """Nothing promised, generalised or made a duty that the evidence does not say so."""
    said, stated = polarity.marks(sentence), polarity.marks(evidence.whole)
    added = {name for name in polarity.NOT_ADDED if name in said - stated}
    dropped = {
        name for name in polarity.NOT_DROPPED if name in polarity.marks(evidence.text) - said
    }
    return not added and not dropped


def _deeds(sentence: str, evidence: Support, asked: Asked) -> bool:
    return not _OWN_DEED.search(sentence) or bool(_OWN_DEED.search(evidence.text))


def _comparisons(sentence: str, evidence: Support, asked: Asked) -> bool:
    """A figure of the question that the evidence does not state makes a conclusion: not allowed.

    `_figures` refuses it already unless the evidence happens to hold the same number.
    """
    conclusions = re.search(
        r"\b(?:so|therefore|thus|which means|your order is)\b|所以|因此|也就是说", sentence
    )
    return conclusions is None or not read_figures(asked.question)


def _words(sentence: str, evidence: Support, asked: Asked) -> bool:
    if not _speak_alike(sentence, evidence.text):
        return True
    said = [word for word in _words_of(sentence) if word not in _SMALL_WORDS]
    if not said:
        return bool(read_figures(sentence))
    stated = set(_words_of(evidence.whole))
    asked_words = set(content_words(asked.question)) | set(content_words(asked.company))
    strange = [word for word in said if word not in stated and word not in asked_words]
    held = sum(word in stated for word in said)
    least = MIN_SUPPORT if not is_unsegmented(sentence) else 0.6
    most = MAX_STRANGE_WORDS if not is_unsegmented(sentence) else 0.35
    return held >= least * len(said) and len(strange) <= most * len(said)


def _scope(sentence: str, evidence: Support, asked: Asked) -> bool:
    """Not more general than its evidence: `lit stoves cannot be returned` is not `no returns`."""
    if not _speak_alike(sentence, evidence.text):
        return True
    said = _anchors(sentence)
    clauses = list(_clauses(evidence.text)) or [evidence.text]
    return any(_keeps_enough(said, _anchors(clause)) for clause in clauses)


def _keeps_enough(said: set[str], stated: set[str]) -> bool:
    """In a short clause every word tells: `teachers can remove students` needs its students."""
    least = MIN_RECALL if len(stated) > SHORT_CLAUSE else MIN_RECALL_IF_SHORT
    return _kept(said, stated) >= least


def _subjects(sentence: str, evidence: Support, asked: Asked) -> bool:
    """The question's subject and what is said of it stand in one clause of the evidence.

    `Cards are charged on dispatch, wallets at once` does not say that wallets are charged on
    dispatch. The cells of a table row share their subject and are not told apart.
    """
    clauses = list(_clauses(evidence.text))
    if len(clauses) < 2 or _is_row(evidence.text) or not _speak_alike(sentence, evidence.text):
        return True
    asked_words, above = set(_words_of(asked.question)), set(_words_of(evidence.context))
    return all(_in_one(piece, clauses, asked_words - above) for piece in _clauses(sentence))


def _in_one(piece: str, clauses: Sequence[str], asked_words: set[str]) -> bool:
    said = _anchors(piece)
    predicate = said - asked_words
    subject = said & asked_words & set().union(*map(_anchors, clauses))
    shared = [len(predicate & _anchors(clause)) for clause in clauses]
    nearest = [c for c, count in zip(clauses, shared, strict=True) if count == max(shared)]
    return any(subject <= _anchors(clause) for clause in nearest)


def _row(sentence: str, evidence: Support, asked: Asked) -> bool:
    """A row speaks of what its first cell names: ten years for backpacks is not `ten years`."""
    if not _is_row(evidence.text) or not _speak_alike(sentence, evidence.text):
        return True
    about = set(_words_of(evidence.text.partition(";")[0].partition(":")[2]))
    return not about or bool(about & {*_words_of(sentence), *_words_of(asked.question)})


def _is_row(text: str) -> bool:
    """Whether the text is a table row, `Shop: Ghent; Sunday: closed`."""
    cells = text.split(";")
    return len(cells) > 1 and sum(":" in cell for cell in cells) >= len(cells) - 1


def _kept(said: set[str], stated: set[str]) -> float:
    return len(said & stated) / max(1, len(stated))


_CHECKS = (
    ("link", _links),
    ("figure", _figures),
    ("name", _names),
    ("denial", _denials),
    ("yes or no", _opening),
    ("claim", _claims),
    ("deed", _deeds),
    ("comparison", _comparisons),
    ("binding", _bindings),
    ("words", _words),
    ("scope", _scope),
    ("subject", _subjects),
    ("row", _row),
)


def _support(sentence: str, evidence: Support) -> float:
    """What share of the sentence's words and figures the evidence holds."""
    said = _anchors(sentence)
    return len(said & _anchors(evidence.whole)) / max(1, len(said))


def _speak_alike(one: str, other: str) -> bool:
    """Whether the two can be compared word by word."""
    return is_unsegmented(one) == is_unsegmented(other) and (
        is_unsegmented(one) or written_language(one, "en") == written_language(other, "en")
    )


def _clauses(text: str) -> Iterator[str]:
    """Parts of a sentence that make a claim each; a part without a word joins the one before it."""
    pending = ""
    for piece in _CLAUSE.split(text):
        pending = f"{pending} {piece}".strip()
        if content_words(pending):
            yield pending
            pending = ""
    if pending:
        yield pending


def _echoes(sentence: str, system: str) -> bool:
    """Whether a run of the system prompt's words stands in the sentence."""
    said, runs = _tokens(sentence), _runs(system)
    return any(tuple(said[i : i + _PROMPT_RUN]) in runs for i in range(len(said) - _PROMPT_RUN + 1))


@lru_cache(maxsize=32)
def _runs(system: str) -> frozenset[tuple[str, ...]]:
    told = _tokens(system)
    return frozenset(
        tuple(told[i : i + _PROMPT_RUN]) for i in range(max(0, len(told) - _PROMPT_RUN + 1))
    )


def _tokens(text: str) -> list[str]:
    return re.findall(r"[\u3400-\u9fff]|\w+", text.lower())
