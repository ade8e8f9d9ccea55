"""Reads the figures of a text - amounts, times, dates, weekdays, codes - so that two texts compare.

`1,000` and `1000`, `sixty days` and `60 天`, `2 pm` and `14:00` are the same figure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

_UNITS = {
    "working day": r"(?:working|business)[ -]days?|工作日",
    "hour": r"hours?|hrs?|h|小时|钟头|Stunden?|heures?|horas?",
    "minute": r"minutes?|mins?|分钟|Minuten?",
    "second": r"seconds?|secs?|秒钟?",
    "day": r"(?:calendar[ -])?days?|天|日(?!元)|Tagen?|jours?|días?",
    "week": r"weeks?|个?星期|周(?![一二三四五六日天末])|Wochen?|semaines?|semanas?",
    "month": r"months?|个月|Monaten?|Monate|mois|mes(?:es)?",
    "year": r"years?|yrs?|年|周年|Jahren?|Jahre|ans?|années?|años?",
    "percent": r"%|percent|per cent|％|Prozent",
    "fold": r"折",
    "EUR": r"€|EUR|euros?|欧元",
    "USD": r"\$|USD|US dollars?|dollars?|美元",
    "GBP": r"£|GBP|pounds?(?: sterling)?|英镑",
    "CNY": r"¥|CNY|RMB|yuan|元|块钱?|人民币",
    "JPY": r"JPY|yen|日元",
    "kg": r"kg|kilos?|kilograms?|公斤|千克",
    "g": r"grams?|g|克",
    "km": r"km|kilomet(?:er|re)s?|公里|千米",
    "cm": r"cm|centimet(?:er|re)s?|厘米|公分",
    "mm": r"mm|millimet(?:er|re)s?|毫米",
    "m": r"met(?:er|re)s?|m|米",
    "ml": r"ml|millilit(?:er|re)s?|毫升",
    "l": r"lit(?:er|re)s?|l|L|升",
    "Wh": r"Wh|瓦时",
    "mAh": r"mAh|毫安时",
    "mA": r"mA|毫安",
    "W": r"W|watts?|瓦",
    "V": r"V|volts?|伏",
    "A": r"A|amps?|安培",
    "GB": r"GB|gigabytes?",
    "MB": r"MB|megabytes?",
    "KB": r"KB|kB|kilobytes?",
    "Hz": r"Hz",
    "kHz": r"kHz",
    "MHz": r"MHz",
    "GHz": r"GHz",
    "degree": r"°C?|degrees?|度",
    "point": r"points?|积分|分(?!钟|之)",
    "time": r"times?|次",
    "multiple": r"倍",
    "piece": r"个|件|只|条|套|张|份|名|人|位|家|款|双|瓶|箱|包(?!裹|括)",
}
_WORD_END = r"(?![A-Za-zÀ-ÿ])"
_UNIT = "|".join(
    rf"(?P<u{index}>(?:{pattern}){_WORD_END if re.search('[a-z]', pattern) else ''})"
    for index, pattern in enumerate(_UNITS.values())
)
_UNIT_AFTER = re.compile(rf"\s*-?\s*(?:{_UNIT})")
_UNIT_NAMES = tuple(_UNITS)
_CURRENCY_BEFORE = re.compile(r"(?:(€|EUR)|(\$|USD|US\$)|(£|GBP)|(¥|￥|CNY|RMB))\s*$")
_CURRENCIES = ("EUR", "USD", "GBP", "CNY")

_DIGITS = re.compile(r"(?<![\w.,])\d{1,3}(?:[,\u00a0\u202f]\d{3})+(?:\.\d+)?(?!\d)|\d+(?:[.,]\d+)?")
_RANGE = re.compile(r"^\s*(?:-|–|—|~|～|to|and|or|bis|à|至|到|和|或)\s*$", re.IGNORECASE)

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_DECADES = "twenty thirty forty fifty sixty seventy eighty ninety"
_ENGLISH = {word: value for value, word in enumerate(_SMALL.split())}
_TENS = {word: 10 * value for value, word in enumerate(_DECADES.split(), start=2)}
_ENGLISH_NUMBER = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(_TENS)})(?:[- ](?P<rest>{'|'.join(_ENGLISH)}))?"
    rf"|(?P<small>{'|'.join(sorted(_ENGLISH, key=len, reverse=True))}))"
    rf"(?P<hundred> hundred)?\b",
    re.IGNORECASE,
)
_HAN_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {
    "两": 2
}
_HAN_NUMBER = re.compile(r"[零一二三四五六七八九两十百千万]+")

_MERIDIEM = r"(?P<meridiem>[ap]\.?\s?m\b\.?)"
_CLOCK = re.compile(
    rf"(?<![\d:])(?P<hour>\d{{1,2}})[:：](?P<minute>[0-5]\d)(?![\d:])\s*{_MERIDIEM}?"
    rf"|(?<![\d:.])(?P<hour12>\d{{1,2}})\s*{_MERIDIEM.replace('meridiem', 'meridiem12')}",
    re.IGNORECASE,
)
_HAN_CLOCK = re.compile(
    r"(?P<part>凌晨|早上|上午|中午|下午|傍晚|晚上|晚)?\s*"
    r"(?P<hour>\d{1,2}|[一二三四五六七八九两十]{1,3})\s*[点點](?!数|击|五|儿|子|燃|火)"
    r"(?:(?P<half>半)|(?P<minute>\d{1,2})\s*分)?"
)
_HALF_DAY = frozenset(("下午", "傍晚", "晚上", "晚"))

_MONTHS = "january february march april may june july august september october november december"
_MONTH_NAMES = "|".join(f"{month[:3]}(?:{month[3:]})?" for month in _MONTHS.split())
_MONTH_WORD = re.compile(rf"\b(?:{_MONTH_NAMES})\b\.?", re.IGNORECASE)
_HAN_MONTH = re.compile(r"(\d{1,2}|[一二三四五六七八九十]{1,3})\s*月(?:份)?(?!饼|球)")
_DAY_OF_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?")

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY = re.compile(
    r"\b(?P<name>mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:days?)?\b(?!')"
    r"|(?:周|星期|礼拜)(?P<han>[一二三四五六日天])",
    re.IGNORECASE,
)
_WEEKEND = re.compile(r"\bweekends?\b|周末", re.IGNORECASE)
_HAN_WEEKDAY = {character: day for day, character in enumerate("一二三四五六日")} | {"天": 6}

_CODE = re.compile(
    r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*", re.ASCII
)
_MEASURE = re.compile(r"^\d+(?:[.,]\d+)?-?[A-Za-z]{1,3}$|^\d+(?:st|nd|rd|th)$|^\d+-[a-z]+$")


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and what it counts; `unit` is empty for a bare number.

    Units `clock` (minutes of the day), `month of year`, `day of month` and `weekday` (0 is
    Monday) are dates and times; `code` holds the text itself in `code`.
    """

    value: Decimal
    unit: str = ""
    code: str = ""
    span: tuple[int, int] = (0, 0)

    @property
    def key(self) -> tuple[Decimal, str, str]:
        return (self.value, self.unit, self.code)


