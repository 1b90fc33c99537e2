"""A cost model of RL training at scale: memory, tokens a second, communication; checked, then carried on.

    python benchmarks/scale_model.py check      # counts of small real updates beside the model (a minute, 2 cores)
    python benchmarks/scale_model.py paper      # tables for 8 to 1,024 H100s, by arithmetic
    python benchmarks/scale_model.py all --output docs/measured/scale.md --picture docs/measured/scale.png

The functions are in scale_shapes (what is computed), scale_memory (bytes) and scale_time (seconds).
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "docs" / "pictures"), str(ROOT / "tests" / "grading")]

import torch

from grader_metamorphic import report
from pmpo.engine.window import Window
from scale_counted import SMALL, Row, activation_rows, flop_rows, logit_rows, loss_traffic, time_rows
from scale_paper import (
    MODELS, RUNS, assumptions, controller, loss_table, memory_table, scaling, table, time_table, variants,
)  # fmt: skip
from scale_picture import picture
from scale_shapes import Run
from scale_sharded import ODD, collective_rows, fake_ranks, sharded_update, two_processes

PRESETS = ("grpo", "gmpo", "apmpo", "holderpo", "pmpo")


def counted(rows: Sequence[Row]) -> list[str]:
    """The table of a check."""
    cells = [[r.what, f"{r.counted:,.4g}" if not r.unit else f"{r.counted:,.0f}",
              f"{r.model:,.4g}" if not r.unit else f"{r.model:,.0f}", r.unit, f"{r.ratio:.3f}"] for r in rows]  # fmt: skip
    return table(["", "counted", "model", "", "counted / model"], cells)


def check() -> list[str]:
    """Every count beside the model's, and why the ratio is not 1 where it is not."""
    rows = two_processes(SMALL)
    for model, ranks in ((SMALL, 1), (ODD, 8), (SMALL, 1024)):
        with fake_ranks(ranks):
            rows += collective_rows(model, ranks, sharded_update(model, ranks))
    return [
        "## Checked: counts of real updates",
        "",
        f"A Qwen2 of transformers with {SMALL.parameters:,} parameters ({SMALL.layers} layers of {SMALL.hidden}, heads "
        f"{SMALL.heads} over {SMALL.kv_heads}, vocabulary {SMALL.vocabulary}), 2 × 128 tokens, torch {torch.__version__}.",
        "",
        "**Collectives and training state under FSDP2**, wrapped as verl wraps it. Two ranks are processes over gloo. 1, 8 "
        "and 1,024 ranks are rank 0 of a group whose other members do not exist: FSDP2 makes the same calls, and nothing "
        "is sent. Bytes are of the whole tensors, gathered or not yet reduced; `odd rows` is a model whose rows do not "
        "divide by the ranks, which FSDP2 pads. On 1,024 ranks most of the small model is padding, in the count and in "
        "the model.",
        "",
        *counted(rows),
        "**FLOPs**, by torch's counter, attention unfused:",
        "",
        *counted(flop_rows(SMALL)),
        "A checkpoint stops its recomputation before a layer's last product, so 4 forwards are never reached.",
        "",
        "**Activations and logits**, bytes of tensors, each storage once:",
        "",
        *counted(activation_rows(SMALL) + logit_rows()),
        "Logits: above 1 by hidden states and the head's gradient, which the chunked form adds up in one more tensor.",
        "",
        "**Time**, ratios of processor time on one thread against ratios of FLOPs (another, larger model). The machine "
        "was shared; the least of five.",
        "",
        *counted(time_rows()),
    ]


def ours() -> list[str]:
    """What pmpo adds to an update."""
    columns = len(Window().state()["_sums"])
    sent = 4 + 4 * columns
    return [
        "## What pmpo adds",
        "",
        "Under verl, for each update: one all-reduce of 8 bytes (N; P3O: one more of 24 bytes), and "
        f"{sent} numbers a micro-batch ({sent + 2} with a KL) in the metrics that verl gathers anyway, {8 * sent:,} bytes. "
        f"Under TRL: a gather of {4 * (columns + 1)} bytes a completion and an all-reduce of 16 bytes, each micro-batch. "
        "Each round: two float64 of rewards, found by the controller. FSDP sends "
        "gigabytes a micro-batch.",
        "",
        f"The loss, forward and backward with all diagnostics, for a micro-batch of {RUNS['3,000 new tokens'].micro_batch_tokens:,} "
        f"tokens of {MODELS[0].name}. Operations and bytes are counted (8 × 512 tokens, the reference in eager torch), "
        "seconds are arithmetic: each operation 5 µs, bytes at HBM's rate.",
        "",
        *loss_table({preset: loss_traffic(preset) for preset in PRESETS}),
        "So the loss is about 1 % of the head; `pmpo` is bound by the many small operations of its solver, which the size "
        "of a micro-batch does not raise. P3O needs a forward pass before every update: see the last rows of the tables "
        "for 1,024 GPUs.",
        "",
    ]


