"""The shortcodes of the emoji that people use most; others stay as they were typed."""

from __future__ import annotations

import re

EMOJI = {
    "+1": "👍",
    "-1": "👎",
    "bug": "🐛",
    "clap": "👏",
    "confused": "😕",
    "cry": "😢",
    "disappointed": "😞",
    "exclamation": "❗",
    "eyes": "👀",
    "fire": "🔥",
    "grin": "😁",
    "grinning": "😀",
    "heart": "❤️",
    "heart_eyes": "😍",
    "heavy_check_mark": "✔️",
    "joy": "😂",
    "laughing": "😆",
    "muscle": "💪",
    "neutral_face": "😐",
    "no_entry": "⛔",
    "ok_hand": "👌",
    "package": "📦",
    "pensive": "😔",
    "point_right": "👉",
    "pray": "🙏",
    "question": "❓",
    "rage": "😡",
    "raised_hands": "🙌",
    "relaxed": "☺️",
    "rocket": "🚀",
    "scream": "😱",
    "shrug": "🤷",
    "simple_smile": "🙂",
    "slightly_frowning_face": "🙁",
    "slightly_smiling_face": "🙂",
    "smile": "😄",
    "smiley": "😃",
    "sob": "😭",
    "sunglasses": "😎",
    "sweat_smile": "😅",
    "tada": "🎉",
    "thinking_face": "🤔",
    "thumbsdown": "👎",
    "thumbsup": "👍",
    "truck": "🚚",
    "upside_down_face": "🙃",
    "warning": "⚠️",
    "wave": "👋",
    "white_check_mark": "✅",
    "wink": "😉",
    "x": "❌",
}
_SHORTCODE = re.compile(r":([a-z0-9_+-]+):(?::skin-tone-[2-6]:)?")


def to_unicode(text: str) -> str:
    """The text with the shortcodes that are known as characters."""
    return _SHORTCODE.sub(lambda found: EMOJI.get(found[1], found[0]), text)
