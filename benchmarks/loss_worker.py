"""A process that times policy losses: it reads one request a line and answers with one line.

    {"case": [64, 1024, false], "device": "cpu"}                  -> the names of its blocks
    {"block": NAME, "repeats": 5}                                 -> the seconds of each repetition
    {"block": NAME, "memory": true}                               -> the peak of memory over the start, in bytes

It is a process of its own because TRL and verl cannot be installed beside each other.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import torch
from loss_blocks import Case, Step, blocks
from torch.profiler import ProfilerActivity, profile


def seconds(step: Step, repeats: int, device: str) -> list[float]:
    """Wall time of each repetition."""
    found = []
    for _ in range(repeats):
        _wait(device)
        start = time.perf_counter()
        step()
        _wait(device)
        found.append(time.perf_counter() - start)
    return found


def peak(step: Step, device: str) -> int:
    """The most memory that torch held at once beyond what it held before, in bytes."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        step()
    held = most = 0
    for event in sorted(recorded.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    makers: dict[str, Any] = {}
    made: dict[str, Step] = {}
    device = "cpu"
    for line in sys.stdin:
        asked = json.loads(line)
        if "case" in asked:
            device = asked["device"]
            makers, made = blocks(Case(*asked["case"]), device), {}
            answers.write(json.dumps(list(makers)) + "\n")
            continue
        name = asked["block"]
        if name not in made:
            made[name] = makers[name]()
            made[name]()  # the first time builds, compiles, allocates
        step = made[name]
        answer = peak(step, device) if "memory" in asked else seconds(step, asked["repeats"], device)
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
