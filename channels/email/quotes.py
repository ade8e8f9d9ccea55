"""The sender's new words: a mail's text without what it quotes, forwards and signs with.

Lines are judged once, from the top. Never to emptiness: a mail that is nothing but a quote keeps
its whole text, and where a sender says that the answers stand inside the quote, all of it stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from channels.email.quote_lines import (
    find_attribution,
    header_block,
    is_long_rule,
    is_reply_above,
    is_separator,
)
from channels.email.signatures import without_banner, without_signature

MAX_JUDGED_LINES = 5000
MAX_LINE_CHARS = 2000
_QUOTED = re.compile(r"^\s{0,3}(?:>|＞|\|\s?>)")
# Where a picture stood, in Outlook's plain text.
_PICTURE = re.compile(r"^\s*\[(?:cid:|image:|inline image)[^\]]{0,200}\]\s*$", re.IGNORECASE)
_INLINE = re.compile(
    r"(?i)\b(?:(?:see|find|my|please see)\b.{0,40}\b(?:in-?line|interleaved)|answers? "
    r"(?:are )?(?:in-?line|below in|in (?:red|blue|green|bold))|"
    r"(?:comments?|answers?|replies|responses?|repl(?:y|ied)|commented|"
    r"answered)\b.{0,30}\b(?:in-?line|in (?:red|blue|green|bold|capitals?)|(?:in|within) "
    r"(?:the|your) (?:text|(?:e-?)?mail|message)|below|between the lines)|"
    r"in-?line (?:below|answers|comments|replies)|"
    r"antwort(?:en|e)?\b.{0,30}\b(?:unten|im text|in (?:rot|blau|grün)|direkt im|weiter "
    r"unten|dazwischen)|siehe (?:unten|im text)|"
    r"(?:voir|mes) (?:mes )?réponses?.{0,30}(?:ci-dessous|dans le texte|en (?:rouge|bleu|vert))|"
    r"(?:mis )?respuestas?.{0,30}(?:abajo|en (?:rojo|azul)|dentro del texto|más abajo)|"
    r"risposte.{0,30}(?:sotto|in rosso|nel testo))\b|"
    r"(?:见|請見|请见|见下|回复|答复|回答|答案).{0,10}(?:下方|下文|下面|红[色字]|藍色|"
    r"蓝色|文中|邮件中)|(?:以下に|文中に|赤字で|インラインで).{0,10}(?:回答|返信|お答え)"
)


@dataclass(frozen=True, slots=True)
class SplitText:
    """`visible` holds the new words; `quoted_chars` counts what was left out."""

    visible: str
    quoted_chars: int


def split_text(text: str, whole: str | None = None) -> SplitText:
    """The sender's new words of a text; `whole` is what the text was taken from, if "
    "that was more."""
    text = normalize(text)
    whole = text if whole is None else normalize(whole)
    visible = _visible(text)
    if not _says_something(visible):
        visible = _visible(whole) if text != whole else ""
    if not _says_something(visible):
        visible = text if _says_something(text) else whole
    return SplitText(visible, max(0, len(whole) - len(visible)))


def normalize(text: str) -> str:
    """Line ends as newlines, invisible characters and trailing space gone."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")
    text = re.sub("[\u200b\u200c\u2060\ufeff\u00ad]", "", text)
    # QQ Mail leaves this entity in its plain text.
    text = text.replace("&nbsp;", " ")
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n").strip()


def _visible(text: str) -> str:
    lines = [line for line in text.split("\n") if not _PICTURE.match(line[:300])]
    judged, rest = lines[:MAX_JUDGED_LINES], lines[MAX_JUDGED_LINES:]
    kept, is_cut = _new_lines(without_banner(judged))
    if is_cut and _INLINE.search(" ".join(" ".join(segment) for segment in kept)[:2000]):
        return "\n".join(without_banner(lines)).strip()
    if not is_cut and rest:
        kept.append(rest)
    return "\n\n".join(text for text in _cleaned(kept) if text)


def _cleaned(segments: list[list[str]]) -> list[str]:
    """Segments of new lines, the first and the last of them without signature."""
    cleaned = []
    for number, segment in enumerate(segments):
        if number in (0, len(segments) - 1):
            segment = without_signature(segment)
        cleaned.append("\n".join(segment).strip())
    return cleaned


def _new_lines(lines: Sequence[str]) -> tuple[list[list[str]], bool]:
    """The new lines in runs between quotes, and whether all below some line was cut off."""
    segments: list[list[str]] = [[]]
    at = 0
    while at < len(lines):
        step = _quote_at(lines, at, has_words=any(line.strip() for run in segments for line in run))
        if step is None:
            return segments, True
        if step == 0:
            segments[-1].append(lines[at])
            at += 1
            continue
        if segments[-1]:
            segments.append([])
        at += step
    return [segment for segment in segments if segment] or [[]], False


def _quote_at(lines: Sequence[str], at: int, *, has_words: bool) -> int | None:
    """How many lines from here are quoted: 0 for none, None for all that follow."""
    line = lines[at]
    if not line.strip() or len(line) > MAX_LINE_CHARS:
        return 0
    if _QUOTED.match(line):
        return 1
    if is_reply_above(line):
        return None if has_words else 1
    header = _header_at(lines, at)
    if header:
        following = _next_words(lines, at + header)
        return header if following is not None and _QUOTED.match(following) else None
    count, strength = find_attribution(lines, at)
    if strength:
        following = _next_words(lines, at + count)
        if following is not None and _QUOTED.match(following):
            return count
        if strength == 2 and following is not None:
            return None
        if strength == 2:
            return count
    return 0


def _header_at(lines: Sequence[str], at: int) -> int:
    """The lines of a separator, or of the header of a quoted mail, that begin here; else 0."""
    if is_separator(lines[at]):
        following = _next_at(lines, at + 1)
        return 1 if following is None else following - at + header_block(lines, following)
    if is_long_rule(lines[at]):
        following = _next_at(lines, at + 1)
        if following is None or following - at > 4:
            return 0
        block = header_block(lines, following)
        if not block and is_separator(lines[following]):
            block = 1
        return following - at + block if block else 0
    return header_block(lines, at)


def _next_at(lines: Sequence[str], at: int) -> int | None:
    return next((n for n in range(at, min(at + 20, len(lines))) if lines[n].strip()), None)


def _next_words(lines: Sequence[str], at: int) -> str | None:
    found = _next_at(lines, at)
    return None if found is None else lines[found]


def _says_something(text: str) -> bool:
    return any(char.isalnum() or ord(char) > 0x2000 for char in text)
