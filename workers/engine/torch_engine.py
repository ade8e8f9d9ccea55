"""The torch driver: transformers models, decoder-only or encoder-decoder, on a GPU or the CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GenerationConfig,
)

from bot.answering.engine import EngineError
from workers.engine.converted import ensure_converted
from workers.engine.local_engine import Backend, LocalEngine
from workers.engine.prompting import LABELLED_FRAME, ChatFrame, PromptEncoder, find_chat_frame
from workers.engine.tokenization import Tokenization
from workers.engine.torch_causal import CausalBackend
from workers.engine.torch_seq2seq import Seq2SeqBackend

UNSTATED_CONTEXT_TOKENS = 1024
MOST_CONTEXT_TOKENS = 32768


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How much a device takes at once: a chunk is what a waiting chat may lose to a long prompt."""

    slots: int
    chunk_tokens: int
    prefix_cache_bytes: int


_CPU_SIZES = _Sizes(slots=8, chunk_tokens=128, prefix_cache_bytes=1 << 29)
_GPU_SIZES = _Sizes(slots=32, chunk_tokens=2048, prefix_cache_bytes=1 << 32)


def load_torch_engine(
    model: str | Path,
    *,
    cache_dir: Path,
    model_name: str | None,
    progress: Callable[[str], None],
    slots: int | None = None,
) -> LocalEngine:
    """Return an engine over a transformers folder, a hub id or a GGUF file.

    A GGUF file is de-quantized once and kept in `cache_dir`. Only safetensors are read and no
    code that comes with a model is run. Raises EngineError when the model cannot be loaded.
    """
    source = str(model)
    try:
        if source.endswith(".gguf"):
            source = str(_convert_once(Path(model), cache_dir, progress))
        progress("loading the model")
        source, revision = _split_revision(source)
        config = AutoConfig.from_pretrained(source, revision=revision)
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
        encoder = make_encoder(tokenizer, config)
    except (OSError, ValueError, ImportError) as error:
        raise EngineError(f"{source} cannot be loaded: {error}") from error
    return LocalEngine(
        encoder,
        lambda: _load_backend(source, revision, config, tokenizer, encoder, slots),
        model_name=model_name or Path(source).name,
    )


def make_encoder(tokenizer: Any, config: Any) -> PromptEncoder:
    """Return the prompt encoder for a transformers tokenizer (one with a fast form)."""
    rust = getattr(tokenizer, "backend_tokenizer", None)
    if rust is None:
        raise ValueError(f"{type(tokenizer).__name__} has no fast form (tokenizer.json)")
    return PromptEncoder(
        Tokenization(rust),
        _frame(tokenizer, config),
        _context_tokens(tokenizer, config),
        is_text_to_text=config.is_encoder_decoder,
    )


def end_ids_of(
    tokenizer: Any, generation: GenerationConfig, encoder: PromptEncoder
) -> frozenset[int]:
    """Every token after which the answer is over."""
    stated = generation.eos_token_id
    ids = set(stated) if isinstance(stated, list) else {stated}
    return (
        frozenset(one for one in ids | {tokenizer.eos_token_id} if one is not None)
        | encoder.end_ids
    )


def _load_backend(
    source: str,
    revision: str,
    config: Any,
    tokenizer: Any,
    encoder: PromptEncoder,
    slots: int | None,
) -> Backend:
    auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model = auto.from_pretrained(
        source, revision=revision, dtype=_dtype(config), use_safetensors=True
    )
    model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    end_ids = end_ids_of(tokenizer, model.generation_config, encoder)
    sizes = _GPU_SIZES if torch.cuda.is_available() else _CPU_SIZES
    if config.is_encoder_decoder:
        return Seq2SeqBackend(model, end_ids, slots=slots or sizes.slots)
    return CausalBackend(
        model,
        end_ids,
        slots=slots or sizes.slots,
        chunk_tokens=sizes.chunk_tokens,
        prefix_cache_bytes=sizes.prefix_cache_bytes,
    )


def _split_revision(source: str) -> tuple[str, str]:
    """Read `owner/name@revision`; a folder is itself, whatever its name."""
    name, _, revision = source.partition("@")
    return (source, "main") if Path(source).exists() else (name, revision or "main")


def _dtype(config: Any) -> torch.dtype:
    """bf16 on a GPU; on a CPU what the checkpoint has, as far as the CPU computes with it."""
    if torch.cuda.is_available():
        return torch.bfloat16
    has_bf16 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    stored = getattr(config, "dtype", None)
    return (
        torch.bfloat16 if has_bf16 and stored in {torch.bfloat16, torch.float16} else torch.float32
    )


def _frame(tokenizer: Any, config: Any) -> ChatFrame:
    if config.is_encoder_decoder or not tokenizer.chat_template:
        return LABELLED_FRAME
    return find_chat_frame(
        lambda messages: str(
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        )
    )


def _context_tokens(tokenizer: Any, config: Any) -> int:
    """What the model was trained for; relative positions (T5) state no limit of their own."""
    text = config.get_text_config(decoder=True)
    stated = getattr(text, "max_position_embeddings", None) or tokenizer.model_max_length
    return min(int(stated), MOST_CONTEXT_TOKENS) if stated < 1e9 else UNSTATED_CONTEXT_TOKENS


def _convert_once(gguf: Path, cache_dir: Path, progress: Callable[[str], None]) -> Path:
    def convert_aside(folder: Path) -> None:
        progress("converting the model for torch (once, about a minute)")
        _convert(gguf, folder)

    return ensure_converted(gguf, cache_dir, "torch", convert_aside)


def _convert(gguf: Path, folder: Path) -> None:
    """De-quantize a GGUF file into a transformers folder of bf16 safetensors."""
    file: dict[str, Any] = {"gguf_file": gguf.name}
    source = str(gguf.parent)
    tokenizer = AutoTokenizer.from_pretrained(source, **file)
    model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16, **file)
    # Its weights are plain by now, but it still takes itself for quantized and would not save.
    model.hf_quantizer = None
    del model.config.quantization_config
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
