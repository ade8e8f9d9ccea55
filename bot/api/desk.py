"""Conversations over the API: read them, write in them, change whose they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot import conversations, transcripts
from bot.agents import AgentError, find_or_add_agent
from bot.api import models
from bot.api.endpoints import (
    CURSOR,
    LIMIT,
    Endpoint,
    QueryParameter,
    answer_with,
    read_limit,
    read_number_cursor,
)
from bot.conversations import ConversationError
from bot.events import Advance, Publisher
from bot.messages import ChannelName, ConversationStatus
from bot.queue import Queue
from bot.transcripts import ConversationView, MessageView
from bot.web.addressed import find, number_of
from bot.web.bodies import M, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 256 * 1024
STATUSES: tuple[ConversationStatus, ...] = ("pending", "open", "snoozed", "resolved")
Change = Callable[[Session, UUID], Advance]


class Desk:
    """The endpoints; they do through `bot.conversations` what the staff does."""

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], queue: Queue, publisher: Publisher
    ) -> None:
        self._sessions = sessions
        self._queue = queue
        self._publisher = publisher

    def endpoints(self) -> Sequence[Endpoint]:
        one = "/conversations/{number}"
        status = QueryParameter("status", "pending, open, snoozed or resolved; commas between.")
        return [
            Endpoint(
                "GET",
                "/conversations",
                self.list,
                "List conversations, the newest first.",
                models.ConversationPage,
                query=[status, CURSOR, LIMIT],
            ),
            Endpoint("GET", one, self.read, "Read a conversation.", models.Conversation),
            Endpoint(
                "GET",
                f"{one}/messages",
                self.list_messages,
                "Read its messages, the oldest first.",
                models.MessagePage,
                query=[CURSOR, LIMIT],
            ),
            self._write(
                f"{one}/messages", self.post_message, "Write as a person.", models.MessageIn
            ),
            self._write(f"{one}/assign", self.assign, "Change the assignee.", models.Assignment),
            self._write(
                f"{one}/take-over",
                self.take_over,
                "Make an agent the owner; from then on the bot writes nothing.",
                models.AgentNamed,
            ),
            self._write(
                f"{one}/hand-off", self.hand_off, "Give it from the bot to people.", models.Handoff
            ),
            self._write(
                f"{one}/give-back", self.give_back, "Give it back to the bot.", models.Nothing
            ),
            self._write(f"{one}/resolve", self.resolve, "Close the matter.", models.Nothing),
            self._write(
                f"{one}/draft/approve",
                self.approve_draft,
                "Send the waiting draft as a person's reply, as it is or edited.",
                models.DraftApproval,
            ),
            self._write(
                f"{one}/draft/discard",
                self.discard_draft,
                "Set the waiting draft aside.",
                models.AgentNamed,
            ),
            Endpoint(
                "DELETE",
                one,
                self.delete,
                "Delete it for good; its mails are not taken in again.",
                None,
                status=204,
            ),
        ]

    @access("token")
    async def list(self, request: web.Request) -> web.Response:
        """A page of conversations; the cursor is the last number of the page before."""
        limit, before = read_limit(request), read_number_cursor(request)
        async with self._sessions() as session:
            found = await session.run_sync(
                lambda sync: transcripts.list_conversations(
                    sync,
                    status=_statuses(request),
                    before_number=before,
                    limit=limit + 1,
                    newest_first=True,
                )
            )
        items = [_conversation(view) for view in found[:limit]]
        more = len(found) > limit
        return answer_with(
            models.ConversationPage(
                items=items, next_cursor=str(items[-1].number) if more else None
            )
        )

    @access("token")
    async def read(self, request: web.Request) -> web.Response:
        """One conversation."""
        return answer_with(_conversation(await self._read(number_of(request))))

    @access("token")
    async def list_messages(self, request: web.Request) -> web.Response:
        """Messages and notes; the cursor is the last `seq` of the page before."""
        limit, after = read_limit(request), read_number_cursor(request) or 0
        number = number_of(request)
        async with self._sessions() as session:
            found = await session.run_sync(_messages, number)
        rest = [message for message in found if message.seq > after]
        items = [_message(message) for message in rest[:limit]]
        more = len(rest) > limit
        return answer_with(
            models.MessagePage(items=items, next_cursor=str(items[-1].seq) if more else None)
        )

    @access("token")
    async def post_message(self, request: web.Request) -> web.Response:
        """A reply or a note; a reply takes the conversation over."""
        asked = await self._body(request, models.MessageIn)

        def change(session: Session, conversation_id: UUID) -> Advance:
            return conversations.reply_as_agent(
                session,
                conversation_id,
                find_or_add_agent(session, asked.agent),
                asked.text,
                private=asked.private,
                client_id=asked.client_id,
            )

        return await self._change(request, change)

    @access("token")
    async def assign(self, request: web.Request) -> web.Response:
        """To an agent, or to nobody."""
        asked = await self._body(request, models.Assignment)

        def change(session: Session, conversation_id: UUID) -> Advance:
            agent_id = find_or_add_agent(session, asked.agent) if asked.agent else None
            return conversations.assign(session, conversation_id, agent_id)

        return await self._change(request, change)

    @access("token")
    async def take_over(self, request: web.Request) -> web.Response:
        """The agent owns it."""
        asked = await self._body(request, models.AgentNamed)

        def change(session: Session, conversation_id: UUID) -> Advance:
            agent_id = find_or_add_agent(session, asked.agent)
            return conversations.take_over(session, conversation_id, agent_id)

        return await self._change(request, change)

    @access("token")
    async def hand_off(self, request: web.Request) -> web.Response:
        """To people, with a reason."""
        asked = await self._body(request, models.Handoff)
        return await self._change(
            request, lambda session, id_: conversations.hand_off(session, id_, asked.reason)
        )

    @access("token")
    async def give_back(self, request: web.Request) -> web.Response:
        """To the bot, which then answers what is unanswered."""
        await self._body(request, models.Nothing)
        return await self._change(request, conversations.give_back)

    @access("token")
    async def resolve(self, request: web.Request) -> web.Response:
        """Closed; a later message opens it again."""
        await self._body(request, models.Nothing)
        return await self._change(request, conversations.resolve)

    @access("token")
    async def approve_draft(self, request: web.Request) -> web.Response:
        """The draft becomes the agent's reply."""
        asked = await self._body(request, models.DraftApproval)

        def change(session: Session, conversation_id: UUID) -> Advance:
            agent_id = find_or_add_agent(session, asked.agent)
            return conversations.approve_draft(session, conversation_id, agent_id, asked.text)

        return await self._change(request, change)

    @access("token")
    async def discard_draft(self, request: web.Request) -> web.Response:
        """The draft is not sent."""
        asked = await self._body(request, models.AgentNamed)

        def change(session: Session, conversation_id: UUID) -> Advance:
            agent_id = find_or_add_agent(session, asked.agent)
            return conversations.discard_draft(session, conversation_id, agent_id)

        return await self._change(request, change)

    @access("token")
    async def delete(self, request: web.Request) -> web.Response:
        """All of it is gone after this."""
        number = number_of(request)
        async with self._sessions.begin() as session:
            await session.run_sync(
                lambda sync: conversations.delete_conversation(sync, find(sync, number))
            )
        return web.Response(status=204)

    def _write(
        self, path: str, handler: Callable[..., object], summary: str, body: type[models.Model]
    ) -> Endpoint:
        return Endpoint("POST", path, handler, summary, models.Conversation, body=body)  # type: ignore[arg-type]

    async def _body(self, request: web.Request, model: type[M]) -> M:
        return await read_json(request, model, MAX_BODY_BYTES)

    async def _change(self, request: web.Request, change: Change) -> web.Response:
        number = number_of(request)
        try:
            async with self._sessions.begin() as session:
                advance = await session.run_sync(lambda sync: change(sync, find(sync, number)))
        except (ConversationError, AgentError) as error:
            raise Refusal(409, "conflict", str(error)) from error
        view = await self._read(number)
        await asyncio.to_thread(self._ring, advance, view.channel)
        return answer_with(_conversation(view))

    def _ring(self, advance: Advance, channel: ChannelName) -> None:
        self._publisher.advanced(advance)
        if advance.answer_due:
            self._queue.enqueue_answer(advance.conversation_id, channel)

    async def _read(self, number: int) -> ConversationView:
        async with self._sessions() as session:
            return await session.run_sync(_read, number)


