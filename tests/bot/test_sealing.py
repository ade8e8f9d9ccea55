"""Sealed columns: what is stored, what opens, what refuses."""

from __future__ import annotations

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from bot.sealing import KEY_BYTES, MasterKey, SealingError, keyring_of
from bot.tables import Contact, new_id


def test_a_sealed_column_reads_back_and_stores_no_plain_text(session: Session) -> None:
    ada = Contact(id=new_id())
    ada.name = "Ada Lovelace"
    session.add(ada)
    session.commit()
    session.expire_all()
    assert session.get_one(Contact, ada.id).name == "Ada Lovelace"
    stored = session.execute(text("select name_sealed from contact")).scalar_one()
    assert b"Ada" not in stored


def test_ciphertext_moved_to_another_row_does_not_open(session: Session) -> None:
    ada, cyd = Contact(id=new_id()), Contact(id=new_id())
    ada.name, cyd.name = "Ada", "Cyd"
    session.add_all([ada, cyd])
    session.commit()
    session.execute(update(Contact).where(Contact.id == cyd.id).values(name_sealed=ada.name_sealed))
    session.commit()
    session.expire_all()
    with pytest.raises(SealingError, match="altered or moved"):
        _ = session.get_one(Contact, cyd.id).name


def test_plain_text_cannot_reach_a_sealed_column(session: Session) -> None:
    with pytest.raises(StatementError, match="unsealed"):
        session.execute(update(Contact).values(name_sealed=b"Ada Lovelace, in the clear"))
    session.rollback()


def test_a_row_without_an_id_is_not_sealed_under_none(session: Session) -> None:
    contact = Contact()
    contact.name = "Ada"
    session.add(contact)
    with pytest.raises(SealingError, match="contact needs its id"):
        session.flush()


def test_every_contact_has_a_key_of_its_own(session: Session) -> None:
    names = {}
    for name in ("Ada", "Cyd"):
        contact = Contact(id=new_id())
        contact.name = name
        session.add(contact)
        session.flush()
        assert contact.name_sealed is not None
        names[name] = contact.name_sealed[1:17]
    assert names["Ada"] != names["Cyd"]


def test_a_key_of_a_rolled_back_transaction_seals_nothing_afterwards(session: Session) -> None:
    scope = str(new_id())
    keyring = keyring_of(session)
    keyring.seal(session, scope, "contact|1|name", b"lost")
    session.rollback()
    envelope = keyring.seal(session, scope, "contact|1|name", b"kept")
    session.commit()
    keyring.forget()
    assert keyring.open(session, "contact|1|name", envelope) == b"kept"


def test_a_keyed_hash_is_equal_for_equal_values_and_purposes_only(session: Session) -> None:
    keyring = keyring_of(session)
    ada = keyring.keyed_hash(session, "address", "ada@example.com")
    assert ada == keyring.keyed_hash(session, "address", "ada@example.com")
    assert ada != keyring.keyed_hash(session, "thread", "ada@example.com")
    assert ada != keyring.keyed_hash(session, "address", "cyd@example.com")


@pytest.mark.parametrize("weak", ["", "secret", "A" * 43, "not base64 at all!"])
def test_a_weak_master_key_is_refused(weak: str) -> None:
    with pytest.raises(SealingError):
        MasterKey.parse(weak)


def test_a_generated_master_key_is_accepted() -> None:
    assert len(MasterKey.parse(MasterKey.generate()).key) == KEY_BYTES
