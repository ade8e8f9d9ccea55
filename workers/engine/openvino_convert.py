"""Run as a program: converts the GGUF file named by its argument, beside that file.

It is a process of its own because converting takes 4 GB for a moment, which a process that goes
on to serve would never give back.
"""

from __future__ import annotations

import sys

import openvino_genai


def convert(gguf: str) -> None:
    """Write openvino_model.xml and .bin into the folder in which `gguf` lies."""
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.num_kv_blocks = 1
    properties = {"enable_save_ov_model": True}
    openvino_genai.ContinuousBatchingPipeline(gguf, scheduler, "CPU", properties)


if __name__ == "__main__":
    convert(sys.argv[1])
