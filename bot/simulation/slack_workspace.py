"""A Slack workspace of our own over real HTTP: its Web API, its events, and its bad days.

It keeps what was posted with `ts` and metadata as Slack does, answers with Slack's error codes,
and can be told to limit, fail, hang or drop a call. `SlackEvents` sends signed events to a desk
with Slack's three retries. Nothing here knows Frontdesk's adapter.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

TEAM, BOT_USER, BOT, APP = "T0FRONTDESK", "U0BOT", "B0BOT", "A0FRONTDESK"
TOKEN = "xoxb-simulated"  # noqa: S105 - the fake workspace's own
TEXT_LIMIT, UPDATE_LIMIT = 40_000, 4_000
MAX_HANG_SECONDS = 120.0

Bad = Literal[
    "rate_limited", "server_error", "not_json", "drop_before", "hang", "drop_after", "hang_after"
]
AFTER = ("drop_after", "hang_after")


@dataclass
class Fault:
    """The next `times` calls of a method go wrong: a `Bad` way, or one of Slack's error codes."""

    method: str
    how: Bad | str
    times: int = 1
    retry_after_s: int = 1


@dataclass(frozen=True)
class ApiCall:
    """A call as it came in: the method, its arguments, and the token it bore."""

    method: str
    arguments: Mapping[str, Any]
    token: str
    at: float


@dataclass
class Channel:
    """A conversation of Slack's: `messages` by their `ts`, the oldest first."""

    id: str
    members: set[str] = field(default_factory=set)
    is_archived: bool = False
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)


