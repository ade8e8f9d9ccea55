"""What a request's address names: an id, or a conversation by its number."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web
from sqlalchemy.orm import Session

from bot import transcripts
from bot.web.refusals import Refusal


def uuid_of(request: web.Request, name: str) -> UUID:
    """An id in the address. Raises a 404 Refusal."""
    try:
        return UUID(request.match_info[name])
    except ValueError as error:
        raise Refusal(404, "not_found", "There is nothing with this id.") from error


def number_of(request: web.Request) -> int:
    """The conversation's number in the address. Raises a 404 Refusal."""
    text = request.match_info["number"]
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise Refusal(404, "not_found", "A conversation has a number.")
    return int(text)


def find(session: Session, number: int) -> UUID:
    """The id behind the number that people say. Raises a 404 Refusal."""
    found = transcripts.find_by_number(session, number)
    if found is None:
        raise Refusal(404, "not_found", f"There is no conversation {number}.")
    return found
