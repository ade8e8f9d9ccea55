"""Contacts: who somebody is, what they wrote before, block them, merge two that are one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot import conversations
from bot.conversations import ConversationError
from bot.dashboard import desk_payloads as payloads
from bot.dashboard.changes import Changes
from bot.dashboard.rows import names_of, read_rows, row_query
from bot.dashboard.signed_in import signed_in
from bot.events import Advance
from bot.privacy.audit import note
from bot.tables import Contact, ContactIdentity, Conversation, Inbox
from bot.web.addressed import uuid_of
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 4096
EARLIER = 20
FOUND = 8
ONE = "/desk/api/contacts/{contact}"


class Contacts:
    """The endpoints."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], changes: Changes) -> None:
        self._sessions = sessions
        self._changes = changes

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/desk/api/contacts", self.search),
            web.get(ONE, self.read),
            web.put(f"{ONE}/name", self.rename),
            web.post(f"{ONE}/block", self.block),
            web.post(f"{ONE}/unblock", self.unblock),
            web.post(f"{ONE}/merge", self.merge),
            web.post(f"{ONE}/part", self.part),
        ]

    @access("staff")
    async def search(self, request: web.Request) -> web.Response:
        """Contacts whose name or addresses hold all the words."""
        asked = request.query.get("q", "").strip()[:200]

        def read(session: Session) -> payloads.Contacts:
            found = conversations.contacts_with(session, asked, limit=3 * FOUND) if asked else ()
            roots = dict.fromkeys(conversations.family_of(session, each)[0] for each in found)
            return payloads.Contacts(
                items=[read_contact(session, each) for each in [*roots][:FOUND]]
            )

        async with self._sessions() as session:
            return answer_with(await session.run_sync(read))

    @access("staff")
    async def read(self, request: web.Request) -> web.Response:
        """The person behind a contact."""
        return await self._view(uuid_of(request, "contact"))

    @access("staff")
    async def rename(self, request: web.Request) -> web.Response:
        """What the staff calls them."""
        asked = await read_json(request, payloads.NameIn, MAX_BODY_BYTES)

        def change(session: Session, contact_id: UUID) -> list[Advance]:
            conversations.rename_contact(session, contact_id, asked.name)
            return []

        return await self._change(request, "contact.name", change)

    @access("staff")
    async def block(self, request: web.Request) -> web.Response:
        """What they write is answered by nobody any more."""
        await read_json(request, payloads.Nothing, MAX_BODY_BYTES)
        return await self._change(request, "contact.block", conversations.block_contact)

    @access("staff")
    async def unblock(self, request: web.Request) -> web.Response:
        """What they write is answered again."""
        await read_json(request, payloads.Nothing, MAX_BODY_BYTES)

        def change(session: Session, contact_id: UUID) -> list[Advance]:
            conversations.unblock_contact(session, contact_id)
            return []

        return await self._change(request, "contact.unblock", change)

    @access("staff")
    async def merge(self, request: web.Request) -> web.Response:
        """The other contact is the same person; this one's name stays."""
        asked = await read_json(request, payloads.MergeIn, MAX_BODY_BYTES)

        def change(session: Session, contact_id: UUID) -> list[Advance]:
            conversations.merge_contacts(session, contact_id, _uuid(asked.other_id))
            return []

        return await self._change(request, "contact.merge", change)

    @access("staff")
    async def part(self, request: web.Request) -> web.Response:
        """This contact is a person of their own again."""
        await read_json(request, payloads.Nothing, MAX_BODY_BYTES)

        def change(session: Session, contact_id: UUID) -> list[Advance]:
            conversations.part_contacts(session, contact_id)
            return []

        return await self._change(request, "contact.part", change)

    async def _change(
        self,
        request: web.Request,
        action: str,
        change: Callable[[Session, UUID], list[Advance]],
    ) -> web.Response:
        contact_id, agent = uuid_of(request, "contact"), signed_in(request)

        def checked(session: Session) -> list[Advance]:
            if session.get(Contact, contact_id) is None:
                raise _nobody()
            advances = change(session, contact_id)
            note(session, agent.actor, action, str(contact_id))
            return advances

        try:
            async with self._sessions.begin() as session:
                advances = await session.run_sync(checked)
        except ConversationError as error:
            raise Refusal(409, "conflict", str(error)) from error
        await self._changes.ring(advances)
        return await self._view(contact_id)

    async def _view(self, contact_id: UUID) -> web.Response:
        def read(session: Session) -> payloads.Contact:
            if session.get(Contact, contact_id) is None:
                raise _nobody()
            return read_contact(session, contact_id)

        async with self._sessions() as session:
            return answer_with(await session.run_sync(read))


def read_contact(session: Session, contact_id: UUID) -> payloads.Contact:
    """The person, with all that they are known by and their latest conversations."""
    family = conversations.family_of(session, contact_id)
    contacts = {
        each.id: each for each in session.scalars(select(Contact).where(Contact.id.in_(family)))
    }
    root, names = contacts[family[0]], names_of(session, contacts.values())
    query = (
        row_query()
        .where(Conversation.contact_id.in_(family))
        .order_by(Conversation.number.desc())
        .limit(EARLIER)
    )
    return payloads.Contact(
        id=str(root.id),
        name=names[root.id],
        is_named=bool(root.name),
        created_at=root.created_at,
        is_blocked=root.blocked_at is not None,
        merged=[payloads.Person(id=str(each), name=names[each]) for each in family[1:]],
        identities=_identities(session, family),
        conversations=read_rows(session, query),
    )


def _identities(session: Session, family: Sequence[UUID]) -> list[payloads.Identity]:
    query = (
        select(ContactIdentity, Inbox)
        .join(Inbox, Inbox.id == ContactIdentity.inbox_id)
        .where(ContactIdentity.contact_id.in_(family))
        .order_by(ContactIdentity.created_at)
    )
    return [
        payloads.Identity(
            id=str(identity.id),
            contact_id=str(identity.contact_id),
            inbox=inbox.name,
            channel=inbox.channel,
            address=identity.address,
            is_bounced=identity.bounced_at is not None,
        )
        for identity, inbox in session.execute(query)
    ]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ConversationError("There is no such contact.") from error


def _nobody() -> Refusal:
    return Refusal(404, "not_found", "There is no such contact.")
