"""Asking a question from a terminal: through the HTTP API, as integrators do, streaming."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, TextIO
from urllib.parse import urlsplit

from bot.instance import ApiAccess
from bot.messages import append_sentence
from bot.terminal_text import visible, visible_line

# A worker keeps its own deadline; this is for a web process that says nothing at all.
SILENCE_TIMEOUT_S = 120.0


class AskError(Exception):
    """The question got no answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    name: str
    data: dict[str, Any]


def ask(
    api: ApiAccess, question: str, inbox: str, locale: str | None, out: TextIO
) -> dict[str, Any]:
    """Ask and write the sentences to `out` as they come; returns the response. Raises AskError."""
    result: dict[str, Any] | None = None
    told = ""
    for event in stream_answer(api, question, inbox, locale):
        if event.name == "sentence":
            longer = append_sentence(told, event.data["text"])
            out.write(visible(longer[len(told) :]))
            out.flush()
            told = longer
        elif event.name == "result":
            result = event.data
    if result is None:
        raise AskError("The stream ended before the answer did: ask again.")
    if not told:
        out.write(visible(result["text"]))
    out.write("\n")
    return result


def stream_answer(api: ApiAccess, question: str, inbox: str, locale: str | None) -> Iterator[Event]:
    """The events of `POST /api/v1/ask?stream=1`. Raises AskError."""
    body = {"inbox": inbox, "messages": [{"role": "user", "text": question}]}
    if locale is not None:
        body["locale"] = locale
    connection = _connect(api.url)
    try:
        connection.request(
            "POST",
            f"{urlsplit(api.url).path}/api/v1/ask?stream=1",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"},
        )
        response = connection.getresponse()
        if response.status != 200:
            raise AskError(_refusal(response))
        yield from read_events(response)
    except (OSError, http.client.HTTPException) as error:
        raise AskError(
            f"{api.url} does not answer ({type(error).__name__}): is `./frontdesk up` running?"
        ) from error
    finally:
        connection.close()


def read_events(stream: IO[bytes]) -> Iterator[Event]:
    """Server-sent events (HTML standard, 9.2) whose data is one JSON object each."""
    name, data = "message", list[str]()
    for raw in stream:
        line = raw.decode("utf-8").rstrip("\r\n")
        if not line:
            if data:
                yield Event(name, json.loads("\n".join(data)))
            name, data = "message", []
            continue
        field, _, value = line.partition(":")
        if field == "event":
            name = value.removeprefix(" ")
        elif field == "data":
            data.append(value.removeprefix(" "))


def source_lines(result: Mapping[str, Any]) -> list[str]:
    """What the answer rests on, and what became of the question."""
    lines = [
        f"  [{number}] {visible_line(citation['title'])}  {citation['score']:.2f}"
        + (f"  {visible_line(citation['url'])}" if citation.get("url") else "")
        for number, citation in enumerate(result["citations"], 1)
        if citation["used"] or citation.get("suggested")
    ]
    said = {"answer": [], "clarify": ["  (a question back)"], "handoff": ["  (handed to a person)"]}
    return [*lines, *said.get(result["action"], [])]


def _connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise AskError(f"{url} is no http address.")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, parts.port, timeout=SILENCE_TIMEOUT_S)


def _refusal(response: http.client.HTTPResponse) -> str:
    try:
        return str(json.loads(response.read(65_536))["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"The API refused with status {response.status}."
