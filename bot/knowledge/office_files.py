"""PDF and Word files to Markdown."""

from __future__ import annotations

import io
import logging
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import docx
import pypdf
from docx.table import Table
from docx.text.paragraph import Paragraph

MAX_PAGES = 2_000
MAX_CHARS = 4_000_000
# A Word file is a zip: what it may hold once unpacked.
MAX_PARTS = 5_000
MAX_UNPACKED_BYTES = 80 * 1024 * 1024
# A line on more than this share of the pages is a running header or footer.
RUNNING_SHARE = 0.5

_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~])")
_LIST_LEVEL = re.compile(r"List (Bullet|Number)(?: (\d))?")
_HEADING_LEVEL = re.compile(r"Heading (\d)")
_PAGE_NUMBER = re.compile(
    r"(?:page\s*)?[-–\s]*\d{1,4}[-–\s]*(?:(?:of|/)\s*\d{1,4})?", re.IGNORECASE
)
_BULLET = re.compile(r"^[•▪◦●‣·]\s*")


class BrokenDocument(Exception):
    """The file cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Document:
    """What an office file says."""

    title: str
    body: str


def read_pdf(raw: bytes) -> Document:
    """The text of a PDF; headings are not known there. Raises BrokenDocument."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it tells of every odd object
    try:
        reader = pypdf.PdfReader(io.BytesIO(raw), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise BrokenDocument("it is protected by a password")
        pages = _page_texts(reader)
        title = str((reader.metadata.title if reader.metadata else "") or "").strip()
    except BrokenDocument:
        raise
    # A hostile file makes pypdf raise nearly anything; one file is given up, not the import.
    except Exception as error:
        raise BrokenDocument(f"it is damaged ({type(error).__name__})") from error
    body = _paragraphs(_without_running_lines(pages))
    if not body:
        raise BrokenDocument("there is no text in it; is it scanned?")
    return Document(title if _is_title(title) else "", body)


def read_docx(raw: bytes) -> Document:
    """The text of a Word file with its headings, lists and tables. Raises BrokenDocument."""
    _refuse_bombs(raw)
    try:
        document = docx.Document(io.BytesIO(raw))
        title = str(document.core_properties.title or "").strip()
        body = "".join(_docx_blocks(document)).strip()
    # As above: python-docx raises whatever the parts of a broken package lead to.
    except Exception as error:
        raise BrokenDocument(f"it is damaged ({type(error).__name__})") from error
    return Document(title if _is_title(title) else "", body[:MAX_CHARS])


def _page_texts(reader: pypdf.PdfReader) -> list[list[str]]:
    pages: list[list[str]] = []
    size = 0
    for page in reader.pages[:MAX_PAGES]:
        text = page.extract_text() or ""
        size += len(text)
        if size > MAX_CHARS:
            break
        pages.append([" ".join(line.split()) for line in text.splitlines()])
    return pages


def _without_running_lines(pages: Sequence[Sequence[str]]) -> list[str]:
    """All lines but page numbers and those that stand on most pages."""
    seen = Counter(line for page in pages for line in set(page) if line)
    often = {
        line
        for line, count in seen.items()
        if len(pages) > 2 and count > RUNNING_SHARE * len(pages)
    }
    return [
        line
        for page in pages
        for line in page
        if line not in often and not (line and _PAGE_NUMBER.fullmatch(line))
    ]


def _paragraphs(lines: Sequence[str]) -> str:
    """Lines of a page joined to paragraphs: a PDF breaks lines, not thoughts."""
    paragraphs: list[str] = []
    is_open = False
    for line in lines:
        if not line:
            is_open = False
            continue
        item = _BULLET.match(line)
        text = _escaped(line[item.end() :] if item else line)
        if item:
            paragraphs.append(f"- {text}")
        elif is_open and paragraphs:
            paragraphs[-1] = _continued(paragraphs[-1], text)
        else:
            paragraphs.append(text)
        is_open = not text.endswith((".", "!", "?", "。", "！", "？", ":", "："))
    return "\n\n".join(paragraphs).strip()


def _continued(before: str, line: str) -> str:
    if before.endswith("-") and before[-2:-1].isalpha() and line[:1].islower():
        return before[:-1] + line
    is_wide = ord(before[-1]) > 0x2E80 and ord(line[0]) > 0x2E80
    return before + line if is_wide else f"{before} {line}"


def _refuse_bombs(raw: bytes) -> None:
    try:
        parts = zipfile.ZipFile(io.BytesIO(raw)).infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError) as error:
        raise BrokenDocument("it is no Word file, or a damaged or protected one") from error
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > MAX_PARTS or unpacked > MAX_UNPACKED_BYTES:
        raise BrokenDocument(f"it unpacks to {unpacked / 1024**2:.0f} MB, which is too much")


def _docx_blocks(document: docx.document.Document) -> Iterator[str]:
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            yield _docx_table(block)
        elif isinstance(block, Paragraph):
            yield _docx_paragraph(block)


def _docx_paragraph(paragraph: Paragraph) -> str:
    text = _escaped(" ".join(paragraph.text.split()))
    style = str(paragraph.style.name if paragraph.style is not None else "")
    if not text:
        return "\n"
    if heading := _HEADING_LEVEL.match(style):
        return f"\n{'#' * min(int(heading[1]), 6)} {text}\n\n"
    if style == "Title":
        return f"# {text}\n\n"
    if item := _LIST_LEVEL.match(style):
        marker = "-" if item[1] == "Bullet" else "1."
        return f"{'   ' * (int(item[2] or 1) - 1)}{marker} {text}\n"
    return f"\n{text}\n\n"


def _docx_table(table: Table) -> str:
    rows = [[_escaped(" ".join(cell.text.split())) for cell in row.cells] for row in table.rows]
    if not rows:
        return ""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n" + "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n\n"


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


def _is_title(text: str) -> bool:
    """Programs write their own name or a file's name where a title should be."""
    return (
        2 < len(text) < 200
        and not text.lower().startswith(("microsoft word", "untitled"))
        and (not re.search(r"\.(?:docx?|pdf|indd|odt)$", text.lower()))
    )
