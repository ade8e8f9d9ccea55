"""The openai driver: any server with `/v1/chat/completions`, such as vLLM or llama.cpp's."""

from __future__ import annotations

import http.client
import json
import math
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from bot.answering.engine import EngineError, FinishReason, Limits, Prompt
from workers.engine.openai_messages import INVISIBLE, compose_request
from workers.engine.requests import Request, RunningGeneration
from workers.engine.scheduler import WaitingLine
from workers.engine.sse import read_events
from workers.engine.stats import EngineStats, Totals
from workers.engine.text import StopStrings

SILENCE_S = 120  # a server that says nothing for so long is taken for dead
MAX_LINE_BYTES = 1 << 20


class OpenAiEngine:
    """The Engine port over HTTP. A thread for each request reads the stream.

    The server batches; we only bound how many requests it has at once, so that a flood of batch
    work cannot fill its queue in front of a chat. A request that ends early closes its
    connection, which is how such servers learn that nobody reads any more.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None,
        model_name: str,
        remote: bool,
        slots: int = 16,
        reserved_slots: int = 4,
    ) -> None:
        """`url` is the server's base, with or without `/v1`; `unix:///path` is a socket."""
        self.remote = remote
        self.model_name = model_name
        self._server = _Server(url, api_key)
        self._line = WaitingLine(slots, reserved_slots)
        self._exchanges: dict[Request, _Exchange] = {}
        self._running: set[Request] = set()
        self._lock = threading.RLock()
        self._closed = False
        self._totals = Totals()

    def generate(self, prompt: Prompt, limits: Limits) -> RunningGeneration:
        """Start a generation; returns at once. Raises EngineError once the engine is closed."""
        request = Request((), limits, ReceivedText(limits.stop))
        exchange = _Exchange(
            self._server, compose_request(prompt, limits, self.model_name), request
        )
        request.when_ended_by_reader(exchange.hang_up)
        with self._lock:
            if self._closed:
                raise EngineError("the engine is closed")
            self._line.add(request)
            self._exchanges[request] = exchange
            self._admit()
        return RunningGeneration(request)

    def stats(self) -> EngineStats:
        """Counters for the metrics page; may be called from any thread."""
        with self._lock:
            return self._totals.snapshot(len(self._running), len(self._line))

    def close(self) -> None:
        """Cancel what runs."""
        with self._lock:
            self._closed = True
            left = list(self._exchanges)
        for request in left:
            request.end_by_reader("cancelled")

    def _admit(self) -> None:
        with self._lock:
            self._line.remove_ended()
            while (request := self._line.next(self._running)) is not None:
                self._running.add(request)
                self._totals.requests += 1
                threading.Thread(
                    target=self._run, args=(request,), name="engine-http", daemon=True
                ).start()
            alive = self._running.union(self._line)
            self._exchanges = {one: self._exchanges[one] for one in alive}

    def _run(self, request: Request) -> None:
        try:
            self._exchanges[request].run()
        finally:
            with self._lock:
                self._running.discard(request)
                self._count(request)
                self._admit()

    def _count(self, request: Request) -> None:
        if request.usage is not None:
            self._totals.prompt_tokens += request.usage.prompt_tokens
            self._totals.cached_tokens += request.usage.cached_tokens
            self._totals.output_tokens += request.usage.output_tokens


class ReceivedText:
    """Text that comes as text: only stop strings are left to watch for."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stops = StopStrings(stop)

    @property
    def stopped(self) -> bool:
        return self._stops.met

    def push(self, pieces: Sequence[str]) -> str:
        return self._stops.push("".join(pieces).replace(INVISIBLE, ""))

    def flush(self) -> str:
        return self._stops.flush()


class _Exchange:
    """One request on the wire."""

    def __init__(self, server: _Server, body: Mapping[str, Any], request: Request) -> None:
        self._server = server
        self._body = body
        self._request = request
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Send it and hand on what comes, until the end or an error."""
        self._request.begin()
        try:
            with self._send() as response:
                self._read(response)
        except (OSError, http.client.HTTPException) as error:
            self._fail(f"the engine server cannot be reached or hung up ({type(error).__name__})")
        except EngineError as error:
            self._request.fail(error)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            self._fail("the engine server sent something that is not a chat completion")
        finally:
            self.hang_up()

    def hang_up(self) -> None:
        """Close the connection, also under a thread that is reading from it."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _send(self) -> http.client.HTTPResponse:
        if self._request.has_ended:
            raise EngineError("cancelled before it was sent")
        self._connection = self._server.connect()
        response = self._server.post(self._connection, json.dumps(self._body).encode())
        if response.status != http.client.OK:
            response.close()
            raise EngineError(f"the engine server answered with HTTP status {response.status}")
        return response

    def _read(self, response: http.client.HTTPResponse) -> None:
        reason: FinishReason | None = None
        for data in read_events(_lines(response)):
            if data == "[DONE]":
                break
            reason = self._take(json.loads(data)) or reason
            self._request.end_if_unwanted()
            if self._request.has_ended:
                return
        if reason is None:
            raise EngineError("the engine server ended its stream before the answer was complete")
        self._request.end(reason)

    def _take(self, chunk: Mapping[str, Any]) -> FinishReason | None:
        """Hand on one chunk; returns the finish reason in the chunk that has it."""
        if "error" in chunk:
            raise EngineError("the engine server reported an error in mid-answer")
        if usage := chunk.get("usage"):
            details = usage.get("prompt_tokens_details") or {}
            cached = details.get("cached_tokens") or 0
            self._request.count(usage["prompt_tokens"], cached, usage["completion_tokens"])
        for choice in chunk["choices"]:
            if text := choice["delta"].get("content"):
                self._request.accept([text], _certainty(choice))
            if reason := choice.get("finish_reason"):
                return "length" if reason == "length" else "stop"
        return None

    def _fail(self, what: str) -> None:
        self._request.fail(EngineError(what))


def _certainty(choice: Mapping[str, Any]) -> float | None:
    """The probability of a chunk's first token, where the server tells it."""
    told = (choice.get("logprobs") or {}).get("content")
    return math.exp(told[0]["logprob"]) if told else None


class _Server:
    """Where to send requests: there only, as no redirect is followed and no proxy used."""

    def __init__(self, url: str, api_key: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https", "unix"}:
            raise EngineError("ENGINE_URL begins with http://, https:// or unix://")
        self._parts = parts
        self._headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        base = "" if parts.scheme == "unix" else parts.path.rstrip("/")
        self._path = f"{base or '/v1'}/chat/completions"

    def connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "localhost", self._parts.port
        if self._parts.scheme == "unix":
            return _UnixConnection(self._parts.path)
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=SILENCE_S)
        return http.client.HTTPConnection(host, port, timeout=SILENCE_S)

    def post(self, connection: http.client.HTTPConnection, body: bytes) -> http.client.HTTPResponse:
        connection.request("POST", self._path, body, self._headers)
        return connection.getresponse()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SILENCE_S)
        self._socket_path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SILENCE_S)
        self.sock.connect(self._socket_path)


def _lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while line := response.readline(MAX_LINE_BYTES):
        yield line
