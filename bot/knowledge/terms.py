"""Text to search terms: the same words for an article and for a question about it.

Postgres has no dictionary for Chinese, Japanese or Thai, so terms are made here and stored as
a tsvector: words are lower-cased, folded and lightly stemmed; scripts that write no spaces
become characters and pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

# Scripts that are written without spaces: Thai to Myanmar, Khmer, kana, Han, its extensions.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003134f"
)
_PIECE = re.compile(rf"[{_UNSPACED}]+|\d+(?:[.,:]\d+)+|(?:(?![{_UNSPACED}_])\w)+")
_UNSPACED_PIECE = re.compile(rf"[{_UNSPACED}]+")

# Words that say nothing about the topic of a question, in the languages we measure.
_ENGLISH = (
    "a about an and any are as at be been but by can could did do does for from had "
    "has have he her his how i if in into is it its just me my no not of on or our "
    "please she so some than that the their them then there these they this to us was "
    "we were what when where which who why will with would you your"
)
_CHINESE = (
    "的 了 吗 呢 我 你 您 们 是 在 和 就 都 也 请 有 么 啊 吧 这 那 个 我们 你们 您们 什么 怎么"
)
STOP_WORDS = frozenset(_ENGLISH.split()) | frozenset(_CHINESE.split())

# A tsvector holds 16,383 positions and lexemes below 2 KiB; no real word is that long.
MAX_TERMS = 4_000
MAX_TERM_LENGTH = 60
# ASCII apostrophes and the typographic one end a word's stem: "don't", "shop's".
_APOSTROPHE = re.compile(r"['\u2019](?:s|t|re|ve|ll|d|m)\b")


def terms(text: str) -> list[str]:
    """The terms of a text, in its order, repeated as often as they occur."""
    folded = _fold(_APOSTROPHE.sub("", text.lower())).lower()  # 𝓐 becomes A only when folded
    return [term[:MAX_TERM_LENGTH] for piece in _PIECE.findall(folded) for term in _split(piece)]


def query_terms(text: str) -> list[str]:
    """The different terms of a question without stop words; all of them if nothing else is left."""
    found = list(dict.fromkeys(terms(text)))
    return [term for term in found if term not in STOP_WORDS] or found


def tsvector(parts: Sequence[tuple[str, str]]) -> tuple[str, int]:
    """Postgres' text form of the parts' terms, and how many there are.

    A part is a text and its weight label: A for a title, B for a heading, D for the text.
    """
    places: dict[str, list[str]] = {}
    position = 0
    for text, weight in parts:
        for term in terms(text)[:MAX_TERMS]:
            position += 1
            places.setdefault(term, []).append(f"{position}{weight}")
    return " ".join(f"{lexeme(term)}:{','.join(at[:255])}" for term, at in places.items()), position


def is_unspaced(text: str) -> bool:
    """True where a good part of the text is Chinese, Japanese, Thai or the like."""
    return 5 * sum(len(run) for run in _UNSPACED_PIECE.findall(text)) > len(text)


def lexeme(term: str) -> str:
    """A term as tsvector and tsquery write it."""
    escaped = term.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def stem(word: str) -> str:
    """A light English stem: plural, -ing and -ed; leaves short words and codes alone."""
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    word = _singular(word)
    for ending in ("ing", "ed"):
        base = word.removesuffix(ending)
        if base != word and len(base) >= 3 and any(vowel in base for vowel in "aeiouy"):
            return _unlengthened(base)
    return word.removesuffix("e") if len(word) > 4 else word


def _fold(text: str) -> str:
    """Compatibility forms unified and accents dropped: ﬁ is fi, é is e, ２ is 2."""
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(mark for mark in decomposed if not "\u0300" <= mark <= "\u036f")
    return unicodedata.normalize("NFC", bare)


def _split(piece: str) -> Iterator[str]:
    if not _UNSPACED_PIECE.fullmatch(piece):
        yield stem(piece)
        return
    yield from piece
    yield from (piece[at : at + 2] for at in range(len(piece) - 1))


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _unlengthened(base: str) -> str:
    """shipp -> ship; a doubled consonant comes from the ending."""
    if len(base) > 3 and base[-1] == base[-2] and base[-1] not in "lsz":
        return base[:-1]
    return base.removesuffix("e") if len(base) > 4 else base
