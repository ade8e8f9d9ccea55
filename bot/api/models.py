"""What the API takes and gives, as pydantic models: the OpenAPI document is made of these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bot.messages import MAX_TEXT_CHARS, Author, ConversationStatus
from bot.policy import PolicySetting

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS)]
MAX_ARTICLE_CHARS = 2_000_000


class Model(BaseModel):
    """What all models share: unknown fields are mistakes and are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ErrorBody(Model):
    code: str = Field(description="For programs, such as `not_found`.")
    message: str = Field(description="For people: what happened and what to do next.")


class ErrorAnswer(Model):
    """Every refusal has this shape."""

    error: ErrorBody


class AskTurn(Model):
    role: Literal["user", "contact", "assistant", "bot", "agent"] = Field(
        description="`user` and `contact` mean the customer; `assistant` and `bot` the bot."
    )
    text: Text


class AskRequest(Model):
    """A conversation whose last turn is the customer's."""

    inbox: Name
    messages: Annotated[list[AskTurn], Field(min_length=1, max_length=100)]
    locale: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{2,35}$")] | None = None


class AskCitation(Model):
    external_id: str
    title: str
    quote: str
    score: float = Field(description="Calibrated probability, 0 to 1.")
    used: bool = Field(description="Whether the text rests on this passage.")
    url: str | None = None
    suggested: bool = Field(
        default=False, description="Whether the text, a handoff, names the article for reading."
    )


class AskAnswer(Model):
    """`citations` are ranked: the five best passages, or all there are, also on a handoff."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    action: Literal["answer", "clarify", "handoff"]
    text: str
    confidence: float
    citations: list[AskCitation]
    language: str
    reason: str = Field(description="Why this action, such as `deadline` or `no_evidence`.")
    run_id: str
    timings: dict[str, float | None] = Field(description="Milliseconds.")


class ArticleIn(Model):
    title: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    body: Annotated[str, StringConstraints(min_length=1, max_length=MAX_ARTICLE_CHARS)] = Field(
        description="Markdown."
    )
    language: Annotated[str, StringConstraints(max_length=35)] = ""
    url: Annotated[str, StringConstraints(max_length=2000, pattern=r"^(https?://|/)")] | None = None


class ArticleWritten(Model):
    external_id: str
    is_new: bool
    is_changed: bool


class Article(Model):
    collection: str
    external_id: str
    title: str
    language: str
    url: str | None
    is_indexed: bool = Field(description="Whether what it says now can be found.")
    index_error: str | None
    passages: int
    updated_at: datetime


class ArticlePage(Model):
    items: list[Article]
    next_cursor: str | None


class IndexStatus(Model):
    articles: int
    indexed: int
    waiting: int
    failed: int
    passages: int


class InboxIn(Model):
    company: Annotated[str, StringConstraints(max_length=200)] | None = None
    collections: list[Name] = Field(
        default=[], description="Article collections that this inbox answers from, from now on."
    )
    policy: PolicySetting | None = Field(
        default=None, description="Mode, hours, holidays and budgets; what is there stays if null."
    )


class InboxWritten(Model):
    inbox: str


class Conversation(Model):
    number: int
    inbox: str
    channel: str
    contact_name: str
    status: ConversationStatus
    assignee: str | None
    language: str
    summary: str
    handoff_reason: str | None
    waiting_since: datetime | None
    last_seq: int
    created_at: datetime
    updated_at: datetime


class ConversationPage(Model):
    items: list[Conversation]
    next_cursor: str | None


class MessageFile(Model):
    """A file of a message, at `.../attachments/{id}`."""

    id: str
    name: str
    media_type: str = Field(description="Judged by the content, not by the name.")
    size_bytes: int
    warning: str | None = Field(description="Why to open it with care; null if nothing is known.")


class Original(Model):
    """A message as it came; the raw bytes are at `.../original`."""

    media_type: str
    size_bytes: int
    full_text: str = Field(description="With quotes and signature.")
    headers: dict[str, Any]


class FailedDelivery(Model):
    """A reply that did not arrive and is not tried any more."""

    id: str
    conversation: int
    inbox: str
    channel: str
    author: Author
    attempts: int
    error: str
    created_at: datetime


class FailedDeliveryPage(Model):
    items: list[FailedDelivery]
    next_cursor: str | None


class DraftApproval(Model):
    """The draft goes out as this agent's reply; `text` replaces its words."""

    agent: Name
    text: Text | None = None


class Message(Model):
    id: str
    seq: int
    author: Author
    author_name: str | None
    text: str
    private: bool
    partial: bool
    state: str
    citations: list[AskCitation]
    created_at: datetime
    is_automatic: bool = Field(default=False, description="Written by a machine; not answered.")
    has_original: bool = False
    attachments: list[MessageFile] = []


class MessagePage(Model):
    items: list[Message]
    next_cursor: str | None


class MessageIn(Model):
    """A message of the staff: a reply, or a note that only the staff sees."""

    agent: Name
    text: Text
    private: bool = False
    client_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")] | None = Field(
        default=None, description="Makes sending again harmless."
    )


class AgentNamed(Model):
    agent: Name


class Assignment(Model):
    agent: Name | None = Field(description="null gives the conversation to nobody.")


class Handoff(Model):
    reason: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,60}$")] = "requested_by_api"


class Nothing(Model):
    """An empty object."""
