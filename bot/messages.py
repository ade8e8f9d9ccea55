"""The frozen values that pass between the rooms: what came in, what was said, what goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

Author = Literal["contact", "bot", "agent", "system"]
ConversationStatus = Literal["pending", "open", "snoozed", "resolved"]
ChannelName = Literal["chat", "email", "slack", "api"]
DeliveryKind = Literal["reply", "card", "notice", "transcript"]

MAX_TEXT_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message; `content` is the raw bytes.

    `warning` says why staff should not open it without thought; None if nothing is known.
    """

    name: str
    media_type: str
    content: bytes
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class OriginalMessage:
    """What came in before it was read, kept whole beside the text that was read out of it.

    `headers` are what a reply needs of it; `topic` is what budgets hold two messages of one
    sender to be about the same by.
    """

    media_type: str
    raw: bytes
    full_text: str
    headers: Mapping[str, Any]
    topic: str = ""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """One message from a contact, as an adapter's `parse` hands it to `intake.receive`.

    `external_id` is the channel's own id of the message and makes redelivery harmless;
    `thread` names the conversation in the channel's terms (a chat session, a signed mail
    token, a Slack thread); `contact` is the channel's id of the person. `staff_note` is shown to
    the staff beside the message; `for_people` is the reason why no bot may answer it.
    `begins_thread` says that no other message can be of this thread before this one was stored.
    """

    inbox_id: UUID
    channel: ChannelName
    external_id: str
    thread: str
    contact: str
    text: str
    sent_at: datetime
    contact_name: str | None = None
    client_id: str | None = None
    attachments: tuple[Attachment, ...] = ()
    is_automatic: bool = False
    wants_person: bool = False
    original: OriginalMessage | None = None
    staff_note: str | None = None
    for_people: str | None = None
    begins_thread: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message of a conversation, as the answer's logic reads it."""

    author: Author
    text: str


@dataclass(frozen=True, slots=True)
class Citation:
    """An article beside a reply, and what it says. `score` is a calibrated probability in 0..1.

    `used`: the reply rests on it. `suggested`: the reply names it for reading, and a person
    answers.
    """

    external_id: str
    title: str
    quote: str
    score: float
    used: bool
    url: str | None = None
    suggested: bool = False

    @property
    def is_shown(self) -> bool:
        """Whether the customer sees it."""
        return self.used or self.suggested

    @property
    def label(self) -> str:
        """Its title; of a suggestion that cannot be opened, also what it says."""
        return self.title if self.url or not self.suggested else f"{self.title}: {self.quote}"


@dataclass(frozen=True, slots=True)
class HandoffCard:
    """What the staff is shown of a conversation that needs a person, wherever it came from.

    `draft` is an answer that a person may send as it stands; `draft_id` names the run it is of.
    """

    conversation_id: UUID
    number: int
    inbox: str
    channel: ChannelName
    contact_name: str
    status: ConversationStatus
    assignee: str | None
    reason: str
    summary: str
    turns: tuple[Turn, ...]
    citations: tuple[Citation, ...]
    draft: str = ""
    draft_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out to one destination, channel-independent; a channel's `compose` renders it.

    `inbox_id` is the inbox that it goes out through. A `reply` goes to the customer; a `card`
    and a `notice` go to the staff, the notice under the card whose external id is `thread`; a
    `transcript` is the whole conversation, to where the customer asked for it.
    `attempt` counts from 1; above 1 an earlier try may have arrived, no sooner than
    `queued_at`. `in_reply_to` is the external id of the message that is answered. A reply
    `is_growing` while the bot still writes it.
    """

    conversation_id: UUID
    message_id: UUID
    inbox_id: UUID
    destination: str
    text: str
    author: Author
    author_name: str | None = None
    citations: tuple[Citation, ...] = ()
    partial: bool = False
    attachments: tuple[Attachment, ...] = field(default=())
    attempt: int = 1
    kind: DeliveryKind = "reply"
    delivery_id: UUID | None = None
    queued_at: datetime | None = None
    in_reply_to: str | None = None
    thread: str | None = None
    is_growing: bool = False
    card: HandoffCard | None = None


def append_sentence(text: str, sentence: str) -> str:
    """The text with one more sentence, as every channel shows it.

    A blank stands between two sentences, none after a Chinese or Japanese one; what follows a
    table's row, or another piece that no sign ends, begins a paragraph. The widget joins alike.
    """
    if not text or text.endswith("\n") or sentence.startswith("\n"):
        return text + sentence
    if text.rstrip(_CLOSING)[-1:] not in _ENDS:
        return f"{text}\n\n{sentence}"
    return text + sentence if ord(text[-1]) > FIRST_EAST_ASIAN else f"{text} {sentence}"


FIRST_EAST_ASIAN = 0x2E80
_ENDS = frozenset(".!?…:;。！？：；")
_CLOSING = "*_`)\"'”’」』）"
