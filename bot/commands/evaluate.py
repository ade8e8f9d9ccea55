"""`frontdesk eval`: measures the running desk against a file of questions."""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bot import evaluation
from bot.ask_command import AskError
from bot.commands.failures import UsageError
from bot.instance import ApiAccess, find_api

TIMEOUT_S = 180.0
_CONNECTIONS = (http.client.HTTPConnection, http.client.HTTPSConnection)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="questions, one JSON object a line")
    parser.add_argument("--inbox", default="website", help="whose articles (%(default)s)")
    parser.add_argument("--split", help="only the lines of this split")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    try:
        questions = evaluation.read_questions(arguments.file, arguments.split)
    except evaluation.QuestionsError as error:
        raise UsageError(str(error)) from error
    api = find_api(environ)

    def ask(messages: Sequence[Mapping[str, str]]) -> Mapping[str, Any]:
        return post_question(api, messages, arguments.inbox)

    cases = []
    for case in evaluation.evaluate(questions, ask):
        cases.append(case)
        print(f"\r{len(cases)} of {len(questions)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for line in evaluation.render(cases):
        print(line)
    if arguments.json:
        print(json.dumps(evaluation.as_object(cases), ensure_ascii=False))
    return 0


def post_question(
    api: ApiAccess, messages: Sequence[Mapping[str, str]], inbox: str
) -> Mapping[str, Any]:
    """The response object of `POST /api/v1/ask`. Raises AskError."""
    parts = urlsplit(api.url)
    if parts.hostname is None:
        raise AskError(f"{api.url} is not an address to ask at.")
    connection = _CONNECTIONS[parts.scheme == "https"](
        parts.hostname, parts.port, timeout=TIMEOUT_S
    )
    try:
        connection.request(
            "POST",
            f"{parts.path}/api/v1/ask",
            json.dumps({"inbox": inbox, "messages": list(messages)}).encode(),
            {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"},
        )
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise AskError(
            f"{api.url} does not answer ({type(error).__name__}): is `./frontdesk up` running?"
        ) from error
    finally:
        connection.close()
    if response.status != 200:
        raise AskError(f"The question was refused ({response.status}): {answer}")
    return answer
