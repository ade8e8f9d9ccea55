"""What the script of a text tells of its language, without any model."""

from __future__ import annotations

import re

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7af]")
_LATIN = re.compile(r"[A-Za-zÀ-ÿ]+")


def language_of_script(text: str) -> str:
    """`ja`, `ko` or `zh` where the script alone shows it, else an empty text."""
    if len(_KANA.findall(text)) >= 2:
        return "ja"
    if len(_HANGUL.findall(text)) >= 2:
        return "ko"
    han = len(_HAN.findall(text))
    return "zh" if han and han >= len(_LATIN.findall(text)) else ""
