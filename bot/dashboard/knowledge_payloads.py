"""What the copilot's and the knowledge's pages send and are told, as pydantic models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from bot.dashboard.desk_payloads import Model, Text
from bot.messages import MAX_TEXT_CHARS

Title = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f]+$")]
Body = Annotated[str, StringConstraints(min_length=1, max_length=400_000, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{0,3}$")]
Url = Annotated[str, StringConstraints(max_length=2000, pattern=r"^(https?://|/)[^\x00-\x20]*$")]
Question = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


# -- the copilot -----------------------------------------------------------------------------


class RewriteIn(Model):
    text: Text
    style: Literal["shorter", "friendlier", "formal"]


class TranslateIn(Model):
    text: Text
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]


class SummariseIn(Model):
    language: Language = ""


class FeedbackIn(Model):
    """What was made of a suggestion: `sent` is what went out, empty where nothing did."""

    run_id: UUID
    sent: Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARS)]


Verdict = Literal["as_is", "edited", "discarded"]


class Feedback(Model):
    run_id: str
    verdict: Verdict


# -- why this answer -------------------------------------------------------------------------


class Passage(Model):
    """Scores are as the search gave them then; `text` is the passage's of today, if it is there."""

    passage_id: str
    article_id: str | None
    external_id: str
    title: str
    heading: str
    text: str | None
    score: float | None
    cosine: float | None
    lexical: float | None


class Sentence(Model):
    """`passage` is an index of `passages`; null for a fixed phrase of the bot's."""

    text: str
    passage: int | None
    quote: str
    verbatim: bool


class WhyRun(Model):
    id: str
    state: str
    action: str | None
    reason: str | None
    confidence: float | None
    language: str | None
    model: str | None
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    timings: dict[str, float | None]
    query: str
    passages: list[Passage]
    sentences: list[Sentence]
    rejected: list[dict[str, Any]]
    citations: list[dict[str, Any]]
    error: str | None
    started_at: datetime | None


class Why(Model):
    question: str
    reply: str
    runs: list[WhyRun]


class CorrectionIn(Model):
    text: Text


class DraftMade(Model):
    id: str


# -- articles --------------------------------------------------------------------------------


class ArticleRow(Model):
    id: str
    collection: str
    external_id: str
    title: str
    language: str
    url: str | None
    is_indexed: bool
    index_error: str | None
    passages: int
    updated_at: datetime


class Articles(Model):
    items: list[ArticleRow]
    total: int
    next_offset: int | None


class Article(ArticleRow):
    body: str
    html: str
    content_hash: str


class ArticleIn(Model):
    """`content_hash` is what the writer saw: if it changed since, nothing is overwritten."""

    title: Title
    body: Body
    language: Language = ""
    url: Url | None = None
    collection: Name = "articles"
    content_hash: str | None = None
    draft_id: UUID | None = None


class PreviewIn(Model):
    body: Annotated[str, StringConstraints(max_length=400_000)]


class Preview(Model):
    html: str


class Collection(Model):
    name: str
    articles: int
    inboxes: list[str]


class KnowledgeInbox(Model):
    id: str
    name: str


class Collections(Model):
    items: list[Collection]
    inboxes: list[KnowledgeInbox]


class IndexStatus(Model):
    articles: int
    indexed: int
    waiting: int
    failed: int


class Draft(Model):
    id: str
    origin: str
    state: str
    collection: str
    article_id: str | None
    article_title: str | None
    conversation: int | None
    author: str
    language: str
    title: str
    body: str
    note: str
    questions: list[str]
    created_at: datetime


class Drafts(Model):
    items: list[Draft]


# -- imports ---------------------------------------------------------------------------------


class Problem(Model):
    where: str
    reason: str


class Imported(Model):
    """What a file gave."""

    new: int
    changed: int
    unchanged: int
    problems: list[Problem]


# -- gaps ------------------------------------------------------------------------------------


class GapQuestion(Model):
    run_id: str
    text: str
    conversation: int | None
    at: datetime


class Nearest(Model):
    article_id: str | None
    title: str
    score: float | None


class Gap(Model):
    """Questions about one matter; `draft_id` once somebody made a draft that waits."""

    questions: list[GapQuestion]
    count: int
    run_ids: list[str]
    languages: list[str]
    nearest: Nearest | None
    staff_replies: int
    draft_id: str | None


class Gaps(Model):
    """`is_stale` while questions came after the grouping; they stand as gaps of one."""

    items: list[Gap]
    since: datetime
    unanswered: int
    is_stale: bool


class GapIn(Model):
    run_ids: Annotated[list[UUID], Field(min_length=1, max_length=500)]


# -- test bench ------------------------------------------------------------------------------


class Side(Model):
    """`share` is the part of the words in the search, the rest is meaning's; null: as it is."""

    inbox_id: UUID
    phrasing: Literal["model", "verbatim"] = "model"
    share: Annotated[float, Field(ge=0, le=1)] | None = None


class BenchIn(Model):
    question: Question
    sides: Annotated[list[Side], Field(min_length=1, max_length=2)]
