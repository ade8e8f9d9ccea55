"""What tests do at a desk that has a Slack inbox."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from bot.app import build_parts, make_slack
from bot.conversations import Claim, claim_run, commit_sentence, finish_handoff, finish_reply
from bot.delivery import deliver_pending
from bot.settings import Settings
from bot.simulation.slack_events import Answer, SlackEvents
from bot.simulation.slack_workspace import APP, BOT, BOT_USER, SlackWorkspace
from bot.tables import Conversation, Delivery, Inbox, Message, new_id, now
from channels.slack.accounts import Accounts

SECRET = "a-signing-secret"
CITATION = {
    "external_id": "returns",
    "title": "Returning an item",
    "quote": "You have 60 days.",
    "score": 0.97,
    "used": True,
    "url": "https://shop.example/help/returns",
}


def add_slack_inbox(
    session: Session, workspace: SlackWorkspace, name: str = "slack", **settings: Any
) -> UUID:
    """A Slack inbox that is connected to the workspace."""
    slack = {
        "team_id": workspace.team_id,
        "app_id": APP,
        "bot_user_id": BOT_USER,
        "bot_id": BOT,
        "api_base_url": workspace.api_base_url,
        **settings.pop("slack", {}),
    }
    inbox = Inbox(id=new_id(), name=name, channel="slack", settings={"slack": slack, **settings})
    session.add(inbox)
    session.flush()
    return inbox.id


class SlackDesk:
    """The running desk; `events` is Slack, `channel` the adapter as the channels process has it."""

    def __init__(
        self,
        settings: Settings,
        sessions: sessionmaker[Session],
        workspace: SlackWorkspace,
        inbox_id: UUID,
        url: str,
    ) -> None:
        self.sessions = sessions
        self.workspace = workspace
        self.inbox_id = inbox_id
        self.url = url
        self.events = SlackEvents(url, SECRET, workspace, retries_after_s=(0.05, 0.05, 0.05))
        self.parts = build_parts(settings)
        self.channel = make_slack(self.parts)
        self.accounts = Accounts(self.parts.sessions, os.environ)

    async def close(self) -> None:
        await self.parts.close()

    # -- what people do ----------------------------------------------------------------------

    async def direct(self, text: str, user: str = "U0ADA", **more: Any) -> tuple[Any, Answer]:
        """A direct message to the bot."""
        return await self.events.write(user, f"D{user[1:]}", text, **more)

    async def mention(self, text: str, user: str = "U0ADA", **more: Any) -> tuple[Any, Answer]:
        """A message in the shop's channel that names the bot."""
        return await self.events.write(user, "C0SHOP", f"<@{BOT_USER}> {text}", **more)

    # -- what the worker does ----------------------------------------------------------------

    def claim(self) -> Claim:
        """A run's claim of the newest conversation."""
        with self.sessions.begin() as session:
            newest = select(Conversation.id).order_by(Conversation.number.desc()).limit(1)
            claim = claim_run(session, session.scalars(newest).one(), timedelta(seconds=60))
        assert claim is not None, "there is something to answer"
        return claim

    def grow(self, claim: Claim, *sentences: str) -> None:
        for sentence in sentences:
            with self.sessions.begin() as session:
                commit_sentence(session, claim, sentence)

    def finish(self, claim: Claim, citations: list[dict[str, Any]] | None = None) -> None:
        with self.sessions.begin() as session:
            finish_reply(session, claim, citations or [], "en")

    def answer(self, *sentences: str, citations: list[dict[str, Any]] | None = None) -> None:
        """A whole reply to the newest conversation."""
        claim = self.claim()
        self.grow(claim, *sentences)
        self.finish(claim, citations)

    def hand_off(self, farewell: str = "A colleague will answer you.") -> None:
        """The bot gives the newest conversation to people."""
        claim = self.claim()
        self.grow(claim, farewell)
        with self.sessions.begin() as session:
            finish_handoff(
                session,
                claim,
                reason="no_evidence",
                summary="Ada asks about her parcel.",
                citations=[],
                language="en",
            )

    # -- what the channels process does ------------------------------------------------------

    async def deliver(self) -> int:
        """Send all that is due; what waits for its pace is made due first."""
        self.make_due()
        return await deliver_pending(self.parts.sessions, {"slack": self.channel}, limit=50)

    def make_due(self) -> None:
        with self.sessions.begin() as session:
            session.execute(
                update(Delivery)
                .where(Delivery.state.in_(("pending", "sending")))
                .values(next_attempt_at=now() - timedelta(seconds=1))
            )

    # -- what can be seen --------------------------------------------------------------------

    def messages(self) -> list[tuple[str, str]]:
        """Author and text of all messages, the oldest first."""
        with self.sessions() as session:
            found = session.scalars(select(Message).order_by(Message.created_at, Message.seq))
            return [(message.author, message.text) for message in found]

    def conversations(self) -> list[Conversation]:
        with self.sessions() as session:
            return list(session.scalars(select(Conversation).order_by(Conversation.number)))

    def deliveries(self) -> list[tuple[str, str, int]]:
        with self.sessions() as session:
            found = session.scalars(select(Delivery).order_by(Delivery.created_at))
            return [(d.kind, d.state, d.attempts) for d in found]

    async def settle(self) -> None:
        """Let what was begun in the background be done."""
        await asyncio.sleep(0.05)
