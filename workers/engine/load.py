"""Builds the engine that the settings ask for.

Drivers are imported where they are used: each brings hundreds of megabytes the others do not need.
"""

from __future__ import annotations

import ipaddress
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from bot.answering.engine import EngineError
from workers.engine.stats import CountingEngine

Progress = Callable[[str], None]
Driver = Literal["auto", "openvino", "torch", "openai"]


def load_engine(
    driver: Driver,
    model: str | Path,
    *,
    cache_dir: Path,
    url: str | None = None,
    api_key: str | None = None,
    model_name: str | None = None,
    remote_consent: bool = False,
    progress: Progress = lambda line: None,
) -> CountingEngine:
    """Return an engine that can answer.

    `model` is a GGUF file, a folder or a hub id; `auto` is torch where there is a GPU, else
    openvino for what it can read. `url`, `api_key` and `model_name` are for `openai` only.
    Raises EngineError when the model cannot be loaded, and for a URL outside this machine
    without `remote_consent`.
    """
    if driver == "openai":
        return _openai(url, api_key, model_name or str(model), remote_consent)
    if driver == "auto":
        driver = _suited_driver(model)
    if driver == "openvino":
        return _openvino(Path(model), cache_dir, model_name, progress)
    return _torch(model, cache_dir, model_name, progress)


def is_on_this_machine(url: str) -> bool:
    """Whether text sent to this URL stays here: a loopback address, localhost or a unix socket."""
    parts = urlsplit(url)
    if parts.scheme in {"unix", "http+unix"}:
        return True
    host = (parts.hostname or "").rstrip(".")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _openai(
    url: str | None, api_key: str | None, model: str, remote_consent: bool
) -> CountingEngine:
    from workers.engine.openai_engine import OpenAiEngine

    if not url:
        raise EngineError("the openai driver needs ENGINE_URL, such as http://127.0.0.1:8000/v1")
    remote = not is_on_this_machine(url)
    if remote and not remote_consent:
        raise EngineError(
            "ENGINE_URL points outside this machine: conversations and passages of the articles "
            "would be sent there. Set FRONTDESK_REMOTE_ENGINE to allow it."
        )
    return OpenAiEngine(url, api_key=api_key, model_name=model, remote=remote)


def _suited_driver(model: str | Path) -> Driver:
    if _has_gpu():
        return "torch"
    path = Path(model)
    is_readable = path.suffix == ".gguf" or (path / "openvino_model.xml").exists()
    return "openvino" if is_readable else "torch"


def _has_gpu() -> bool:
    # Importing torch costs seconds and 200 MB: do not, to learn that there is no driver.
    if not (Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi")):
        return False
    import torch

    return torch.cuda.is_available()


def _openvino(model: Path, cache_dir: Path, name: str | None, progress: Progress) -> CountingEngine:
    from workers.engine.openvino_engine import load_openvino_engine

    return load_openvino_engine(model, cache_dir=cache_dir, model_name=name, progress=progress)


def _torch(
    model: str | Path, cache_dir: Path, name: str | None, progress: Progress
) -> CountingEngine:
    from workers.engine.torch_engine import load_torch_engine

    return load_torch_engine(model, cache_dir=cache_dir, model_name=name, progress=progress)
