"""What the head is to a whole model: log-probabilities of a 0.1 B Qwen2 as a trainer takes them, by `logits_precision`.

    python benchmarks/head_in_model.py --output docs/measured/head_in_model.md       # two minutes on one core

A micro-batch of 4: prompts of 64 tokens, completions of at most 128, two of them of 96, so that TRL's head on a CPU
scores prompts and padding too. `host` is TRL's own head, in a trainer of ours; turns alternate.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")
TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "integrations"), str(TESTS.parent / "docs" / "pictures")]

import torch
import trl

from page import report
from scale_paper import table
from support import config, trainer
from tiny import tiny_model

CUDA = torch.cuda.is_available()
PRECISIONS = ("host", "float32", "bf16x3", "bf16") if CUDA else ("host", "float32")
ROWS, PROMPT, COMPLETION, SHORTER, VOCABULARY = 4, 64, 128, 96, 32_000
STEPS = ("old log-probabilities", "forward", "backward", "forward and backward")


def built(precision: str) -> trl.GRPOTrainer:
    """12 layers of 768, float32 weights; on a GPU under bf16 autocast."""
    model = tiny_model(
        vocab_size=VOCABULARY, hidden_size=768, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=12,
        num_key_value_heads=12, max_position_embeddings=256,
    )  # fmt: skip
    return trainer(config(logits_precision=precision, objective="grpo", use_cpu=not CUDA, bf16=CUDA), model=model)


def seconds(work: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    """Of the processor, or of the wall on a GPU."""
    clock = time.perf_counter if CUDA else time.process_time
    began = clock()
    result = work()
    if CUDA:
        torch.cuda.synchronize()
    return clock() - began, result


def turn(one: trl.GRPOTrainer, ids: torch.Tensor, attention: torch.Tensor) -> tuple[float, ...]:
    """Seconds of each of `STEPS`."""
    with torch.no_grad():
        old, _ = seconds(lambda: one.log_probs_of(one.model, ids, attention, COMPLETION)[0])
    forward, found = seconds(lambda: one.log_probs_of(one.model, ids, attention, COMPLETION, compute_entropy=True)[0])
    backward, _ = seconds(lambda: found.sum().backward())
    one.model.zero_grad(set_to_none=True)
    return old, forward, backward, forward + backward


def measured(repeats: int) -> list[str]:
    """Medians of alternating turns after one each, and the ratio to TRL's head."""
    everyone = {precision: built(precision) for precision in PRECISIONS}
    device = "cuda" if CUDA else "cpu"
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(2, VOCABULARY, (ROWS, PROMPT + COMPLETION), generator=generator).to(device)
    attention = torch.ones_like(ids)
    attention[ROWS // 2 :, PROMPT + SHORTER :] = 0
    turns: dict[str, list[tuple[float, ...]]] = {precision: [] for precision in PRECISIONS}
    for _ in range(1 + repeats):
        for precision, one in everyone.items():
            turns[precision].append(turn(one, ids, attention))
    medians = {name: [statistics.median(of) for of in zip(*found[1:], strict=True)] for name, found in turns.items()}
    rows = []
    for name, found in medians.items():
        rows.append([name, *(f"{a:.2f} s ({a / b:.2f})" for a, b in zip(found, medians["host"], strict=True))])
    return table(["logits_precision", *STEPS], rows)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    where = torch.cuda.get_device_name() if CUDA else "one core of a CPU, its own time"
    lines = [
        f"{where}; torch {torch.__version__}, trl {trl.__version__}; 12 layers of 768, vocabulary {VOCABULARY:,}. "
        f"{ROWS} rows of {PROMPT} + {COMPLETION} tokens, half of them with {SHORTER} of {COMPLETION}. Medians of "
        f"{options.repeats} alternating turns; in brackets against TRL's head (`host`).",
        "", *measured(options.repeats),
    ]  # fmt: skip
    report(
        "The head in a whole model", "head_in_model.py --output docs/measured/head_in_model.md", lines, options.output
    )


if __name__ == "__main__":
    main()
