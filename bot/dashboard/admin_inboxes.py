"""Administration of inboxes: list, make, change, how each answers and when, a connection test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import admin_payloads as payloads
from bot.dashboard.connections import ConnectionRefused, Connections, Steps
from bot.dashboard.signed_in import signed_in
from bot.hours import Holiday, HoursError, next_opening, parse_hours
from bot.knowledge.articles import give_collection, take_collection
from bot.policy import (
    PolicyError,
    PolicySetting,
    make_policy,
    setting_of,
    usual_waits,
    with_policy,
)
from bot.privacy.audit import Actor, note
from bot.tables import Article, Collection, Inbox, InboxCollection, new_id, now
from bot.web.addressed import uuid_of
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 64 * 1024


class AdminInboxes:
    """The routes of the pages Inboxes, Hours and Answers."""

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], connections: Connections
    ) -> None:
        self._sessions = sessions
        self._connections = connections

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        one = "/desk/api/admin/inboxes/{id}"
        return [
            web.get("/desk/api/admin/inboxes", self.list),
            web.post("/desk/api/admin/inboxes", self.make),
            web.get(one, self.read),
            web.put(one, self.change),
            web.put(f"{one}/policy", self.set_policy),
            web.put(f"{one}/mailbox", self.set_mailbox),
            web.post(f"{one}/test", self.test),
            web.post("/desk/api/admin/hours", self.explain_hours),
        ]

    @access("supervisor")
    async def list(self, _request: web.Request) -> web.Response:
        """All inboxes, and all collections there are."""
        async with self._sessions() as session:
            return answer_with(await session.run_sync(self._list))

    @access("supervisor")
    async def read(self, request: web.Request) -> web.Response:
        """One inbox with all its settings."""
        inbox_id = uuid_of(request, "id")
        async with self._sessions() as session:
            return answer_with(await session.run_sync(self._read, inbox_id))

    @access("admin")
    async def make(self, request: web.Request) -> web.Response:
        """A new inbox; a name that is taken is refused."""
        asked = await read_json(request, payloads.InboxIn, MAX_BODY_BYTES)
        actor = signed_in(request).actor
        async with self._sessions.begin() as session:
            inbox_id = await session.run_sync(self._make, actor, asked)
        async with self._sessions() as session:
            return answer_with(await session.run_sync(self._read, inbox_id), 201)

    @access("admin")
    async def change(self, request: web.Request) -> web.Response:
        """The company it speaks for, and what it may answer from."""
        asked = await read_json(request, payloads.InboxChange, MAX_BODY_BYTES)
        inbox_id, actor = uuid_of(request, "id"), signed_in(request).actor
        async with self._sessions.begin() as session:
            await session.run_sync(_change, actor, inbox_id, asked)
        return await self.read(request)

    @access("supervisor")
    async def set_policy(self, request: web.Request) -> web.Response:
        """How it answers, its hours, holidays and budgets; in force with the next message."""
        asked = await read_json(request, PolicySetting, MAX_BODY_BYTES)
        inbox_id, actor = uuid_of(request, "id"), signed_in(request).actor
        async with self._sessions.begin() as session:
            await session.run_sync(_set_policy, actor, inbox_id, asked)
        return await self.read(request)

    @access("admin")
    async def set_mailbox(self, request: web.Request) -> web.Response:
        """The mailbox of an e-mail inbox."""
        asked = await read_json(request, payloads.MailboxForm, MAX_BODY_BYTES)
        inbox_id, actor = uuid_of(request, "id"), signed_in(request).actor
        async with self._sessions.begin() as session:
            await session.run_sync(self._set_mailbox, actor, inbox_id, asked)
        return await self.read(request)

    @access("admin")
    async def test(self, request: web.Request) -> web.Response:
        """Every part of the connection, tried now."""
        inbox_id = uuid_of(request, "id")
        async with self._sessions() as session:
            await session.run_sync(_inbox, inbox_id)
        probes = await self._connections.test(inbox_id)
        items = [payloads.ProbeOut(part=p.part, level=p.level, told=p.told) for p in probes]
        return answer_with(payloads.ProbesOut(items=items))

    @access("supervisor")
    async def explain_hours(self, request: web.Request) -> web.Response:
        """What hours that are being typed would mean at this moment."""
        asked = await read_json(request, payloads.HoursIn, MAX_BODY_BYTES)
        return answer_with(_explain(asked))

    def _list(self, session: Session) -> payloads.InboxesOut:
        inboxes = session.scalars(select(Inbox).order_by(Inbox.name))
        return payloads.InboxesOut(
            items=[self._row(session, inbox) for inbox in inboxes],
            collections=list(session.scalars(select(Collection.name).order_by(Collection.name))),
        )

    def _read(self, session: Session, inbox_id: UUID) -> payloads.InboxOut:
        inbox = _inbox(session, inbox_id)
        try:
            policy = setting_of(inbox.settings)
        except PolicyError:
            policy = PolicySetting()
        usual = usual_waits(inbox.channel)
        return payloads.InboxOut(
            **self._row(session, inbox).model_dump(),
            policy=policy,
            usual_waits=payloads.WaitsOut(remind=usual.remind, tell=usual.tell),
            collections=_collections(session, inbox.id),
            mailbox=self._connections.show_mailbox(session, inbox),
            steps=_steps(self._connections.steps(session, inbox)),
        )

    def _row(self, session: Session, inbox: Inbox) -> payloads.InboxRow:
        setting, problem, opening = PolicySetting(), None, None
        try:
            setting = setting_of(inbox.settings)
            opening = make_policy(setting, inbox.channel).opening_after(now())
        except PolicyError as error:
            problem = str(error)
        return payloads.InboxRow(
            id=str(inbox.id),
            name=inbox.name,
            channel=inbox.channel,
            company=inbox.company,
            mode=setting.mode,
            hours=setting.hours,
            zone=setting.zone,
            is_open=opening is None,
            opens_at=opening.opens_at if opening else None,
            problem=problem or self._connections.problem(session, inbox),
        )

    def _make(self, session: Session, actor: Actor, asked: payloads.InboxIn) -> UUID:
        if session.scalar(select(Inbox.id).where(Inbox.name == asked.name)) is not None:
            raise Refusal(409, "name_taken", f"There is an inbox named {asked.name} already.")
        if asked.channel == "email":
            inbox_id = self._connect(session, asked.name, asked.mailbox, asked.company)
        else:
            inbox = Inbox(
                id=new_id(), name=asked.name, channel="chat", company=asked.company, settings={}
            )
            session.add(inbox)
            session.flush()
            inbox_id = inbox.id
        _give(session, inbox_id, asked.collections)
        note(session, actor, "inbox.make", str(inbox_id), {"channel": asked.channel})
        return inbox_id

    def _set_mailbox(
        self, session: Session, actor: Actor, inbox_id: UUID, form: payloads.MailboxForm
    ) -> None:
        inbox = _inbox(session, inbox_id)
        self._connect(session, inbox.name, form, inbox.company)
        note(session, actor, "inbox.mailbox", str(inbox_id), {"new_password": bool(form.password)})

    def _connect(
        self, session: Session, name: str, form: payloads.MailboxForm | None, company: str
    ) -> UUID:
        if form is None:
            raise Refusal(422, "invalid", "mailbox: an e-mail inbox needs one.")
        try:
            return self._connections.save_mailbox(session, name, form, company)
        except ConnectionRefused as error:
            raise Refusal(422, "invalid", str(error)) from error


def _change(session: Session, actor: Actor, inbox_id: UUID, asked: payloads.InboxChange) -> None:
    inbox = _inbox(session, inbox_id, lock=True)
    inbox.company = asked.company
    _give(session, inbox_id, asked.collections)
    note(session, actor, "inbox.change", str(inbox_id), {"collections": len(asked.collections)})


def _set_policy(session: Session, actor: Actor, inbox_id: UUID, asked: PolicySetting) -> None:
    inbox = _inbox(session, inbox_id, lock=True)
    try:
        make_policy(asked, inbox.channel)
        before = setting_of(inbox.settings)
    except PolicyError as error:
        raise Refusal(422, "invalid", str(error)) from error
    inbox.settings = with_policy(inbox.settings, asked)
    changed = [
        name for name in type(asked).model_fields if getattr(asked, name) != getattr(before, name)
    ]
    note(session, actor, "inbox.policy", str(inbox_id), {"changed": changed, "mode": asked.mode})


def _give(session: Session, inbox_id: UUID, names: Sequence[str]) -> None:
    """Exactly these collections, which must exist."""
    known = set(session.scalars(select(Collection.name)))
    unknown = sorted(set(names) - known)
    if unknown:
        raise Refusal(422, "invalid", f"collections: there is no {unknown[0][:100]!r}.")
    for name in known & set(names):
        give_collection(session, inbox_id, name)
    for name in known - set(names):
        take_collection(session, inbox_id, name)


def _collections(session: Session, inbox_id: UUID) -> list[payloads.CollectionOut]:
    given = select(InboxCollection.collection_id).where(InboxCollection.inbox_id == inbox_id)
    query = (
        select(Collection.name, func.count(Article.id), Collection.id.in_(given))
        .outerjoin(Article, Article.collection_id == Collection.id)
        .group_by(Collection.id, Collection.name)
        .order_by(Collection.name)
    )
    return [
        payloads.CollectionOut(name=name, articles=articles, is_given=is_given)
        for name, articles, is_given in session.execute(query)
    ]


def _steps(steps: Steps | None) -> payloads.StepsOut | None:
    if steps is None:
        return None
    return payloads.StepsOut(state=steps.state, commands=list(steps.commands), guide=steps.guide)


def _explain(asked: payloads.HoursIn) -> payloads.HoursOut:
    if not asked.hours.strip():
        return payloads.HoursOut(is_open=True, opens_at=None, problem=None)
    try:
        hours = parse_hours(asked.hours, asked.zone)
    except HoursError as error:
        return payloads.HoursOut(is_open=False, opens_at=None, problem=str(error))
    opening = next_opening(hours, [Holiday(day) for day in asked.holidays], now())
    opens_at: datetime | None = opening.opens_at if opening else None
    return payloads.HoursOut(is_open=opening is None, opens_at=opens_at, problem=None)


def _inbox(session: Session, inbox_id: UUID, *, lock: bool = False) -> Inbox:
    inbox = session.get(Inbox, inbox_id, with_for_update=lock or None)
    if inbox is None:
        raise _nothing()
    return inbox


def _nothing() -> Refusal:
    return Refusal(404, "not_found", "There is no such inbox.")
