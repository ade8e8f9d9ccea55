"""Tiny random models of several architectures, with a tokenizer trained on a few sentences."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MarianConfig,
    MarianMTModel,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

PAD, OPEN, CLOSE, END, TOOL = "<|endoftext|>", "<|im_start|>", "<|im_end|>", "</s>", "<tool_call>"
TEXTS = [
    "The shop opens at nine in the morning and closes at six.",
    "You can return an order within thirty days of the delivery.",
    "Our customers ask where the parcel is and when it arrives.",
    "退货需要在三十天内提出，退款会在五个工作日内到账。",
    "您好，请问您的订单号是多少？我们马上为您查询。",
]
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONTEXT = 2048

CAUSAL: Mapping[str, Callable[[int], Any]] = {
    "qwen2": lambda size: Qwen2ForCausalLM(Qwen2Config(**_small(size), num_key_value_heads=2)),
    "llama": lambda size: LlamaForCausalLM(LlamaConfig(**_small(size), num_key_value_heads=4)),
    "mistral-sliding": lambda size: MistralForCausalLM(
        MistralConfig(**_small(size), num_key_value_heads=2, sliding_window=16)
    ),
    "gpt2": lambda size: GPT2LMHeadModel(
        GPT2Config(vocab_size=size, n_embd=64, n_layer=2, n_head=4, n_positions=CONTEXT, **_ids())
    ),
}
SEQ2SEQ: Mapping[str, Callable[[int], Any]] = {
    "t5": lambda size: T5ForConditionalGeneration(
        _t5_config(
            vocab_size=size, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4,
            pad_token_id=0, eos_token_id=3, decoder_start_token_id=0,
        )
    ),
    "bart": lambda size: BartForConditionalGeneration(BartConfig(**_small_pair(size))),
    "marian": lambda size: MarianMTModel(MarianConfig(**_small_pair(size))),
}  # fmt: skip


def _t5_config(**facts: Any) -> T5Config:
    return T5Config(**facts)


def train_tokenizer() -> Tokenizer:
    """Byte-level BPE with few merges, so that Chinese characters are split across tokens."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=380,
        special_tokens=[PAD, OPEN, CLOSE, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_tokens([AddedToken(TOOL, special=False, normalized=False)])
    return tokenizer


def save_causal(folder: Path, name: str) -> Path:
    """Save a decoder-only model with a ChatML template; returns its folder."""
    tokenizer = _wrap(train_tokenizer(), CLOSE)
    tokenizer.chat_template = CHATML
    return _save(folder, CAUSAL[name], tokenizer)


def save_seq2seq(folder: Path, name: str) -> Path:
    """Save an encoder-decoder model whose tokenizer closes a text; returns its folder."""
    rust = train_tokenizer()
    rust.post_processor = TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 3)])
    return _save(folder, SEQ2SEQ[name], _wrap(rust, END))


def save_gguf(path: Path) -> Path:
    """Write the tiny Qwen2 as a GGUF file with tokenizer and template inside."""
    tokenizer = train_tokenizer()
    model = _random(CAUSAL["qwen2"], tokenizer.get_vocab_size())
    config = model.config
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    _write_tokenizer(writer, tokenizer)
    _write_tensors(writer, model)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_tokenizer(writer: Any, tokenizer: Tokenizer) -> None:
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    tokens = sorted(vocabulary, key=lambda token: vocabulary[token])
    added = tokenizer.get_added_tokens_decoder()
    kinds = [
        gguf.TokenType.NORMAL
        if at not in added
        else gguf.TokenType.CONTROL
        if added[at].special
        else gguf.TokenType.USER_DEFINED
        for at in range(len(tokens))
    ]
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(vocabulary[PAD])
    writer.add_eos_token_id(vocabulary[CLOSE])
    writer.add_chat_template(CHATML)


def _write_tensors(writer: Any, model: Any) -> None:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, model.config.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        kind = torch.float32 if tensor.dim() == 1 else torch.float16
        writer.add_tensor(target, tensor.to(kind).numpy())


def _wrap(rust: Tokenizer, end: str) -> Any:
    wrapper: Any = PreTrainedTokenizerFast
    return wrapper(tokenizer_object=rust, eos_token=end, pad_token=PAD, model_max_length=CONTEXT)


def _save(folder: Path, build: Callable[[int], Any], tokenizer: Any) -> Path:
    model = _random(build, len(tokenizer))
    if model.config.is_encoder_decoder:
        # A random decoder likes to repeat a control token for ever; Marian's are forbidden so too.
        model.generation_config.bad_words_ids = [[0], [1], [2], [3]]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _random(build: Callable[[int], Any], vocabulary_size: int) -> Any:
    """Build a model with weights large enough that its answers depend on the prompt."""
    torch.manual_seed(7)
    model = build(vocabulary_size).eval()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.dim() > 1:
                weights.normal_(0.0, _spread(name, model.config.is_encoder_decoder))
    return model


def _spread(name: str, is_encoder_decoder: bool) -> float:
    # Found by trying: others repeat one token for ever, which would prove little.
    if not is_encoder_decoder:
        return 0.25
    if "positions" in name:
        return 1.0
    return 0.05 if "shared" in name or "embed" in name else 0.5


def _ids() -> dict[str, Any]:
    return {"bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0}


def _small(vocabulary_size: int) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary_size, "hidden_size": 64, "intermediate_size": 128,
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": False, **_ids(),
    }  # fmt: skip


def _small_pair(vocabulary_size: int) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary_size, "d_model": 64, "encoder_layers": 2, "decoder_layers": 2,
        "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 128,
        "decoder_ffn_dim": 128, "max_position_embeddings": 512, "pad_token_id": 0,
        "bos_token_id": None, "eos_token_id": 3, "decoder_start_token_id": 0,
        "forced_eos_token_id": 3, "scale_embedding": True,
    }  # fmt: skip
