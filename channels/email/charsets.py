"""Bytes to text: what a mail says its charset is, checked against what the bytes can be."""

from __future__ import annotations

import re

# Codecs by name, and no others: Python also knows `zlib`, `punycode` and `unicode_escape`, which
# would turn a charset label of a stranger into a bomb.
_ALIASES = {
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "utf8": "utf-8",
    "utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "utf-8-sig": "utf-8-sig",
    "unicode-1-1-utf-8": "utf-8",
    "utf-7": "utf-7",
    "unicode-1-1-utf-7": "utf-7",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "utf-32": "utf-32",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "windows-936": "gb18030",
    "gb18030": "gb18030",
    "euc-cn": "gb18030",
    "chinese": "gb18030",
    "hz-gb-2312": "hz",
    "iso-2022-cn": "gb18030",
    "big5": "big5hkscs",
    "x-x-big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "cp950": "cp950",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "ms_kanji": "cp932",
    "windows-31j": "cp932",
    "cp932": "cp932",
    "euc-jp": "euc_jis_2004",
    "x-euc-jp": "euc_jis_2004",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-2022-jp-1": "iso2022_jp_ext",
    "iso-2022-jp-2": "iso2022_jp_2",
    "iso-2022-jp-3": "iso2022_jp_3",
    "iso-2022-jp-ms": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "cp949": "cp949",
    "uhc": "cp949",
    "iso-2022-kr": "iso2022_kr",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "iso-8859-11": "cp874",
    "macintosh": "mac-roman",
    "x-mac-roman": "mac-roman",
    "mac": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "viscii": "cp1258",
}
_NUMBERED = re.compile(r"(?:windows|cp|ibm|x-cp)-?(12[5][0-8]|437|85[0257]|86[0-6]|8[67]4|1140)")
_ISO = re.compile(r"iso[-_]?8859[-_]?(\d{1,2})")

# The letters that most often occur, by which a guess is judged.
_FREQUENT = {
    "gb18030": "的一是不了在有我你您们他这请单订购货退款没收到发吗呢谢能可以到什么时候为和就都好"
    "人也要件子",
    "big5hkscs": "的一是不了在有我你您們他這請單訂購貨退款沒收到發嗎呢謝能可以到什麼時候為和就都好"
    "人也要件子",
    "cp932": "のにはをたがでてとしれさあいうるなかもすまっらりこ。、です注文商品届",
    "euc_jis_2004": "のにはをたがでてとしれさあいうるなかもすまっらりこ。、です注文商品届",
    "cp949": "이다는을의가에고하지니한로도요습세안주문배송제품은를있아",
    "cp1251": "оеаинтсрвлкмдпуябзыгчйхжшюц",
    "koi8-r": "оеаинтсрвлкмдпуябзыгчйхжшюц",
}
# Codecs whose bytes are all ASCII, though their text is not.
_SEVEN_BIT = frozenset(
    (
        "iso2022_jp_ext",
        "iso2022_jp_2",
        "iso2022_jp_3",
        "iso2022_kr",
        "hz",
        "utf-7",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
    )
)
_DOUBLE_BYTE = frozenset(("gb18030", "big5hkscs", "cp950", "cp932", "euc_jis_2004", "cp949"))
_SURROGATES = re.compile("[\ud800-\udfff]")
_SINGLE_BYTE = ("cp1251", "koi8-r")
_SAMPLE_BYTES = 8192
_BROKEN_SHARE = 0.02


def find_codec(label: str | None) -> str | None:
    """The Python codec of a charset label, however it is spelled; None for an unknown one."""
    name = (label or "").strip().strip("\"'").lower().replace(" ", "")
    name = name.partition("*")[0]
    if name in _ALIASES:
        return _ALIASES[name]
    if (iso := _ISO.fullmatch(name)) and 1 <= int(iso[1]) <= 16 and int(iso[1]) != 12:
        return f"iso8859-{int(iso[1])}"
    if (numbered := _NUMBERED.fullmatch(name)) is not None:
        return f"cp{numbered[1]}"
    dashed = name.replace("_", "-")
    return _ALIASES.get(dashed) or _ALIASES.get(name.replace("-", ""))


def decode_text(raw: bytes, label: str | None = None) -> str:
    """The text of some bytes; never raises. A label is believed where the bytes bear it out.

    Bytes that are valid UTF-8 beyond ASCII are UTF-8 whatever an eight-bit label says: text in
    another charset almost never is by chance.
    """
    if not raw:
        return ""
    codec = find_codec(label)
    if raw.isascii() and codec not in _SEVEN_BIT:
        return _clean(raw.decode("ascii"))
    return _clean(_decode(raw, codec))


def _decode(raw: bytes, codec: str | None) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) and len(raw) > 3:
        return raw.decode("utf-16", "replace")
    text = _as_utf8(raw, codec)
    if text is not None:
        return text
    if codec not in (None, "utf-8", "utf-8-sig"):
        text = _replacing(raw, codec or "")
        if text is not None and text.count("\ufffd") <= _BROKEN_SHARE * len(text):
            return text
        return _guess(raw)
    text = raw.decode("utf-8", "replace")
    # A cut or a byte gone wrong in UTF-8, unless the text is short: then it is another charset.
    is_long = len(raw) > 200 or codec is not None
    if is_long and text.count("\ufffd") <= _BROKEN_SHARE * len(text):
        return _whole_or_guessed(raw, text)
    return _guess(raw)


def _as_utf8(raw: bytes, codec: str | None) -> str | None:
    """The text where it is UTF-8; None where it is not, or where a label has the better claim."""
    if raw.isascii() or (codec or "").startswith(("utf-16", "utf-32")):
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if codec in _DOUBLE_BYTE and all(char < "\u0800" for char in text[:_SAMPLE_BYTES]):
        # Two bytes of GBK can be one letter of UTF-8; Chinese in UTF-8 takes three.
        return None
    return text


def _whole_or_guessed(raw: bytes, text: str) -> str:
    has_real_utf8 = any(ord(char) > 127 and char != "\ufffd" for char in text[:20_000])
    return text if has_real_utf8 else _guess(raw)


def _replacing(raw: bytes, codec: str) -> str | None:
    try:
        return raw.decode(codec, "replace")
    except (LookupError, UnicodeError, ValueError):
        return None


def _guess(raw: bytes) -> str:
    """The likeliest reading: the one whose letters are the most frequent ones of its language."""
    sample = raw[:_SAMPLE_BYTES]
    best, best_score = "cp1252", 0.2
    runs = re.findall(rb"[\x80-\xff]+", sample)
    # Accented letters stand alone between ASCII ones; whole words in another script do not.
    average = sum(map(len, runs)) / max(len(runs), 1)
    for codec, frequent in _FREQUENT.items():
        if average < (2.5 if codec in _SINGLE_BYTE else 1.8):
            continue
        text = sample.decode(codec, "replace")
        beyond = [char for char in text if ord(char) > 127]
        if not beyond or beyond.count("\ufffd") > 1 + _BROKEN_SHARE * len(beyond):
            continue
        score = sum(char in frequent for char in beyond) / len(beyond)
        if score > best_score:
            best, best_score = codec, score
    return raw.decode(best, "replace")


def _clean(text: str) -> str:
    """Text that every encoding can hold: no NUL, no lone surrogate, no byte order mark."""
    text = text.replace("\x00", "").lstrip("\ufeff")
    return _SURROGATES.sub("\ufffd", text)
