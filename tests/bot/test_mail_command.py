"""`mail explain`: an object a mail, whatever the files are, with and without a database."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot.cli import main
from bot.conversations import record_incoming, reply_as_agent
from bot.messages import IncomingMessage
from bot.settings import Settings
from bot.tables import Delivery, Inbox, new_id, now
from channels.email.mailboxes import thread_tokens
from tests.people import make_agent

MAIL = (
    b"From: Ada <ada@mail.example>\r\nTo: %s\r\nSubject: Kettle\r\n"
    b"Message-ID: <1@mail.example>\r\n\r\nIt is broken.\r\n\r\n"
    b"On Tue, 5 Mar 2024 at 10:12, Bea <bea@shop.example> wrote:\r\n> Which one?\r\n"
)
FIELDS = {
    *("file", "from", "message_id", "thread", "automatic", "reasons", "bounce"),
    *("visible_text", "quoted_chars", "attachments", "would"),
}


def explain(
    capsys: pytest.CaptureFixture[str], *files: Path, environ: dict[str, str]
) -> list[dict[str, Any]]:
    main(["mail", "explain", "--json", *map(str, files)], environ)
    printed = capsys.readouterr()
    assert printed.err == ""
    return [json.loads(line) for line in printed.out.splitlines()]


@pytest.fixture
def nothing(tmp_path: Path) -> dict[str, str]:
    """An environment in which no Frontdesk runs."""
    return {"FRONTDESK_HOME": str(tmp_path / "no-home")}


def test_a_mail_is_explained_while_nothing_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, nothing: dict[str, str]
) -> None:
    file = tmp_path / "a.eml"
    file.write_bytes(MAIL % b"support@shop.example")
    (told,) = explain(capsys, file, environ=nothing)
    assert set(told) >= FIELDS
    assert told["from"] == "ada@mail.example"
    assert told["message_id"] == "1@mail.example"
    assert told["thread"] == {"match": None, "by": "no-database"}
    assert told["visible_text"] == "It is broken."
    assert told["quoted_chars"] > 50
    assert (told["automatic"], told["bounce"], told["would"]) == (False, None, "answer")


def test_no_file_makes_it_fail_with_a_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, nothing: dict[str, str]
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(os.urandom(100_000))
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(100 * 1024**2)
    files = [tmp_path / name for name in ("missing", "empty", "binary", "folder", "pipe", "large")]
    told = explain(capsys, *files, environ=nothing)
    assert [Path(one["file"]).name for one in told] == [file.name for file in files]
    assert all(set(one) >= FIELDS for one in told)
    assert [Path(one["file"]).name for one in told if "error" in one] == [
        "missing",
        "folder",
        "pipe",
    ]
    assert "larger than is read" in told[-1]["defects"]


def test_every_mail_of_an_mbox_and_a_maildir_is_explained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, nothing: dict[str, str]
) -> None:
    mbox = tmp_path / "all.mbox"
    one = (
        b"From ada@mail.example Tue Mar  5 11:00:00 2024\n"
        + MAIL.replace(b"\r\n", b"\n") % b"s@x.example"
    )
    quoting = one.replace(b"It is broken.", b">From the start it is broken.\n\nFrom here on too.")
    mbox.write_bytes(one + b"\n" + quoting + b"\n" + one)
    maildir = tmp_path / "Maildir"
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True)
    (maildir / "cur" / "1:2,S").write_bytes(MAIL % b"a@x.example")
    (maildir / "new" / "2").write_bytes(MAIL % b"b@x.example")
    (maildir / "tmp" / "3").write_bytes(b"half a mail")
    told = explain(capsys, mbox, maildir, environ=nothing)
    assert len(told) == 5
    assert told[1]["visible_text"] == "From the start it is broken.\n\nFrom here on too."
    assert [Path(one["file"]).name for one in told[3:]] == ["1:2,S", "2"]


def test_people_read_lines_without_control_characters(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, nothing: dict[str, str]
) -> None:
    file = tmp_path / "a.eml"
    file.write_bytes(MAIL.replace(b"broken", b"\x1b[2Jbroken") % b"support@shop.example")
    assert main(["mail", "explain", str(file)], nothing) == 0
    printed = capsys.readouterr().out
    assert "would answer" in printed
    assert "\x1b" not in printed


SHOP = "support@shop.example"


@pytest.fixture
def environ(settings: Settings) -> dict[str, str]:
    """The environment of a command that finds the tests' database."""
    return {
        "FRONTDESK_HOME": str(settings.home),
        "DATABASE_URL": settings.database_url or "",
        "FRONTDESK_MASTER_KEY": settings.master_key or "",
    }


