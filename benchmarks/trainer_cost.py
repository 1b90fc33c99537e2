"""Time and peak memory of GRPOTrainer and PMPOTrainer on the same scripts.

    python benchmarks/trainer_cost.py [--blocks 3] [--steps 24] [--scripts embedded] [--output PAGE.md]

Time is wall time on CUDA; on a CPU the time of the one thread that computes, so that a busy machine does not count.
Blocks of either trainer take turns (A B A B …), each in a child forked from a process with everything imported. A
block makes 8 optimiser steps that are not counted, then --steps. A round, one generation and the updates on it, is
timed from the end of a step to the end of another and divided by its steps, so a trainer that generates for 8 steps at
once is not flattered by the 7 that do not generate; both generate as many completions an optimiser step. The table has
the median over all rounds with its quartiles, and the ratio of neighbouring blocks with its range. Peak memory: each
side in processes of its own, as many as blocks, 8 steps with completions three times as long, the largest resident set
less that before the trainer was built; on CUDA the most that was allocated.
"""

import argparse
import itertools
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

import torch
import trl
from datasets import Dataset
from transformers import Qwen2Config, Qwen2ForCausalLM, TrainerCallback

from pmpo.integrations.trl import PMPOConfig, PMPOTrainer
from pmpo.foundation.files import write_whole
from pmpo.rewards.exact_sum import sums_reward
from pmpo.runs.base_model import base_model
from pmpo.tasks.sums import sample_sums
from tiny import digit_reward, tiny_tokenizer

WARM_UP = 8
SIDES = ("theirs", "ours")
SHARED = {
    "per_device_train_batch_size": 8,
    "num_generations": 8,
    "max_completion_length": 64,
    "learning_rate": 1e-5,
    "logging_steps": 1,
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
}
SCRIPTS: dict[str, dict[str, dict[str, Any]]] = {
    "as written, each trainer with its own defaults": {"theirs": {}, "ours": {}},
    "grpo in both, 4 updates a round": {
        "theirs": {"loss_type": "grpo", "steps_per_generation": 4},
        "ours": {"objective": "grpo", "steps_per_generation": 4},
    },
    "grpo beside pmpo, 4 updates a round": {
        "theirs": {"loss_type": "grpo", "steps_per_generation": 4},
        "ours": {"objective": "pmpo", "steps_per_generation": 4},
    },
    "grpo in both, 1 update a round": {
        "theirs": {"loss_type": "grpo"},
        "ours": {"objective": "grpo", "steps_per_generation": 1},
    },
    "embedded default (pmpo train): grpo beside pmpo": {
        "theirs": {"loss_type": "grpo"},
        "ours": {"objective": "pmpo", "generation_chunk_size": 0},
    },
}
EMBEDDED = {
    "per_device_train_batch_size": 64,
    "steps_per_generation": 8,
    "max_completion_length": 24,
    "learning_rate": 1.5e-4,
    "lr_scheduler_type": "constant",
    "temperature": 1.0,
    "beta": 0.0,
    "gradient_checkpointing": False,
    "logging_steps": 8,
}
"""Of src/pmpo/runs/default.yaml, for both."""


class _Clock(TrainerCallback):
    """The ends of the steps, in seconds."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self.ends.append(_now())


def _now() -> float:
    if not torch.cuda.is_available():
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def model() -> Qwen2ForCausalLM:
    """Four layers of 128 and a vocabulary of 4,096: large enough that what is kept for each completion shows."""
    torch.manual_seed(0)
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=4096, hidden_size=128, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4,
            num_key_value_heads=4, max_position_embeddings=256, pad_token_id=0, eos_token_id=1, bos_token_id=None,
        )
    )  # fmt: skip


def problem(script: str) -> tuple[Any, Any, Dataset, Any, dict[str, Any]]:
    """Model, reward, rows, tokenizer, and the settings of both sides."""
    if not script.startswith("embedded"):
        rows = Dataset.from_dict({"prompt": [f"{i % 10}+{i // 10}=" for i in range(256)]})
        return model(), digit_reward, rows, tiny_tokenizer(), SHARED
    base = base_model()
    sums = sample_sums("train", 2048, seed=0)
    rows = Dataset.from_dict({"prompt": [one.prompt for one in sums], "answer": [one.answer for one in sums]})
    policy = Qwen2ForCausalLM.from_pretrained(base.path, dtype=torch.float32)
    return policy, sums_reward, rows, base.tokenizer, {**SHARED, **EMBEDDED}


def worker(script: str, side: str, warm_up: int, steps: int, **changes: Any) -> dict[str, Any]:
    """Run one block. Returns the seconds a step of each round, and the peak of memory over the start, in MB."""
    clock, cuda = _Clock(), torch.cuda.is_available()
    where = {} if cuda else {"use_cpu": True, "bf16": False}
    config, kind = (trl.GRPOConfig, trl.GRPOTrainer) if side == "theirs" else (PMPOConfig, PMPOTrainer)
    with tempfile.TemporaryDirectory() as folder:
        policy, reward, rows, tokenizer, shared = problem(script)
        args = config(folder, max_steps=warm_up + steps, **{**shared, **where, **SCRIPTS[script][side], **changes})
        before = _resident()
        one = kind(policy, reward, args, rows, processing_class=tokenizer, callbacks=[clock])
        one.train()
    every = one.args.steps_per_generation // one.args.gradient_accumulation_steps
    ends = clock.ends[max(0, warm_up - 1) :: every]
    peak = torch.cuda.max_memory_allocated() / 2**20 if cuda else _resident() - before
    return {"rounds": [(b - a) / every for a, b in itertools.pairwise(ends)], "every": every, "peak": peak}


def _resident() -> float:
    """The largest resident set so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def forked(script: str, side: str, steps: int, folder: Path) -> dict[str, Any]:
    """`worker` in a forked child."""
    answer = folder / "answer.json"
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 2)
        status = 1
        try:
            answer.write_text(json.dumps(worker(script, side, WARM_UP, steps)))
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError(f"{script}, {side}: {(folder / 'log').read_text()[-2000:]}")
    return json.loads(answer.read_text())


