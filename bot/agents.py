"""The people of the staff, by name."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.tables import Agent, new_id

MAX_NAME_CHARS = 80


class AgentError(Exception):
    """There is no such person, or the name cannot be one; the message says which."""


def find_or_add_agent(session: Session, name: str) -> UUID:
    """The id of the person of that name, who joins the staff with the first use."""
    name = checked_name(name)
    session.execute(insert(Agent).values(id=new_id(), name=name).on_conflict_do_nothing())
    return find_agent(session, name)


def find_agent(session: Session, name: str) -> UUID:
    """The id of a person of the staff. Raises AgentError, naming those there are."""
    found = session.scalar(select(Agent.id).where(Agent.name == name.strip()))
    if found is None:
        names = ", ".join(session.scalars(select(Agent.name).order_by(Agent.name).limit(20)))
        raise AgentError(f"Nobody of the staff is called {name!r}; there are: {names or 'none'}.")
    return found


def checked_name(name: str) -> str:
    """The name as it is kept. Raises AgentError."""
    name = name.strip()
    if not name or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise AgentError(f"A name has 1 to {MAX_NAME_CHARS} printable characters.")
    return name
