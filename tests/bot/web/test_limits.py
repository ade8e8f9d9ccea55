"""Token buckets, and whose they are."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from bot.web.limits import Buckets, Rate, client_address


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_burst_passes_and_then_one_at_a_time() -> None:
    clock = Clock()
    buckets = Buckets(Rate(burst=3, per_second=0.5), clock)
    assert [buckets.take("ada") for _ in range(4)] == [0.0, 0.0, 0.0, 2.0]
    clock.seconds = 1.0
    assert buckets.take("ada") == 1.0
    clock.seconds = 2.0
    assert buckets.take("ada") == 0.0
    assert buckets.take("cyd") == 0.0


def test_a_long_rest_gives_no_more_than_the_burst() -> None:
    clock = Clock()
    buckets = Buckets(Rate(burst=2, per_second=1.0), clock)
    buckets.take("ada")
    clock.seconds = 1000.0
    assert [buckets.take("ada") > 0 for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # hearsay
        ("127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("::1", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "", None),
        ("127.0.0.1", "unknown", None),
        ("127.0.0.1", "198.51.100.1,", None),
    ],
)
def test_only_a_proxy_on_this_machine_is_believed(
    peer: str, forwarded: str, address: str | None
) -> None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)
    assert client_address(request) == address
