"""Figures are the same whatever way they are written."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answering.figures import Figure, contains, read_figures


def keys(text: str) -> set[tuple[Decimal, str]]:
    return {(figure.value, figure.unit) for figure in read_figures(text)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("within 60 days", "within sixty days"),
        ("within 60 days", "60 天内"),
        ("1,000 points", "1000 积分"),
        ("until 2 pm", "until 14:00"),
        ("until 2:30 p.m.", "下午两点半"),
        ("at 9:30", "上午9点30分"),
        ("€14.95", "14,95 EUR"),
        ("€14.95", "14.95 欧元"),
        ("twenty-one days", "二十一天"),
        ("25 December", "12 月 25 日"),
        ("December 25", "25 December"),
        ("12 months", "十二个月"),
        ("open on Sundays", "周日开门"),
        ("40%", "40 percent"),
        ("3 working days", "3 个工作日"),
        ("a 120 Wh battery", "120瓦时"),
    ],
)
def test_the_same_figure_reads_the_same_in_both_forms(one: str, other: str) -> None:
    assert keys(one) == keys(other) != set()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("60 days", "60 minutes"),
        ("60 days", "6 days"),
        ("€5", "$5"),
        ("12 months", "12 月"),
        ("14:00", "2:00"),
        ("5 days", "5 working days"),
        ("Saturday", "Sunday"),
        ("9折", "9%"),
    ],
)
def test_different_figures_stay_apart(one: str, other: str) -> None:
    stated = read_figures(one)
    assert not all(contains(stated, figure) for figure in read_figures(other))


def test_a_range_gives_its_unit_to_both_ends() -> None:
    assert keys("2-4 working days") == {(Decimal(2), "working day"), (Decimal(4), "working day")}


def test_a_range_of_weekdays_holds_the_days_between() -> None:
    assert contains(read_figures("Monday-Friday"), Figure(Decimal(2), "weekday"))
    assert not contains(read_figures("Monday-Friday"), Figure(Decimal(5), "weekday"))


def test_chinese_characters_that_only_look_like_numbers_are_not_read() -> None:
    assert read_figures("我们一起看看，第一时间联系您，万一坏了") == ()


def test_may_is_a_month_only_beside_a_day() -> None:
    assert read_figures("You may return it") == ()
    assert keys("3 May") == {(Decimal(5), "month of year"), (Decimal(3), "day of month")}


def test_a_part_number_is_one_code() -> None:
    assert [figure.code for figure in read_figures("printed LK-E2-2310 below")] == ["LK-E2-2310"]


@given(st.text(max_size=200))
def test_reading_never_crashes_and_spans_lie_inside(text: str) -> None:
    for figure in read_figures(text):
        start, end = figure.span
        assert 0 <= start < end <= len(text)


@given(
    st.integers(min_value=0, max_value=99_999), st.sampled_from(["days", "天", "EUR", "%", "km"])
)
def test_every_number_with_a_unit_is_read_back(value: int, unit: str) -> None:
    assert [int(figure.value) for figure in read_figures(f"x {value} {unit} y")] == [value]


@given(st.integers(min_value=1000, max_value=9_999_999))
def test_thousands_separators_change_nothing(value: int) -> None:
    assert keys(f"{value:,} EUR") == keys(f"{value} EUR")
