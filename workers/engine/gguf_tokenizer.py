"""A GGUF file's own tokenizer and chat template, without loading the model or transformers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE

from bot.answering.engine import EngineError
from workers.engine.gguf_metadata import NotGguf, read_metadata
from workers.engine.prompting import Message, RenderTemplate

DEFAULT_CONTEXT_TOKENS = 2048
_CONTROL, _USER_DEFINED = 3, 4  # ggml's token types that are matched before the text is cut

# How words are cut before merging, by the name that ggml gives the scheme (tokenizer.ggml.pre).
_WORDS = {
    "qwen2": (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "llama-bpe": (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}
_COMPOSES = {"qwen2"}  # schemes that bring text into Unicode's composed form first


@dataclass(frozen=True, slots=True)
class GgufText:
    """What a GGUF file says about text."""

    tokenizer: Tokenizer
    render: RenderTemplate | None
    end_ids: frozenset[int]
    context_tokens: int


def load_gguf_text(path: Path) -> GgufText:
    """Read tokenizer, template, end token and context length. Raises EngineError."""
    try:
        facts = read_metadata(path)
        return GgufText(
            tokenizer=_build_tokenizer(facts),
            render=_renderer(facts),
            end_ids=frozenset(_ids(facts, "eos", "eot")),
            context_tokens=_context_tokens(facts),
        )
    except (NotGguf, KeyError) as error:
        raise EngineError(f"the tokenizer in {path.name} cannot be read: {error}") from error


def _build_tokenizer(facts: Mapping[str, Any]) -> Tokenizer:
    scheme = facts.get("tokenizer.ggml.pre", "")
    if facts["tokenizer.ggml.model"] != "gpt2" or scheme not in _WORDS:
        raise EngineError(
            f"this GGUF file cuts words by a scheme we do not know ({scheme or 'none'}): "
            "use the torch driver (FRONTDESK_ENGINE=torch) or another file of the model"
        )
    tokens: list[str] = facts["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in facts["tokenizer.ggml.merges"]]
    vocabulary = {token: at for at, token in enumerate(tokens)}
    tokenizer = Tokenizer(BPE(vocabulary, merges, ignore_merges=scheme == "llama-bpe"))
    if scheme in _COMPOSES:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS[scheme]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    _add_control_tokens(tokenizer, tokens, facts["tokenizer.ggml.token_type"])
    return tokenizer


def _add_control_tokens(tokenizer: Tokenizer, tokens: list[str], kinds: list[int]) -> None:
    for kind, add in (
        (_CONTROL, tokenizer.add_special_tokens),
        (_USER_DEFINED, tokenizer.add_tokens),
    ):
        add(
            [
                AddedToken(token, special=kind == _CONTROL, normalized=False)
                for token, its_kind in zip(tokens, kinds, strict=True)
                if its_kind == kind
            ]
        )


def _renderer(facts: Mapping[str, Any]) -> RenderTemplate | None:
    source = facts.get("tokenizer.chat_template")
    if not source:
        return None
    tokens = facts["tokenizer.ggml.tokens"]
    special = {f"{name}_token": tokens[at] for name in ("bos", "eos") for at in _ids(facts, name)}
    return template_renderer(source, special)


def template_renderer(source: str, special: Mapping[str, str]) -> RenderTemplate:
    """Return a function that renders a chat template as transformers does, opening the answer."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda layout: datetime.now(UTC).strftime(layout)
    template = environment.from_string(source)

    def render(messages: list[Message]) -> str:
        return template.render(messages=messages, add_generation_prompt=True, **special)

    return render


def _refuse(reason: str) -> None:
    raise ValueError(reason)


def _ids(facts: Mapping[str, Any], *names: str) -> list[int]:
    found = (facts.get(f"tokenizer.ggml.{name}_token_id") for name in names)
    return [one for one in found if one is not None]


def _context_tokens(facts: Mapping[str, Any]) -> int:
    return int(facts.get(f"{facts['general.architecture']}.context_length", DEFAULT_CONTEXT_TOKENS))
