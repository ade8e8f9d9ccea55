"""Promise 24: keys rotate under running processes, and nothing is ever sealed by a retired key."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, sessionmaker

from bot import keys
from bot.database import keyring_from, make_engine, make_sessions
from bot.keys import KeysError
from bot.sealing import MasterKey, SealingError, keyring_of
from bot.settings import Settings
from bot.tables import Contact, DataKey, new_id
from bot.transcripts import messages_of
from tests.people import make_inbox, write
from tests.shell import Shell, shell_on

Sessions = sessionmaker[Session]


def quietly(_done: int, _total: int) -> None:
    """No progress."""


@pytest.fixture
def file(tmp_path: Path, master_key: str) -> Path:
    path = tmp_path / "master-key"
    path.write_text(f"{master_key}\n", encoding="utf-8")
    return path


@pytest.fixture
def process(database_url: str, file: Path) -> Iterator[Callable[[], Sessions]]:
    """Makes the sessions of one more process: a keyring of its own over the same key file."""
    engines = []

    def start() -> Sessions:
        engines.append(make_engine(database_url, pool_size=2))
        return make_sessions(engines[-1], keyring_from(file.read_text(encoding="utf-8"), file))

    yield start
    for engine in engines:
        engine.dispose()


@pytest.fixture
def shell(settings: Settings, file: Path) -> Shell:
    return shell_on(settings, FRONTDESK_MASTER_KEY="", FRONTDESK_MASTER_KEY_FILE=str(file))


def ada(sessions: Sessions, name: str = "Ada") -> Contact:
    with sessions.begin() as session:
        contact = Contact(id=new_id())
        contact.name = name
        session.add(contact)
        return contact


def name_of(sessions: Sessions, contact: Contact) -> str:
    with sessions() as session:
        return session.get_one(Contact, contact.id).name


def masters(sessions: Sessions) -> dict[str, int]:
    with sessions() as session:
        query = select(DataKey.master_id, func.count()).group_by(DataKey.master_id)
        return {row[0]: row[1] for row in session.execute(query)}


def test_a_rotation_wraps_every_data_key_anew_and_stops_nobody(
    process: Callable[[], Sessions], file: Path
) -> None:
    running, other = process(), process()
    contacts = [ada(running, f"Ada {number}") for number in range(7)]
    added = keys.add_master_key(file)
    assert keys.rewrap_data_keys(other, file, quietly) == 7
    assert masters(running) == {added.id: 7}
    keyring_of(running()).forget()  # as its cache does by itself after a few minutes
    assert [name_of(running, contact) for contact in contacts] == [f"Ada {n}" for n in range(7)]


def test_a_process_that_started_before_makes_its_next_data_key_under_the_new_master(
    process: Callable[[], Sessions], file: Path
) -> None:
    running = process()
    ada(running)
    added = keys.add_master_key(file)
    ada(running)
    assert masters(running)[added.id] == 1


def test_nothing_is_sealed_by_a_retired_master_key_even_when_a_key_is_made_meanwhile(
    process: Callable[[], Sessions], file: Path
) -> None:
    running, operator = process(), process()
    keys.add_master_key(file)
    with running() as slow:
        contact = Contact(id=new_id())
        contact.name = "Ada"
        slow.add(contact)
        slow.flush()  # her key is wrapped, and not committed yet
        retiring = threading.Thread(target=keys.retire_master_keys, args=(operator, file))
        retiring.start()
        wait_for_a_waiting_lock(operator)
        assert len(file.read_text(encoding="utf-8").split()) == 2, "it waits for the commit"
        slow.commit()
    retiring.join(timeout=30)
    (only,) = MasterKey.parse_all(file.read_text(encoding="utf-8"))
    assert masters(operator) == {only.id: 1}
    assert name_of(process(), contact) == "Ada"


def wait_for_a_waiting_lock(sessions: Sessions) -> None:
    query = text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
    for _ in range(1000):
        with sessions() as session:
            if session.scalar(query):
                return
        threading.Event().wait(0.01)
    raise AssertionError("nobody waits for the lock")


def test_after_retiring_the_old_master_key_opens_nothing(
    process: Callable[[], Sessions], file: Path, master_key: str, database_url: str
) -> None:
    running = process()
    contact = ada(running)
    keys.add_master_key(file)
    keys.rewrap_data_keys(running, file, quietly)
    assert keys.retire_master_keys(running, file) == 1
    assert name_of(process(), contact) == "Ada"
    engine = make_engine(database_url, pool_size=1)
    with pytest.raises(SealingError, match="not among the keys given"):
        name_of(make_sessions(engine, keyring_from(master_key)), contact)
    engine.dispose()


def test_a_key_that_cannot_be_wrapped_anew_keeps_everything_as_it_was(
    process: Callable[[], Sessions], file: Path
) -> None:
    running = process()
    ada(running)
    with running.begin() as session:
        session.execute(text("update vault.data_key set master_id = 'somebody elses'"))
    keys.add_master_key(file)
    before = file.read_text(encoding="utf-8")
    with pytest.raises(SealingError, match="not among the keys given"):
        keys.retire_master_keys(running, file)
    assert file.read_text(encoding="utf-8") == before


def test_an_interrupted_rotation_goes_on_where_it_stopped(
    process: Callable[[], Sessions], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = process()
    for number in range(5):
        ada(running, f"Ada {number}")
    added = keys.add_master_key(file)
    monkeypatch.setattr(keys, "BATCH", 2)

    def interrupt(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keys.rewrap_data_keys(running, file, interrupt)
    assert masters(running)[added.id] == 2
    assert keys.rewrap_data_keys(running, file, quietly) == 3
    assert masters(running) == {added.id: 5}


def test_a_contacts_new_data_key_seals_what_comes_and_opens_what_was(
    process: Callable[[], Sessions],
) -> None:
    running = process()
    with running.begin() as session:
        inbox = make_inbox(session)
        first = write(session, inbox, "Before")
    with running.begin() as session:
        scope = session.scalars(select(DataKey.scope).where(DataKey.scope.contains("-"))).one()
        assert keys.renew_data_key(session, scope) == 2
    keyring_of(running()).forget()
    with running.begin() as session:
        write(session, inbox, "After")
    with running() as session:
        seen = messages_of(session, first.conversation_id)
        assert [message.text for message in seen] == ["Before", "After"]
        used = session.execute(
            text("select distinct substring(text_sealed from 2 for 16) from message")
        )
        assert len(used.all()) == 2


def test_an_erased_contact_gets_no_new_key(process: Callable[[], Sessions]) -> None:
    with process().begin() as session, pytest.raises(KeysError, match="erased"):
        keys.renew_data_key(session, str(new_id()))


def test_a_start_with_an_older_key_in_the_environment_drops_no_newer_one(
    file: Path, master_key: str
) -> None:
    added = keys.add_master_key(file)
    keys.hold_master_keys(file, master_key)
    assert [key.id for key in MasterKey.parse_all(file.read_text(encoding="utf-8"))] == [
        *(added.id, MasterKey.parse(master_key).id),
    ]
    keys.hold_master_keys(file, MasterKey.generate())
    assert len(file.read_text(encoding="utf-8").split()) == 3


# -- the command -----------------------------------------------------------------------------


def test_new_prints_a_key_that_can_be_used() -> None:
    (first,), (second,) = (Shell().run("keys", "new").out.split() for _ in range(2))
    assert MasterKey.parse(first).id != MasterKey.parse(second).id


def test_an_operator_rotates_lists_and_retires(
    shell: Shell, process: Callable[[], Sessions], file: Path, master_key: str
) -> None:
    ada(process())
    old = MasterKey.parse(master_key).id
    assert "1 data key(s) wrapped anew" in shell.run("keys", "rotate").out
    new = MasterKey.parse_all(file.read_text(encoding="utf-8"))[0].id
    assert shell.run("keys", "list").out.splitlines() == [
        f"{new}  active   wraps 2 data key(s)",  # Ada's, and that of the audit log's hashes
        f"{old}  old      wraps 0 data key(s)",
    ]
    assert shell.run("keys", "retire").status == 0
    assert len(file.read_text(encoding="utf-8").split()) == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_command_prints_a_key_that_is_in_use(
    shell: Shell, process: Callable[[], Sessions], file: Path
) -> None:
    ada(process())
    said = [shell.run("keys", action) for action in ("rotate", "rewrap", "list", "retire")]
    for line in file.read_text(encoding="utf-8").split():
        assert all(line not in finished.out + finished.err for finished in said)


def test_a_missing_master_key_is_named_by_its_id(
    shell: Shell, process: Callable[[], Sessions], file: Path, master_key: str
) -> None:
    ada(process())
    file.write_text(MasterKey.generate(), encoding="utf-8")
    out = shell.run("keys", "list").out
    assert f"{MasterKey.parse(master_key).id}  MISSING  wraps 1 data key(s)" in out


def test_a_key_that_no_process_could_read_anew_is_not_rotated(settings: Settings) -> None:
    finished = shell_on(settings).run("keys", "rotate")
    assert finished.status == 2
    assert "FRONTDESK_MASTER_KEY_FILE" in finished.err


def test_the_system_and_a_contact_can_have_a_new_data_key(
    shell: Shell, process: Callable[[], Sessions]
) -> None:
    with process().begin() as session:
        write(session, make_inbox(session), "Hello")
    assert "generation 2" in shell.run("keys", "renew", "1").out
    assert shell.run("keys", "renew", "99").status == 1
