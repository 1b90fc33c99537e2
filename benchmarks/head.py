"""The head that gives log-probabilities: what its precision costs and what it buys.

    python benchmarks/head.py --output docs/measured/head.md                   # about half an hour on one core
    python benchmarks/head.py --parts errors gradients --tokens 256            # a part, quickly

Errors are computed anywhere: a product of 16-bit or TF32 numbers summed in float32 is emulated by rounding its inputs,
since their products are exact in float32. Times and memory are of this machine: on a GPU of all forms, on a CPU of
those that a CPU has.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "docs" / "pictures"), str(ROOT / "tests")]

import torch
import transformers
import trl

from head_costs import CUDA, Measurement, arithmetic_table, cost_table, worker
from head_errors import FORMS, FORMS_16, described, error_table, gradient_table, measure
from head_states import Case
from page import report

PARTS = ("errors", "gradients", "costs", "arithmetic")


def errors(tokens: int) -> list[str]:
    """Both kinds of model at H = 1,536, and the usual one at 3,584."""
    lines = ["## What it buys", "", HOW]
    for case in (Case(1536, tokens, False), Case(1536, tokens // 2, True), Case(3584, tokens // 2, False)):
        kind = "bfloat16 weights and hidden states" if case.half else "float32 weights and hidden states"
        print(f"{kind}, H {case.hidden}: …", file=sys.stderr, flush=True)
        forms = FORMS_16 if case.half else FORMS
        found = measure(case, forms)
        why = "pure bfloat16 training" if case.half else "bf16 autocast over float32 masters, TRL's default"
        lines += [f"### {kind} ({why})", "", described(case, found), "", *error_table(found, forms)]
    return lines


HOW = """Absolute errors in nats against float64 of the same weights and hidden states. *Ratio* is log p after an update
less log p before it, which is what the objective sees: what is the same before and after does not count. *p* is the
exponent of `pmpo` over completions of 32 tokens. *Cost* is the time of the logits' product on an H100 in bf16
products, by published rates. Bold: a value of `logits_precision`.
"""


def gradients() -> list[str]:
    return [
        "## Gradients", "",
        "Relative error against float64 of the functions in use, Σ ±log p over 512 tokens, H 1,024, V 16,384. `host` "
        "is TRL's under autocast, on a CPU.", "", *gradient_table(),
    ]  # fmt: skip


def costs(tokens: int, repeats: int) -> list[str]:
    where = (
        torch.cuda.get_device_name()
        if CUDA
        else f"one core of {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"
    )
    unmeasured = "" if CUDA else (
        " `bf16x3` and `bf16` need tensor cores: unmeasured here. torch has no product of bf16 numbers with a float32 "
        "result on CPUs, and its bf16 product is slower than float32's on this one (TRL's rows)."
    )  # fmt: skip
    return [
        "## What it costs", "",
        f"{where}. V 151,936, {tokens} tokens, log-probabilities and entropies; median of {repeats} after one, each "
        "measurement in its own process; seconds " + ("of the wall" if CUDA else "of the processor") + "; peaks are "
        "above weights and hidden states. In brackets: against TRL's own, under autocast where weights are float32."
        + unmeasured, "", *cost_table(tokens, repeats),
    ]  # fmt: skip


def arithmetic() -> list[str]:
    return [
        "## By arithmetic, on an H100", "",
        "Products alone, milliseconds of 16,384 tokens forward / forward and backward, at published dense rates (989 "
        "TFLOP/s bf16, 495 TF32, 67 float32). Not measured.", "", *arithmetic_table(),
    ]  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--tokens", type=int, default=512, help="of the errors; a multiple of 64")
    parser.add_argument("--cost_tokens", type=int, default=2048 if CUDA else 128)
    parser.add_argument("--repeats", type=int, default=20 if CUDA else 3)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.worker:
        facts, repeats = json.loads(options.worker)
        print(json.dumps(worker(Measurement(**facts), repeats)))
        return
    made = {
        "errors": lambda: errors(options.tokens),
        "gradients": gradients,
        "costs": lambda: costs(options.cost_tokens, options.repeats),
        "arithmetic": arithmetic,
    }
    lines = [f"torch {torch.__version__}, trl {trl.__version__}, transformers {transformers.__version__}.", ""]
    for part in options.parts:
        lines += [*made[part](), ""]
    report("The head: precision and cost", "head.py --output docs/measured/head.md", lines, options.output)


if __name__ == "__main__":
    main()
