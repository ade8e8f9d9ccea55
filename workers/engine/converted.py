"""Keeps the converted form of a model file, so that only the first start pays for it."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def ensure_converted(
    model: Path, cache_dir: Path, driver: str, convert: Callable[[Path], None]
) -> Path:
    """Return the folder with this driver's form of `model`, calling `convert(folder)` if needed.

    It is kept under the file's name, size and time of change, and appears only when complete.
    Processes that start together convert once; what a killed one left behind is removed.
    """
    facts = model.stat()
    folder = cache_dir / driver / f"{model.stem}-{facts.st_size}-{facts.st_mtime_ns}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_name(f"{folder.name}.lock")):
        if not folder.exists():
            _convert_aside(folder, convert)
    return folder


def _convert_aside(folder: Path, convert: Callable[[Path], None]) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        convert(partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
