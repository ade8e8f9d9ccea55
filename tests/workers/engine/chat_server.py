"""A small server that speaks the chat completions protocol for real, over any engine of ours."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bot.answering.engine import Engine, Generation, Limits, Prompt, PromptTurn


class ChatServer(ThreadingHTTPServer):
    """Answers with `engine`; the test reads what it was sent and tells it how to misbehave."""

    daemon_threads = True

    def __init__(self, engine: Engine, api_key: str = "secret") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.engine = engine
        self.api_key = api_key
        self.bodies: list[dict[str, Any]] = []
        self.hang_up_once = False
        self.say_once: bytes | None = None
        self.generations: list[Generation] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news here."""


@contextmanager
def serving(engine: Engine) -> Iterator[ChatServer]:
    server = ChatServer(engine)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        if self.path != "/v1/chat/completions":
            self.send_error(404)
        elif self.headers.get("Authorization") != f"Bearer {self.server.api_key}":
            self.send_error(401, explain="the key with the customer's text in it is wrong")
        else:
            self._stream(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests keep their output to themselves."""

    def _stream(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        said, self.server.say_once = self.server.say_once, None
        if said is not None:
            self._write(said)
            self.wfile.write(b"0\r\n\r\n")
            return
        generation = self.server.engine.generate(read_prompt(body), read_limits(body))
        self.server.generations.append(generation)
        self._event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        if body.get("logprobs"):
            self._certain(generation)
        for piece in generation:
            if self.server.hang_up_once:
                self.server.hang_up_once = False
                self.close_connection = True
                return
            self._event({"choices": [{"index": 0, "delta": {"content": piece}}]})
        self._finish(generation)

    def _certain(self, generation: Generation) -> None:
        """The text in one chunk, for the first token's chance is told only at the end."""
        text = "".join(generation)
        chance = generation.usage.certainty
        assert chance is not None
        told = {"content": [{"token": "", "logprob": math.log(chance)}]}
        self._event({"choices": [{"index": 0, "delta": {"content": text}, "logprobs": told}]})

    def _finish(self, generation: Generation) -> None:
        usage = generation.usage
        reason = {"length": "length"}.get(usage.finish_reason, "stop")
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        counts = {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.output_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        }
        self._event({"choices": [], "usage": counts})
        self._write(b": a comment\n\ndata: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, chunk: dict[str, Any]) -> None:
        self._write(b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n")

    def _write(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()


def read_prompt(body: dict[str, Any]) -> Prompt:
    system, *turns, question = body["messages"]
    return Prompt(
        system["content"],
        [PromptTurn(turn["role"], turn["content"]) for turn in turns],
        question["content"],
    )


def read_limits(body: dict[str, Any]) -> Limits:
    asks = body.get("logprobs", False)
    return Limits(body["max_tokens"], stop=body.get("stop", ()), wants_certainty=asks)
