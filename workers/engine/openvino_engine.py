"""The openvino driver: a GGUF file, or a folder OpenVINO has converted before, on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bot.answering.engine import EngineError
from workers.engine.converted import ensure_converted
from workers.engine.gguf_tokenizer import GgufText, load_gguf_text
from workers.engine.local_engine import LocalEngine
from workers.engine.openvino_backend import OpenVinoBackend, convert
from workers.engine.prompting import LABELLED_FRAME, ChatFrame, PromptEncoder, find_chat_frame
from workers.engine.tokenization import Tokenization


def load_openvino_engine(
    model: Path,
    *,
    cache_dir: Path,
    model_name: str | None,
    progress: Callable[[str], None],
    slots: int = 8,
) -> LocalEngine:
    """Return an engine over a GGUF file; its converted form is kept in `cache_dir`.

    Raises EngineError for anything else and for architectures that OpenVINO does not read.
    """
    if model.suffix != ".gguf" or not model.is_file():
        raise EngineError(f"the openvino driver reads a GGUF file, and {model} is none")
    text = load_gguf_text(model)
    tokenization = Tokenization(text.tokenizer)
    frame = _frame(model, text)
    encoder = PromptEncoder(tokenization, frame, text.context_tokens)
    folder = convert_once(model, cache_dir, progress)
    progress("loading the model")
    return LocalEngine(
        encoder,
        lambda: OpenVinoBackend(folder, text.end_ids | encoder.end_ids, slots=slots),
        model_name=model_name or model.stem,
    )


def _frame(model: Path, text: GgufText) -> ChatFrame:
    if text.render is None:
        return LABELLED_FRAME
    try:
        return find_chat_frame(text.render)
    except ValueError as error:
        raise EngineError(f"{model.name} cannot be prompted: {error}") from error


def convert_once(gguf: Path, cache_dir: Path, progress: Callable[[str], None]) -> Path:
    """Return the folder with OpenVINO's form of a GGUF file. Raises EngineError."""

    def convert_aside(folder: Path) -> None:
        progress("converting the model for OpenVINO (once, under a minute)")
        convert(gguf, folder)

    return ensure_converted(gguf, cache_dir, "openvino", convert_aside)
