"""OpenVINO GenAI's continuous batching, driven step by step."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino
import openvino_genai

from bot.answering.engine import EngineError
from workers.engine import openvino_convert
from workers.engine.block_ledger import BLOCK_TOKENS, BlockLedger
from workers.engine.local_engine import Decoded

GUESSED_TOKENS = 4
MATCHED_TOKENS = 3
_FINISHED = "FINISHED"
_RUNNING = "RUNNING"


@dataclass(slots=True)
class _Running:
    handle: Any
    prompt_ids: Sequence[int]
    cached_tokens: int
    output_ids: list[int] = field(default_factory=list)


class OpenVinoBackend:
    """Drives a converted model (a folder with openvino_model.xml) on the CPU.

    Prefill goes in chunks beside the others' decode steps, and blocks of the KV cache are
    reused between prompts; both are OpenVINO's own.
    """

    def __init__(
        self,
        folder: Path,
        end_ids: Iterable[int],
        *,
        slots: int = 8,
        chunk_tokens: int = 128,
        cache_gib: int = 1,
    ) -> None:
        """Load and warm up: the first inference packs the weights and takes seconds."""
        self._end_ids = frozenset(end_ids)
        self._slots = slots
        self._pipeline: Any = openvino_genai.ContinuousBatchingPipeline(
            str(folder),
            _scheduler(slots, chunk_tokens, cache_gib),
            "CPU",
            {"prompt_lookup": True},
        )
        self._running: dict[int, _Running] = {}
        self._ledger = BlockLedger(blocks=0)
        self._ledger = BlockLedger(self._warm_up())

    @property
    def slots(self) -> int:
        return self._slots

    def start(self, request_id: int, prompt_ids: Sequence[int], max_output_tokens: int) -> None:
        ids = openvino.Tensor(np.array([prompt_ids], dtype=np.int64))
        settings = self._greedy(max_output_tokens)
        handle = self._pipeline.add_request(request_id, ids, settings)
        cached = self._ledger.count_cached(prompt_ids)
        self._running[request_id] = _Running(handle, prompt_ids, cached)

    def step(self) -> list[Decoded]:
        self._pipeline.step()
        return [
            decoded
            for request_id in list(self._running)
            if (decoded := self._read(request_id)) is not None
        ]

    def drop(self, request_id: int) -> None:
        self._running.pop(request_id).handle.cancel()

    def close(self) -> None:
        for request_id in list(self._running):
            self.drop(request_id)
        self._pipeline = None

    def _read(self, request_id: int) -> Decoded | None:
        one = self._running[request_id]
        fresh: list[int] = []
        logs: list[float] = []
        while one.handle.can_read():
            for output in one.handle.read().values():
                fresh += output.generated_ids
                logs += output.generated_log_probs
        one.output_ids += fresh
        finish = self._finish(one)
        if not fresh and finish is None:
            return None
        if finish is not None:
            del self._running[request_id]
            self._ledger.add([*one.prompt_ids, *one.output_ids[:-1]])
        text = [token for token in fresh if token not in self._end_ids]
        certainty = math.exp(logs[0]) if logs else None
        return Decoded(request_id, text, one.cached_tokens, finish, certainty)

    def _finish(self, one: _Running) -> Literal["stop", "length", "failed"] | None:
        status = one.handle.get_status().name
        if status == _RUNNING:
            return None
        if status != _FINISHED:
            return "failed"
        return "stop" if one.output_ids and one.output_ids[-1] in self._end_ids else "length"

    def _greedy(self, max_output_tokens: int) -> Any:
        settings = openvino_genai.GenerationConfig()
        settings.do_sample = False
        settings.max_new_tokens = max_output_tokens
        settings.logprobs = 1
        # Answers copy from their evidence: try the tokens that followed the same words there.
        settings.num_assistant_tokens = GUESSED_TOKENS
        settings.max_ngram_size = MATCHED_TOKENS
        settings.set_eos_token_id(min(self._end_ids))
        settings.stop_token_ids = set(self._end_ids)
        return settings

    def _warm_up(self) -> int:
        """Decode two tokens; return how many blocks the cache has, from the share that one took."""
        self.start(0, [min(self._end_ids)] * (BLOCK_TOKENS // 2), 2)
        usage = 0.0
        while self._running:
            self.step()
            usage = max(usage, self._pipeline.get_metrics().max_cache_usage)
        return round(100 / usage) if usage else 0


def convert(gguf: Path, folder: Path) -> None:
    """Write the converted form of a GGUF file into `folder`. Raises EngineError."""
    link = folder / "model.gguf"
    link.symlink_to(gguf.resolve())
    program = [sys.executable, str(Path(openvino_convert.__file__).resolve()), str(link)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode or not (folder / "openvino_model.bin").exists():
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EngineError(
            f"OpenVINO cannot convert {gguf.name} ({last}): use FRONTDESK_ENGINE=torch for it"
        )
    link.unlink()


def _scheduler(slots: int, chunk_tokens: int, cache_gib: int) -> Any:
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.enable_prefix_caching = True
    scheduler.dynamic_split_fuse = True
    scheduler.max_num_batched_tokens = chunk_tokens
    scheduler.max_num_seqs = slots
    scheduler.cache_size = cache_gib
    return scheduler
