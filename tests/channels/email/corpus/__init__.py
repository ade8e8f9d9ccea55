"""The labelled corpus: raw mails of people and programs, a third set aside while tuning."""

from __future__ import annotations

from functools import cache

from tests.channels.email.corpus.clients import CLIENTS, compose_reply
from tests.channels.email.corpus.people import all_people
from tests.channels.email.corpus.programs import all_programs
from tests.channels.email.corpus.raw_mail import Labelled
from tests.channels.email.corpus.words import LANGUAGES

CHINESE = {"qq-mail", "netease-163", "netease-master", "foxmail", "aliyun", "lark"}
LANGUAGE_OF = {
    "yandex": ("ru", "en"),
    "mail-ru": ("ru",),
    "naver": ("ko",),
    "kmail": ("de", "en"),
    "evolution": ("de", "en"),
    "roundcube": ("en", "de", "fr", "es"),
    "horde": ("en", "de", "es"),
    "k9": ("en", "de", "sv"),
}
COMMON = ("en", "de", "fr", "es", "zh", "ja", "it", "nl", "pt", "pl", "ru", "ko", "sv", "tr")


@cache
def corpus() -> tuple[Labelled, ...]:
    """Every mail of the corpus; names are unique."""
    mails = [*_replies(), *all_programs(), *all_people()]
    assert len({mail.name for mail in mails}) == len(mails)
    return tuple(mails)


def _replies() -> list[Labelled]:
    made = []
    for number, client in enumerate(CLIENTS):
        for offset, code in enumerate(_languages(number, client.name, client.aside)):
            lang = LANGUAGES[code]
            questions = range(len(lang.questions)) if client.name in CHINESE else (number + offset,)
            if client.name == "gmail-inline":
                questions = (0,)
            made += [
                compose_reply(client, lang, question, 100 * number + offset + 7 * question)
                for question in {q % len(lang.questions) for q in questions}
            ]
    return made


def _languages(number: int, name: str, aside: bool) -> tuple[str, ...]:
    if name in CHINESE:
        return ("zh",)
    if name in LANGUAGE_OF:
        return LANGUAGE_OF[name]
    count = 3 if aside else 7
    return tuple(
        dict.fromkeys(
            ("en", *(COMMON[(number * 3 + step) % len(COMMON)] for step in range(count - 1)))
        )
    )