@pytest.fixture
def thread(sessions: sessionmaker[Session]) -> str:
    """The thread of a conversation of Ada's, whom we have written the mail <ours@shop.example>."""
    with sessions.begin() as session:
        inbox_id = new_id()
        mailbox = {"email": {"address": SHOP}}
        session.add(Inbox(id=inbox_id, name="mail", channel="email", settings=mailbox))
        session.flush()
        made = thread_tokens(session).make_thread("1")
        mail = IncomingMessage(
            inbox_id, "email", "mail:1", made, "ada@mail.example", "It is broken.", sent_at=now()
        )
        recorded = record_incoming(session, mail)
        reply_as_agent(session, recorded.conversation_id, make_agent(session), "Which one?")
        sent = session.scalars(select(Delivery)).one()
        sent.external_id = "ours@shop.example"
    return made


def plus_address(sessions: sessionmaker[Session], thread: str) -> bytes:
    with sessions() as session:
        return thread_tokens(session).sign_plus_address(thread, SHOP).encode()


def explain_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, environ: dict[str, str], raw: bytes
) -> dict[str, Any]:
    file = tmp_path / "mail.eml"
    file.write_bytes(raw)
    (told,) = explain(capsys, file, environ=environ)
    return told


def test_with_a_database_our_signature_counts_together_with_the_sender(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    environ: dict[str, str],
    sessions: sessionmaker[Session],
    thread: str,
) -> None:
    to = plus_address(sessions, thread)
    told = explain_one(capsys, tmp_path, environ, MAIL % to)
    assert told["thread"] == {"match": thread, "by": "plus-address+sender"}
    assert told["would"] == "answer"
    foreign = MAIL.replace(b"ada@mail", b"cyd@mail") % to
    told = explain_one(capsys, tmp_path, environ, foreign)
    assert told["thread"] == {"match": None, "by": "sender-mismatch"}
    assert (told["would"], told["automatic"]) == ("draft", False)


def test_with_a_database_an_id_that_we_sent_counts_together_with_the_sender(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, environ: dict[str, str], thread: str
) -> None:
    answer = b"In-Reply-To: <ours@shop.example>\r\n" + MAIL % SHOP.encode()
    told = explain_one(capsys, tmp_path, environ, answer)
    assert told["thread"] == {"match": thread, "by": "sent-id+sender"}
    told = explain_one(capsys, tmp_path, environ, answer.replace(b"ada@mail", b"cyd@mail"))
    assert told["thread"] == {"match": None, "by": "sender-mismatch"}


def test_with_a_database_a_signature_of_no_conversation_joins_none(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    environ: dict[str, str],
    sessions: sessionmaker[Session],
    thread: str,
) -> None:
    with sessions() as session:
        gone = thread_tokens(session).make_thread("deleted")
    told = explain_one(capsys, tmp_path, environ, MAIL % plus_address(sessions, gone))
    assert told["thread"] == {"match": None, "by": "unknown-conversation"}
    told = explain_one(capsys, tmp_path, environ, MAIL % SHOP.encode())
    assert told["thread"] == {"match": None, "by": "none"}
    own = MAIL.replace(b"ada@mail.example", SHOP.encode()) % b"x@y.example"
    told = explain_one(capsys, tmp_path, environ, own)
    assert (told["automatic"], told["would"]) == (True, "store")
