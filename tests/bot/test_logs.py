"""What a log line says, and what it can never say."""

from __future__ import annotations

import ast
import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.logs import TextLines, configure
from bot.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
MARKER = "MARKER-ada-lost-her-parcel"

Logged = Callable[[], list[str]]
Start = Callable[[Literal["text", "json"]], Logged]


@pytest.fixture
def start() -> Iterator[Start]:
    """Configures the logs onto a stream, whose lines the returned function reads."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    settings = Settings.from_env({"FRONTDESK_HOME": "/nowhere"})

    def begin(log_format: Literal["text", "json"]) -> Logged:
        stream = io.StringIO()
        configure(replace(settings, log_format=log_format), stream)
        return lambda: stream.getvalue().splitlines()

    yield begin
    root.handlers, root.level = handlers, level


def test_a_line_for_people_has_time_level_place_and_pairs(start: Start) -> None:
    logged = start("text")
    logging.getLogger("bot.intake").info("answered conversation=%s ttft_ms=%d", 42, 310)
    (line,) = logged()
    assert line.endswith("Z INFO bot.intake answered conversation=42 ttft_ms=310")


def test_a_json_line_has_the_pairs_as_fields(start: Start) -> None:
    logged = start("json")
    logging.getLogger("workers.runs").info(
        "answered conversation=%s ttft_ms=%.1f new=%s reason=%s", 42, 310.5, True, None
    )
    (line,) = logged()
    found = json.loads(line)
    del found["at"]
    assert found == {
        "level": "info",
        "logger": "workers.runs",
        "event": "answered",
        "conversation": 42,
        "ttft_ms": 310.5,
        "new": True,
        "reason": None,
    }


def test_a_value_cannot_pass_for_the_lines_own_fields(start: Start) -> None:
    logged = start("json")
    logging.getLogger("bot").info("seen id=%s", "7 level=error logger=evil")
    assert (json.loads(logged()[0])["level"], json.loads(logged()[0])["logger"]) == ("info", "bot")


def test_a_value_cannot_begin_a_line_of_its_own(start: Start) -> None:
    logged = start("text")
    logging.getLogger("bot").info("seen id=%s", "7\n2026 INFO bot forged\r\x1b[2J")
    assert len(logged()) == 1
    assert "\x1b" not in logged()[0]


def test_an_exception_is_told_by_type_and_place_and_never_by_its_message(start: Start) -> None:
    logged = start("text")
    try:
        raise ValueError(f"could not parse {MARKER}")
    except ValueError:
        logging.getLogger("bot.web").exception("unforeseen error path=%s", "/api/v1/ask")
    first, *places = logged()
    assert first.endswith("unforeseen error path=/api/v1/ask error=ValueError")
    assert len(places) == 1
    assert "tests/bot/test_logs.py" in places[0]
    assert MARKER not in "".join(logged())


def test_postgres_errors_quote_rows_and_the_log_does_not(start: Start, session: Session) -> None:
    logged = start("json")
    twice = text("insert into collection (id, name) values (gen_random_uuid(), :name)")
    session.execute(twice, {"name": MARKER})
    with pytest.raises(IntegrityError) as caught:
        session.execute(twice, {"name": MARKER})
    assert MARKER in str(caught.value.orig), "Postgres quotes the value: the log must not"
    logging.getLogger("bot").error("refused", exc_info=caught.value)
    assert MARKER not in "".join(logged())
    assert json.loads(logged()[0])["error"].startswith("IntegrityError<UniqueViolation[23505]")


def test_a_foreign_librarys_values_are_withheld(start: Start) -> None:
    logged = start("text")
    logging.getLogger("asyncio").error("Exception in callback %r after %d s", MARKER, 3)
    logging.getLogger("celery").warning("Task %(name)s raised", {"name": MARKER})
    assert MARKER not in "".join(logged())
    assert logged()[0].endswith("Exception in callback … after 3 s")
    assert logged()[1].endswith("Task … raised")


def test_foreign_libraries_are_heard_from_warnings_on(start: Start) -> None:
    logged = start("text")
    logging.getLogger("aiohttp.access").info("GET /?email=ada@example.com")
    assert logged() == []


@pytest.mark.parametrize(
    "secret",
    [
        "ada.lovelace@example.com",
        "ada+tag@mail.example.co.uk",
        "postgresql+psycopg://frontdesk:hunter2@db/frontdesk",
        "Bearer abcdef0123456789",
        "sk_live_0123456789abcdefghijABCDEFGHIJ0123456789",
    ],
)
def test_addresses_and_secrets_that_slip_in_are_cut_out(start: Start, secret: str) -> None:
    logged = start("text")
    logging.getLogger("bot").warning("odd value=%s", secret)
    for part in ("ada", "hunter2", "abcdef0123456789", "0123456789abcdefghij"):
        assert part not in logged()[0]


def test_ids_stay_readable(start: Start) -> None:
    logged = start("text")
    conversation = UUID("019ab3c4-1111-7222-8333-444455556666")
    logging.getLogger("bot").info("received conversation=%s", conversation)
    assert logged()[0].endswith(f"conversation={conversation}")


@given(st.text(), st.lists(st.one_of(st.text(), st.integers(), st.none())))
def test_no_record_breaks_the_formatter(message: str, values: list[object]) -> None:
    record = logging.LogRecord("foreign", 40, "x.py", 1, message, tuple(values), None)
    assert "\n" not in TextLines().format(record)


# -- every log call of ours ------------------------------------------------------------------

LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
NEVER_LOGGED = {
    *("text", "body", "question", "prompt", "query", "summary", "content", "quote", "raw"),
    *("address", "email", "sender", "contact", "contact_name", "thread", "destination"),
    *("password", "secret", "authorization", "headers", "cookie", "master_key", "api_token"),
    *("database_url", "redis_url", "environ", "settings", "request", "payload"),
}


def log_calls() -> Iterator[tuple[str, ast.Call]]:
    for package in ("bot", "channels", "workers"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id in ("log", "logger", "logging")
                    and node.func.attr in LEVELS
                ):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def outermost_name(value: ast.expr) -> str | None:
    """The last name of a value that is passed as it stands: `message.text` is `text`."""
    if isinstance(value, ast.Attribute):
        return value.attr
    return value.id if isinstance(value, ast.Name) else None


def test_no_log_call_of_ours_passes_a_customers_text_or_a_secret() -> None:
    calls = list(log_calls())
    assert len(calls) >= 5, "the search finds the calls that there are"
    loud = [
        place
        for place, call in calls
        for value in (*call.args, *(keyword.value for keyword in call.keywords))
        if outermost_name(value) in NEVER_LOGGED
    ]
    assert loud == []


def test_every_log_call_of_ours_has_a_constant_template() -> None:
    assert [
        place
        for place, call in log_calls()
        if not (call.args and isinstance(call.args[0], ast.Constant))
    ] == []