def alone(script: str, side: str) -> float:
    """Peak memory of a run in a new process, MB."""
    command = [sys.executable, __file__, "--worker", script, side]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])["peak"]


@dataclass(frozen=True)
class Cost:
    """What one script cost: seconds a step of every round by block, and the peaks of memory, for each side."""

    script: str
    blocks: dict[str, list[list[float]]]
    every: dict[str, int]
    peaks: dict[str, list[float]]

    def row(self) -> list[str]:
        """The cells of the table."""
        cells = [self.script, " / ".join(str(self.every[side]) for side in SIDES)]
        for side in SIDES:
            rounds = sorted(value for block in self.blocks[side] for value in block)
            low, middle, high = statistics.quantiles(rounds, n=4)
            cells.append(f"{1e3 * middle:.0f} ms ({1e3 * low:.0f}–{1e3 * high:.0f})")
        medians = [[statistics.median(block) for block in self.blocks[side]] for side in SIDES]
        ratios = [ours / theirs for theirs, ours in zip(*medians, strict=True)]
        cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")
        peak = {side: statistics.median(self.peaks[side]) for side in SIDES}
        cells += [f"{peak[side]:.0f} MB ({min(self.peaks[side]):.0f}–{max(self.peaks[side]):.0f})" for side in SIDES]
        return [*cells, f"{peak['ours'] / peak['theirs']:.2f}"]


def measure(script: str, blocks: int, steps: int) -> Cost:
    """The blocks of one script in turns, then its memory."""
    times: dict[str, list[list[float]]] = {side: [] for side in SIDES}
    every: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for block in range(blocks):
            for side in SIDES if block % 2 == 0 else SIDES[::-1]:
                found = forked(script, side, steps, Path(folder))
                times[side].append(found["rounds"])
                every[side] = found["every"]
    peaks = {side: [alone(script, side) for _ in range(blocks)] for side in SIDES}
    return Cost(script, times, every, peaks)


def main() -> None:
    """Measure all scripts, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=3, help="blocks of each trainer")
    parser.add_argument("--steps", type=int, default=24, help="optimiser steps of a block, a multiple of 8")
    parser.add_argument("--scripts", default="", help="those whose name holds this; all by default")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--worker", nargs=2, metavar=("SCRIPT", "SIDE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(worker(*options.worker, warm_up=0, steps=8, max_completion_length=192)))
        return
    costs = []
    for script in (name for name in SCRIPTS if options.scripts in name):
        costs.append(measure(script, options.blocks, options.steps))
        print(*costs[-1].row(), sep=" | ", flush=True)
    heads = ["script", "updates a round", "TRL, a step", "pmpo, a step", "ratio", "TRL, peak", "pmpo, peak", "ratio"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [f"| {' | '.join(cost.row())} |" for cost in costs]
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"one core, {platform.processor() or 'CPU'}"
    text = (
        "# Time and memory of a step, beside GRPOTrainer\n\n"
        "```\npython benchmarks/trainer_cost.py --output docs/measured/trainer_cost.md\n```\n\n"
        f"{device}; torch {torch.__version__}, trl {trl.__version__}. Batch 8, groups of 8, completions of 64 tokens; "
        f"{options.blocks} blocks of {options.steps} steps a trainer, in turns. Median of the rounds (quartiles); "
        "ratio of neighbouring blocks (range). Memory with completions of 192 tokens, above what the imports take: "
        "median (range) of as many processes.\n\n" + "\n".join(lines) + "\n"
    )
    print(text)
    if options.output is not None:
        write_whole(options.output, text)


if __name__ == "__main__":
    main()
