"""Small fakes of the answer's collaborators: a scripted engine, articles in memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid5

from bot.answering.engine import EngineError, Limits, Prompt, Usage
from bot.answering.outcome import AnswerRequest, CheckedSentence, Outcome
from bot.answering.words import content_words
from bot.knowledge.found import FoundPassage
from bot.messages import Turn

INBOX = UUID(int=1)


@dataclass
class FakeGeneration:
    pieces: Sequence[str]
    dies_after: int | None = None
    cancelled: bool = False
    _ended: bool = False

    @property
    def usage(self) -> Usage:
        if not self._ended:
            raise RuntimeError("the iteration has not ended")
        reason = "cancelled" if self.cancelled else "stop"
        return Usage(10, 0, len(self.pieces), reason, 0.0, 1.0, 2.0)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[str]:
        for number, piece in enumerate(self.pieces):
            if self.dies_after == number:
                raise EngineError("the engine died")
            if self.cancelled:
                break
            yield piece
        self._ended = True

    def cancel(self) -> None:
        self.cancelled = self._ended = True


@dataclass
class FakeEngine:
    """Says what its script says, a few characters at a time, and remembers its prompts."""

    script: Sequence[str] | Callable[[Prompt], str]
    dies_after: int | None = None
    prompts: list[Prompt] = field(default_factory=list)
    remote: bool = False
    model_name: str = "fake"

    def generate(self, prompt: Prompt, limits: Limits) -> FakeGeneration:
        self.prompts.append(prompt)
        if callable(self.script):
            text = self.script(prompt)
        else:
            text = self.script[min(len(self.prompts), len(self.script)) - 1]
        pieces = [text[start : start + 3] for start in range(0, len(text), 3)]
        return FakeGeneration(pieces, self.dies_after)

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Article:
    external_id: str
    title: str
    text: str
    language: str = "en"


@dataclass(frozen=True)
class FakeKnowledge:
    """Articles in memory, compared by their words; the scale of the cosines is the real one's."""

    articles: Sequence[Article]

    def search(
        self, inbox_id: UUID, query: str, limit: int, said: Sequence[str] = ()
    ) -> Sequence[FoundPassage]:
        found = [self._found(article, query) for article in self.articles]
        found.sort(key=lambda passage: -passage.score)
        named = {word for text in said for word in content_words(text)}
        rest = [each for each in found[limit:] if named & set(content_words(each.title))]
        return found[:limit] + rest

    def sentence_scores(self, query: str, sentences: Sequence[str]) -> Sequence[float]:
        return [_cosine(query, sentence) for sentence in sentences]

    def _found(self, article: Article, query: str) -> FoundPassage:
        cosine = _cosine(query, f"{article.title} {article.text}")
        identity = uuid5(INBOX, article.external_id)
        return FoundPassage(
            identity, identity, article.external_id, article.title, "", article.text, None,
            article.language, cosine, cosine, cosine,
        )  # fmt: skip


def _cosine(one: str, other: str) -> float:
    left, right = Counter(content_words(one)), Counter(content_words(other))
    dot = sum(left[word] * right[word] for word in left)
    norm = math.sqrt(sum(v * v for v in left.values()) * sum(v * v for v in right.values()))
    return 0.78 + 0.16 * (dot / norm if norm else 0.0)


def ask(*turns: str, **options: object) -> AnswerRequest:
    """A conversation: `ask("question")`, or with `bot:` in front of the bot's turns."""
    said = tuple(
        Turn("bot", turn.removeprefix("bot:").strip())
        if turn.startswith("bot:")
        else Turn("contact", turn)
        for turn in turns
    )
    request = AnswerRequest(INBOX, "Larkspur", said, timedelta(seconds=20))
    for name, value in options.items():
        object.__setattr__(request, name, value)
    return request


def run(stream: Iterator[CheckedSentence | Outcome]) -> tuple[list[CheckedSentence], Outcome]:
    """The sentences and the outcome of a stream; fails unless it ends in exactly one outcome."""
    events = list(stream)
    outcomes = [event for event in events if isinstance(event, Outcome)]
    assert len(outcomes) == 1
    assert events[-1] is outcomes[0]
    return [event for event in events if isinstance(event, CheckedSentence)], outcomes[0]
