"""The questions that a reply must answer, and what to search for each of them.

The whole conversation counts, its last turns most: a question that stands alone is searched
alone, one that leans on what was said before is completed by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.answering.intent import without_instructions
from bot.answering.words import content_words
from bot.messages import Turn

MAX_QUESTIONS = 3
MAX_CONTEXT_CHARS = 300
MAX_QUESTION_CHARS = 600
MAX_NAMES = 3
NAMING_TURNS = 6

_PIECE = re.compile(r"[^?？\n]*[?？]+|[^?？\n]+")
_ASKS = re.compile(
    r"[?？]|^\W*(?:who|what|when|where|which|why|how|can|could|do|does|did|is|are|was|will|would"
    r"|may"
    r"|should|has|have|was|wer|wann|wo|wie|quand|comment|combien|qué|cómo|cuándo|cuánto)\b"
    r"|[吗呢么]\W*$|什么|怎么|如何|多少|多久|几|哪|是否|能不能|可不可以|有没有|是不是|会不会"
    r"|要不要|为什么",
    re.IGNORECASE,
)
_LEANS = re.compile(
    r"^\W*(?:and|or|but|also|what about|how about|what if|then|so|same|in that case|else|und|et"
    r"|y)\b"
    r"|\b(?:it|its|they|them|their|theirs|there|that|this|those|these|one|ones|he|she|his|her"
    r"|same|either|both|instead|too|also|else)\b"
    r"|^\W*(?:那|那么|还有|另外|或者|如果|要是|换成|以及)|[它他她]|这个|那个|这些|那些|这样|那样"
    r"|那里|那边|这种|那种|同样|一样|也|呢\W*$",
    re.IGNORECASE,
)
_FEW_WORDS = 2
_NAME = re.compile(
    r"(?<![.!?]\s)(?<!^)\b[A-Z][\w'’-]+(?:\s+(?:(?:and|of|the|&)\s+)?[A-Z][\w'’-]+)*|\b[A-Z]{2,}\b"
)


@dataclass(frozen=True, slots=True)
class Question:
    """One question as asked; `context` is the last exchange before it, `names` were named there.

    `said` are the turns before it, newest first.
    """

    text: str
    context: str = ""
    names: str = ""
    said: tuple[str, ...] = ()

    @property
    def leans(self) -> bool:
        """Whether the question cannot be understood without what was said before."""
        return bool(self.context) and is_incomplete(self.text)

    @property
    def subject(self) -> tuple[str, ...]:
        """Where to look for what the conversation is about, newest first; none where none began."""
        return (self.text, *self.said) if self.said else ()

    @property
    def complete(self) -> str:
        """The question with its context in front."""
        return f"{self.context}\n{self.text}".strip()

    @property
    def searches(self) -> tuple[tuple[str, float], ...]:
        """What to search for, with weights: the question alone, completed, with names alone.

        The weights were chosen on calibration turns: see docs/answering.md.
        """
        if not self.context:
            return ((self.text, 1.0),)
        weighted = zip(
            (self.text, self.complete, f"{self.names} {self.text}"), self._weights(), strict=True
        )
        return tuple((text, weight) for text, weight in weighted if weight)

    def _weights(self) -> tuple[float, float, float]:
        if not self.names:
            return (0.3, 0.7, 0.0) if self.leans else (0.6, 0.4, 0.0)
        if self.leans:
            return (0.1, 0.5, 0.4)
        return (0.6, 0.4, 0.0) if names_in(self.text) else (0.35, 0.35, 0.3)


def read_questions(turns: Sequence[Turn], unanswered: int) -> tuple[Question, ...]:
    """The questions of the last `unanswered` turns, at most three; never none."""
    earlier, fresh = turns[:-unanswered], turns[-unanswered:]
    text = "\n".join(_cleaned(turn.text) for turn in fresh if turn.author == "contact")
    names = " ".join(dict.fromkeys(_names_before(earlier)[-MAX_NAMES:]))
    said = tuple(turn.text for turn in reversed(earlier) if turn.author != "system")
    return tuple(
        Question(piece[-MAX_QUESTION_CHARS:], context, names, said[:NAMING_TURNS])
        for piece, context in _pieces(text, _history(earlier))
    )


def is_incomplete(text: str) -> bool:
    """Whether a question leans on something outside it: a pronoun, a leading `and`, few words."""
    return bool(_LEANS.search(text)) or len(content_words(text)) <= _FEW_WORDS


def names_in(text: str) -> list[str]:
    """Names by their capitals, not counting a sentence's first word."""
    return _NAME.findall(text)


def _names_before(earlier: Sequence[Turn]) -> list[str]:
    spoken = [turn.text for turn in earlier if turn.author != "system"][-NAMING_TURNS:]
    return [name for text in spoken for name in names_in(text)]


def _cleaned(text: str) -> str:
    return without_instructions(text).strip() or text.strip()


def _history(earlier: Sequence[Turn]) -> str:
    """The last exchange: the contact's latest question, then what was replied."""
    spoken = [turn for turn in earlier if turn.author != "system" and turn.text.strip()][-2:]
    return "\n".join(" ".join(turn.text.split())[:MAX_CONTEXT_CHARS] for turn in spoken)


def _pieces(text: str, history: str) -> list[tuple[str, str]]:
    """Questions that stand alone, each with its context; all of the text where there is but one."""
    parts = [part.strip() for part in _PIECE.findall(text) if content_words(part)]
    asking = [part for part in parts if _ASKS.search(part)]
    told = " ".join(part for part in parts if part not in asking)
    if len(asking) < 2 or not all(map(_stands_alone, asking)):
        return [(" ".join(text.split()), history)]
    context = "\n".join(filter(None, [history, told]))
    return [(part, context) for part in asking[:MAX_QUESTIONS]]


def _stands_alone(part: str) -> bool:
    return len(content_words(part)) > _FEW_WORDS and not re.match(
        r"^\W*(?:is|are|does|do) (?:it|that|this|they)\b", part, re.IGNORECASE
    )
