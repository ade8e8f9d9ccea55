"""What the widget is told before anybody spoke: its look, the hours, the limits."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.messages import MAX_TEXT_CHARS
from bot.policy import PolicyError, policy_of
from bot.tables import Inbox, now
from channels.chat.appearance import AppearanceError, WidgetSetting, widget_of
from channels.chat.uploads import MAX_ALL_BYTES, MAX_FILE_BYTES, MAX_FILES

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Front:
    """A chat inbox as everybody may see it."""

    inbox: Inbox
    widget: WidgetSetting
    mailbox_id: UUID | None


def find_front(session: Session, name: str) -> Front | None:
    """The chat inbox of that name. A setting that cannot be used gives way to ours."""
    query = select(Inbox).where(Inbox.name == name, Inbox.channel == "chat")
    inbox = session.scalars(query).one_or_none()
    if inbox is None:
        return None
    try:
        widget = widget_of(inbox.settings)
    except AppearanceError as error:
        log.warning("widget settings cannot be used inbox=%s error=%s", inbox.id, error)
        widget = WidgetSetting()
    return Front(inbox, widget, find_mailbox_id(session, widget))


def find_mailbox_id(session: Session, widget: WidgetSetting) -> UUID | None:
    """The e-mail inbox that transcripts go out through; None where they are not offered."""
    if not widget.transcript:
        return None
    query = select(Inbox.id).where(
        Inbox.channel == "email", Inbox.settings["email"]["smtp"].is_not(None)
    )
    if widget.transcript_inbox:
        query = query.where(Inbox.name == widget.transcript_inbox)
    return session.scalars(query.order_by(Inbox.created_at, Inbox.name).limit(1)).one_or_none()


def compose_front(front: Front) -> dict[str, Any]:
    """GET /chat/{inbox}, as JSON."""
    widget = front.widget.model_dump(mode="json", exclude={"avatar", "transcript_inbox"})
    widget["accent"] = widget["accent"] or None
    widget["has_avatar"] = bool(front.widget.avatar)
    widget["transcript"] = front.mailbox_id is not None
    return {
        "inbox": front.inbox.name,
        "company": front.inbox.company,
        "widget": widget,
        "hours": _hours(front.inbox),
        "limits": {
            "chars": MAX_TEXT_CHARS,
            "files": MAX_FILES,
            "file_bytes": MAX_FILE_BYTES,
            "all_bytes": MAX_ALL_BYTES,
        },
    }


def _hours(inbox: Inbox) -> dict[str, Any]:
    try:
        opening = policy_of(inbox.settings, inbox.channel).opening_after(now())
    except PolicyError:
        opening = None
    if opening is None:
        return {"is_open": True, "opens_at": None, "text": ""}
    opens_at = opening.opens_at.isoformat() if opening.opens_at else None
    return {"is_open": False, "opens_at": opens_at, "text": opening.text}
