"""Calls of Slack's Web API through slack_sdk, with each failure told as permanent or not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.channel import DeliveryError
from channels.slack.accounts import Account

CALL_SECONDS = 10
DEFAULT_RETRY_AFTER_S = 30.0
# The message itself cannot go there. Whatever an operator can mend (a token, a scope, the bot's
# membership of a channel) is tried again, so that mending it is enough.
PERMANENT_ERRORS = frozenset(
    {
        "cannot_reply_to_message",
        "cant_update_message",
        "channel_not_found",
        "edit_window_closed",
        "invalid_blocks",
        "invalid_blocks_format",
        "is_archived",
        "message_not_found",
        "messages_tab_disabled",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "restricted_action",
        "user_disabled",
        "user_not_found",
    }
)

Call = Callable[..., Awaitable[AsyncSlackResponse]]


class WebApi:
    """One process's calls. After a 429 a method rests for as long as Slack asked, per account."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._rests_until: dict[tuple[str, str], float] = {}

    def use(self, session: aiohttp.ClientSession | None) -> None:
        """Keep connections open in this session; without one, each call opens its own."""
        self._session = session

    async def call(self, account: Account, method: str, **arguments: Any) -> dict[str, Any]:
        """Call a method, `chat.postMessage` for instance, with slack_sdk's arguments of it.

        Returns its response. Raises DeliveryError.
        """
        if account.bot_token is None:
            raise DeliveryError(
                "No bot token can be read; see `frontdesk doctor`.", permanent=False
            )
        self._check_rest(account, method)
        client = AsyncWebClient(
            account.bot_token,
            base_url=account.api_base_url,
            timeout=CALL_SECONDS,
            session=self._session,
            retry_handlers=[],  # delivery retries, in one place, and reconciles first
        )
        ask: Call = getattr(client, method.replace(".", "_"))
        try:
            async with asyncio.timeout(CALL_SECONDS):
                response = await ask(**arguments)
        except SlackApiError as error:
            raise self._told(account, method, error) from error
        except (SlackClientError, aiohttp.ClientError, AttributeError, OSError) as error:
            # AttributeError: slack_sdk's for an answer of 200 that is plain text.
            raise DeliveryError(f"{method}: {type(error).__name__}", permanent=False) from error
        data = response.data
        if not isinstance(data, dict):
            raise DeliveryError(f"{method}: no JSON came back", permanent=False)
        return data

    def _check_rest(self, account: Account, method: str) -> None:
        rest_s = self._rests_until.get((account.name, method), 0.0) - time.monotonic()
        if rest_s > 0:
            raise DeliveryError(f"{method}: rate_limited", permanent=False, retry_after_s=rest_s)

    def _told(self, account: Account, method: str, error: SlackApiError) -> DeliveryError:
        response = error.response
        if isinstance(response, AsyncSlackResponse):
            status, data, headers = response.status_code, response.data, response.headers
        else:  # what was no JSON at all
            return DeliveryError(f"{method}: an answer that is not Slack's", permanent=False)
        code = str(data.get("error", status)) if isinstance(data, dict) else str(status)
        if status == 429 or code in ("ratelimited", "rate_limited"):
            wait_s = retry_after(headers)
            self._rests_until[account.name, method] = time.monotonic() + wait_s
            return DeliveryError(f"{method}: {code}", permanent=False, retry_after_s=wait_s)
        return DeliveryError(f"{method}: {code}", permanent=code in PERMANENT_ERRORS)


def retry_after(headers: Any) -> float:
    """Seconds that a 429 asks to wait (RFC 9110 section 10.2.3, in its form of seconds)."""
    found = {str(name).lower(): str(value) for name, value in dict(headers).items()}
    text = found.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else DEFAULT_RETRY_AFTER_S
