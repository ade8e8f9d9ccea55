"""One conversation: read it, answer in it, change whose it is and how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot import conversations
from bot.conversations import ConversationError
from bot.dashboard import desk_payloads as payloads
from bot.dashboard.changes import Changes
from bot.dashboard.reading import read_conversation, read_messages
from bot.dashboard.replies import read_reply
from bot.dashboard.signed_in import SignedIn, signed_in
from bot.events import Advance
from bot.tables import Agent, now
from bot.web.addressed import find, number_of
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 256 * 1024
LONGEST_SNOOZE = timedelta(days=366)
ONE = "/desk/api/conversations/{number}"


class Conversations:
    """The endpoints; what they change is changed in `bot.conversations`."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], changes: Changes) -> None:
        self._sessions = sessions
        self._changes = changes

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get(ONE, self.read),
            web.get(f"{ONE}/messages", self.list_messages),
            web.post(f"{ONE}/reply", self.reply),
            web.post(f"{ONE}/take-over", self.take_over),
            web.post(f"{ONE}/give-back", self.give_back),
            web.post(f"{ONE}/assign", self.assign),
            web.post(f"{ONE}/snooze", self.snooze),
            web.post(f"{ONE}/resolve", self.resolve),
            web.post(f"{ONE}/reopen", self.reopen),
            web.post(f"{ONE}/spam", self.mark_spam),
            web.post(f"{ONE}/not-spam", self.unmark_spam),
            web.post(f"{ONE}/draft/approve", self.approve_draft),
            web.post(f"{ONE}/draft/discard", self.discard_draft),
        ]

    @access("staff")
    async def read(self, request: web.Request) -> web.Response:
        """The conversation with its newest messages."""
        number, agent = number_of(request), signed_in(request)
        async with self._sessions.begin() as session:
            view = await session.run_sync(
                lambda sync: read_conversation(sync, find(sync, number), agent.agent_id)
            )
        return answer_with(view)

    @access("staff")
    async def list_messages(self, request: web.Request) -> web.Response:
        """The messages before a `seq`."""
        number, text = number_of(request), request.query.get("before", "")
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Refusal(422, "invalid", "before: the seq of a message.")
        async with self._sessions() as session:
            page = await session.run_sync(
                lambda sync: read_messages(sync, find(sync, number), int(text))
            )
        return answer_with(page)

    @access("staff")
    async def reply(self, request: web.Request) -> web.Response:
        """Write to the customer, by the channel that they came by; with files as a form."""
        asked = await read_reply(request)

        def change(session: Session, conversation_id: UUID, agent: SignedIn) -> Advance:
            return conversations.reply_as_agent(
                session,
                conversation_id,
                agent.agent_id,
                asked.text,
                client_id=asked.client_id,
                attachments=asked.files,
            )

        return await self._changes.apply(request, change)

    @access("staff")
    async def take_over(self, request: web.Request) -> web.Response:
        """It is mine: from this commit on the bot writes nothing."""
        await read_json(request, payloads.Nothing, MAX_BODY_BYTES)
        return await self._changes.apply(
            request,
            lambda session, id_, agent: conversations.take_over(session, id_, agent.agent_id),
        )

    @access("staff")
    async def give_back(self, request: web.Request) -> web.Response:
        """To the bot, which answers what is unanswered."""
        await read_json(request, payloads.Nothing, MAX_BODY_BYTES)
        return await self._changes.apply(
            request, lambda session, id_, _agent: conversations.give_back(session, id_)
        )

    @access("staff")
    async def assign(self, request: web.Request) -> web.Response:
        """To somebody, or to nobody."""
        asked = await read_json(request, payloads.AssignIn, MAX_BODY_BYTES)

        def change(session: Session, conversation_id: UUID, _agent: SignedIn) -> Advance:
            agent_id = _agent_id(session, asked.agent_id) if asked.agent_id else None
            return conversations.assign(session, conversation_id, agent_id)

        return await self._changes.apply(request, change)

    @access("staff")
    async def snooze(self, request: web.Request) -> web.Response:
        """Aside until a time, or until the customer writes."""
        asked = await read_json(request, payloads.SnoozeIn, MAX_BODY_BYTES)
        if not now() < asked.until < now() + LONGEST_SNOOZE:
            raise Refusal(422, "invalid", "Snooze until a time within the next year.")
        return await self._changes.apply(
            request, lambda session, id_, _agent: conversations.snooze(session, id_, asked.until)
        )

    @access("staff")
    async def resolve(self, request: web.Request) -> web.Response:
        """Closed; a later message opens it again."""
        await read_json(request, payloads.Nothing, MAX_BODY_BYTES)
        return await self._changes.apply(
            request, lambda session, id_, _agent: conversations.resolve(session, id_)
        )

    @access("staff")
    async def reopen(self, request: web.Request) -> web.Response:
        """Mine again, though it was resolved or put aside."""
        await read_json(request, payloads.Nothing, MAX_BODY_BYTES)
        return await self._changes.apply(
            request, lambda session, id_, agent: conversations.reopen(session, id_, agent.agent_id)
        )

    @access("staff")
    async def mark_spam(self, request: web.Request) -> web.Response:
        """Away with it, and with what still comes there."""
        await read_json(request, payloads.Nothing, MAX_BODY_BYTES)
        return await self._changes.apply(
            request, lambda session, id_, _agent: conversations.mark_spam(session, id_)
        )

    @access("staff")
    async def unmark_spam(self, request: web.Request) -> web.Response:
        """It was none."""
        await read_json(request, payloads.Nothing, MAX_BODY_BYTES)
        return await self._changes.apply(
            request, lambda session, id_, _agent: conversations.unmark_spam(session, id_)
        )

    @access("staff")
    async def approve_draft(self, request: web.Request) -> web.Response:
        """The bot's draft goes out as this person's reply, as it is or edited."""
        asked = await read_json(request, payloads.DraftIn, MAX_BODY_BYTES)
        return await self._changes.apply(
            request,
            lambda session, id_, agent: conversations.approve_draft(
                session, id_, agent.agent_id, asked.text
            ),
        )

    @access("staff")
    async def discard_draft(self, request: web.Request) -> web.Response:
        """The draft is not sent."""
        await read_json(request, payloads.Nothing, MAX_BODY_BYTES)
        return await self._changes.apply(
            request,
            lambda session, id_, agent: conversations.discard_draft(session, id_, agent.agent_id),
        )


def _agent_id(session: Session, text: str) -> UUID:
    try:
        found = session.get(Agent, UUID(text))
    except ValueError:
        found = None
    if found is None:
        raise ConversationError("Nobody of the staff has this id.")
    return found.id
