"""What the desk's pages send and what they are told, as pydantic models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from bot.messages import MAX_TEXT_CHARS, Author, ConversationStatus

Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS)]
ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
TagName = Annotated[str, StringConstraints(min_length=1, max_length=60)]
MacroName = Annotated[
    str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")
]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Person(Model):
    """An agent or a contact: an id and a name."""

    id: str
    name: str


class Preview(Model):
    """What was said last."""

    author: Author
    text: str
    private: bool
    at: datetime


class Row(Model):
    """A conversation in a list; all that the lists' filters ask for stands in it."""

    number: int
    seq: int = Field(description="Its newest event; of two rows, the lower one is out of date.")
    inbox: str
    channel: str
    contact: Person
    status: ConversationStatus
    assignee: Person | None
    tags: list[str]
    language: str
    waiting_since: datetime | None
    snoozed_until: datetime | None
    updated_at: datetime
    is_spam: bool
    is_reminded: bool
    handoff_reason: str | None
    has_draft: bool
    calls: list[str] = Field(description="Agents whom a note calls and who have not seen it.")
    preview: Preview | None


class Page(Model):
    items: list[Row]
    next_cursor: str | None


class Counts(Model):
    """How many conversations each list holds."""

    unassigned: int
    mine: int
    bot: int
    all: int
    snoozed: int
    mentions: int


class File(Model):
    id: str
    name: str
    media_type: str
    size_bytes: int
    warning: str | None


class Message(Model):
    id: str
    seq: int
    author: Author
    author_name: str | None
    text: str
    private: bool
    partial: bool
    state: str
    client_id: str | None
    citations: list[dict[str, Any]]
    at: datetime
    is_automatic: bool
    has_original: bool
    files: list[File]
    delivery: str | None = Field(description="pending, sending, sent, failed; null in the chat.")
    delivery_error: str | None


class Conversation(Model):
    """`seq` is where the event stream goes on."""

    row: Row
    summary: str
    company: str
    created_at: datetime
    messages: list[Message]
    has_earlier: bool
    seq: int
    previous: int | None
    is_contact_blocked: bool


class Messages(Model):
    items: list[Message]
    has_earlier: bool


class Identity(Model):
    id: str
    contact_id: str
    inbox: str
    channel: str
    address: str
    is_bounced: bool


class Contact(Model):
    id: str
    name: str
    is_named: bool
    created_at: datetime
    is_blocked: bool
    merged: list[Person]
    identities: list[Identity]
    conversations: list[Row]


class Contacts(Model):
    items: list[Contact]


class Hit(Model):
    seq: int
    author: Author
    private: bool
    at: datetime
    snippet: str


class Found(Model):
    row: Row
    hits: list[Hit]


class SearchResult(Model):
    items: list[Found]
    contacts: list[Person]
    words: list[str]
    next_cursor: str | None


class Macro(Model):
    id: str
    name: str
    text: str


class Macros(Model):
    items: list[Macro]


class Tag(Model):
    id: str
    name: str
    conversations: int


class Tags(Model):
    items: list[Tag]


class People(Model):
    items: list[Person]


class Filled(Model):
    text: str


class MacroIn(Model):
    name: MacroName
    text: Text


class TagIn(Model):
    name: TagName


class ReplyIn(Model):
    text: Text
    client_id: ClientId


class NoteIn(ReplyIn):
    """A note; `@` and a name call that person."""


class AssignIn(Model):
    agent_id: str | None


class SnoozeIn(Model):
    until: AwareDatetime


class TagsIn(Model):
    add: Annotated[list[TagName], Field(max_length=20)] = []
    remove: Annotated[list[TagName], Field(max_length=20)] = []


class DraftIn(Model):
    """`text` replaces the draft's words."""

    text: Text | None = None


class PresenceIn(Model):
    """What somebody does at an open conversation."""

    doing: Literal["writing", "noting", "looking"]


class MergeIn(Model):
    other_id: str


class NameIn(Model):
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Nothing(Model):
    """An empty object."""
