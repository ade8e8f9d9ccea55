"""People of the staff who are signed in: what the dashboard's tests stand on."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from bot.dashboard.accounts import open_account
from bot.dashboard.door import COOKIE, CSRF_HEADER
from bot.dashboard.sessions import Visit, csrf_token, open_session
from bot.tables import Role


@dataclass(frozen=True)
class SignedInDesk:
    """A signed-in browser: `headers` let it read, and write from a page at `origin`."""

    agent_id: UUID
    account_id: UUID
    session_id: UUID
    name: str
    token: str
    csrf: str

    def headers(self, origin: str) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={self.token}", CSRF_HEADER: self.csrf, "Origin": origin}


def sign_in(
    sessions: sessionmaker[Session], name: str = "Bea", role: Role = "agent", password: str = ""
) -> SignedInDesk:
    """A new member of the staff with a session in force; `password` is an argon2id hash."""
    with sessions.begin() as session:
        account = open_account(session, name, f"{name.lower()}@larkspur.example", role)
        account.password_hash = password or None
        opened = open_session(session, account.id, "password", Visit("a test", "192.0.2.7"))
        csrf = csrf_token(session, opened.session_id)
        return SignedInDesk(
            account.agent_id, account.id, opened.session_id, name, opened.token, csrf
        )
