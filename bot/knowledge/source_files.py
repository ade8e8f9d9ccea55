"""Which files an import reads: folders walked in order, each file with what it becomes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MAX_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadArticle:
    """An article as a file gives it; the body is Markdown."""

    external_id: str
    title: str
    body: str
    language: str = ""
    url: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file, or a row of one (`faq.csv#7`), that gave no article, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read. `name` is its path below the imported root, with `/`."""

    path: Path
    name: str

    @property
    def stem(self) -> str:
        """The name without its suffix: the external id of an article that names none."""
        return self.name.removesuffix(self.path.suffix) or self.name


@dataclass(frozen=True, slots=True)
class FileContents:
    """What one file gave."""

    source: str
    articles: Sequence[ReadArticle] = ()
    unreadable: Sequence[Unreadable] = field(default=())


def walk(root: Path) -> Iterator[SourceFile | Unreadable]:
    """The files below a folder, or the file itself; hidden ones and folders' links are left out."""
    root = root.absolute()
    if root.is_file():
        yield SourceFile(root, root.name)
    elif not root.is_dir():
        yield Unreadable(str(root), "there is no such file or folder")
    else:
        yield from _walk_folder(root)


def _walk_folder(root: Path) -> Iterator[SourceFile | Unreadable]:
    refused: list[OSError] = []
    inside = root.resolve()
    for folder, folders, files in os.walk(root, onerror=refused.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(folder, name)
            if name.startswith("."):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                yield Unreadable(str(path), "it is a link that leads out of the folder")
            else:
                yield SourceFile(path, path.relative_to(root).as_posix())
    for error in refused:
        yield Unreadable(str(error.filename), f"the folder cannot be opened: {error.strerror}")


def read_bytes(path: Path) -> bytes | Unreadable:
    """A file's content, if it is a plain file of a size that an article can have."""
    try:
        if not path.is_file():
            return Unreadable(str(path), "it is not a plain file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            limit = MAX_BYTES // 1024**2
            return Unreadable(str(path), f"it is larger than {limit} MB ({size / 1024**2:.0f} MB)")
        raw = path.read_bytes()
    except OSError as error:
        return Unreadable(str(path), f"it cannot be opened: {error.strerror}")
    return raw if raw.strip(b"\x00 \r\n\t") else Unreadable(str(path), "it is empty")
