"""Slack's mrkdwn, both ways and pure: what a message says, and text that can say nothing else.

Going out, `&`, `<` and `>` are escaped (Slack, "Formatting message text"), so that nothing a
customer or a model wrote is a mention, and only addresses that are links become links. Coming
in, mentions, channels and links are put into words; a link with a label is `[label](address)`.
"""

from __future__ import annotations

import re

from channels.slack.emoji import to_unicode

# Slack shows 4,000 characters of a message that can be updated; the rest goes into the next.
PART_CHARS = 3500

_MARKUP = re.compile(r"<([^<>\n]*)>")
_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_LINK = re.compile(
    r"\[(?P<label>[^\[\]<>|`\n]{1,300})\]\((?P<to>(?:https?://|mailto:)[^\s<>|`()]{1,2000})\)"
    r"|(?P<bare>https?://[^\s<>|`\"']{1,2000})"
)
_AFTER_LINK = ".,;:!?)]}*_~'"
_BROADCASTS = {"!channel": "@channel", "!here": "@here", "!everyone": "@everyone"}


def decode(text: str, bot_user_id: str | None = None) -> str:
    """What a message of Slack's says, without the bot's own name in front of it."""
    parts = _CODE.split(text)
    told = "".join(
        _decode_words(part, bot_user_id, is_code=bool(number % 2))
        for number, part in enumerate(parts)
    )
    return told.strip()


def encode(text: str) -> str:
    """Text as mrkdwn that shows it and does nothing: no mention, no broadcast, no date."""
    return "".join(
        escape(part) if number % 2 else _link(part) for number, part in enumerate(_CODE.split(text))
    )


def escape(text: str) -> str:
    """Slack's three control characters, escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def split(text: str, limit: int = PART_CHARS) -> list[str]:
    """The text as encoded messages of at most `limit` characters, cut where it can be read."""
    parts = []
    while True:
        taken = _cut(text, limit)
        parts.append(encode(text[:taken].rstrip() if taken < len(text) else text))
        text = text[taken:].lstrip()
        if not text:
            return parts


def _cut(text: str, limit: int) -> int:
    end = min(len(text), limit)
    while len(encode(text[:end])) > limit:
        end = end * 3 // 4  # escaping makes text up to five times longer
    if end == len(text):
        return end
    for boundary in ("\n\n", "\n", ". ", "。", " "):
        found = text.rfind(boundary, end // 2, end)
        if found > 0:
            return found + len(boundary)
    return max(end, 1)


def _decode_words(text: str, bot_user_id: str | None, *, is_code: bool) -> str:
    told = _MARKUP.sub(lambda found: _told(found[1], bot_user_id), text)
    told = told.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return told if is_code else to_unicode(told)


def _told(inside: str, bot_user_id: str | None) -> str:
    """One `<...>` in words; what is unknown stays visible."""
    target, _, label = inside.partition("|")
    if target.startswith("@"):
        return "" if target[1:] == bot_user_id else f"@{label or target[1:]}"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        return _told_command(target, label)
    if not label or label == target or target in (f"http://{label}", f"mailto:{label}"):
        return label or target.removeprefix("mailto:")
    return f"[{label}]({target})"


def _told_command(target: str, label: str) -> str:
    if target in _BROADCASTS:
        return _BROADCASTS[target]
    if target.startswith("!subteam^"):
        name = label or target.removeprefix("!subteam^")
        return name if name.startswith("@") else f"@{name}"
    return label  # a date, with its words for those who cannot show one


def _link(text: str) -> str:
    told, end = [], 0
    for found in _LINK.finditer(text):
        told += [escape(text[end : found.start()]), _linked(found)]
        end = found.end()
    return "".join([*told, escape(text[end:])])


def _linked(found: re.Match[str]) -> str:
    if found["bare"] is None:
        label, to = found["label"], found["to"]
        is_plain = label.strip() and label not in (to, to.removeprefix("http://"))
        is_plain = is_plain and label != to.removeprefix("mailto:")
        return f"<{escape(to)}|{escape(label)}>" if is_plain else escape(found[0])
    address = found["bare"].rstrip(_AFTER_LINK)
    rest = found["bare"][len(address) :]
    return f"<{escape(address)}>{escape(rest)}" if len(address) > 8 else escape(found[0])
