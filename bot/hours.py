"""Business hours and holidays: when is somebody there again? Pure, and right over clock changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOKED_AHEAD = timedelta(days=400)

_PART = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?\s+(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)", re.ASCII)


class HoursError(ValueError):
    """Hours, a zone or a holiday cannot be read; the message says how they are written."""


@dataclass(frozen=True, slots=True)
class Span:
    """Open from a weekday's `start` (0 is Monday) to `end`, the next day's where it is earlier."""

    weekday: int
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Hours:
    """A week of opening times on the clock of `zone` (an IANA name)."""

    zone: ZoneInfo
    week: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day on which nobody is there, with the company's own words about it."""

    day: date
    text: str = ""


@dataclass(frozen=True, slots=True)
class Opening:
    """When somebody is there again, on the company's clock; None if not within 400 days.

    `text` is the holiday's, when it is a holiday that keeps the company closed now.
    """

    opens_at: datetime | None
    text: str = ""


def next_opening(hours: Hours, holidays: Sequence[Holiday], now: datetime) -> Opening | None:
    """None while the company is open, else when it opens. `now` is any aware time."""
    closed = {holiday.day for holiday in holidays}
    today = now.astimezone(hours.zone).date()
    text = next((holiday.text for holiday in holidays if holiday.day == today), "")
    for start, end in _spans(hours, closed, today - timedelta(days=1)):
        if start <= now < end:
            return None
        if start > now:
            return Opening(start.astimezone(hours.zone), text)
    return Opening(None, text)


def parse_hours(week: str, zone: str) -> Hours:
    """Hours as an operator writes them: `mon-fri 09:00-17:00, sat 10:00-14:00`.

    A day may stand in several parts; 24:00 ends a day. Raises HoursError.
    """
    spans: list[Span] = []
    for part in filter(None, (part.strip() for part in week.lower().split(","))):
        spans += _parse_part(part)
    if not spans:
        raise HoursError("No hours: write them like `mon-fri 09:00-17:00, sat 10:00-14:00`.")
    return Hours(_parse_zone(zone), tuple(sorted(spans, key=lambda s: (s.weekday, s.start))))


def parse_holiday(text: str) -> Holiday:
    """A holiday as an operator writes it: `2026-12-25 We are back after Christmas.`"""
    day, _, words = text.strip().partition(" ")
    try:
        return Holiday(date.fromisoformat(day), words.strip())
    except ValueError as error:
        raise HoursError(
            f"{text!r} is no holiday: write the date first, 2026-12-25, then your own words."
        ) from error


def _parse_part(part: str) -> Iterator[Span]:
    found = _PART.fullmatch(part)
    if found is None or found[1] not in DAYS or (found[2] or "mon") not in DAYS:
        raise HoursError(f"{part!r} are no hours: write them like `mon-fri 09:00-17:00`.")
    start, end = _clock(found[3], found[4], part), _clock(found[5], found[6], part)
    first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
    for offset in range((last - first) % 7 + 1):
        yield Span((first + offset) % 7, start, end)


def _clock(hour: str, minute: str, part: str) -> time:
    try:
        return time(0) if (hour, minute) == ("24", "00") else time(int(hour), int(minute))
    except ValueError as error:
        raise HoursError(f"{part!r} names a time that no clock shows.") from error


def _parse_zone(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise HoursError(f"{zone!r} is no time zone: write one like Europe/Berlin.") from error


def _spans(hours: Hours, closed: set[date], first: date) -> Iterator[tuple[datetime, datetime]]:
    """Opening spans from a day on, in UTC, in their order."""
    for offset in range(LOOKED_AHEAD.days):
        day = first + timedelta(days=offset)
        if day in closed:
            continue
        for span in hours.week:
            if span.weekday == day.weekday():
                last = day if span.end > span.start else day + timedelta(days=1)
                yield _moment(hours, day, span.start), _moment(hours, last, span.end)


def _moment(hours: Hours, day: date, clock: time) -> datetime:
    # Through UTC: a time that the clock skips in spring becomes the one shown instead of it.
    return datetime.combine(day, clock, hours.zone).astimezone(UTC)
