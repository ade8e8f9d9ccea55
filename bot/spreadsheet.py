"""CSV that a spreadsheet opens as data: no cell of it is run as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

# What a spreadsheet takes for the beginning of a formula, or of a cell of its own (OWASP, "CSV
# Injection"); the full-width forms count in some of them too. Leading space does not protect.
_STARTS_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20|%")


def write_csv(header: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> bytes:
    """A table as CSV (RFC 4180) in UTF-8 with a mark, so that Excel reads it as such."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([inert(cell) for cell in header])
    for row in rows:
        writer.writerow([inert(cell) if isinstance(cell, str) else cell for cell in row])
    return file.getvalue().encode("utf-8-sig")


def inert(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would run it."""
    kept = text.replace("\x00", "")
    shown = kept.lstrip(" \u00a0\u200b\ufeff")
    return f"'{kept}" if shown[:1] in _STARTS_FORMULA and shown else kept
