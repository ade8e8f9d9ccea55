"""Customer text on a terminal: nothing in it is obeyed, and columns stay straight in any script."""

from __future__ import annotations

import unicodedata

# Joiners shape Indic scripts and emoji and command nothing.
_HARMLESS_FORMATS = frozenset("\u200c\u200d")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_WIDE = frozenset({"W", "F"})
_ZERO_WIDTH = frozenset({"Mn", "Me", "Cf"})


def visible(text: str) -> str:
    """The text with every control, escape and direction mark shown instead of obeyed.

    Line breaks stay; tabs become spaces.
    """
    lines = text.replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return "\n".join("".join(map(_shown, line)) for line in lines)


def visible_line(text: str) -> str:
    """The same on one line."""
    return visible(" ".join(text.split()))


def width(text: str) -> int:
    """Columns that a visible line takes on a terminal: Chinese characters take two."""
    return sum(map(_columns, text))


def fit(text: str, columns: int) -> str:
    """A visible line cut or padded to exactly so many columns."""
    if width(text) <= columns:
        return text + " " * (columns - width(text))
    kept, used = [], 0
    for character in text:
        if used + _columns(character) > columns - 1:
            break
        kept.append(character)
        used += _columns(character)
    return "".join(kept) + "…" + " " * (columns - used - 1)


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN or character in _HARMLESS_FORMATS:
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)  # Control Pictures: ␛ for escape
    return "␡" if code == 0x7F else f"<U+{code:04X}>"


def _columns(character: str) -> int:
    if unicodedata.category(character) in _ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
