"""What the language model's tokens cost, as an operator sets it."""

from __future__ import annotations

import pytest

from bot.settings import Settings, SettingsError


def test_prices_are_read_and_cached_tokens_cost_their_own() -> None:
    prices = Settings.from_env({"FRONTDESK_TOKEN_PRICES": "EUR 0.20 0.05 0.60"}).token_prices
    assert prices is not None
    assert prices.currency == "EUR"
    assert prices.cost(2_000_000, 1_000_000, 500_000) == pytest.approx(0.20 + 0.05 + 0.30)


def test_without_prices_nothing_has_a_cost() -> None:
    assert Settings.from_env({}).token_prices is None


@pytest.mark.parametrize("value", ["0.2 0.1 0.4", "EUR 1 2", "EUR a b c", "EUR -1 0 0"])
def test_prices_that_cannot_be_read_are_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="FRONTDESK_TOKEN_PRICES"):
        Settings.from_env({"FRONTDESK_TOKEN_PRICES": value})
