"""The audit log's page: what was done, the latest first, and whether the log is whole."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import admin_payloads as payloads
from bot.dashboard.payloads import Nothing
from bot.privacy.audit import verify
from bot.tables import AuditEntry
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

PAGE = 50


class AdminAudit:
    """The routes of the page Audit log."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/desk/api/admin/audit", self.list),
            web.post("/desk/api/admin/audit/verify", self.verify),
        ]

    @access("admin")
    async def list(self, request: web.Request) -> web.Response:
        """A page; `before` is the number of the last entry of the page before."""
        before = _before(request.query.get("before", ""))
        action = request.query.get("action", "")[:60]
        async with self._sessions() as session:
            return answer_with(await session.run_sync(_list, before, action))

    @access("admin")
    async def verify(self, request: web.Request) -> web.Response:
        """Reads the whole log."""
        await read_json(request, Nothing, 1024)
        async with self._sessions() as session:
            found = await session.run_sync(verify)
        return answer_with(
            payloads.VerdictOut(
                entries=found.entries, end=found.end.text, problems=list(found.problems)
            )
        )


def _list(session: Session, before: int | None, action: str) -> payloads.AuditPage:
    query = select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(PAGE + 1)
    if before is not None:
        query = query.where(AuditEntry.seq < before)
    if action:
        query = query.where(AuditEntry.action.startswith(action, autoescape=True))
    rows = list(session.scalars(query))
    return payloads.AuditPage(
        items=[_row(entry) for entry in rows[:PAGE]],
        next_before=rows[PAGE - 1].seq if len(rows) > PAGE else None,
    )


def _row(entry: AuditEntry) -> payloads.AuditRow:
    return payloads.AuditRow(
        seq=entry.seq,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        details=entry.details,
    )


def _before(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise Refusal(422, "invalid", "before: not one that this page gave.")
    return int(text)
