"""A model is converted once, whatever happens meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from workers.engine.converted import ensure_converted


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"weights")
    return file


def test_processes_that_start_together_convert_once(model: Path, tmp_path: Path) -> None:
    calls: list[Path] = []
    folders: list[Path] = []

    def start() -> None:
        folders.append(ensure_converted(model, tmp_path, "torch", calls.append))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len(set(folders)) == 1
    assert folders[0].is_dir()


def test_a_conversion_that_failed_leaves_nothing_and_is_tried_again(
    model: Path, tmp_path: Path
) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_bytes(b"x")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        ensure_converted(model, tmp_path, "torch", fail)
    folder = ensure_converted(model, tmp_path, "torch", lambda aside: None)
    assert list(folder.iterdir()) == []
    assert [path.name for path in folder.parent.iterdir() if "partial" in path.name] == []


def test_a_changed_file_is_converted_anew(model: Path, tmp_path: Path) -> None:
    before = ensure_converted(model, tmp_path, "torch", lambda aside: None)
    model.write_bytes(b"other weights")
    assert ensure_converted(model, tmp_path, "torch", lambda aside: None) != before
