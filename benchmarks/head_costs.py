"""Seconds and peak memory of the head on this machine, each measurement in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from trl.kernels import ChunkedLogProbFunction
from trl.trainer.utils import _CHUNKED_LOGPROB_CHUNK_SIZE as TRLS_WIDTH

from head_states import VOCABULARY
from pmpo.integrations.trl.head.log_probs import log_probs_of
from pmpo.integrations.trl.head.tiles import Transform
from scale_paper import table

HIDDEN_SIZES = {1536: "1.5B", 2048: "3B", 3584: "7B", 4096: "none"}
CUDA = torch.cuda.is_available()
MEASURED = HIDDEN_SIZES if CUDA else {1536: HIDDEN_SIZES[1536], 4096: HIDDEN_SIZES[4096]}
"""{H: the Qwen2.5 of that size}; on a CPU the ends alone, which take minutes."""
WEIGHTS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
THEIRS = "TRL"
THEIRS_CAST = "TRL, cast to float32"
OURS = ("float32", "bf16x3", "bf16")


@dataclass(frozen=True)
class Measurement:
    """One head.

    Attributes:
        who: `THEIRS`, under autocast where weights are float32; `THEIRS_CAST`, as `cast_lm_head_to_fp32` projects; or a
            value of `logits_precision`.
        weights: type of weights and hidden states.
    """

    who: str
    weights: str
    hidden: int
    tokens: int
    vocabulary: int

    def log_probs(self) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        if self.who in OURS:
            return lambda h, w, t: log_probs_of(h, w, None, t, Transform(), self.who)[0]

        def theirs(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
            cast, device = self.who == THEIRS_CAST, hidden.device.type
            with torch.autocast(device, torch.bfloat16, enabled=not cast and self.weights == "float32"):
                given = hidden.float() if cast else hidden
                return ChunkedLogProbFunction.apply(
                    given, weight, None, targets, 1.0, TRLS_WIDTH, None, 1.0, ("log_probs", "entropy")
                )[0]

        return theirs


def worker(one: Measurement, repeats: int) -> list[dict[str, float]]:
    """Of forward without gradients, then of forward and backward: median seconds after one pass that is not timed, and
    MB at the peak above hidden states and weights."""
    device, kind = "cuda" if CUDA else "cpu", WEIGHTS[one.weights]
    g = torch.Generator(device).manual_seed(0)
    hidden = torch.empty(one.tokens, one.hidden, device=device, dtype=kind).normal_(0.0, 3.0, generator=g)
    weight = torch.empty(one.vocabulary, one.hidden, device=device, dtype=kind).normal_(0.0, 0.02, generator=g)
    targets = torch.randint(one.vocabulary, (one.tokens,), generator=g, device=device)
    head, before, found = one.log_probs(), held(), []
    for backward in (False, True):
        leaves, seconds = [hidden.requires_grad_(backward), weight.requires_grad_(backward)], []
        for _ in range(1 + repeats):
            start = now()
            result = head(*leaves, targets)
            if backward:
                torch.autograd.grad(result.sum(), leaves)
            del result
            seconds.append(now() - start)
        found.append({"seconds": sorted(seconds[1:])[repeats // 2], "peak": peak() - before})
    return found


def now() -> float:
    """Of the processor's time on a CPU, so that a busy machine does not count."""
    if not CUDA:
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def held() -> float:
    """MB now; the peak is counted from here."""
    if CUDA:
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 2**20
    Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")


def peak() -> float:
    """MB at most since `held`."""
    return torch.cuda.max_memory_allocated() / 2**20 if CUDA else _resident("VmHWM")


def _resident(which: str) -> float:
    """MB of Linux's account of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith(which))


def alone(one: Measurement, repeats: int) -> list[dict[str, float]]:
    command = [sys.executable, str(sys.argv[0]), "--worker", json.dumps([vars(one), repeats])]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{one}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def cost_table(tokens: int, repeats: int, vocabulary: int = VOCABULARY) -> list[str]:
    """Forward alone, as old log-probabilities take it, and with backward; ratios to TRL's with the same weights."""
    rows = []
    for hidden, size in MEASURED.items():
        for weights in WEIGHTS:
            theirs: list[dict[str, float]] = []
            for who in (THEIRS, THEIRS_CAST, *OURS):
                cells = [f"{hidden:,} ({size})", weights, who]
                if CUDA or who not in OURS[1:]:
                    got = alone(Measurement(who, weights, hidden, tokens, vocabulary), repeats)
                    theirs = theirs or got
                    for mine, first in zip(got, theirs, strict=True):
                        cells.append(f"{mine['seconds']:.3g} s ({mine['seconds'] / first['seconds']:.2f})")
                        cells.append(f"{mine['peak']:,.0f} MB ({mine['peak'] / first['peak']:.2f})")
                else:
                    cells += ["unmeasured"] * 4
                rows.append(cells)
                print(" | ".join(cells), file=sys.stderr, flush=True)
    heads = ["H (Qwen2.5)", "weights", "head", "forward", "its peak", "forward and backward", "its peak"]
    return table(heads, rows)


RATES = {"bf16": 989.4, "TF32": 494.7, "float32": 66.9}
"""Published for an H100 SXM, dense, TFLOP/s."""
PRODUCTS = {
    "host (one bf16 product each)": {"bf16": (1, 4)},
    "bf16x3 or bf16, 16-bit weights and hidden states": {"bf16": (1, 4)},
    "bf16, float32 weights": {"bf16": (1, 4)},
    "bf16x3, float32 weights": {"bf16": (3, 8)},
    "float32 with `tf32: true`": {"TF32": (1, 4)},
    "float32": {"float32": (1, 4)},
}
"""{head: {rate: products forward, and forward and backward: logits, logits again, of hidden states, of weights}}."""


def arithmetic_table(tokens: int = 16_384) -> list[str]:
    """Milliseconds of a micro-batch's products alone at published rates."""
    rows = []
    for name, spent in PRODUCTS.items():
        ((rate, counts),) = spent.items()
        cells = []
        for hidden in HIDDEN_SIZES:
            flops = 2 * tokens * hidden * VOCABULARY
            cells.append(" / ".join(f"{1e3 * count * flops / (1e12 * RATES[rate]):.0f}" for count in counts))
        rows.append([name, *cells])
    return table(["head", *(f"H {hidden:,}" for hidden in HIDDEN_SIZES)], rows)
