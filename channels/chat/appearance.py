"""How an inbox's widget looks and what it offers, as `inbox.settings["widget"]` holds it.

docs/widget.md describes the shape for whoever edits it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from bot.file_types import judge_type

SETTING = "widget"
MAX_AVATAR_BYTES = 64 * 1024
PICTURES = ("image/png", "image/jpeg", "image/webp")

Colour = Annotated[str, StringConstraints(pattern=r"^(#[0-9a-fA-F]{6})?$")]
LanguageOrAny = Annotated[str, StringConstraints(pattern=r"^([a-z]{2}|\*)$")]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=120)]
Paragraph = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$", max_length=600)
]


class AppearanceError(ValueError):
    """The widget's settings cannot be used; the message says which."""


class _Setting(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Texts(_Setting):
    """A company's own words in place of ours; an empty one leaves ours."""

    title: Line = ""
    hello: Line = ""
    hello_more: Paragraph = ""
    placeholder: Line = ""


class PrechatField(_Setting):
    """One thing that the visitor is asked before the chat."""

    key: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    kind: Literal["text", "email", "choice"] = "text"
    label: dict[LanguageOrAny, Line] = {}
    required: bool = False
    choices: Annotated[list[Line], Field(max_length=30)] = []


class Prechat(_Setting):
    """The form before the chat. The field `name` names the contact; staff read all of it."""

    intro: dict[LanguageOrAny, Paragraph] = {}
    fields: Annotated[list[PrechatField], Field(min_length=1, max_length=8)]

    @field_validator("fields")
    @classmethod
    def _check_fields(cls, fields: list[PrechatField]) -> list[PrechatField]:
        if len({each.key for each in fields}) < len(fields):
            raise ValueError("each field needs a key of its own")
        if any(each.kind == "choice" and not each.choices for each in fields):
            raise ValueError("a choice needs something to choose from")
        return fields


class WidgetSetting(_Setting):
    """The widget, as stored. Texts are by language, `*` is for all others."""

    accent: Colour = ""
    accent_dark: Colour = ""
    scheme: Literal["auto", "light", "dark"] = "auto"
    position: Literal["right", "left"] = "right"
    bot_name: Line = ""
    texts: dict[LanguageOrAny, Texts] = {}
    prechat: Prechat | None = None
    avatar: str = Field(default="", description="A PNG, JPEG or WebP of at most 64 KiB, base64.")
    person: bool = True
    files: bool = True
    voice: bool = True
    sound: bool = True
    rating: bool = True
    transcript: bool = True
    transcript_inbox: Line = Field(default="", description="Which mailbox; else the first one.")

    @field_validator("avatar")
    @classmethod
    def _check_avatar(cls, value: str) -> str:
        if value and judge_type(_decode(value), "") not in PICTURES:
            raise ValueError("the avatar must be a PNG, JPEG or WebP picture")
        return value

    @property
    def picture(self) -> tuple[bytes, str] | None:
        """The avatar's bytes and media type."""
        if not self.avatar:
            return None
        content = _decode(self.avatar)
        return content, judge_type(content, "")


def widget_of(settings: Mapping[str, Any]) -> WidgetSetting:
    """The widget of an inbox with these settings. Raises AppearanceError."""
    try:
        return WidgetSetting.model_validate(settings.get(SETTING) or {})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise AppearanceError(f"The widget's settings: {place}: {problem['msg']}") from error


def with_widget(settings: Mapping[str, Any], setting: WidgetSetting) -> dict[str, Any]:
    """The inbox's settings with this widget in them."""
    return {**settings, SETTING: setting.model_dump(mode="json", exclude_defaults=True)}


def _decode(text: str) -> bytes:
    if len(text) > MAX_AVATAR_BYTES * 4 // 3 + 4:
        raise ValueError(f"the avatar is larger than {MAX_AVATAR_BYTES // 1024} KiB")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("the avatar is not base64") from error
