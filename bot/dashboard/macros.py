"""Macros: texts that the staff writes often, filled in for the conversation at hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aiohttp import web
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import desk_payloads as payloads
from bot.dashboard.signed_in import signed_in
from bot.privacy.audit import note
from bot.tables import Contact, Conversation, Inbox, Macro
from bot.web.addressed import find, number_of, uuid_of
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 128 * 1024
_PLACEHOLDER = re.compile(r"\{(contact|contact_first|agent|number|company)(?:\|([^{}|]*))?\}")


class Macros:
    """The endpoints. Everybody uses macros; supervisors write them."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/desk/api/macros", self.list),
            web.post("/desk/api/macros", self.add),
            web.put("/desk/api/macros/{macro}", self.change),
            web.delete("/desk/api/macros/{macro}", self.delete),
            web.get("/desk/api/conversations/{number}/macros/{macro}", self.fill),
        ]

    @access("staff")
    async def list(self, _request: web.Request) -> web.Response:
        """All macros, by name."""
        async with self._sessions() as session:
            found = (await session.scalars(select(Macro).order_by(Macro.name))).all()
        return answer_with(payloads.Macros(items=[_view(macro) for macro in found]))

    @access("supervisor")
    async def add(self, request: web.Request) -> web.Response:
        """A new macro."""
        asked = await read_json(request, payloads.MacroIn, MAX_BODY_BYTES)
        macro, actor = Macro(name=asked.name.strip(), text=asked.text), signed_in(request).actor
        try:
            async with self._sessions.begin() as session:
                session.add(macro)
                await session.flush()
                await session.run_sync(note, actor, "macro.add", str(macro.id))
        except IntegrityError as error:
            raise _taken(asked.name) from error
        return answer_with(_view(macro), 201)

    @access("supervisor")
    async def change(self, request: web.Request) -> web.Response:
        """Another name or text."""
        asked = await read_json(request, payloads.MacroIn, MAX_BODY_BYTES)
        macro_id, actor = uuid_of(request, "macro"), signed_in(request).actor
        try:
            async with self._sessions.begin() as session:
                macro = await session.get(Macro, macro_id)
                if macro is None:
                    raise _nothing()
                macro.name, macro.text = asked.name.strip(), asked.text
                await session.flush()
                await session.run_sync(note, actor, "macro.change", str(macro_id))
        except IntegrityError as error:
            raise _taken(asked.name) from error
        return answer_with(_view(macro))

    @access("supervisor")
    async def delete(self, request: web.Request) -> web.Response:
        """Gone; what was written with it stays."""
        macro_id, actor = uuid_of(request, "macro"), signed_in(request).actor
        async with self._sessions.begin() as session:
            await session.execute(delete(Macro).where(Macro.id == macro_id))
            await session.run_sync(note, actor, "macro.delete", str(macro_id))
        return web.Response(status=204)

    @access("staff")
    async def fill(self, request: web.Request) -> web.Response:
        """A macro's text for this conversation."""
        number, macro_id = number_of(request), uuid_of(request, "macro")
        agent = signed_in(request).name

        def read(session: Session) -> str:
            macro = session.get(Macro, macro_id)
            if macro is None:
                raise _nothing()
            return fill_in(macro.text, _values(session, number, agent))

        async with self._sessions() as session:
            text = await session.run_sync(read)
        return answer_with(payloads.Filled(text=text))


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """Replace `{contact}`, `{contact_first}`, `{agent}`, `{number}` and `{company}`.

    What has no value becomes what stands after a bar, `{contact|there}`, else nothing. What a
    value brings is never read as a placeholder again.
    """
    return _PLACEHOLDER.sub(lambda found: values.get(found[1]) or found[2] or "", text)


def _values(session: Session, number: int, agent: str) -> dict[str, str]:
    conversation = session.get_one(Conversation, find(session, number))
    contact = session.get_one(Contact, conversation.contact_id)
    if contact.merged_into_id is not None:
        contact = session.get_one(Contact, contact.merged_into_id)
    inbox = session.get_one(Inbox, conversation.inbox_id)
    return {
        "contact": contact.name,
        "contact_first": contact.name.split()[0] if contact.name else "",
        "agent": agent,
        "number": str(number),
        "company": inbox.company or inbox.name,
    }


def _view(macro: Macro) -> payloads.Macro:
    return payloads.Macro(id=str(macro.id), name=macro.name, text=macro.text)


def _taken(name: str) -> Refusal:
    return Refusal(409, "conflict", f"There is a macro called {name!r} already.")


def _nothing() -> Refusal:
    return Refusal(404, "not_found", "There is no such macro; it may have been deleted.")
