"""What a mail server is shown to let Frontdesk in: a password, or an OAuth2 access token."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from uuid import UUID

import aiohttp

from channels.email.mailboxes import Mailbox, MailboxError

RENEW_BEFORE_S = 120.0
ANSWERS_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to log in at one server, now."""

    user: str
    secret: str
    is_token: bool


@dataclass(slots=True)
class Logins:
    """Credentials of mailboxes; access tokens are renewed shortly before they end (RFC 6749)."""

    _tokens: dict[UUID, tuple[float, str, str]] = field(default_factory=dict)

    async def credentials(self, mailbox: Mailbox) -> Credentials | None:
        """What to show; None where no log-in is needed. Raises MailboxError, OSError."""
        login = mailbox.setting.login
        if login.kind == "none":
            return None
        user = login.user or mailbox.setting.address
        if login.kind == "password" or not login.token_url:
            return Credentials(user, mailbox.secrets.password, login.kind == "oauth2")
        return Credentials(user, await self._access_token(mailbox), True)

    def forget(self, mailbox: Mailbox) -> None:
        """The server refused the token: ask for a new one next time."""
        self._tokens.pop(mailbox.inbox_id, None)

    async def _access_token(self, mailbox: Mailbox) -> str:
        until, refresh_token, token = self._tokens.get(mailbox.inbox_id, (0.0, "", ""))
        if until > time.monotonic() and refresh_token == mailbox.secrets.refresh_token:
            return token
        token, lives_s = await _renew(mailbox)
        until = time.monotonic() + max(lives_s - RENEW_BEFORE_S, 0.0)
        self._tokens[mailbox.inbox_id] = (until, mailbox.secrets.refresh_token, token)
        return token


async def _renew(mailbox: Mailbox) -> tuple[str, float]:
    """A new access token and the seconds that it lives (RFC 6749 section 6)."""
    login = mailbox.setting.login
    asked = {
        "grant_type": "refresh_token",
        "refresh_token": mailbox.secrets.refresh_token,
        "client_id": login.client_id or "",
    }
    if mailbox.secrets.client_secret:
        asked["client_secret"] = mailbox.secrets.client_secret
    if login.scope:
        asked["scope"] = login.scope
    timeout = aiohttp.ClientTimeout(total=ANSWERS_WITHIN_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as client,
            client.post(login.token_url or "", data=asked, allow_redirects=False) as response,
        ):
            answer = await response.json(content_type=None)
    except (aiohttp.ClientError, ValueError) as error:
        raise OSError(f"The token server does not answer: {type(error).__name__}") from error
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if response.status != 200 or not isinstance(token, str):
        code = answer.get("error", "") if isinstance(answer, dict) else ""
        raise MailboxError(f"The token server refused the refresh token ({response.status} {code})")
    lives = answer.get("expires_in")
    return token, float(lives) if isinstance(lives, int | float) else 3600.0
