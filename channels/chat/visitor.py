"""A visitor: one browser's session, or a customer whom the shop vouches for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from bot.events import conversation_topic
from bot.messages import Attachment, IncomingMessage
from bot.tables import now
from channels.chat.payloads import NewMessage, PersonWanted


@dataclass(frozen=True, slots=True)
class Customer:
    """Whom the shop signed for: its own id of the person, and their name or ""."""

    id: str
    name: str

    def as_json(self) -> str:
        return json.dumps({"id": self.id, "name": self.name}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who writes. Everything a visitor may read or write hangs on `thread` alone.

    `reference` names the person without saying who it is: the session's id, or a keyed hash
    of the customer's id, so that it may stand in plain columns and topics.
    """

    session_id: UUID
    inbox_id: UUID
    reference: str
    thread_hash: bytes
    customer: Customer | None

    @property
    def thread(self) -> str:
        return thread_of(self.reference)

    @property
    def topic(self) -> str:
        """Rings when a conversation of this visitor begins."""
        return f"visitor:{self.reference}"

    def topics(self, conversation_id: UUID | None) -> tuple[str, ...]:
        """What this visitor's streams listen to."""
        if conversation_id is None:
            return (self.topic,)
        return (self.topic, conversation_topic(conversation_id))


VISITOR = web.RequestKey("VISITOR", Visitor)
"""Where the guard of `visitor` routes leaves who speaks."""


def thread_of(reference: str) -> str:
    """The name of the visitor's thread, from which conversations are found."""
    return f"chat:{reference}"


def parse(
    visitor: Visitor,
    payload: NewMessage | PersonWanted,
    attachments: tuple[Attachment, ...] = (),
) -> IncomingMessage:
    """What the browser sent, as every channel hands it on."""
    signed_name = visitor.customer.name if visitor.customer else ""
    return IncomingMessage(
        inbox_id=visitor.inbox_id,
        channel="chat",
        external_id=f"{visitor.reference}:{payload.client_id}",
        thread=visitor.thread,
        contact=f"customer:{visitor.customer.id}" if visitor.customer else visitor.thread,
        contact_name=signed_name or payload.details.get("name", "").strip() or None,
        text=payload.text,
        sent_at=now(),
        client_id=payload.client_id,
        attachments=attachments,
        wants_person=isinstance(payload, PersonWanted),
        staff_note=_note(payload.details),
    )


def _note(details: Mapping[str, str]) -> str | None:
    """What was filled in before the chat, as the staff reads it: the visitor's word, unproven."""
    lines = [f"{key}: {value.strip()}" for key, value in details.items() if value.strip()]
    return "\n".join(["Filled in before the chat:", *lines]) if lines else None
