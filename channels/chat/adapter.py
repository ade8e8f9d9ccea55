"""The chat's HTTP routes. A visitor is known by their token alone; no request names an id."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from aiohttp import hdrs, web
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bot.channel import Receive
from bot.conversations import Recorded
from bot.database import without_transactions
from bot.events import Hub, Publisher, conversation_topic
from bot.intake import MessageRefused
from bot.messages import Attachment, Reply
from bot.web.bodies import read_json
from bot.web.event_stream import Drain, open_stream
from bot.web.files import serve_file
from bot.web.limits import Buckets, Rate, client_address
from bot.web.refusals import Refusal, refuse_too_many
from bot.web.rules import access, bearer_token, unauthorized
from channels.chat.extras import Extras
from channels.chat.front import Front, compose_front, find_front
from channels.chat.identity import IdentityRefused
from channels.chat.payloads import NewMessage, NewSession, PersonWanted, Typing
from channels.chat.reading import Position, latest_conversation, read_history
from channels.chat.sessions import OriginRefused, find_visitor, open_session
from channels.chat.streams import Streams
from channels.chat.uploads import Uploads
from channels.chat.visitor import VISITOR, Visitor, parse

log = logging.getLogger(__name__)

WIDGET = Path(__file__).parent / "widget" / "dist"
SCRIPT_NAME = re.compile(r"[a-z]+\.js")
MAX_BODY_BYTES = 128 * 1024
MAX_STREAMS_OF_VISITOR = 8
NEW_CONVERSATION_SEQ = 3

MESSAGES = Rate(burst=30, per_second=1.0)
MESSAGES_FROM_ADDRESS = Rate(burst=120, per_second=4.0)
SESSIONS_FROM_ADDRESS = Rate(burst=20, per_second=0.2)
READS = Rate(burst=60, per_second=2.0)
TYPING = Rate(burst=10, per_second=0.5)
UPLOADS = Rate(burst=10, per_second=0.1)


class ChatChannel:
    """The web chat, as the Channel port wants it."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        hub: Hub,
        publisher: Publisher,
        drain: Drain,
    ) -> None:
        self.streams = Streams(sessions, hub, drain)
        self._sessions = sessions
        self._alone = without_transactions(sessions)
        self._publisher = publisher
        self._messages = Buckets(MESSAGES)
        self._messages_from = Buckets(MESSAGES_FROM_ADDRESS)
        self._sessions_from = Buckets(SESSIONS_FROM_ADDRESS)
        self._reads = Buckets(READS)
        self._typing = Buckets(TYPING)
        self._uploads_of = Buckets(UPLOADS)
        self._uploads = Uploads()
        self._extras = Extras(sessions, publisher)
        self._open: dict[str, int] = {}
        self._receive: Receive | None = None

    # -- the port ----------------------------------------------------------------------------

    def routes(self, receive: Receive) -> Sequence[web.AbstractRouteDef]:
        """All routes of the chat; each handler declares who may call it."""
        self._receive = receive
        return [
            web.get("/chat/widget.js", self.loader),
            web.get("/chat/widget/{file}", self.script),
            web.post("/chat/messages", self.take_message),
            web.post("/chat/files", self.take_files),
            web.post("/chat/person", self.call_person),
            web.post("/chat/typing", self.tell_typing),
            web.get("/chat/history", self.tell_history, allow_head=False),
            web.get("/chat/events", self.stream_events, allow_head=False),
            *self._extras.routes(),
            web.get("/chat/{inbox}", self.describe),
            web.get("/chat/{inbox}/avatar", self.send_avatar),
            web.post("/chat/{inbox}/session", self.begin_session),
            web.options("/chat/{tail:.*}", self.allow_origin),
        ]

    async def listen(self, receive: Receive) -> None:
        """Nothing to fetch: browsers come by themselves."""

    async def send(self, reply: Reply) -> str:
        """Nothing to push: the visitor's stream reads what was committed."""
        return str(reply.message_id)

    async def revise(self, external_id: str, reply: Reply) -> None:
        """Nothing to push, as in `send`."""

    async def authenticate(self, request: web.Request) -> None:
        """The guard of `visitor` routes."""
        token = bearer_token(request)
        try:
            async with self._alone.begin() as session:
                visitor = await session.run_sync(find_visitor, token, _origin(request))
        except OriginRefused as error:
            raise Refusal(403, "origin_refused", str(error)) from error
        if visitor is None:
            raise unauthorized("This chat session is over; begin a new one.")
        request[VISITOR] = visitor

    # -- the handlers ------------------------------------------------------------------------

    @access("public")
    async def loader(self, request: web.Request) -> web.StreamResponse:
        """The one script that a page names."""
        return _script(request, "widget.js")

    @access("public")
    async def script(self, request: web.Request) -> web.StreamResponse:
        """What the loader fetches when somebody needs it: the app, and the words of a language."""
        return _script(request, request.match_info["file"])

    @access("public")
    async def allow_origin(self, _request: web.Request) -> web.Response:
        """The preflight of CORS; whether the origin may really speak is asked with the request."""
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": "GET, POST",
                "Access-Control-Allow-Headers": "authorization, content-type, last-event-id",
                "Access-Control-Max-Age": "7200",
            },
        )

    @access("public")
    async def describe(self, request: web.Request) -> web.Response:
        """What the widget shows before anybody spoke: its look, the hours, the limits."""
        front = await self._front(request)
        return web.json_response(
            compose_front(front), headers={"Cache-Control": "public, max-age=60"}
        )

    @access("public")
    async def send_avatar(self, request: web.Request) -> web.Response:
        """The picture beside the bot's name."""
        picture = (await self._front(request)).widget.picture
        if picture is None:
            raise Refusal(404, "not_found", "This inbox has no avatar.")
        headers = {"Cache-Control": "public, max-age=300"}
        return web.Response(body=picture[0], content_type=picture[1], headers=headers)

    @access("public")
    async def begin_session(self, request: web.Request) -> web.Response:
        """A new session; its token is told here once and kept by the browser."""
        _take(self._sessions_from, client_address(request))
        asked = await read_json(request, NewSession, MAX_BODY_BYTES)
        try:
            async with self._sessions.begin() as session:
                opened = await session.run_sync(
                    open_session, request.match_info["inbox"], _origin(request), asked.identity
                )
        except (IdentityRefused, OriginRefused) as error:
            raise Refusal(403, "forbidden", str(error)) from error
        if opened is None:
            raise _no_inbox(request)
        log.info("session opened session=%s", opened.visitor.session_id)
        body = {"token": opened.token, "expires_at": opened.expires_at.isoformat()}
        return web.json_response(body, status=201)

    @access("visitor")
    async def take_message(self, request: web.Request) -> web.Response:
        """Store a message; when this answers it is committed, and sending again is harmless."""
        self._limit_messages(request)
        return await self._accept(request, await read_json(request, NewMessage, MAX_BODY_BYTES))

    @access("visitor")
    async def take_files(self, request: web.Request) -> web.Response:
        """A message with files; sending it again is as harmless."""
        _take(self._uploads_of, request[VISITOR].reference)
        self._limit_messages(request)
        async with self._uploads.take(request) as (message, files):
            return await self._accept(request, message, files)

    @access("visitor")
    async def call_person(self, request: web.Request) -> web.Response:
        """Ask for a person, with or without a message before."""
        self._limit_messages(request)
        return await self._accept(request, await read_json(request, PersonWanted, MAX_BODY_BYTES))

    @access("visitor")
    async def tell_typing(self, request: web.Request) -> web.Response:
        """Tell the staff that the visitor is typing; nothing is stored."""
        await read_json(request, Typing, 1024)
        visitor = request[VISITOR]
        _take(self._typing, visitor.reference)
        async with self._sessions() as session:
            conversation_id = await session.run_sync(latest_conversation, visitor)
        if conversation_id is not None:
            topic = conversation_topic(conversation_id)
            await asyncio.to_thread(self._publisher.publish, topic, {"typing": "contact"})
        return web.Response(status=204)

    @access("visitor")
    async def tell_history(self, request: web.Request) -> web.Response:
        """What was said so far, and from where the event stream goes on."""
        visitor = request[VISITOR]
        _take(self._reads, visitor.reference)
        async with self._sessions() as session:
            await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            history = await session.run_sync(read_history, visitor)
        return web.json_response(
            {
                "messages": history.messages,
                "last_event_id": str(history.position),
                "status": history.status,
                "bot_is_writing": history.bot_writes,
                "assignee": history.assignee,
                "rating": history.rating,
            }
        )

    @access("visitor")
    async def stream_events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events after `Last-Event-ID`, for as long as the browser stays."""
        visitor = request[VISITOR]
        _take(self._reads, visitor.reference)
        position = Position.parse(request.headers.get("Last-Event-ID", ""))
        self._enter(visitor)
        try:
            async with open_stream(request) as stream:
                await self.streams.follow(visitor, position, stream)
        finally:
            self._leave(visitor)
        return stream.response

    # -- below -------------------------------------------------------------------------------

    async def _front(self, request: web.Request) -> Front:
        async with self._sessions() as session:
            front = await session.run_sync(find_front, request.match_info["inbox"])
        if front is None:
            raise _no_inbox(request)
        return front

    async def _accept(
        self,
        request: web.Request,
        payload: NewMessage | PersonWanted,
        files: tuple[Attachment, ...] = (),
    ) -> web.Response:
        assert self._receive is not None, "routes() was called before any request came"
        visitor = request[VISITOR]
        try:
            recorded = await self._receive(parse(visitor, payload, files))
        except MessageRefused as error:
            raise Refusal(422, "refused", str(error)) from error
        await self._ring_if_begun(visitor, recorded)
        return web.json_response(
            {"seq": recorded.seq, "is_new": recorded.is_new},
            status=201 if recorded.is_new else 200,
        )

    async def _ring_if_begun(self, visitor: Visitor, recorded: Recorded) -> None:
        # The streams of a visitor without a conversation know no conversation's bell yet.
        if recorded.is_new and recorded.seq <= NEW_CONVERSATION_SEQ:
            await asyncio.to_thread(self._publisher.publish, visitor.topic, {})

    def _limit_messages(self, request: web.Request) -> None:
        _take(self._messages, request[VISITOR].reference)
        _take(self._messages_from, client_address(request))

    def _enter(self, visitor: Visitor) -> None:
        if self._open.get(visitor.reference, 0) >= MAX_STREAMS_OF_VISITOR:
            raise refuse_too_many(10)
        self._open[visitor.reference] = self._open.get(visitor.reference, 0) + 1

    def _leave(self, visitor: Visitor) -> None:
        self._open[visitor.reference] -= 1
        if not self._open[visitor.reference]:
            del self._open[visitor.reference]


async def share_with_any_page(request: web.Request, response: web.StreamResponse) -> None:
    """CORS for the chat's paths, as a signal of `on_response_prepare`.

    Any page may read the answers: no cookie is involved, and who holds a token may read.
    """
    if request.path.startswith("/chat/"):
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"


def _take(buckets: Buckets, key: str | None) -> None:
    if key is not None and (wait_s := buckets.take(key)):
        raise refuse_too_many(wait_s)


def _script(request: web.Request, name: str) -> web.Response:
    path = WIDGET / name
    if not SCRIPT_NAME.fullmatch(name) or not path.is_file():
        raise Refusal(404, "not_found", f"There is no such script: {name[:100]!r}.")
    return serve_file(request, path, "text/javascript")


def _origin(request: web.Request) -> str:
    return request.headers.get(hdrs.ORIGIN, "")


def _no_inbox(request: web.Request) -> Refusal:
    name = request.match_info["inbox"][:100]
    return Refusal(404, "no_such_inbox", f"There is no chat inbox named {name!r}.")