def paper() -> list[str]:
    """All tables of the carried-on model."""
    lines = ["## Carried on: assumptions", "", *assumptions(), *ours(), "## Carried on: 8 to 1,024 GPUs", ""]
    for model in MODELS:
        for name, run in RUNS.items():
            lines += [
                f"### {model.name}, {name}", "",
                "Memory of a GPU in GB in the update (sum) and the rollout (room); FSDP, SP, TP: GPUs that share the "
                "state, a completion in training, a replica of the sampler.", "", *memory_table(model, run),
                "Strong scaling: 128 prompts × 8 a round, 8 updates of 128, on all of them.", "",
                *time_table(scaling(model, run, weak=False)),
                "Weak scaling: prompts, and with them the mini-batch, grow with the GPUs.", "",
                *time_table(scaling(model, run, weak=True)),
                "1,024 GPUs, one thing set otherwise at a time:", "", *variants(model, run),
            ]  # fmt: skip
    return [*lines, *breaks()]


def breaks() -> list[str]:
    """What stops growth first, in order."""
    run = Run()
    small, large = controller(run), controller(Run(prompts=run.prompts * 128))
    return [
        "## What breaks first at 1,000 GPUs, and what to set",
        "",
        f"1. **The mini-batch is smaller than the ranks.** {run.mini_batch} completions occupy {run.mini_batch} ranks; verl "
        "fills up with padding rows that cost time and teach nothing. Give it `ppo_mini_batch_size` × `rollout.n` ≥ "
        "2 × ranks (more prompts, or fewer updates a round), or put several GPUs on a completion: "
        "`ulysses_sequence_parallel_size` with flash attention. A larger mini-batch is another algorithm: tune the "
        "learning rate again.",
        "2. **The longest completion.** In a synchronous rollout it decodes alone at the end, and no number of GPUs "
        "shortens it; tensor parallelism does (TP 4 to 8), a lower `max_response_length` does, more prompts a round hide "
        "it. Beyond that: asynchronous rollouts, with the correction for old samples on.",
        "3. **One copy of the state over all GPUs.** Rings of 1,024 cost milliseconds a collective, and FSDP pads small "
        "parameters. Set `fsdp_config.fsdp_size` to 32 or 64 and let copies all-reduce; "
        "`use_no_sync_for_gradient_accumulation` saves reductions where unsharded gradients fit.",
        f"4. **The controller's data path.** A round of {run.completions:,} completions is {small[0] / 1e6:,.0f} MB, "
        f"{small[1]:.1f} s for one process at 1 GB/s; grown 128-fold {large[0] / 1e9:,.1f} GB and {large[1]:.0f} s, more "
        "when padded to the limit. Use verl's v1 trainer, whose batches stay in its transfer queue; the controller "
        "then holds keys. The adapter's part is the rewards of the round.",
        "5. **Grading**: 131,072 answers take 15 s on two cores at the measured 8,562 a second (docs/results.md): reward "
        "workers on several nodes.",
        "6. **Weight synchronisation** is below a second everywhere: float32 shards gathered once a round, over all links "
        "of a node.",
        "7. **Failures** are in none of these numbers. Save often, and run with a restart that resumes.",
        "",
        "Efficiencies of weak scaling near 100 % are what remains when nothing is noisy: slow nodes, jitter of the "
        "network and uneven sampling are left out. Take them as the upper bound.",
        "",
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("part", choices=("check", "paper", "all"))
    arguments.add_argument("--output", type=Path, help="also write the tables to this file")
    arguments.add_argument("--picture", type=Path, help="draw round time by stage to this file")
    given = arguments.parse_args()
    warnings.simplefilter("ignore")
    lines = (check() if given.part != "paper" else []) + (paper() if given.part != "check" else [])
    if given.picture:
        picture(given.picture)
        lines[:0] = [f"![Seconds of a round by stage, against GPUs]({given.picture.name})", ""]
    report("A cost model of training at scale", f"scale_model.py {given.part}", lines, given.output)


if __name__ == "__main__":
    main()