def read_figures(text: str) -> tuple[Figure, ...]:
    """Every figure of the text, in order."""
    found: list[Figure] = []
    free = text
    for reader in (_codes, _clocks, _han_clocks, _dates, _weekdays, _numbers):
        figures = list(reader(free))
        found += figures
        free = _blank(free, figures)
    return tuple(sorted(found, key=lambda figure: figure.span))


def without_figures(text: str) -> str:
    """The text with its figures taken out, for whoever compares words."""
    return _blank(text, list(read_figures(text))).replace("\x00", " ")


def _blank(text: str, figures: list[Figure]) -> str:
    """The text with what was read replaced by a mark, so that nothing is read twice."""
    for figure in figures:
        start, end = figure.span
        text = text[:start] + "\x00" * (end - start) + text[end:]
    return text


def _codes(text: str) -> Iterator[Figure]:
    for match in _CODE.finditer(text):
        if not _MEASURE.match(match.group()) and not re.fullmatch(r"[\d-]+", match.group()):
            yield Figure(Decimal(0), "code", match.group().upper(), match.span())


def _clocks(text: str) -> Iterator[Figure]:
    for match in _CLOCK.finditer(text):
        hour = int(match["hour"] or match["hour12"])
        meridiem = (match["meridiem"] or match["meridiem12"] or "").lower()
        if hour <= 24:
            yield _clock(hour, int(match["minute"] or 0), meridiem[:1], match.span())


