"""Accounts of the staff: who may log in, by which address, with which role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.agents import find_or_add_agent
from bot.conversations import keyed_hash
from bot.tables import Account, Agent, Role, new_id, now

MAX_EMAIL_CHARS = 254


class AccountError(Exception):
    """The account cannot be made or changed so; the message says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """An account with its agent's name, as lists show it."""

    account_id: UUID
    agent_id: UUID
    name: str
    email: str
    role: Role
    has_password: bool
    has_totp: bool
    created_at: datetime


def normal_email(text: str) -> str:
    """The form under which an address is looked up. Raises AccountError."""
    email = text.strip().casefold()
    local, _, domain = email.rpartition("@")
    is_plain = email.isprintable() and not any(character.isspace() for character in email)
    if not local or "." not in domain.strip(".") or not is_plain or len(email) > MAX_EMAIL_CHARS:
        raise AccountError("That is no e-mail address.")
    return email


def email_hash(session: Session, email: str) -> bytes:
    """What an address is found by; `email` is normal."""
    return keyed_hash(session, "staff-email", email)


def find_account(session: Session, email: str) -> Account | None:
    """The account of a normal address, if it is in force."""
    query = select(Account).where(
        Account.email_hash == email_hash(session, email), Account.removed_at.is_(None)
    )
    return session.scalars(query).one_or_none()


def open_account(session: Session, name: str, email: str, role: Role) -> Account:
    """An account for the agent of that name, who joins the staff if need be.

    A removed account of that agent is in force again, without its old password and codes.
    Raises AccountError when name or address belong to another account; AgentError for the name.
    """
    email = normal_email(email)
    agent_id = find_or_add_agent(session, name)
    own = session.scalars(select(Account).where(Account.agent_id == agent_id)).one_or_none()
    if own is not None and own.removed_at is None:
        raise AccountError(f"{name} has an account already.")
    _free_email(session, email, own)
    account = own or Account(id=new_id(), agent_id=agent_id)
    account.role = role
    account.email_hash = email_hash(session, email)
    account.email = email
    account.password_hash, account.removed_at = None, None
    account.totp_sealed, account.totp_since = None, None
    session.add(account)
    session.flush()
    return account


def list_members(session: Session) -> list[Member]:
    """Everybody with an account, by name."""
    query = (
        select(Account, Agent.name)
        .join(Agent, Agent.id == Account.agent_id)
        .where(Account.removed_at.is_(None))
        .order_by(Agent.name)
    )
    return [_member(account, name) for account, name in session.execute(query)]


def has_admin(session: Session) -> bool:
    """True once somebody can administer this desk."""
    return _admins(session) > 0


def change_role(session: Session, account: Account, role: Role) -> None:
    """Raises AccountError rather than leave nobody who can administer."""
    if account.role == "admin" and role != "admin":
        _keep_an_admin(session)
    account.role = role
    session.flush()


def remove_account(session: Session, account: Account) -> None:
    """They cannot log in any more; what they wrote keeps their name. Raises AccountError."""
    if account.role == "admin":
        _keep_an_admin(session)
    account.removed_at = now()
    account.password_hash = None
    account.totp_sealed, account.totp_since = None, None
    session.flush()


def _keep_an_admin(session: Session) -> None:
    # Locked, so that two admins who remove each other at once do not both succeed.
    query = select(Account).where(Account.role == "admin", Account.removed_at.is_(None))
    if len(session.scalars(query.order_by(Account.id).with_for_update()).all()) < 2:
        raise AccountError("The last admin stays: make somebody else an admin first.")


def _admins(session: Session) -> int:
    query = select(func.count()).select_from(Account)
    return session.scalar(query.where(Account.role == "admin", Account.removed_at.is_(None))) or 0


def _free_email(session: Session, email: str, own: Account | None) -> None:
    """The address may be taken: from nobody, from this account, or from a removed one."""
    query = select(Account).where(Account.email_hash == email_hash(session, email))
    holder = session.scalars(query).one_or_none()
    if holder is None or holder is own:
        return
    if holder.removed_at is None:
        raise AccountError("That e-mail address belongs to another account.")
    holder.email_hash = email_hash(session, f"removed|{holder.id}")
    session.flush()


def _member(account: Account, name: str) -> Member:
    return Member(
        account_id=account.id,
        agent_id=account.agent_id,
        name=name,
        email=account.email,
        role=account.role,
        has_password=account.password_hash is not None,
        has_totp=account.totp_since is not None,
        created_at=account.created_at,
    )
