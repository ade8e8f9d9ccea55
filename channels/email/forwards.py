"""Mails whose question stands in what they forward: "please see below", and then the matter."""

from __future__ import annotations

import re

from channels.email.quote_lines import is_forward

LONGEST_POINTER_CHARS = 240
FEWEST_WORDS = 4
_FORWARD_SUBJECT = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\]\s*)?(?:fwd?|wg|tr|rv|enc|vb|doorst|pd|przek|fs|vl|továbbítás|i"
    r"|转发|轉寄|轉發|転送|전달)(?:\[\d+\])?\s*[:：]",
    re.IGNORECASE,
)
_REPLY_SUBJECT = re.compile(
    r"^\s*(?:re|aw|antw|sv|vs|res|rif|ynt|odp|回复|答复|回覆|返信)(?:\[\d+\])?\s*[:：]",
    re.IGNORECASE,
)
# What people write above the mail that they mean, one line a language.
_POINTS_BELOW = re.compile(
    r"(?i)(?<![^\W\d_])(?:"
    r"below|fyi|for your information|see (?:this|the)|forward(?:ed|ing)?|this (?:e-?)?mail"
    r"|unten|unterhalb|s\. ?u\.|untenstehend\w*|nachstehend\w*|zur info\w*|z\. ?k\."
    r"|weitergeleitet\w*"
    r"|ci-dessous|pour info\w*|transfér\w+|fais suivre"
    r"|abajo|a continuación|reenv[ií]\w+|para su información"
    r"|qui sotto|di seguito|sottostante|inoltr\w+|per conoscenza"
    r"|abaixo|encaminh\w+|a seguir"
    r"|hieronder|onderstaand\w*|zie onder|doorgestuurd\w*|ter info\w*"
    r"|nedan|vidarebefordr\w+|nedenfor|videresend\w+|alapuolella|poniżej|przesyłam|níže"
    r"|ниже|нижче"
    r")(?![^\W\d_])"
    r"|如下|见下|見下|以下|下面|下方|转发|轉寄|轉發|请看|請看|下記|転送|ご確認|아래|전달"
)


def is_the_forwarded_mail_meant(words: str, whole: str, subject: str) -> bool:
    """Whether a mail's own words only point at the mail below them.

    `words` are the new ones, `whole` is all the text. Who asks something of their own above a
    forwarded mail means that; and below a reply stands what was said before.
    """
    if not words or len(words) > LONGEST_POINTER_CHARS or len(words) >= len(whole):
        return False
    forwards = bool(_FORWARD_SUBJECT.match(subject)) or any(
        is_forward(line) for line in whole.split("\n")[:200]
    )
    if forwards and len(words.split()) <= FEWEST_WORDS and words.isascii():
        return "?" not in words
    is_reply = _REPLY_SUBJECT.match(subject) is not None
    return (forwards or not is_reply) and _POINTS_BELOW.search(words) is not None