def _clock(hour: int, minute: int, half: str, span: tuple[int, int]) -> Figure:
    if half == "p" and hour < 12:
        hour += 12
    if half == "a" and hour == 12:
        hour = 0
    return Figure(Decimal(60 * hour + minute), "clock", span=span)


def _han_clocks(text: str) -> Iterator[Figure]:
    for match in _HAN_CLOCK.finditer(text):
        hour = int(_integer(match["hour"]))
        minute = 30 if match["half"] else int(match["minute"] or 0)
        half = "p" if match["part"] in _HALF_DAY else ""
        if hour <= 24:
            yield _clock(hour, minute, half, match.span())


def _dates(text: str) -> Iterator[Figure]:
    for match in _MONTH_WORD.finditer(text):
        if match.group().lower() == "may" and not _has_day_beside(text, match.span()):
            continue
        month = _MONTHS.split().index(_full_month(match.group()))
        yield Figure(Decimal(month + 1), "month of year", span=match.span())
        yield from _days_beside(text, match.span())
    for match in _HAN_MONTH.finditer(text):
        yield Figure(_integer(match[1]), "month of year", span=match.span())
        yield from _han_days(text, match.end())


def _full_month(name: str) -> str:
    start = name.lower().rstrip(".")[:3]
    return next(month for month in _MONTHS.split() if month.startswith(start))


_DAYS_BEFORE = re.compile(
    r"\d{1,2}(?:st|nd|rd|th)?(?:(?:,? (?:and|or|to) |, ?|-|–)\d{1,2}(?:st|nd|rd|th)?)*(?: of)? ?$"
)
_DAYS_AFTER = re.compile(
    r" ?\d{1,2}(?:st|nd|rd|th)?(?:(?: (?:and|or|to) |-|–)\d{1,2}(?:st|nd|rd|th)?)*(?![\d:.,]*\d)"
)
_HAN_DAYS = re.compile(r"\s*\d{1,2}(?:\s*[和、到至-]\s*\d{1,2})*\s*[日号]")


def _has_day_beside(text: str, span: tuple[int, int]) -> bool:
    return any(True for _ in _days_beside(text, span))


def _days_beside(text: str, span: tuple[int, int]) -> Iterator[Figure]:
    before = _DAYS_BEFORE.search(text, max(0, span[0] - 40), span[0])
    if before:
        yield from _days_in(text, before.span())
    elif after := _DAYS_AFTER.match(text, span[1]):
        yield from _days_in(text, after.span())


def _han_days(text: str, start: int) -> Iterator[Figure]:
    if match := _HAN_DAYS.match(text, start):
        yield from _days_in(text, match.span())


def _days_in(text: str, span: tuple[int, int]) -> Iterator[Figure]:
    for match in _DAY_OF_MONTH.finditer(text, *span):
        if 1 <= int(match[1]) <= 31:
            yield Figure(Decimal(match[1]), "day of month", span=match.span())


def _weekdays(text: str) -> Iterator[Figure]:
    previous: Figure | None = None
    for match in _WEEKDAY.finditer(text):
        figure = Figure(Decimal(_weekday(match)), "weekday", span=match.span())
        if previous and _RANGE.match(text[previous.span[1] : match.start()]):
            yield from _days_between(text, previous, figure)
        yield figure
        previous = figure
    for match in _WEEKEND.finditer(text):
        yield Figure(Decimal(5), "weekday", span=match.span())
        yield Figure(Decimal(6), "weekday", span=match.span())


def _weekday(match: re.Match[str]) -> int:
    if match["han"]:
        return _HAN_WEEKDAY[match["han"]]
    return _WEEKDAYS.index(match["name"].lower()[:3])


