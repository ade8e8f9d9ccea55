"""Promise 23: what customers write stands nowhere in the clear: tables, files, Redis, logs.

Twenty markers go the way of real messages. Controls, planted in the clear in each of the places,
show that the search would have found them.
"""

from __future__ import annotations

import base64
import gzip
import logging
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
import redis
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from bot import conversations, transcripts
from bot.api.ask import write_question
from bot.api.models import AskRequest
from bot.backup import save
from bot.database import keyring_from, make_engine, make_sessions
from bot.events import Publisher
from bot.intake import Intake
from bot.local import LocalServers
from bot.logs import configure
from bot.messages import Attachment, IncomingMessage
from bot.postgres_tools import finish_tool, start_tool
from bot.queue import Queue
from bot.redis_url import redis_py_url
from bot.settings import Settings
from bot.tables import (
    ArticleDraft,
    Conversation,
    CopilotFeedback,
    CopilotRun,
    Feedback,
    Inbox,
    new_id,
    now,
)
from tests.people import make_agent

Sessions = sessionmaker[Session]


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer whose every word is a marker: 5 of them make 20 and more."""

    number: int

    def marker(self, what: str) -> str:
        return f"marker{self.number}{what}xqzj"

    @property
    def markers(self) -> list[str]:
        kinds = (
            *("text", "name", "mail", "file", "inside", "reply", "note", "summary", "asked"),
            *("helped", "offered", "sent", "draft", "reason"),
        )
        return [self.marker(kind) for kind in kinds]

    def message(self, inbox: UUID) -> IncomingMessage:
        return IncomingMessage(
            inbox_id=inbox,
            channel="email",
            external_id=f"external-{self.number}",
            thread=f"{self.marker('mail')}@example.com",
            contact=f"{self.marker('mail')}@example.com",
            contact_name=self.marker("name"),
            text=f"Hello, {self.marker('text')}. 你好",
            sent_at=now(),
            attachments=(
                Attachment(
                    f"{self.marker('file')}.txt", "text/plain", self.marker("inside").encode()
                ),
            ),
        )


CUSTOMERS = [Customer(number) for number in range(1, 6)]
MARKERS = [marker for customer in CUSTOMERS for marker in customer.markers]


@pytest.fixture
def log_file(settings: Settings) -> Iterator[Path]:
    """The process's log as `up` keeps it, in the home's logs folder."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    path = settings.home / "logs" / "web.log"
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as stream:
        configure(settings, stream)
        yield path
    root.handlers, root.level = handlers, level


async def receive_all(settings: Settings, master_key: str, inbox: UUID) -> list[UUID]:
    engine = make_engine(settings.database_url or "")
    redis_url = settings.redis_url or ""
    sessions = make_sessions(engine, keyring_from(master_key))
    with (
        closing(Queue(redis_url)) as queue,
        closing(Publisher(redis_url)) as publisher,
        closing(Intake(sessions, queue, publisher)) as intake,
    ):
        received = [await intake.receive(customer.message(inbox)) for customer in CUSTOMERS]
    engine.dispose()
    return [recorded.conversation_id for recorded in received]


def answer(session: Session, conversation_id: UUID, customer: Customer, agent: UUID) -> None:
    """The bot and Bea repeat what the customer said, in every way that stores something."""
    claim = conversations.claim_run(session, conversation_id, timedelta(seconds=20))
    assert claim is not None
    conversations.commit_sentence(session, claim, f"You said {customer.marker('reply')}.")
    conversations.finish_handoff(
        session,
        claim,
        reason="requested",
        summary=f"Wants {customer.marker('summary')}.",
        citations=[],
        language="en",
    )
    result = {"query": customer.marker("text"), "rejected": [{"text": customer.marker("reply")}]}
    conversations.store_result(session, claim.run_id, result, state="done", action="handoff")
    conversations.reply_as_agent(
        session, conversation_id, agent, customer.marker("note"), private=True
    )
    turn = {"role": "user", "text": customer.marker("asked")}
    inbox = session.get_one(Inbox, claim.inbox_id).name
    write_question(
        session, new_id(), AskRequest.model_validate({"inbox": inbox, "messages": [turn]})
    )


def help_staff(session: Session, conversation_id: UUID, customer: Customer, agent: UUID) -> None:
    """The copilot repeats it too, an article is drafted of it, and the customer judges."""
    contact_id = session.get_one(Conversation, conversation_id).contact_id
    about = {"conversation_id": conversation_id, "contact_id": contact_id}
    run = CopilotRun(id=new_id(), kind="rewrite", agent_id=agent, state="done", **about)
    run.request, run.result = customer.marker("helped"), customer.marker("helped")
    session.add(run)
    session.flush()
    kept = CopilotFeedback(run_id=run.id, agent_id=agent, contact_id=contact_id, verdict="edited")
    kept.offered, kept.sent = customer.marker("offered"), customer.marker("sent")
    draft = ArticleDraft(id=new_id(), origin="message", collection="shop", agent_id=agent, **about)
    draft.title = draft.body = draft.note = customer.marker("draft")
    judged = Feedback(id=new_id(), score=2, **about)
    judged.reason = customer.marker("reason")
    session.add_all([kept, draft, judged])


