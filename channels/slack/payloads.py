"""What Slack sends: the parts that are read of its events and interactions, as pydantic models."""

from __future__ import annotations

import json
from typing import Any, Literal
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, ValidationError


class PayloadError(Exception):
    """The body is not what Slack sends."""


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Authorization(_Payload):
    """One installation that an event is visible to."""

    team_id: str | None = None
    enterprise_id: str | None = None


class File(_Payload):
    """A file of a message. A shared channel's may come without its address."""

    id: str
    name: str | None = None
    mimetype: str | None = None
    size: int = 0
    url_private_download: str | None = None
    url_private: str | None = None


class MessageEvent(_Payload):
    """`message` in all its subtypes, and `app_mention`."""

    type: str
    subtype: str | None = None
    channel: str = ""
    channel_type: str | None = None
    user: str | None = None
    user_team: str | None = None
    team: str | None = None
    bot_id: str | None = None
    hidden: bool = False
    text: str | None = None
    ts: str = ""
    thread_ts: str | None = None
    files: tuple[File, ...] = ()


class Envelope(_Payload):
    """The body of a request of the Events API."""

    type: Literal["url_verification", "event_callback", "app_rate_limited"]
    challenge: str | None = None
    team_id: str | None = None
    enterprise_id: str | None = None
    context_team_id: str | None = None
    api_app_id: str | None = None
    event_id: str | None = None
    authorizations: tuple[Authorization, ...] = ()
    event: MessageEvent | None = None


class _Id(_Payload):
    id: str


class Clicker(_Payload):
    """Who clicked."""

    id: str
    team_id: str | None = None
    username: str | None = None
    name: str | None = None


class Action(_Payload):
    """The button that was clicked."""

    action_id: str
    value: str = ""


class Interaction(_Payload):
    """The payload of an interactivity request; only `block_actions` are ours."""

    type: str
    api_app_id: str | None = None
    team: _Id | None = None
    enterprise: _Id | None = None
    user: Clicker
    channel: _Id | None = None
    actions: tuple[Action, ...] = ()
    response_url: str | None = None


def read_envelope(raw: bytes) -> Envelope:
    """The events request of a body. Raises PayloadError."""
    try:
        return Envelope.model_validate(_clean(json.loads(raw.decode("utf-8", "replace"))))
    except (ValueError, RecursionError, ValidationError) as error:
        raise PayloadError("The body is no event of Slack.") from error


def read_interaction(raw: bytes) -> Interaction:
    """The interaction of a form's `payload` field. Raises PayloadError."""
    try:
        payload = parse_qs(raw.decode("utf-8", "replace"))["payload"][0]
        return Interaction.model_validate(_clean(json.loads(payload)))
    except (KeyError, ValueError, RecursionError, ValidationError) as error:
        raise PayloadError("The body is no interaction of Slack.") from error


def _clean(value: Any) -> Any:
    """Without what no message can store: NUL, and halves of surrogate pairs."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {name: _clean(item) for name, item in value.items()}
    return value