def _days_between(text: str, first: Figure, last: Figure) -> Iterator[Figure]:
    joint = text[first.span[1] : last.span[0]].strip().lower()
    if joint in {"and", "or", "和", "或"}:
        return
    for day in range(int(first.value) + 1, int(last.value)):
        yield Figure(Decimal(day), "weekday", span=last.span)


def _numbers(text: str) -> Iterator[Figure]:
    found = sorted([*_plain_numbers(text), *_written_numbers(text)], key=lambda item: item.span)
    following: Figure | None = None
    for figure in reversed(found):
        if not figure.unit and following and following.unit and _joins(text, figure, following):
            figure = Figure(figure.value, following.unit, span=figure.span)
        yield figure
        following = figure


def _joins(text: str, figure: Figure, following: Figure) -> bool:
    """Whether the two are one range, `2-4 days`: then the first takes the second's unit."""
    return bool(_RANGE.match(text[figure.span[1] : following.span[0]]))


def _plain_numbers(text: str) -> Iterator[Figure]:
    for match in _DIGITS.finditer(text):
        unit, end = _unit_after(text, match.end())
        before = _CURRENCY_BEFORE.search(text, max(0, match.start() - 6), match.start())
        start = before.start() if before else match.start()
        if before:
            unit, end = (
                _CURRENCIES[next(i for i, g in enumerate(before.groups()) if g)],
                match.end(),
            )
        yield Figure(_decimal(match.group()), unit, span=(start, end))


def _written_numbers(text: str) -> Iterator[Figure]:
    for match in _ENGLISH_NUMBER.finditer(text):
        unit, end = _unit_after(text, match.end())
        value = _english_value(match)
        if unit or value > 1:
            yield Figure(Decimal(value), unit, span=(match.start(), end))
    for match in _HAN_NUMBER.finditer(text):
        unit, end = _unit_after(text, match.end())
        if unit and not (match.group() == "一" and unit == "piece"):
            yield Figure(_integer(match.group()), unit, span=(match.start(), end))


def _unit_after(text: str, position: int) -> tuple[str, int]:
    match = _UNIT_AFTER.match(text, position)
    if not match:
        return "", position
    index = next(i for i in range(len(_UNIT_NAMES)) if match[f"u{i}"] is not None)
    name = _UNIT_NAMES[index]
    if name == "piece" and text.startswith(("工作日",), match.end()):
        return "working day", match.end() + 3
    return ("", match.end()) if name in {"piece", "time"} else (name, match.end())


def _decimal(digits: str) -> Decimal:
    if re.fullmatch(r"\d{1,3}(?:[,\u00a0\u202f]\d{3})+(?:\.\d+)?", digits):
        return Decimal(re.sub(r"[,\u00a0\u202f]", "", digits)).normalize()
    return Decimal(digits.replace(",", ".")).normalize()


def _english_value(match: re.Match[str]) -> int:
    if match["tens"]:
        value = _TENS[match["tens"].lower()] + _ENGLISH.get((match["rest"] or "zero").lower(), 0)
    else:
        value = _ENGLISH[match["small"].lower()]
    return value * 100 if match["hundred"] else value


def _integer(text: str) -> Decimal:
    """The value of digits or of Chinese numerals up to 99,999,999."""
    if text.isdigit() and text.isascii():
        return Decimal(text)
    total = section = digit = 0
    for character in text:
        if character in _HAN_DIGITS:
            digit = _HAN_DIGITS[character]
        elif character == "万":
            total, section, digit = (total + section + digit) * 10_000, 0, 0
        else:
            section += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[character]
            digit = 0
    return Decimal(total + section + digit)


def contains(evidence: tuple[Figure, ...], figure: Figure) -> bool:
    """Whether the evidence states the figure: same value, and the same unit where both name one."""
    return any(_same(figure, stated) for stated in evidence)


def _same(claimed: Figure, stated: Figure) -> bool:
    if claimed.value != stated.value or claimed.code != stated.code:
        return False
    if claimed.unit == stated.unit or not claimed.unit:
        return True
    if {claimed.unit, stated.unit} == {"day", "day of month"}:
        return True
    return stated.unit == "" and claimed.unit not in {"clock", "weekday", "month of year", "code"}
