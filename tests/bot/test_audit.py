"""Promise 26: the audit log is a hash chain; an edit, a deletion or a truncation is found."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session, sessionmaker

from bot.privacy.audit import TERMINAL, Mark, note, verify
from bot.settings import Settings
from bot.tables import AuditEntry, AuditHead
from tests.shell import Shell, shell_on

Sessions = sessionmaker[Session]


@pytest.fixture
def log(sessions: Sessions) -> Sessions:
    """A log of five entries."""
    for number in range(1, 6):
        with sessions.begin() as session:
            note(session, TERMINAL, "test.entry", f"subject-{number}", {"number": number})
    return sessions


@pytest.fixture
def shell(settings: Settings) -> Shell:
    (settings.home / "keys").mkdir(parents=True)
    return shell_on(settings)


def problems(log: Sessions, *seen: Mark) -> tuple[str, ...]:
    with log() as session:
        return verify(session, seen).problems


def test_an_untouched_log_is_whole(log: Sessions) -> None:
    with log() as session:
        found = verify(session)
    assert (found.entries, found.problems) == (5, ())


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "Cyd"},
        {"action": "log-in"},
        {"subject": "elsewhere"},
        {"details": {"number": 3000}},
        {"at": text("at + interval '1 microsecond'")},
        {"hash": b"\x00" * 32},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_edit_of_any_column_is_found(log: Sessions, change: dict[str, object]) -> None:
    with log.begin() as session:
        session.execute(update(AuditEntry).where(AuditEntry.seq == 3).values(**change))
    assert "entry 3 was changed" in problems(log)


def test_a_deletion_is_found(log: Sessions) -> None:
    with log.begin() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.seq.in_((2, 3))))
    assert problems(log) == ("entries 2 to 3 are missing",)


def test_a_deletion_with_the_rest_renumbered_is_found(log: Sessions) -> None:
    with log.begin() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.seq == 3))
        for seq in (4, 5):
            session.execute(update(AuditEntry).where(AuditEntry.seq == seq).values(seq=seq - 1))
    assert "entry 3 was changed" in problems(log)


def test_two_entries_in_each_others_place_are_found(log: Sessions) -> None:
    with log.begin() as session:
        for before, after in ((2, 99), (3, 2), (99, 3)):
            session.execute(update(AuditEntry).where(AuditEntry.seq == before).values(seq=after))
    assert "entry 2 was changed" in problems(log)


def test_a_truncation_is_found(log: Sessions) -> None:
    with log.begin() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.seq > 3))
    assert problems(log) == ("entries 4 to 5 are missing",)


def test_a_truncation_with_the_noted_end_set_back_is_found(log: Sessions) -> None:
    with log.begin() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.seq > 3))
        session.execute(update(AuditHead).values(seq=3))
    assert problems(log) == ("the note of the log's end was changed",)


def test_a_log_that_was_emptied_is_missed(log: Sessions) -> None:
    with log.begin() as session:
        session.execute(delete(AuditEntry))
    assert problems(log) == ("entries 1 to 5 are missing",)


def test_a_log_set_back_with_an_old_copy_of_its_end_is_found_by_what_was_seen(
    log: Sessions,
) -> None:
    with log.begin() as session:
        seen = verify(session).end
        old = session.scalars(select(AuditHead)).one()
        seq, mac = old.seq, old.mac
        note(session, TERMINAL, "test.entry", "what Cyd did")
        later = verify(session).end
    with log.begin() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.seq > seq))
        session.execute(update(AuditHead).values(seq=seq, mac=mac))
    assert problems(log, seen) == ()
    assert problems(log, later) == ("entry 6, seen before, is gone",)


def test_an_entry_goes_with_its_transaction(log: Sessions) -> None:
    with log() as session:
        note(session, TERMINAL, "test.entry", "taken back")
        session.rollback()
    with log() as session:
        assert verify(session).entries == 5


def test_entries_written_at_once_form_one_chain(log: Sessions) -> None:
    def write() -> None:
        for _ in range(5):
            with log.begin() as session:
                note(session, TERMINAL, "test.at-once")

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with log() as session:
        found = verify(session)
    assert (found.entries, found.problems) == (25, ())


def test_an_operator_verifies_and_the_next_time_nothing_may_be_gone(
    log: Sessions, shell: Shell, settings: Settings
) -> None:
    assert "5 entries, none changed" in shell.run("audit", "verify").out
    with log.begin() as session:  # Cyd also has an old copy of the noted end: none of 0 entries
        session.execute(delete(AuditEntry))
        session.execute(delete(AuditHead))
    found = shell.run("audit", "verify")
    assert found.status == 1
    assert "entry 5, seen before, is gone" in found.out
    assert (Path(settings.home) / "keys" / "audit-seen").stat().st_mode & 0o077 == 0


def test_an_operator_reads_who_did_what(log: Sessions, shell: Shell) -> None:
    lines = shell.run("audit", "list", "--limit", "2").out.splitlines()
    assert [line.partition("  ")[0] for line in lines] == ["4", "5"]
    assert "terminal test.entry subject-5" in lines[1]
