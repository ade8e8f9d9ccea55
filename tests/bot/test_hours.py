"""Business hours: open or not, over weekends, holidays, midnight and both clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.hours import HoursError, Opening, next_opening, parse_holiday, parse_hours
from bot.hours_told import tell_opening

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = parse_hours("mon-fri 09:00-17:00, sat 10:00-14:00", "Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def opens(text: str, hours: str | None = None, *holidays: str) -> str:
    """When it opens after a time in Berlin, on its clock; `open` if it is."""
    parsed = parse_hours(hours, "Europe/Berlin") if hours else OFFICE
    found = next_opening(parsed, [parse_holiday(day) for day in holidays], at(text))
    if found is None:
        return "open"
    return "never" if found.opens_at is None else f"{found.opens_at:%Y-%m-%d %H:%M %Z}"


def test_during_hours_it_is_open_and_at_the_end_it_is_not() -> None:
    assert opens("2026-11-23T09:00") == "open"
    assert opens("2026-11-23T16:59:59") == "open"
    assert opens("2026-11-23T17:00") == "2026-11-24 09:00 CET"
    assert opens("2026-11-23T08:59") == "2026-11-23 09:00 CET"


def test_after_saturday_it_opens_on_monday() -> None:
    assert opens("2026-11-28T14:00") == "2026-11-30 09:00 CET"


def test_a_holiday_is_passed_over_and_its_words_are_told() -> None:
    found = next_opening(
        OFFICE, [parse_holiday("2026-12-25 Merry Christmas!")], at("2026-12-25T11:00")
    )
    assert found is not None
    assert found.text == "Merry Christmas!"
    assert found.opens_at == at("2026-12-26T10:00")


def test_holidays_in_a_row_and_a_weekend_are_passed_over_together() -> None:
    days = ["2026-12-24", "2026-12-25", "2026-12-26"]
    assert opens("2026-12-23T18:00", None, *days) == "2026-12-28 09:00 CET"


def test_over_the_spring_change_the_clock_on_the_wall_counts() -> None:
    # On 2026-03-29 the clocks go from 02:00 CET to 03:00 CEST.
    assert opens("2026-03-28T20:00") == "2026-03-30 09:00 CEST"
    found = next_opening(OFFICE, [], at("2026-03-28T20:00"))
    assert found is not None
    assert found.opens_at is not None
    assert found.opens_at.astimezone(UTC) == datetime(2026, 3, 30, 7, 0, tzinfo=UTC)


def test_a_time_that_the_clock_skips_is_the_one_shown_instead() -> None:
    assert opens("2026-03-29T00:00", "sun 02:30-06:00") == "2026-03-29 03:30 CEST"


def test_an_hour_that_comes_twice_is_open_both_times() -> None:
    # On 2026-10-25 the hour from 02:00 comes first in CEST, then in CET.
    hours = parse_hours("sun 02:00-03:00", "Europe/Berlin")
    assert next_opening(hours, [], datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) is None
    assert next_opening(hours, [], datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) is None
    assert next_opening(hours, [], datetime(2026, 10, 25, 2, 0, tzinfo=UTC)) is not None


def test_hours_over_midnight_belong_to_the_day_they_began() -> None:
    hours = "fri 22:00-02:00"
    assert opens("2026-11-28T01:59", hours) == "open"
    assert opens("2026-11-28T02:00", hours) == "2026-12-04 22:00 CET"
    assert opens("2026-11-28T01:00", hours, "2026-11-27") == "2026-12-04 22:00 CET"


def test_two_parts_of_a_day_leave_a_lunch_break() -> None:
    hours = "mon-fri 09:00-12:00, mon-fri 13:00-24:00"
    assert opens("2026-11-23T12:30", hours) == "2026-11-23 13:00 CET"
    assert opens("2026-11-23T23:59", hours) == "open"


def test_another_zone_asks_its_own_clock() -> None:
    assert next_opening(OFFICE, [], datetime(2026, 11, 23, 8, 0, tzinfo=UTC)) is None
    assert next_opening(OFFICE, [], at("2026-11-23T03:00", ZoneInfo("America/New_York"))) is None


def test_a_company_that_is_always_on_holiday_never_opens() -> None:
    days = [
        parse_holiday((datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=n)).date().isoformat())
        for n in range(600)
    ]
    found = next_opening(OFFICE, days, at("2026-11-23T12:00"))
    assert found == Opening(None, "")
    assert "as soon as" in tell_opening(found, "en")


@pytest.mark.parametrize(
    "week", ["", "mon", "mon 9-17", "xyz 09:00-17:00", "mon 25:00-26:00", "mon 09:00-17:00 tue"]
)
def test_hours_that_cannot_be_read_say_how_they_are_written(week: str) -> None:
    with pytest.raises(HoursError, match="mon-fri 09:00-17:00|no clock shows"):  # noqa: RUF043
        parse_hours(week, "Europe/Berlin")


def test_a_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(HoursError, match="Europe/Berlin"):
        parse_hours("mon 09:00-17:00", "Berlin/Europe")


@given(st.integers(0, 6 * 366 * 24 * 60))
def test_whenever_it_opens_it_is_open_then_and_not_a_second_before(minutes: int) -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    found = next_opening(OFFICE, [], moment)
    if found is not None:
        assert found.opens_at is not None
        assert found.opens_at > moment
        assert next_opening(OFFICE, [], found.opens_at) is None
        before = next_opening(OFFICE, [], found.opens_at - timedelta(seconds=1))
        assert before is not None
        assert before.opens_at == found.opens_at


@pytest.mark.parametrize("language", ["en", "zh", "de", "fr", "es", "ja", "xx"])
def test_every_language_tells_day_hour_and_zone(language: str) -> None:
    found = next_opening(OFFICE, [], at("2026-11-23T18:00"))
    assert found is not None
    told = tell_opening(found, language)
    assert "09:00" in told
    assert "24" in told
    assert "CET" in told
