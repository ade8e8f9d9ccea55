"""Files to articles: Markdown, HTML, text, PDF, Word, and questions and answers in rows."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bot.knowledge.front_matter import split_front_matter
from bot.knowledge.html_text import element_to_markdown, page_title, parse_html
from bot.knowledge.office_files import BrokenDocument, read_docx, read_pdf
from bot.knowledge.source_files import (
    FileContents,
    ReadArticle,
    SourceFile,
    Unreadable,
    read_bytes,
)
from bot.knowledge.text_encoding import NotText, decode

MAX_ROWS = 100_000
MAX_TITLE = 300
MAX_ID = 400


class _Refused(Exception):
    """This file gives no article; the message says why."""


def read_file(file: SourceFile) -> FileContents:
    """The articles of a file, and what in it could not be read; never raises for its content."""
    reader = _READERS.get(file.path.suffix.lower())
    if reader is None:
        return _refused(
            file, f"files of the kind {file.path.suffix or 'without suffix'} are not read"
        )
    raw = read_bytes(file.path)
    if isinstance(raw, Unreadable):
        return FileContents(str(file.path), unreadable=[raw])
    try:
        found = list(reader(file, raw))
    except (_Refused, NotText, BrokenDocument) as error:
        return _refused(file, str(error))
    except (RecursionError, MemoryError):
        return _refused(file, "it is nested too deeply or too large")
    return _contents(file, found)


def can_read(file: SourceFile) -> bool:
    """True for kinds of files that articles come in."""
    return file.path.suffix.lower() in _READERS


Found = Iterator[ReadArticle | Unreadable]


def _markdown(file: SourceFile, raw: bytes) -> Found:
    fields, body = split_front_matter(decode(raw))
    found = _from_fields(fields, file.stem)
    yield replace(found, title=found.title or _first_heading(body) or _named(file), body=body)


def _html(file: SourceFile, raw: bytes) -> Found:
    root = parse_html(_with_charset(raw))
    if root is None:
        raise _Refused("there is no text in it")
    title, language = page_title(root), str(root.get("lang") or "")
    body = element_to_markdown(root)
    yield ReadArticle(file.stem, title or _named(file), body, _language(language))


def _text(file: SourceFile, raw: bytes) -> Found:
    lines = [line.strip() for line in decode(raw).split("\n")]
    first = next((line for line in lines if line), "")
    is_title = len(first) < 100 and not first.endswith((".", "。", ":", "：", ","))
    yield ReadArticle(file.stem, first if is_title else _named(file), "\n".join(lines))


def _pdf(file: SourceFile, raw: bytes) -> Found:
    document = read_pdf(raw)
    yield ReadArticle(file.stem, document.title or _named(file), document.body)


def _docx(file: SourceFile, raw: bytes) -> Found:
    document = read_docx(raw)
    title = document.title or _first_heading(document.body) or _named(file)
    yield ReadArticle(file.stem, title, document.body)


def _csv(file: SourceFile, raw: bytes) -> Found:
    text = decode(raw)
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        if _column(dict.fromkeys(rows.fieldnames or [], "x"), _ANSWER) is None:
            raise _Refused("its first row names no columns question and answer (or title and body)")
        for number, row in enumerate(rows, start=2):
            yield _from_row(file, number, row)
            if number > MAX_ROWS:
                raise _Refused(f"it has more than {MAX_ROWS} rows")
    except csv.Error as error:
        raise _Refused(f"it is no valid CSV: {error}") from error


def _jsonl(file: SourceFile, raw: bytes) -> Found:
    for number, line in enumerate(decode(raw).split("\n"), start=1):
        if number > MAX_ROWS:
            raise _Refused(f"it has more than {MAX_ROWS} rows")
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield Unreadable(f"{file.path}#{number}", "the line is no JSON")
            continue
        if isinstance(row, dict):
            yield _from_row(file, number, row)
        else:
            yield Unreadable(f"{file.path}#{number}", "the line is no JSON object")


_READERS: dict[str, Callable[[SourceFile, bytes], Found]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _html,
    ".htm": _html,
    ".xhtml": _html,
    ".txt": _text,
    ".text": _text,
    ".pdf": _pdf,
    ".docx": _docx,
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
}

_ID = ("external_id", "id", "slug")
_QUESTION = ("question", "q")
_ANSWER = ("answer", "a", "body", "text", "content")
_LANGUAGE = ("language", "lang", "locale")
_URL = ("url", "link", "html_url")


def _from_row(file: SourceFile, number: int, row: Mapping[Any, Any]) -> ReadArticle | Unreadable:
    fields = {str(key).strip().lower(): value for key, value in row.items()}
    question, title = _column(fields, _QUESTION), _column(fields, ("title",))
    answer = _column(fields, _ANSWER)
    if not answer or not (question or title):
        return Unreadable(f"{file.path}#{number}", "the row has no question or no answer")
    article = _from_fields(fields, f"{file.stem}#{number}")
    return replace(article, title=_headed(title or "", question or ""), body=answer)


def _headed(title: str, question: str) -> str:
    """Both, but nothing twice: some titles already end with the question."""
    if title.casefold().endswith(question.casefold()):
        return title
    return f"{title}: {question}" if title else question


def _from_fields(fields: Mapping[str, Any], default_id: str) -> ReadArticle:
    tags = fields.get("tags") or ()
    listed = tags.split(",") if isinstance(tags, str) else tags
    return ReadArticle(
        external_id=_column(fields, _ID) or default_id,
        title=_column(fields, ("title",)) or "",
        body="",
        language=_language(_column(fields, _LANGUAGE) or ""),
        url=_column(fields, _URL),
        tags=tuple(str(tag).strip() for tag in listed) if isinstance(listed, list | tuple) else (),
    )


def _column(fields: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of the named fields that holds something, as text."""
    for name in names:
        value = next((one for key, one in fields.items() if str(key).strip().lower() == name), None)
        if (
            isinstance(value, str | int | float)
            and not isinstance(value, bool)
            and str(value).strip()
        ):
            return str(value).strip()
    return None


