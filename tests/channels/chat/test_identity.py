"""Signed identities fail closed."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from bot.tables import VisitorSession
from channels.chat.identity import IdentityRefused, make_secret, sign, verify
from channels.chat.payloads import SignedIdentity
from tests.channels.chat.browser import Browser
from tests.served import Client

NOW = 1_800_000_000.0


def identity(secret: str, name: str = "Ada", expires: float = NOW + 600) -> SignedIdentity:
    signature = sign(secret, "customer-42", name, int(expires))
    return SignedIdentity(id="customer-42", name=name, expires=int(expires), signature=signature)


def test_what_the_shop_signed_is_believed() -> None:
    assert verify("secret", identity("secret"), NOW).id == "customer-42"


@pytest.mark.parametrize("secret", [None, "", "another"])
def test_no_secret_or_another_one_is_refused(secret: str | None) -> None:
    with pytest.raises(IdentityRefused):
        verify(secret, identity("secret"), NOW)


@pytest.mark.parametrize("expires", [NOW, NOW - 1, NOW + 24 * 3600 + 1])
def test_an_old_signature_and_one_for_too_long_are_refused(expires: float) -> None:
    with pytest.raises(IdentityRefused, match="expired"):
        verify("secret", identity("secret", expires=expires), NOW)


@given(st.sampled_from(["id", "name", "expires"]), st.text("abc0123456789", min_size=1))
def test_a_signature_holds_for_nothing_else(field: str, other: str) -> None:
    signed = identity("secret")
    changed = int(NOW) + 601 + len(other) if field == "expires" else f"x{other}"
    with pytest.raises(IdentityRefused):
        verify("secret", signed.model_copy(update={field: changed}), NOW)


async def test_a_customer_sees_the_same_conversation_on_every_device(
    client: Client, inbox: str, inbox_id: UUID, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        secret = make_secret(session, inbox_id)
    body = {"identity": identity(secret, expires=time.time() + 600).model_dump()}
    phone = await Browser.visit(client, inbox, body)
    async with await phone.send("From the phone") as response:
        assert response.status == 201
    desktop = await Browser.visit(client, inbox, body)
    assert [m["text"] for m in (await desktop.history())["messages"]] == ["From the phone"]
    stranger = await Browser.visit(client, inbox)
    assert (await stranger.history())["messages"] == []
    with sessions() as session:
        for row in session.query(VisitorSession):
            assert b"customer-42" not in (row.customer_sealed or b"")


async def test_a_claimed_identity_never_becomes_an_anonymous_visitor(
    client: Client, inbox: str
) -> None:
    body = {"identity": identity("guessed", expires=time.time() + 600).model_dump()}
    async with client.post(f"/chat/{inbox}/session", json=body) as response:
        assert response.status == 403
        assert "token" not in await response.json()
