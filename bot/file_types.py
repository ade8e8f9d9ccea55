"""What a file really is, judged by what it holds, and a name for it that is safe to keep."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

import puremagic

MAX_NAME_CHARS = 120
RISKY_SUFFIXES = frozenset(
    {
        *("exe", "com", "scr", "pif", "bat", "cmd", "ps1", "vbs", "vbe", "js", "jse", "wsf"),
        *("wsh", "hta", "msi", "msp", "jar", "lnk", "reg", "cpl", "dll", "iso", "img", "vhd"),
        *("docm", "xlsm", "pptm", "dotm", "xltm", "xlam", "html", "htm", "shtml", "xhtml", "svg"),
        *("mht", "mhtml", "chm", "one", "rtf", "sh", "app", "dmg", "pkg", "deb", "rpm", "apk"),
        *("zip", "rar", "7z", "gz", "tar", "cab", "ace"),
    }
)
_SNIFFED_BYTES = 4096
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')
_RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?")
# Judged here rather than by the library: what a browser or a person would run.
_ACTIVE = (
    (b"MZ", "application/x-msdownload"),
    (b"\x7fELF", "application/x-executable"),
    (b"#!", "text/x-script"),
)
_OFFICE = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "epub": "application/epub+zip",
}
_TEXT_TYPES = ("text/", "message/", "application/json", "application/xml", "application/pgp")
_EXTENSIONS = {
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "text/plain": "txt",
    "text/html": "html",
    "text/calendar": "ics",
    "text/csv": "csv",
    "message/rfc822": "eml",
    "application/zip": "zip",
}


def judge_type(content: bytes, declared: str, name: str = "") -> str:
    """The media type of a file by its first bytes; what it declares counts where they
    say nothing."""
    head = content[:_SNIFFED_BYTES]
    for magic, media_type in _ACTIVE:
        if head.startswith(magic):
            return media_type
    if not head:
        return declared or "application/octet-stream"
    suffix = PurePosixPath(name).suffix.lower().lstrip(".")
    if head.startswith(b"PK\x03\x04"):
        return _OFFICE.get(suffix, "application/zip")
    if _is_text(head):
        return _judge_text(head, declared)
    sniffed = _sniff(head)
    if sniffed:
        return sniffed
    # Bytes that are no text are not shown as text, and unknown ones are never run or shown.
    return "application/octet-stream" if declared.startswith(_TEXT_TYPES) else declared


def warning_of(name: str) -> str | None:
    """Why the staff should open a file of this name with care; None if nothing is known."""
    suffix = PurePosixPath(name.replace("\\", "/").rstrip(". ")).suffix.lower().lstrip(".")
    if suffix not in RISKY_SUFFIXES:
        return None
    return f"Files of the kind .{suffix} can run or carry programs: open it with care."


def _sniff(head: bytes) -> str:
    try:
        found = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError, IndexError):
        return ""
    return next((one.mime_type for one in found if one.mime_type and one.confidence >= 0.3), "")


def _is_text(head: bytes) -> bool:
    if b"\x00" in head or head.startswith((b"%PDF", b"{\\rtf", b"%!PS")):
        return False
    controls = len(head.translate(None, bytes(range(32, 256)) + b"\t\r\n\f\x1b"))
    if controls > len(head) // 100:
        return False
    high = len(head.translate(None, bytes(range(128))))
    if not high:
        return True
    try:
        head[: len(head) - 3].decode("utf-8") if len(head) > 3 else head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 8 or high < len(head) * 0.3
    return True


def _judge_text(head: bytes, declared: str) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        return "text/html"
    if b"<svg" in start:
        return "image/svg+xml"
    if start.startswith(b"begin:vcalendar"):
        return "text/calendar"
    if start.startswith(b"begin:vcard"):
        return "text/vcard"
    if start.startswith(b"<?xml"):
        return "application/xml"
    return declared if declared.startswith(_TEXT_TYPES) else "text/plain"


def safe_name(name: str, media_type: str) -> str:
    """A file name without paths, control and direction characters, and never empty."""
    text = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    text = "".join(char for char in text if unicodedata.category(char) not in ("Cf", "Cc", "Cs"))
    text = " ".join(_UNSAFE.sub("_", text).split()).strip(". ")
    if not text or _RESERVED.fullmatch(text):
        text = f"file-{text}".strip("-")
    stem, dot, suffix = text.rpartition(".")
    if not dot and (extension := _EXTENSIONS.get(media_type)):
        return f"{text[:MAX_NAME_CHARS]}.{extension}"
    if len(text) > MAX_NAME_CHARS:
        return f"{stem[: MAX_NAME_CHARS - 12]}.{suffix[:10]}" if dot else text[:MAX_NAME_CHARS]
    return text
