"""A worker that follows a script: it claims and commits as the real one does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot.conversations import claim_run, commit_sentence, finish_reply
from bot.events import Publisher
from bot.tables import Conversation

CITATION = {
    "external_id": "returns",
    "title": "Returning an item",
    "quote": "You have 60 days.",
    "score": 0.97,
    "used": True,
    "url": "/help/returns",
}


def answer_newest(
    sessions: sessionmaker[Session],
    publisher: Publisher | None,
    sentences: list[str],
    citations: list[dict[str, Any]] | None = None,
) -> UUID:
    """Answer the newest conversation; without a publisher no bell rings."""
    with sessions.begin() as session:
        newest = select(Conversation.id).order_by(Conversation.number.desc()).limit(1)
        conversation_id = session.scalars(newest).one()
        claim = claim_run(session, conversation_id, timedelta(seconds=30))
    assert claim is not None, "there is something to answer"
    for sentence in sentences:
        with sessions.begin() as session:
            advance = commit_sentence(session, claim, sentence)
        if publisher:
            publisher.advanced(advance)
    with sessions.begin() as session:
        advance = finish_reply(session, claim, citations or [CITATION], "en")
    if publisher:
        publisher.advanced(advance)
    return conversation_id