def _contents(file: SourceFile, found: list[ReadArticle | Unreadable]) -> FileContents:
    articles = [_fitting(one) for one in found if isinstance(one, ReadArticle)]
    unreadable = [one for one in found if isinstance(one, Unreadable)]
    empty = [one for one in articles if not one.body]
    if not found or (empty and len(found) == 1):
        unreadable.append(Unreadable(str(file.path), "there is no text in it"))
    return FileContents(str(file.path), [one for one in articles if one.body], unreadable)


def _fitting(article: ReadArticle) -> ReadArticle:
    """An article of which every part can be stored and shown."""
    return replace(
        article,
        external_id=_storable(article.external_id)[:MAX_ID],
        title=" ".join(_storable(article.title).split())[:MAX_TITLE],
        body=_storable(article.body).strip(),
        url=_storable(article.url) if article.url else None,
    )


def _storable(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _refused(file: SourceFile, reason: str) -> FileContents:
    return FileContents(str(file.path), unreadable=[Unreadable(str(file.path), reason)])


def _first_heading(markdown: str) -> str:
    found = re.search(r"^#\s+(.+?)\s*#*$", markdown[:5000], re.MULTILINE)
    underlined = re.match(r"\s*(\S.*)\n=+\s*$", markdown[:5000], re.MULTILINE)
    first = underlined or found
    return first[1].replace("\\", "") if first else ""


def _named(file: SourceFile) -> str:
    """`Return-an-item.md` as a title: Return an item."""
    words = re.sub(r"[-_]+", " ", file.path.stem).strip()
    return words[:1].upper() + words[1:] or file.name


def _language(text: str) -> str:
    """`en` of `en-us`, nothing where it is no language code."""
    found = re.fullmatch(r"([A-Za-z]{2,3})(?:[-_].{1,12})?", text.strip())
    return found[1].lower() if found else ""


_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset", re.IGNORECASE)


def _with_charset(raw: bytes) -> bytes | str:
    """Bytes for the parser where the page names its encoding, else what we make of them."""
    return raw if _META_CHARSET.search(raw[:4096]) and b"\x00" not in raw[:4096] else decode(raw)
