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
from scale_counted import ODD, SMALL, Row, activation_rows, flop_rows, logit_rows, loss_traffic, time_rows
from scale_paper import (
    LAUNCH, MODELS, RUNS, assumptions, controller, loss_table, memory_table, scaling, table, time_table, variants,
)  # fmt: skip
from scale_picture import picture
from scale_shapes import Run
from scale_sharded import collective_rows, fake_ranks, sharded_update, two_processes

PRESETS = ("grpo", "gmpo", "apmpo", "holderpo", "pmpo")


def check() -> list[str]:
    """Every count beside the model's, and why the ratio is not 1 where it is not."""
    sent = two_processes(SMALL)
    for model, ranks in ((SMALL, 1), (ODD, 8), (SMALL, 1024)):
        with fake_ranks(ranks):
            sent += collective_rows(model, ranks, sharded_update(model, ranks))
    return f"""## Checked: counts of real updates

A Qwen2 of transformers with {SMALL.parameters:,} parameters ({SMALL.layers} layers of {SMALL.hidden}, heads
{SMALL.heads} over {SMALL.kv_heads}, vocabulary {SMALL.vocabulary}), 2 × 128 tokens, torch {torch.__version__}.

**Collectives and training state under FSDP2**, wrapped as verl wraps it. Two ranks are processes over gloo. 1, 8 and
1,024 ranks are rank 0 of a group whose other members do not exist: FSDP2 makes the same calls, and nothing is sent.
Bytes are of the whole tensors, gathered or not yet reduced. `odd rows` is a model whose rows do not divide by the
ranks, which FSDP2 pads. On 1,024 ranks most of the small model is padding, in the count as in the model.

{counted(sent)}
**FLOPs**, by torch's counter, attention unfused:

{counted(flop_rows(SMALL))}
A checkpoint stops its recomputation before a layer's last product, so 4 forwards are never reached.

**Activations and logits**, bytes of tensors, each storage once:

{counted(activation_rows(SMALL) + logit_rows())}
Logits: above 1 by hidden states and the head's gradient, of which the chunked form holds one more while it adds it up.

**Time**, ratios of processor time on one thread against ratios of FLOPs, for a larger model on a shared machine; the
least of five:

{counted(time_rows())}""".split("\n")


def counted(rows: Sequence[Row]) -> str:
    """The table of a check."""
    cells = []
    for row in rows:
        form = ",.0f" if row.unit else ".3f"
        cells.append([row.what, f"{row.counted:{form}}", f"{row.model:{form}}", row.unit, f"{row.ratio:.3f}"])
    return "\n".join(table(["", "counted", "model", "", "counted / model"], cells))


def ours() -> str:
    """What pmpo adds to an update."""
    columns = len(Window().state()["_sums"])
    numbers = 4 + 4 * columns  # pmpo.integrations.verl.metrics.sent
    losses = "\n".join(loss_table({preset: loss_traffic(preset) for preset in PRESETS}))
    return f"""## What pmpo adds

Under verl, each update: one all-reduce of 8 bytes (N; P3O: one more of 24), and {numbers} numbers a micro-batch in the
metrics that verl gathers anyway, {8 * numbers:,} bytes. Under TRL, each update: an all-reduce of 8
bytes and 4 a micro-batch; each log event: a gather of {4 * (columns + 7)} bytes a completion. Each round: a few
statistics of the rewards. FSDP sends gigabytes a micro-batch.

The loss, forward and backward with all diagnostics, on a micro-batch of {Run().micro_batch_tokens:,} tokens of
{MODELS[0].name}. Operations and bytes are counted (8 × 512 tokens, the reference in eager torch); seconds are
arithmetic: {1e6 * LAUNCH:g} µs an operation and bytes at HBM's rate, not overlapped.

{losses}
With a closed-form exponent the loss is about 1 % of the head. `pmpo`'s solver makes many small operations, whose number
does not grow with the micro-batch. P3O needs a forward pass before every update: the last rows of the tables for 1,024
GPUs.
"""


def paper() -> list[str]:
    """All tables of the carried-on model."""
    lines = ["## Carried on: assumptions", "", assumptions(), ours(), "## Carried on: 8 to 1,024 GPUs", "", HOW_TO_READ]
    for model in MODELS:
        for name, run in RUNS.items():
            lines += [f"### {model.name}, {name}", "", "Memory of a GPU, GB:", "", *memory_table(model, run)]
            lines += ["Strong scaling, the same batch:", "", *time_table(scaling(model, run, weak=False))]
            lines += ["Weak scaling, the batch grows too:", "", *time_table(scaling(model, run, weak=True))]
            lines += ["1,024 GPUs, one thing set otherwise at a time:", "", *variants(model, run)]
    return [*lines, breaks()]


HOW_TO_READ = """A round is 128 prompts × 8, trained on in 8 updates of 128 completions. Layout: GPUs that share the
training state (FSDP), a completion in training (SP, Ulysses), a replica of the sampler (TP). Seconds of a round by
stage. Efficiency: new tokens a second and GPU against the first row that fits.
"""


def breaks() -> str:
    """What stops growth first, in order."""
    run = Run()
    small, large = controller(run), controller(Run(prompts=run.prompts * 128))
    return f"""## What breaks first at 1,000 GPUs, and what to set

1. **The longest completion.** In a synchronous rollout it decodes alone at the end, and no number of GPUs shortens it:
   with the batch fixed it is most of the round from 64 GPUs on. Tensor parallelism (4 to 8) and a lower
   `max_response_length` help, and more prompts a round hide it. Beyond that: asynchronous rollouts, with the correction
   for old samples.
2. **The mini-batch is smaller than the ranks.** {run.mini_batch} completions occupy {run.mini_batch} ranks; verl fills
   up with padding rows that teach nothing. Give it `ppo_mini_batch_size` × `rollout.n` of at least twice the ranks
   (more prompts, or fewer updates a round), or put several GPUs on a completion: `ulysses_sequence_parallel_size` with
   flash attention. A larger mini-batch is another training run: tune the learning rate again.
3. **One copy of the state over all GPUs.** Rings of 1,024 cost milliseconds a collective, and FSDP pads small
   parameters. Set `fsdp_config.fsdp_size` to 32 or 64, so that copies all-reduce.
   `use_no_sync_for_gradient_accumulation` saves reductions where unsharded gradients fit.
4. **The controller's data path.** A round of {run.completions:,} completions is {small[0] / 1e6:,.0f} MB,
   {small[1]:.1f} s for one process at 1 GB/s; 128 times as many are {large[0] / 1e9:,.1f} GB and {large[1]:.0f} s, and
   more when padded to the limit. verl's v1 trainer keeps batches in its transfer queue, and its controller holds keys.
   The adapter fetches the rewards of the round.
5. **Grading.** 131,072 answers take 15 s on two cores at the measured [8,562 a second](../results.md): use reward
   workers on several nodes.
6. **Weight synchronisation** takes less than 2 s everywhere here: float32 shards, gathered once a round over all links
   of a node, and the offloaded state on its way back.
7. **Failures** are in none of these numbers: save often, and run under a restart that resumes.

Weak scaling near 100 % is what is left when nothing is noisy. Slow nodes, jitter of the network and the luck of
sampling are not in it: take it as the upper bound.
"""


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
