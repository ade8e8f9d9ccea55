"""Ada writes, Bea answers, Cyd must see nothing: what tests say on their behalf."""

from __future__ import annotations

import itertools
from uuid import UUID

from sqlalchemy.orm import Session

from bot.conversations import Recorded, record_incoming
from bot.messages import ChannelName, IncomingMessage
from bot.tables import Agent, Inbox, new_id, now

_numbers = itertools.count(1)


def make_inbox(session: Session, channel: ChannelName = "chat") -> UUID:
    """A new inbox, committed by the caller."""
    inbox = Inbox(
        id=new_id(), name=f"inbox-{next(_numbers)}", channel=channel, company="", settings={}
    )
    session.add(inbox)
    session.flush()
    return inbox.id


def make_agent(session: Session, name: str = "Bea") -> UUID:
    """A new agent, committed by the caller."""
    agent = Agent(id=new_id(), name=name)
    session.add(agent)
    session.flush()
    return agent.id


def incoming(
    inbox_id: UUID,
    text: str,
    *,
    contact: str = "ada",
    external_id: str | None = None,
    channel: ChannelName = "chat",
    wants_person: bool = False,
    is_automatic: bool = False,
) -> IncomingMessage:
    """A message as an adapter would have parsed it; `contact` is its thread too."""
    return IncomingMessage(
        inbox_id=inbox_id,
        channel=channel,
        external_id=external_id or f"external-{next(_numbers)}",
        thread=contact,
        contact=contact,
        text=text,
        sent_at=now(),
        wants_person=wants_person,
        is_automatic=is_automatic,
    )


def write(session: Session, inbox_id: UUID, text: str, contact: str = "ada") -> Recorded:
    """Record a message of a contact."""
    return record_incoming(session, incoming(inbox_id, text, contact=contact))