def _read(session: Session, number: int) -> ConversationView:
    found = transcripts.view(session, find(session, number))
    assert found is not None, "the conversation was found in this very transaction"
    return found


def _messages(session: Session, number: int) -> Sequence[MessageView]:
    return transcripts.messages_of(session, find(session, number), staff=True)


def _statuses(request: web.Request) -> Sequence[ConversationStatus] | None:
    asked = [part for part in request.query.get("status", "").split(",") if part]
    if any(part not in STATUSES for part in asked):
        raise Refusal(422, "invalid", f"status: {', '.join(STATUSES)}.")
    return [part for part in STATUSES if part in asked] or None


def _conversation(view: ConversationView) -> models.Conversation:
    return models.Conversation(
        number=view.number,
        inbox=view.inbox,
        channel=view.channel,
        contact_name=view.contact_name,
        status=view.status,
        assignee=view.assignee,
        language=view.language,
        summary=view.summary,
        handoff_reason=view.handoff_reason,
        waiting_since=view.waiting_since,
        last_seq=view.last_seq,
        created_at=view.created_at,
        updated_at=view.updated_at,
    )


def _message(view: MessageView) -> models.Message:
    return models.Message(
        id=str(view.id),
        seq=view.seq,
        author=view.author,
        author_name=view.author_name,
        text=view.text,
        private=view.private,
        partial=view.partial,
        state=view.state,
        citations=[models.AskCitation(**citation) for citation in view.citations],
        created_at=view.created_at,
        is_automatic=view.is_automatic,
        has_original=view.has_original,
        attachments=[
            models.MessageFile(
                id=str(file.id),
                name=file.name,
                media_type=file.media_type,
                size_bytes=file.size_bytes,
                warning=file.warning,
            )
            for file in view.attachments
        ],
    )
