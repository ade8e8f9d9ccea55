"""Measures the engine's drivers beside the usual way to run the same model, in the same minutes.

    python -m tests.bench.engine [--tiny] [--drivers openvino torch] [--model FILE.gguf]

Every driver runs in a process of its own. It prints, for a prompt of about 300 tokens and an
answer of 25: load, time to first token (TTFT), time per output token (TPOT), tokens per second
for one and for four at once, and memory; then the same of a peer and the ratio. The peer of torch
is transformers' `generate`, that of openvino is `LLMPipeline.generate`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bot.answering.engine import Engine, Generation, Limits, Prompt
from bot.model_files import LANGUAGE_MODELS, models_folder

OUTPUT_TOKENS = 25
REPEATS = 3
PROMPT_WORDS = 230
FACT = "Our shop takes returns for thirty days and pays refunds to the card within five days. "

Figures = dict[str, float]


def main() -> None:
    arguments = parse_arguments()
    if arguments.child:
        print(json.dumps(measure(arguments.child, Path(arguments.model), Path(arguments.cache))))
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        model = tiny_model(Path(scratch)) if arguments.tiny else packaged_model(arguments.model)
        cache = model.parent
        for driver in arguments.drivers:
            show(driver, run_child(driver, model, cache))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a tiny random model")
    parser.add_argument("--model", help="a GGUF file; the packaged model by default")
    parser.add_argument("--drivers", nargs="+", default=["openvino", "torch"])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    return parser.parse_args()


def packaged_model(chosen: str | None) -> Path:
    if chosen:
        return Path(chosen)
    return models_folder(os.environ) / next(iter(LANGUAGE_MODELS.values())).file


def tiny_model(folder: Path) -> Path:
    from tests.workers.engine import tiny

    return tiny.save_gguf(folder / "tiny.gguf")


def run_child(driver: str, model: Path, cache: Path) -> dict[str, Figures]:
    command = [sys.executable, "-m", "tests.bench.engine", "--child", driver]
    command += ["--model", str(model), "--cache", str(cache)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Figures] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(driver: str, model: Path, cache: Path) -> dict[str, Figures]:
    """Measure ours, then the peer on the converted form that ours has left."""
    from workers.engine.load import load_engine

    began = time.perf_counter()
    engine = load_engine(driver, model, cache_dir=cache, progress=log)  # type: ignore[arg-type]
    first_load_s = time.perf_counter() - began
    engine.close()
    began = time.perf_counter()
    engine = load_engine(driver, model, cache_dir=cache, progress=log)  # type: ignore[arg-type]
    ours = {"first load s": first_load_s, "load s": time.perf_counter() - began}
    ours |= measure_ours(engine)
    ours["memory MB"] = memory_mb()
    engine.close()
    folder = next((cache / driver).glob(f"{model.stem}-*[0-9]"))
    peer = {"torch": torch_peer, "openvino": openvino_peer}[driver]
    return {"ours": ours, "peer": measure_peer(peer(folder), prompts_ids(model))}


def measure_ours(engine: Engine) -> Figures:
    prompts = prompt_texts()
    cpu_began = time.process_time()
    alone = [finish(engine.generate(next(prompts), limits())) for _ in range(REPEATS)]
    cpu_ms = (time.process_time() - cpu_began) * 1000 / REPEATS
    again = next(prompts)
    finish(engine.generate(again, limits()))
    repeated = finish(engine.generate(again, limits()))
    began = time.perf_counter()
    four = [engine.generate(next(prompts), limits()) for _ in range(4)]
    tokens = sum(finish(one).usage.output_tokens for one in four)
    seconds = time.perf_counter() - began
    return {
        "prompt tokens": alone[0].usage.prompt_tokens,
        "TTFT ms": median(one.usage.ttft_ms or 0 for one in alone),
        "TTFT ms, prompt seen before": repeated.usage.ttft_ms or 0,
        "TPOT ms": median(map(tpot_ms, alone)),
        "whole answer ms": median(one.usage.total_ms for one in alone),
        "whole answer CPU ms": cpu_ms,
        "tokens/s, 4 at once": tokens / seconds,
    }


def measure_peer(generate: Callable[[Sequence[Sequence[int]], int], int], ids: Any) -> Figures:
    """`generate` takes prompts and a number of tokens, and returns how many tokens it made."""
    generate([next(ids)], 2)
    first_ms, whole_ms, cpu_ms, made = [], [], [], []
    for _ in range(REPEATS):
        first_ms.append(timed_ms(lambda: generate([next(ids)], 1))[0])
        cpu_began = time.process_time()
        ms, tokens = timed_ms(lambda: generate([next(ids)], OUTPUT_TOKENS))
        cpu_ms.append((time.process_time() - cpu_began) * 1000)
        whole_ms.append(ms)
        made.append(tokens)
    four_ms, four_tokens = timed_ms(lambda: generate([next(ids) for _ in range(4)], OUTPUT_TOKENS))
    ttft, whole = median(first_ms), median(whole_ms)
    return {
        "TTFT ms": ttft,
        "TPOT ms": (whole - ttft) / max(1, median(made) - 1),
        "whole answer ms": whole,
        "whole answer CPU ms": median(cpu_ms),
        "tokens/s, 4 at once": four_tokens / four_ms * 1000,
    }


def torch_peer(folder: Path) -> Callable[[Sequence[Sequence[int]], int], int]:
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")

    def generate(prompts: Sequence[Sequence[int]], tokens: int) -> int:
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(one)) + list(one) for one in prompts])
        mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in prompts])
        output = model.generate(ids, attention_mask=mask, max_new_tokens=tokens, do_sample=False)
        return int((output.shape[1] - width) * len(prompts))

    return generate


def openvino_peer(folder: Path) -> Callable[[Sequence[Sequence[int]], int], int]:
    import numpy as np
    import openvino
    import openvino_genai

    pipeline = openvino_genai.LLMPipeline(str(folder), "CPU")

    def generate(prompts: Sequence[Sequence[int]], tokens: int) -> int:
        settings = openvino_genai.GenerationConfig()
        settings.max_new_tokens, settings.do_sample, settings.ignore_eos = tokens, False, True
        settings.set_eos_token_id(0)
        settings.stop_token_ids = {0}
        made = 0
        for one in prompts:  # it serves one prompt at a time
            result = pipeline.generate(openvino.Tensor(np.array([one], dtype=np.int64)), settings)
            made += len(result.tokens[0])
        return made

    return generate


def prompt_texts() -> Iterator[Prompt]:
    """Prompts of one length that share no beginning, so that no cache helps unasked."""
    number = 0
    while True:
        number += 1
        facts = f"Case {number}. " + FACT * (PROMPT_WORDS // len(FACT.split()))
        yield Prompt(f"{number} You help.", [], f"{facts}\nTell a long story about this shop.")


def prompts_ids(model: Path) -> Iterator[list[int]]:
    from workers.engine.gguf_tokenizer import load_gguf_text
    from workers.engine.prompting import LABELLED_FRAME, PromptEncoder, find_chat_frame
    from workers.engine.tokenization import Tokenization

    text = load_gguf_text(model)
    frame = find_chat_frame(text.render) if text.render else LABELLED_FRAME
    encoder = PromptEncoder(Tokenization(text.tokenizer), frame, text.context_tokens)
    for prompt in prompt_texts():
        yield encoder.encode(prompt, OUTPUT_TOKENS)


def limits() -> Limits:
    return Limits(OUTPUT_TOKENS)


def finish(generation: Generation) -> Generation:
    for _ in generation:
        pass
    return generation


def tpot_ms(generation: Generation) -> float:
    usage = generation.usage
    return (usage.total_ms - (usage.ttft_ms or 0)) / max(1, usage.output_tokens - 1)


def timed_ms(work: Callable[[], int]) -> tuple[float, int]:
    began = time.perf_counter()
    result = work()
    return (time.perf_counter() - began) * 1000, result


def memory_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


def log(line: str) -> None:
    print(line, file=sys.stderr)


def show(driver: str, figures: dict[str, Figures]) -> None:
    print(f"\n{driver:<30}{'ours':>12}{'peer':>12}{'ours/peer':>12}")
    for name, ours in figures["ours"].items():
        peer = figures["peer"].get(name)
        beside = f"{peer:>12.1f}{ours / peer:>12.2f}" if peer else ""
        print(f"{name:<30}{ours:>12.1f}{beside}")


if __name__ == "__main__":
    main()
