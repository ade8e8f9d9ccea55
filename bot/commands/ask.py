"""`frontdesk ask`: a question to the running desk, answered sentence by sentence."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping

from bot.ask_command import ask, source_lines
from bot.instance import find_api


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question")
    parser.add_argument("--inbox", default="website", help="whose articles (%(default)s)")
    parser.add_argument("--locale", help="the language to answer in, such as en or zh-CN")
    parser.add_argument(
        "--json", action="store_true", help="the last line of output is the response object"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    result = ask(
        find_api(environ), arguments.question, arguments.inbox, arguments.locale, sys.stdout
    )
    if arguments.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    for line in source_lines(result):
        print(line)
    return 0
