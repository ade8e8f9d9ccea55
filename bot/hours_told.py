"""The sentence that tells a customer when somebody is there again, in the languages of the bot."""

from __future__ import annotations

from dataclasses import dataclass

from bot.hours import Opening


@dataclass(frozen=True, slots=True)
class _Words:
    weekdays: tuple[str, ...]
    date: str
    sentence: str
    unknown: str


_WORDS = {
    "en": _Words(
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        "{weekday}, {year}-{month:02}-{day:02}",
        "We are closed right now; our team is back on {date} at {clock} ({zone}).",
        "We are closed right now; our team will reply as soon as it is back.",
    ),
    "zh": _Words(
        ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
        "{year}年{month}月{day}日（{weekday}）",
        "现在是非工作时间，我们的同事将于{date}{clock}（{zone}）恢复服务。",
        "现在是非工作时间，同事上班后会尽快回复您。",
    ),
    "de": _Words(
        ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
        "{weekday}, {day}.{month}.{year}",
        "Gerade ist niemand im Haus; unser Team ist ab {date}, {clock} Uhr ({zone}) wieder da.",
        "Gerade ist niemand im Haus; unser Team antwortet, sobald es wieder da ist.",
    ),
    "fr": _Words(
        ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
        "{weekday} {day:02}/{month:02}/{year}",
        "Nous sommes fermés en ce moment ; notre équipe sera de retour {date} à {clock} ({zone}).",
        "Nous sommes fermés en ce moment ; notre équipe répondra dès son retour.",
    ),
    "es": _Words(
        ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
        "{weekday} {day:02}/{month:02}/{year}",
        "Ahora está cerrado; nuestro equipo vuelve el {date} a las {clock} ({zone}).",
        "Ahora está cerrado; nuestro equipo responderá en cuanto vuelva.",
    ),
    "ja": _Words(
        ("月曜日", "火曜日", "水曜日", "木曜日", "金曜日", "土曜日", "日曜日"),
        "{year}年{month}月{day}日（{weekday}）",
        "ただいま営業時間外です。担当者は{date}{clock}（{zone}）から対応いたします。",
        "ただいま営業時間外です。営業開始後にご返信いたします。",
    ),
    "ar": _Words(
        ("الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت", "الأحد"),
        "{weekday} {day}/{month}/{year}",
        "نحن مغلقون الآن؛ سيعود فريقنا يوم {date} الساعة {clock} ({zone}).",
        "نحن مغلقون الآن؛ سيرد عليكم فريقنا فور عودته.",
    ),
}


def tell_opening(opening: Opening, language: str) -> str:
    """The sentence, after the holiday's own words; English where we have no other."""
    words = _WORDS.get(language, _WORDS["en"])
    told = words.unknown if opening.opens_at is None else _when(opening, words)
    if not opening.text:
        return told
    gap = "" if opening.text[-1] in "。！？" else " "
    return f"{opening.text}{gap}{told}"


def _when(opening: Opening, words: _Words) -> str:
    at = opening.opens_at
    assert at is not None, "the caller has looked"
    date = words.date.format(
        weekday=words.weekdays[at.weekday()], year=at.year, month=at.month, day=at.day
    )
    return words.sentence.format(date=date, clock=f"{at:%H:%M}", zone=at.tzname() or "UTC")
