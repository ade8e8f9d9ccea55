"""The Channel port: how a message comes in from, and goes back out to, one kind of place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from aiohttp import web

from bot.conversations import Recorded
from bot.messages import IncomingMessage, Reply

Receive = Callable[[IncomingMessage], Awaitable[Recorded]]
"""Records a message and commits; only after it returned may a channel acknowledge."""


class DeliveryError(Exception):
    """A reply was not delivered. `permanent` means that trying again cannot help."""

    def __init__(
        self, message: str, *, permanent: bool, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after_s = retry_after_s


class Channel(Protocol):
    """One folder below `channels/`; built in `bot.app`, and nowhere else."""

    def routes(self, receive: Receive) -> Sequence[web.AbstractRouteDef]:
        """The channel's HTTP routes in the web process; may be empty."""
        ...

    async def listen(self, receive: Receive) -> None:
        """Fetch or await messages in the channels process; may return at once."""
        ...

    async def send(self, reply: Reply) -> str:
        """Deliver a reply; returns the channel's id of it. Raises DeliveryError."""
        ...

    async def revise(self, external_id: str, reply: Reply) -> None:
        """Replace a growing reply where the channel can. Raises DeliveryError."""
        ...
