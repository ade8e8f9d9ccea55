"""Reads the metadata of a GGUF file (ggml's docs/gguf.md): facts, vocabulary, template."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any

_NUMBERS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_STRING, _ARRAY = 8, 9
_MAGIC = b"GGUF"


class NotGguf(Exception):
    """The file is not a GGUF file that we can read."""


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the file's keys and values; arrays become lists. Raises NotGguf or OSError."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _Reader(data).metadata()
        except (struct.error, UnicodeDecodeError, KeyError, IndexError) as error:
            raise NotGguf(f"{path.name} is damaged: {error}") from error


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def metadata(self) -> dict[str, Any]:
        magic, version, _tensors, keys = struct.unpack_from("<4sIQQ", self._data)
        if magic != _MAGIC or version not in {2, 3}:
            raise NotGguf("this is not a little-endian GGUF file of version 2 or 3")
        self._at = struct.calcsize("<4sIQQ")
        return {self._string(): self._value(self._number("I")) for _ in range(keys)}

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array(self._number("I"), self._number("Q"))
        return self._number(_NUMBERS[kind])

    def _array(self, kind: int, length: int) -> list[Any]:
        if kind in {_STRING, _ARRAY}:
            return [self._value(kind) for _ in range(length)]
        layout = f"<{length}{_NUMBERS[kind]}"
        values = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return list(values)

    def _number(self, code: str) -> Any:
        (value,) = struct.unpack_from(f"<{code}", self._data, self._at)
        self._at += struct.calcsize(f"<{code}")
        return value

    def _string(self) -> str:
        start = self._at + 8
        (length,) = struct.unpack_from("<Q", self._data, self._at)
        self._at = start + length
        return self._data[start : self._at].decode("utf-8")
