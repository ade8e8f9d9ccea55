"""`mail explain`: an object a mail, whatever the files are, with and without a database."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from bot.cli import main
from bot.conversations import keyed_hash
from bot.settings import Settings
from bot.tables import Inbox, new_id
from channels.email.threading_tokens import ThreadTokens

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


def test_with_a_database_our_signatures_and_addresses_count(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    settings: Settings,
    sessions: sessionmaker[Session],
) -> None:
    with sessions.begin() as session:
        mailbox = {"email": {"address": "support@shop.example"}}
        session.add(Inbox(id=new_id(), name="mail", channel="email", settings=mailbox))
        tokens = ThreadTokens(keyed_hash(session, "mail-threads", "key"))
    thread = tokens.make_thread("1")
    answer, own = tmp_path / "answer", tmp_path / "own"
    answer.write_bytes(MAIL % tokens.sign_plus_address(thread, "support@shop.example").encode())
    own.write_bytes(MAIL.replace(b"ada@mail.example", b"support@shop.example") % b"x@y.example")
    environ = {
        "FRONTDESK_HOME": str(settings.home),
        "DATABASE_URL": settings.database_url or "",
        "FRONTDESK_MASTER_KEY": settings.master_key or "",
    }
    told = explain(capsys, answer, own, environ=environ)
    assert told[0]["thread"] == {"match": thread, "by": "plus-address"}
    assert (told[1]["automatic"], told[1]["would"]) == (True, "store")
