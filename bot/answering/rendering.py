"""Puts a line of an article into the customer's language, and says what a translation lost.

A model translates a line more faithfully than it answers from several: there is nothing to choose,
and each translation is checked against the one line that it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Literal
from unicodedata import combining, normalize

from bot.answering import prompt
from bot.answering.engine import Engine, Limits, Usage
from bot.answering.words import HAN, HANGUL, KANA, is_unsegmented

MAX_RENDERING_TOKENS = 140


def render(
    engine: Engine,
    line: str,
    language: str,
    budget: timedelta,
    priority: Literal["interactive", "batch"],
) -> tuple[str, Usage]:
    """The line in that language as the model has it, empty where it came to no end.

    Raises EngineError.
    """
    limits = Limits(MAX_RENDERING_TOKENS, budget, ("\n",), priority)
    generation = engine.generate(prompt.compose_rendering(line, language), limits)
    text = "".join(generation).strip()
    return (text if generation.usage.finish_reason == "stop" else ""), generation.usage


def marked(line: str) -> tuple[str, str]:
    """A line as its indentation with the sign of its list, and what it says."""
    match = _MARK.match(line)
    cut = match.end() if match else 0
    return line[:cut], line[cut:]


_MARK = re.compile(r"\s*(?:(?:[-*+•]|\d{1,4}[.)])\s+)?")


def loss(line: str, said: str) -> str:
    """What a translation lost or brought along, in a word; empty where nothing was.

    What is quoted and the way through a menu stand on somebody's screen as they are. Between two
    scripts no word of the other may stand that is not the line's own: it is half translated.
    """
    if not said:
        return "length"
    if any(kept not in _even(said) for kept in _kept(_even(line))):
        return "names"
    if is_unsegmented(said) != is_unsegmented(line):
        of_other = _RUN if is_unsegmented(line) else _WORD
        own = set(of_other.findall(_bare(line)))
        if any(word not in own for word in of_other.findall(_bare(said))):
            return "leftover"
    return ""


def _kept(line: str) -> Iterator[str]:
    """What a line has that a translation must not touch."""
    yield from _QUOTED.findall(line)
    if is_unsegmented(line):
        yield from _RUN.findall(" ".join(_PATH.findall(line)))
        return
    # `Open` begins the line and is none of the menu's names.
    for clause in _CLAUSE_END.split(line[1:]):
        if _PATH.search(clause):
            yield from _CAPITAL.findall(clause)


def _bare(text: str) -> str:
    """The text in small letters without accents: a model writes `Yun` for `Yún`."""
    return "".join(letter for letter in normalize("NFKD", text.lower()) if not combining(letter))


def _even(text: str) -> str:
    """The text with every kind of quotation mark as one."""
    return _ANY_QUOTE.sub('"', _SINGLE_QUOTED.sub(r'"\1"', text))


_ANY_QUOTE = re.compile("[“”„«»「」『』《》`]")
_SINGLE_QUOTED = re.compile(r"(?<![\w'])['‘]([^'‘’]{1,60})['’](?!\w)")
_QUOTED = re.compile(r'"([^"]{1,80})"')
_PATH = re.compile(r'[^\s"，。]+(?:\s*>\s*[^\s"，。]+)+')
_CLAUSE_END = re.compile(r"[,;:，；：。]|\.\s")
_CAPITAL = re.compile(r"\b[A-Z][\w-]*")
_WORD = re.compile(r"[^\W\d_]+", re.ASCII)
_RUN = re.compile(rf"[{HAN}{KANA}{HANGUL}]+")
