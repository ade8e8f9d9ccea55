"""What a browser may send and what it is told: the edge of the chat, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bot.messages import MAX_TEXT_CHARS

ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
OneLine = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=200)]


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SignedIdentity(_Payload):
    """A signed-in customer, as the shop's own server vouches for; see `identity.py`."""

    id: Annotated[OneLine, Field(min_length=1)]
    name: OneLine = ""
    expires: int
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class NewSession(_Payload):
    """POST /chat/{inbox}/session."""

    identity: SignedIdentity | None = None


# What the visitor filled in before the chat, by the fields' keys.
Details = Annotated[dict[Annotated[str, Field(max_length=40)], OneLine], Field(max_length=8)]


class NewMessage(_Payload):
    """POST /chat/messages. The browser's `client_id` makes sending again harmless."""

    client_id: ClientId
    text: Annotated[str, Field(max_length=MAX_TEXT_CHARS)]
    details: Details = {}


class PersonWanted(_Payload):
    """POST /chat/person: a message that asks for a person, with or without words."""

    client_id: ClientId
    text: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] = ""
    details: Details = {}


class Typing(_Payload):
    """POST /chat/typing."""


class Nothing(_Payload):
    """The body of what needs no more than a visitor: POST /chat/end, POST /chat/logout."""


Reason = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]


class Judgement(_Payload):
    """POST /chat/feedback: whether a reply helped (1) or not (-1), and why."""

    message_id: UUID
    score: Literal[-1, 1]
    reason: Reason = ""


class Rating(_Payload):
    """POST /chat/rating: the conversation, from 1 (very bad) to 5 (very good)."""

    score: Annotated[int, Field(ge=1, le=5)]
    comment: Reason = ""


class TranscriptWanted(_Payload):
    """POST /chat/transcript."""

    address: Annotated[
        str,
        StringConstraints(
            pattern=r"^[^@\s<>,;:\"()\x00-\x1f]{1,64}@[^@\s<>,;:\"()\x00-\x1f]{1,190}\.[^@\s<>,;:\"()\x00-\x1f]{1,63}$"
        ),
    ]
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] = "en"