class SlackError(Exception):
    """`{"ok": false, "error": code}`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class SlackWorkspace:
    """The Web API. Serve `application()`; `api_base_url` is where clients find it."""

    def __init__(self, team_id: str = TEAM, token: str = TOKEN) -> None:
        self.team_id = team_id
        self.token = token
        self.url = ""
        self.methods = dict(_METHODS)
        self.users: dict[str, str] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.calls: list[ApiCall] = []
        self.faults: deque[Fault] = deque()
        self.webhook_posts: list[dict[str, Any]] = []
        self.responses: list[dict[str, Any]] = []
        self.downloads: list[tuple[str, str]] = []
        self.stolen_tokens: list[str] = []
        self.posted = asyncio.Event()
        self._numbers = itertools.count(1)
        self._last_ts = 0

    @property
    def api_base_url(self) -> str:
        return f"{self.url}/api/"

    # -- the people --------------------------------------------------------------------------

    def add_user(self, user: str, name: str) -> str:
        """A person of the workspace; returns the id."""
        self.users[user] = name
        return user

    def add_channel(self, channel: str, *members: str) -> Channel:
        """A channel with the bot and these members."""
        made = self.channels.setdefault(channel, Channel(channel))
        made.members |= {BOT_USER, *members}
        return made

    def open_direct(self, user: str) -> str:
        """The channel of a person's direct messages with the bot."""
        channel = f"D{user[1:]}"
        self.add_channel(channel, user)
        return channel

    def say(
        self, user: str, channel: str, text: str, *, thread_ts: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """What a person writes; returns the message, which `SlackEvents` can tell of."""
        message = {"type": "message", "user": user, "text": text, "team": self.team_id, **more}
        return self._put(self.channels[channel], message, thread_ts)

    def add_file(
        self, name: str, content: bytes, mimetype: str = "application/octet-stream"
    ) -> dict[str, Any]:
        """A file in the workspace, as a message's `files` name it."""
        file_id = f"F{next(self._numbers):08d}"
        url = f"{self.url}/files-pri/{file_id}/{name}"
        told = {
            "id": file_id,
            "name": name,
            "mimetype": mimetype,
            "size": len(content),
            "url_private": url,
            "url_private_download": url,
        }
        self.files[file_id] = {"told": told, "content": content}
        return told

    # -- what can be looked up ---------------------------------------------------------------

    def posts(self, channel: str, thread_ts: str | None = None) -> list[dict[str, Any]]:
        """The bot's messages of a channel, or the bot's answers in one of its threads."""
        return [
            message
            for message in self.channels[channel].messages.values()
            if message.get("bot_id") == BOT
            and (thread_ts is None or message.get("thread_ts") == thread_ts != message["ts"])
        ]

    def texts(self, channel: str, thread_ts: str | None = None) -> list[str]:
        """Their texts."""
        return [message["text"] for message in self.posts(channel, thread_ts)]

    def called(self, method: str) -> list[ApiCall]:
        """The calls of a method, those that went wrong too."""
        return [call for call in self.calls if call.method == method]

    def fail(self, method: str, how: Bad | str, times: int = 1, retry_after_s: int = 1) -> None:
        """Let the next calls of a method go wrong."""
        self.faults.append(Fault(method, how, times, retry_after_s))

    async def wait_for(self, is_so: Callable[[], bool], timeout_s: float = 15.0) -> None:
        """Until something is so; looked at after each call. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not is_so():
                self.posted.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.posted.wait(), 0.2)

    # -- serving -----------------------------------------------------------------------------

    def application(self) -> web.Application:
        """The routes of slack.com, files.slack.com and hooks.slack.com in one."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.add_routes(
            [
                web.route("*", "/api/{method}", self._take_call),
                web.post("/upload/{file}", self._take_upload),
                web.get("/files-pri/{file}/{name}", self._serve_file),
                web.get("/login", self._serve_login),
                web.post("/services/{hook:.+}", self._take_webhook),
                web.post("/response/{number}", self._take_response),
            ]
        )
        return app

    @contextlib.asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[SlackWorkspace]:
        """Serve on a free port for as long as the block lasts."""
        runner = web.AppRunner(self.application(), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        await site.start()
        self.url = f"http://{host}:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _take_call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments = await _arguments(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.calls.append(ApiCall(method, arguments, token, time.time()))
        fault = self._next_fault(method)
        if fault is not None and fault.how not in AFTER:
            return await self._go_wrong(request, fault)
        try:
            answer = {"ok": True, **self._answer(method, arguments, token)}
        except SlackError as error:
            answer = {"ok": False, "error": error.code}
        self.posted.set()
        if fault is not None:  # done, and nobody is told
            if fault.how == "hang_after":
                await asyncio.sleep(MAX_HANG_SECONDS)
            assert request.transport is not None, "the connection is open"
            request.transport.close()
            await asyncio.sleep(0)
        return web.json_response(answer)

    def _next_fault(self, method: str) -> Fault | None:
        for fault in self.faults:
            if fault.method in (method, "*"):
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    async def _go_wrong(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.how == "rate_limited":
            headers = {"Retry-After": str(fault.retry_after_s)}
            body = {"ok": False, "error": "ratelimited"}
            return web.json_response(body, status=429, headers=headers)
        if fault.how == "server_error":
            return web.Response(status=503, text="upstream connect error")
        if fault.how == "not_json":
            return web.Response(text="<html>maintenance</html>", content_type="text/html")
        if fault.how == "hang":
            await asyncio.sleep(MAX_HANG_SECONDS)
        if fault.how in ("drop_before", "hang"):
            assert request.transport is not None, "the connection is open"
            request.transport.close()
            return web.Response()
        return web.json_response({"ok": False, "error": fault.how})

    def _answer(self, method: str, arguments: Mapping[str, Any], token: str) -> dict[str, Any]:
        if token != self.token:
            raise SlackError("invalid_auth" if token else "not_authed")
        answer = self.methods.get(method)
        if answer is None:
            raise SlackError("unknown_method")
        return answer(self, arguments)

    # -- the methods -------------------------------------------------------------------------

    def auth_test(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "url": f"{self.url}/",
            "team": "Simulated",
            "team_id": self.team_id,
            "user": "frontdesk",
            "user_id": BOT_USER,
            "bot_id": BOT,
            "is_enterprise_install": False,
        }

    def bots_info(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"bot": {"id": BOT, "app_id": APP, "name": "frontdesk", "user_id": BOT_USER}}

    def post_message(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._channel(arguments)
        if channel.is_archived:
            raise SlackError("is_archived")
        if BOT_USER not in channel.members:
            raise SlackError("not_in_channel")
        text = str(arguments.get("text") or "")
        if not text and not arguments.get("blocks"):
            raise SlackError("no_text")
        if len(text) > TEXT_LIMIT:
            raise SlackError("msg_too_long")
        message = {
            "type": "message",
            "user": BOT_USER,
            "bot_id": BOT,
            "app_id": APP,
            "text": text,
            "blocks": _read(arguments.get("blocks"), []),
            "metadata": _read(arguments.get("metadata"), None),
            "sent_with": {k: arguments.get(k) for k in ("parse", "link_names", "unfurl_links")},
        }
        message = self._put(channel, message, arguments.get("thread_ts"))
        return {"channel": channel.id, "ts": message["ts"], "message": _public(message)}

    def update_message(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._channel(arguments)
        message = channel.messages.get(str(arguments.get("ts")))
        if message is None:
            raise SlackError("message_not_found")
        if message.get("bot_id") != BOT:
            raise SlackError("cant_update_message")
        text = str(arguments.get("text") or "")
        if len(text) > UPDATE_LIMIT:
            raise SlackError("msg_too_long")
        message.setdefault("was", []).append((time.time(), message["text"]))
        message["text"] = text
        message["blocks"] = _read(arguments.get("blocks"), [])
        message["sent_with"] = {k: arguments.get(k) for k in ("parse", "link_names")}
        if arguments.get("metadata"):
            message["metadata"] = _read(arguments["metadata"], None)
        return {"channel": channel.id, "ts": message["ts"], "text": text}

    def delete_message(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._channel(arguments)
        if channel.messages.pop(str(arguments.get("ts")), None) is None:
            raise SlackError("message_not_found")
        return {"channel": channel.id, "ts": arguments.get("ts")}

    def history(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._channel(arguments)
        found = [
            message
            for message in channel.messages.values()
            if message.get("thread_ts") in (None, message["ts"])
        ]
        return _page(list(reversed(found)), arguments)

    def replies(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._channel(arguments)
        root = str(arguments.get("ts"))
        if root not in channel.messages:
            raise SlackError("thread_not_found")
        found = [m for m in channel.messages.values() if root in (m["ts"], m.get("thread_ts"))]
        return _page(found, arguments, always=root)

    def open_conversation(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        users = str(arguments.get("users") or "").split(",")
        if len(users) != 1 or users[0] not in self.users:
            raise SlackError("user_not_found")
        return {"channel": {"id": self.open_direct(users[0])}}

    def conversation_info(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._channel(arguments)
        is_member = BOT_USER in channel.members
        told = {"id": channel.id, "name": channel.id.lower(), "is_member": is_member}
        return {"channel": {**told, "is_archived": channel.is_archived}}

    def user_info(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        user = str(arguments.get("user"))
        if user not in self.users:
            raise SlackError("user_not_found")
        name = self.users[user]
        profile = {"real_name": name, "display_name": name}
        return {"user": {"id": user, "team_id": self.team_id, "profile": profile}}

    def upload_url(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        told = self.add_file(str(arguments["filename"]), b"")
        told["size"] = int(arguments["length"])
        file_id = told["id"]
        return {"upload_url": f"{self.url}/upload/{file_id}", "file_id": file_id}

    def complete_upload(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        told = []
        for each in _read(arguments.get("files"), []):
            file = self.files.get(each["id"])
            if file is None or len(file["content"]) != file["told"]["size"]:
                raise SlackError("file_not_found")
            told.append({**file["told"], "title": each.get("title")})
        channel = self._channel({"channel": arguments.get("channel_id")})
        message = {
            "type": "message",
            "subtype": "file_share",
            "user": BOT_USER,
            "bot_id": BOT,
            "text": "",
            "files": told,
        }
        self._put(channel, message, arguments.get("thread_ts"))
        return {"files": told}

    # -- below -------------------------------------------------------------------------------

    def _channel(self, arguments: Mapping[str, Any]) -> Channel:
        channel = self.channels.get(str(arguments.get("channel")))
        if channel is None:
            raise SlackError("channel_not_found")
        return channel

    def _put(
        self, channel: Channel, message: dict[str, Any], thread_ts: str | None
    ) -> dict[str, Any]:
        # A `ts` is unique within a channel and grows, as Slack's do.
        self._last_ts = max(self._last_ts + 1, int(time.time() * 1_000_000))
        message["ts"] = f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"
        if thread_ts:
            message["thread_ts"] = thread_ts
            if root := channel.messages.get(thread_ts):
                root["thread_ts"] = thread_ts
        channel.messages[message["ts"]] = message
        return message

    async def _take_upload(self, request: web.Request) -> web.Response:
        file = self.files.get(request.match_info["file"])
        if file is None:
            return web.Response(status=404)
        file["content"] = await request.read()
        return web.Response(text=f"OK - {len(file['content'])}")

    async def _serve_file(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.downloads.append((request.match_info["file"], token))
        if token != self.token:  # Slack sends whoever may not read a file to its log-in page
            raise web.HTTPFound(f"{self.url}/login")
        file = self.files.get(request.match_info["file"])
        if file is None:
            return web.Response(status=503)
        return web.Response(body=file["content"], content_type=file["told"]["mimetype"])

    async def _serve_login(self, request: web.Request) -> web.Response:
        self.stolen_tokens.append(request.headers.get("Authorization", ""))
        return web.Response(text="<html>Sign in</html>", content_type="text/html")

    async def _take_webhook(self, request: web.Request) -> web.StreamResponse:
        fault = self._next_fault("webhook")
        if fault is not None:
            return await self._go_wrong(request, fault)
        self.webhook_posts.append(await request.json())
        self.posted.set()
        return web.Response(text="ok")

    async def _take_response(self, request: web.Request) -> web.Response:
        self.responses.append(await request.json())
        self.posted.set()
        return web.Response(text="ok")


_METHODS: dict[str, Callable[[SlackWorkspace, Mapping[str, Any]], dict[str, Any]]] = {
    "auth.test": SlackWorkspace.auth_test,
    "bots.info": SlackWorkspace.bots_info,
    "chat.postMessage": SlackWorkspace.post_message,
    "chat.update": SlackWorkspace.update_message,
    "chat.delete": SlackWorkspace.delete_message,
    "conversations.history": SlackWorkspace.history,
    "conversations.replies": SlackWorkspace.replies,
    "conversations.open": SlackWorkspace.open_conversation,
    "conversations.info": SlackWorkspace.conversation_info,
    "users.info": SlackWorkspace.user_info,
    "files.getUploadURLExternal": SlackWorkspace.upload_url,
    "files.completeUploadExternal": SlackWorkspace.complete_upload,
}


async def _arguments(request: web.Request) -> dict[str, Any]:
    """Slack takes JSON, forms and query strings."""
    found: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        found |= json.loads(await request.text() or "{}")
    elif request.can_read_body:
        found |= dict(await request.post())
    return found


def _read(value: Any, default: Any) -> Any:
    if not value:
        return default
    return json.loads(value) if isinstance(value, str) else value


def _page(
    messages: list[dict[str, Any]], arguments: Mapping[str, Any], always: str = ""
) -> dict[str, Any]:
    """Messages after `oldest`, a page at a time; metadata only for who asks for it."""
    oldest = float(arguments.get("oldest") or 0)
    found = [m for m in messages if float(m["ts"]) > oldest or m["ts"] == always]
    start = int(arguments.get("cursor") or 0)
    limit = int(arguments.get("limit") or 100)
    wants_metadata = str(arguments.get("include_all_metadata")).lower() in ("1", "true")
    told = [_public(m, metadata=wants_metadata) for m in found[start : start + limit]]
    more = start + limit < len(found)
    cursor = str(start + limit) if more else ""
    return {"messages": told, "has_more": more, "response_metadata": {"next_cursor": cursor}}


def _public(message: Mapping[str, Any], *, metadata: bool = True) -> dict[str, Any]:
    hidden = {"was", "sent_with"} | (set() if metadata else {"metadata"})
    return {name: value for name, value in message.items() if name not in hidden}
