"""Hostile input at the chat's edge: parsing never crashes."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.messages import IncomingMessage
from channels.chat.payloads import NewMessage, PersonWanted
from channels.chat.reading import Position
from channels.chat.visitor import Customer, Visitor, parse

ID = UUID(int=1)


def visitor(customer: Customer | None = None) -> Visitor:
    return Visitor(ID, ID, "reference", b"hash", customer)


@given(st.binary())
def test_any_bytes_are_a_message_or_are_refused(raw: bytes) -> None:
    try:
        payload = NewMessage.model_validate_json(raw)
    except ValidationError:
        return
    assert isinstance(parse(visitor(), payload), IncomingMessage)


@given(st.text(max_size=200))
def test_the_text_reaches_the_record_unchanged(text: str) -> None:
    parsed = parse(visitor(), NewMessage(client_id="client-00", text=text))
    assert parsed.text == text
    assert not parsed.wants_person
    assert parse(visitor(), PersonWanted(client_id="client-00")).wants_person


def test_a_customers_id_stands_in_no_plain_column() -> None:
    parsed = parse(visitor(Customer("ada@example.org", "Ada")), PersonWanted(client_id="client-00"))
    assert "ada" not in f"{parsed.external_id} {parsed.thread}"
    assert parsed.contact == "customer:ada@example.org"
    assert parsed.contact_name == "Ada"


@given(st.text(max_size=60))
def test_any_last_event_id_is_a_position(text: str) -> None:
    position = Position.parse(text)
    assert Position.parse(str(position)) == position


def test_positions_are_ordered_by_conversation_and_then_by_seq() -> None:
    assert Position.parse("2.1") > Position.parse("1.9") > Position.parse("1.2")
    assert Position.parse("3.x") == Position()
