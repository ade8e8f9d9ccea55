"""Finds the inbox that a request names."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.tables import Inbox
from bot.web.refusals import Refusal

MAX_NAMED = 20


def inbox_id_of(session: Session, name: str) -> UUID:
    """The id of an inbox. Raises a 404 Refusal that says which inboxes there are."""
    found = session.scalar(select(Inbox.id).where(Inbox.name == name))
    if found is None:
        there = session.scalars(select(Inbox.name).order_by(Inbox.name).limit(MAX_NAMED))
        known = ", ".join(there) or "none yet"
        raise Refusal(
            404, "no_such_inbox", f"There is no inbox named {name[:100]!r}. There are: {known}."
        )
    return found
