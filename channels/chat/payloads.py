"""What a browser may send and what it is told: the edge of the chat, as pydantic models."""

from __future__ import annotations

from typing import Annotated

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


class NewMessage(_Payload):
    """POST /chat/messages. The browser's `client_id` makes sending again harmless."""

    client_id: ClientId
    text: Annotated[str, Field(max_length=MAX_TEXT_CHARS)]


class PersonWanted(_Payload):
    """POST /chat/person: a message that asks for a person, with or without words."""

    client_id: ClientId
    text: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] = ""


class Typing(_Payload):
    """POST /chat/typing."""
