"""Insights: what happened in a period, for its plots and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.dashboard import insights_payloads as payloads
from bot.dashboard.gaps import read_gaps
from bot.dashboard.insights_counts import Period, read_counts
from bot.dashboard.insights_tables import summarise, tabulate, tabulate_gaps
from bot.settings import TokenPrices
from bot.spreadsheet import write_csv
from bot.tables import Inbox
from bot.web.bodies import answer_with
from bot.web.refusals import Refusal
from bot.web.rules import access

USUAL_DAYS = 30
MOST_DAYS = 366


class Insights:
    """The endpoints."""

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], prices: TokenPrices | None
    ) -> None:
        self._sessions = sessions
        self._prices = prices

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/desk/api/insights", self.tell),
            web.get("/desk/api/insights/gaps", self.tell_gaps),
            web.get("/desk/api/insights/{table}.csv", self.export),
        ]

    @access("staff")
    async def tell(self, request: web.Request) -> web.Response:
        """Summary and tables of the days `from` to `to` (UTC), of one `inbox` or all."""
        return answer_with(await self._read(request))

    @access("staff")
    async def tell_gaps(self, _request: web.Request) -> web.Response:
        """What the bot could not answer in the last week, as a table."""
        return answer_with(await self._read_gaps())

    @access("staff")
    async def export(self, request: web.Request) -> web.Response:
        """One of the tables, as CSV; `gaps` are those of the last week."""
        found, name = await self._read(request), request.match_info["table"]
        tables = found.tables if name != "gaps" else [await self._read_gaps()]
        table = next((table for table in tables if table.name == name), None)
        if table is None:
            raise Refusal(404, "not_found", "There is no such table.")
        file = f"{name}-{found.first}-{found.last}.csv"
        return web.Response(
            body=write_csv([column.label for column in table.columns], table.rows),
            content_type="text/csv",
            charset="utf-8",
            headers={"Content-Disposition": f'attachment; filename="{file}"'},
        )

    async def _read_gaps(self) -> payloads.Table:
        async with self._sessions() as session:
            return tabulate_gaps(await session.run_sync(read_gaps))

    async def _read(self, request: web.Request) -> payloads.Insights:
        period = _period_of(request)
        async with self._sessions() as session:
            # One moment for tallies and rows: else what is rolled up meanwhile counts twice.
            await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            return await session.run_sync(read_insights, period, self._prices)


def read_insights(
    session: Session, period: Period, prices: TokenPrices | None
) -> payloads.Insights:
    """What happened in a period. Raises a 422 Refusal for an inbox that is not there."""
    inboxes = [
        payloads.InboxName(id=str(row.id), name=row.name, channel=row.channel)
        for row in session.scalars(select(Inbox).order_by(Inbox.name))
    ]
    chosen = [each for each in inboxes if period.inbox_id in (None, UUID(each.id))]
    if period.inbox_id is not None and not chosen:
        raise Refusal(422, "invalid", "inbox: there is no such inbox.")
    counts, before, counted_at = read_counts(session, period)
    return payloads.Insights(
        first=period.first,
        last=period.last,
        inboxes=inboxes,
        counted_at=counted_at,
        currency=prices.currency if prices else None,
        summary=summarise(counts, prices),
        before=summarise(before, prices),
        tables=tabulate(counts, period, chosen, prices),
    )


def _period_of(request: web.Request) -> Period:
    query = request.query
    today = datetime.now(UTC).date()
    last = _day(query.get("to"), "to") or today
    first = _day(query.get("from"), "from") or last - timedelta(days=USUAL_DAYS - 1)
    if not 0 <= (last - first).days < MOST_DAYS or not 2000 <= first.year <= last.year <= 2200:
        raise Refusal(422, "invalid", f"from, to: a period of up to {MOST_DAYS} days.")
    inbox = query.get("inbox")
    try:
        return Period(first, last, UUID(inbox) if inbox else None)
    except ValueError as error:
        raise Refusal(422, "invalid", "inbox: not the id of an inbox.") from error


def _day(text: str | None, name: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Refusal(422, "invalid", f"{name}: a day such as 2026-11-23.") from error