def fail_loudly(session: Session, marker: str) -> None:
    """An error that quotes a customer's text, logged as a handler would."""
    try:
        session.execute(text("select cast(:value as int)"), {"value": marker})
    except SQLAlchemyError:
        logging.getLogger("bot.web").exception("unforeseen error path=%s", "/x")
        session.rollback()


@pytest.fixture
async def desk(
    settings: Settings, sessions: Sessions, master_key: str, log_file: Path, servers: LocalServers
) -> Path:
    """A desk on which everything happened; returns the servers' home."""
    with sessions.begin() as session:
        inbox = Inbox(name="mail", channel="email", company="controlincompany", settings={})
        session.add(inbox)
        session.flush()
        inbox_id = inbox.id
        agent = make_agent(session)
    conversation_ids = await receive_all(settings, master_key, inbox_id)
    for conversation_id, customer in zip(conversation_ids, CUSTOMERS, strict=True):
        with sessions.begin() as session:
            answer(session, conversation_id, customer, agent)
            help_staff(session, conversation_id, customer, agent)
    with sessions() as session:
        fail_loudly(session, CUSTOMERS[0].marker("text"))
        session.execute(text("checkpoint"))
    with closing(redis.Redis.from_url(redis_py_url(servers.redis_url))) as client:
        client.set("control", "controlinredis")
        client.config_set("appendfsync", "always")  # so that the file holds all that was said
        client.set("last", "word")
        client.config_set("appendfsync", "everysec")
    return servers.home


def spellings(marker: str) -> Iterator[bytes]:
    """A marker as it may lie somewhere: plain, as bytea's hex, in base64 at any offset."""
    plain = marker.encode()
    yield plain
    yield plain.hex().encode()
    yield marker.encode("utf-16-le")
    for offset in range(3):
        # Without the characters that depend on the neighbours.
        yield base64.b64encode(b"\0" * offset + plain)[4 if offset else 0 : -4]


def found_in(content: bytes, markers: list[str]) -> list[str]:
    # Six looks for what all begin with, before each is looked for in each spelling.
    beginning = os.path.commonprefix(markers)  # noqa: RUF071  (of characters, not of paths)
    if not any(each in content for each in spellings(beginning)):
        return []
    return [marker for marker in markers if any(each in content for each in spellings(marker))]


def files_of(folder: Path) -> bytes:
    """Every byte of every file below a folder."""
    return b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_no_table_holds_a_customers_word_in_the_clear(
    desk: Path, database_url: str, sessions: Sessions
) -> None:
    process = start_tool("pg_dump", [], database_url, reads=False)
    assert process.stdout is not None
    with process.stdout:
        dump = process.stdout.read()
    finish_tool("pg_dump", process)
    assert found_in(dump, ["controlincompany"]), "the search finds what is in the clear"
    assert b"COPY vault.data_key" in dump
    assert found_in(dump, MARKERS) == []
    with sessions() as session:
        for table in ("attachment", "copilot_run", "copilot_feedback", "article_draft", "feedback"):
            stored = session.scalars(text(f"select count(*) from {table}")).one()
            assert stored == len(CUSTOMERS), f"and the words were really stored in {table}"


def test_no_file_of_postgres_holds_a_customers_word(desk: Path) -> None:
    content = files_of((desk / "postgres").resolve())
    assert found_in(content, ["controlincompany"])
    assert found_in(content, MARKERS) == []


def test_no_file_of_redis_holds_a_customers_word(desk: Path) -> None:
    content = files_of(desk / "valkey")
    assert found_in(content, ["controlinredis"])
    assert b"frontdesk.answer" in content, "the bells were rung"
    assert found_in(content, MARKERS) == []


def test_no_log_holds_a_customers_word(desk: Path, log_file: Path) -> None:
    logging.getLogger("bot").info("control=%s", "controlinlog")
    ours, servers = files_of(log_file.parent), files_of(desk / "logs")
    assert found_in(ours, ["controlinlog"])
    assert b"received conversation=" in ours
    assert b"unforeseen error" in ours
    assert found_in(ours + servers, MARKERS) == []


def test_no_backup_of_the_data_holds_a_customers_word(
    desk: Path, settings: Settings, tmp_path: Path
) -> None:
    saved = save(settings, tmp_path / "backup", progress=lambda _line: None)
    dump = gzip.decompress((saved.data / "desk.sql.gz").read_bytes())
    assert found_in(dump, ["controlincompany"])
    assert found_in(dump, MARKERS) == []


def test_every_word_reads_back_with_the_keys(desk: Path, sessions: Sessions) -> None:
    with sessions() as session:
        read = [
            message.text
            for view in transcripts.list_conversations(session)
            for message in transcripts.messages_of(session, view.id, staff=True)
        ]
        names = [view.contact_name for view in transcripts.list_conversations(session)]
    told = " ".join([*read, *names])
    for customer in CUSTOMERS:
        for kind in ("text", "reply", "note", "name"):
            assert customer.marker(kind) in told


@pytest.mark.parametrize("marker", ["marker1textxqzj"])
def test_the_search_knows_a_marker_in_any_spelling(marker: str) -> None:
    for offset in range(3):
        packed = base64.b64encode(b"x" * offset + marker.encode() + b"tail")
        assert found_in(packed, [marker]) == [marker]
    assert found_in(marker.encode().hex().encode(), [marker]) == [marker]
    assert found_in(b"nothing here", [marker]) == []
