"""How well mails are read: verdicts, both error rates and exact texts, beside the bare library.

    python -m tests.bench.mail [--set-aside] [--wrong] [--speed] [--mutations 5000]

Set-aside mails are counted only with --set-aside, so that tuning never sees them.
"""

from __future__ import annotations

import argparse
import math
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy

from mailparser_reply import EmailReplyParser

from channels.email.reading import MailMessage, OwnMail, read_mail
from channels.email.threading_tokens import ThreadTokens
from tests.channels.email.corpus import corpus
from tests.channels.email.corpus.mutations import mutate
from tests.channels.email.corpus.raw_mail import Labelled
from tests.channels.email.corpus.words import SHOP_ADDRESS

OWN = OwnMail((SHOP_ADDRESS,), ThreadTokens(b"the key of the mail bench, 32 b."))
LANGUAGES = ["en", "de", "fr", "es", "zh", "ja", "it", "nl", "pl", "ko", "sv", "da", "cs"]


@dataclass(frozen=True)
class Outcome:
    mail: Labelled
    read: MailMessage

    @property
    def is_exact(self) -> bool:
        return self.mail.visible is None or same(self.read.visible_text, self.mail.visible)

    @property
    def has_right_bounce(self) -> bool:
        found = self.read.bounce
        if self.mail.bounce is None:
            return found is None
        return found is not None and (found.status, found.recipient, found.kind) == self.mail.bounce


def same(first: str, second: str) -> bool:
    """Equal but for white space."""
    return first.split() == second.split()


def interval(wrong: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, in per cent."""
    if not of:
        return 0.0, 100.0
    z, share = 1.96, wrong / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, 100 * (middle - half)), min(100.0, 100 * (middle + half))


def read_all(mails: Iterable[Labelled]) -> list[Outcome]:
    return [Outcome(mail, read_mail(mail.raw, OWN)) for mail in mails]


def library_text(raw: bytes) -> str:
    """What mail-parser-reply says of the mail's plain part, as one would call it by its readme."""
    try:
        message = message_from_bytes(raw, policy=policy.default)
        body = message.get_body(("plain", "html"))
        text = body.get_content() if body else ""
    except (LookupError, UnicodeError, ValueError, AssertionError):
        return ""
    replies = EmailReplyParser(languages=LANGUAGES).read(text).replies
    return replies[0].body if replies else ""


def report(title: str, outcomes: Sequence[Outcome]) -> None:
    people = [one for one in outcomes if not one.mail.automatic]
    programs = [one for one in outcomes if one.mail.automatic]
    bounces = [one for one in outcomes if one.mail.bounce]
    print(
        f"\n{title}: {len(outcomes)} mails of "
        f"{len({one.mail.program for one in outcomes})} programs"
    )
    verdicts = Counter((one.mail.automatic, one.read.automatic) for one in outcomes)
    print(f"  people read as people {verdicts[False, False]}, as programs {verdicts[False, True]}")
    print(f"  programs read as programs {verdicts[True, True]}, as people {verdicts[True, False]}")
    _share("people refused an answer", sum(one.read.automatic for one in people), len(people))
    _share("programs answered", sum(not one.read.automatic for one in programs), len(programs))
    _share("texts not exact", sum(not one.is_exact for one in people), len(people))
    _share("the same, mail-parser-reply", _library_misses(people), len(people))
    _share("bounces not read", sum(not one.has_right_bounce for one in bounces), len(bounces))


def _library_misses(people: Sequence[Outcome]) -> int:
    return sum(not same(library_text(one.mail.raw), one.mail.visible or "") for one in people)


def _share(what: str, wrong: int, of: int) -> None:
    low, high = interval(wrong, of)
    print(
        f"  {what}: {wrong} of {of} ({100 * wrong / max(of, 1):.1f} %, "
        f"95 % interval {low:.1f}..{high:.1f})"
    )


def print_wrong(outcomes: Iterable[Outcome]) -> None:
    for one in outcomes:
        if one.mail.automatic != one.read.automatic:
            print(f"VERDICT {one.mail.name}: {one.read.automatic} {one.read.reasons}")
        if not one.mail.automatic and not one.is_exact:
            print(
                f"TEXT {one.mail.name}\n   is   {one.read.visible_text!r}\n"
                f"   want {one.mail.visible!r}"
            )
        if one.mail.bounce and not one.has_right_bounce:
            print(f"BOUNCE {one.mail.name}: {one.read.bounce} want {one.mail.bounce}")


def measure_speed(mails: Sequence[Labelled], read: Callable[[bytes], object]) -> float:
    """Mails a second."""
    begin = time.perf_counter()
    for mail in mails:
        read(mail.raw)
    return len(mails) / (time.perf_counter() - begin)


def read_mutations(mails: Sequence[Labelled], count: int) -> None:
    """Read damaged mails, and count those that raised or came out empty."""
    chance = random.Random(20240305)  # the same mutations on every machine
    slowest, lost, crashes = 0.0, 0, 0
    for _ in range(count):
        raw = mutate(chance.choice(mails).raw, chance)
        begin = time.process_time()
        try:
            found = read_mail(raw, OWN)
        except Exception:
            traceback.print_exc()
            crashes += 1
            continue
        slowest = max(slowest, time.process_time() - begin)
        has_words = any(char.isalnum() for char in found.full_text)
        lost += has_words and not found.visible_text.strip()
    print(
        f"\n{count} mutations: {crashes} crashes, {lost} emptied, "
        f"the slowest {1000 * slowest:.0f} ms of CPU"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set-aside", action="store_true", help="count the set-aside mails too")
    parser.add_argument("--wrong", action="store_true", help="print what was read wrongly")
    parser.add_argument("--speed", action="store_true", help="print mails a second")
    parser.add_argument("--mutations", type=int, default=0, help="read so many damaged mails")
    chosen = parser.parse_args(arguments)
    mails = corpus()
    tuned = read_all(mail for mail in mails if not mail.set_aside)
    report("tuned", tuned)
    if chosen.wrong:
        print_wrong(tuned)
    if chosen.set_aside:
        report("set aside", read_all(mail for mail in mails if mail.set_aside))
    if chosen.speed:
        rate = measure_speed(mails, lambda raw: read_mail(raw, OWN))
        print(f"\n{rate:.0f} mails a second on one core")
    if chosen.mutations:
        read_mutations(mails, chosen.mutations)


if __name__ == "__main__":
    main()
