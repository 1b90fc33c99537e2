"""What an update on long completions holds in memory, by model and length, and what to set.

    python benchmarks/memory_table.py --output docs/measured/memory.md        # two minutes on one core

Arithmetic for Qwen2.5 from 0.5B to 14B, whose formulas are in scale_memory and memory_arithmetic; the same formulas
beside counted peaks of a small model's real updates.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "docs" / "pictures"), str(ROOT / "tests")]

import torch

from memory_arithmetic import GROUP, LENGTHS, MODELS, PROMPT, Update
from memory_counted import LONG, rows
from page import report
from scale_counted import loss_bytes
from scale_paper import table

SETTINGS = (
    (
        "logits",
        "always chunked; `logits_precision` chooses its rounding (docs/measured/head.md)",
        "`actor_rollout_ref.model.use_fused_kernels=True`",
    ),
    (
        "activations",
        "`gradient_checkpointing` (on by default)",
        "`actor_rollout_ref.model.enable_gradient_checkpointing=True` (the default)",
    ),
    (
        "checkpointed activations to main memory",
        '`gradient_checkpointing_kwargs={"offload": True}`',
        "`actor_rollout_ref.model.enable_activation_offload=True`",
    ),
    (
        "one completion over several GPUs",
        "none: GRPOTrainer refuses `parallelism_config` with `cp_size` or `sp_size` above 1",
        "`actor_rollout_ref.actor.fsdp_config.ulysses_sequence_parallel_size`, with flash attention",
    ),
    (
        "weights, gradients, Adam over GPUs",
        "`fsdp` / `deepspeed` of the launcher; `optim` with 8-bit states; LoRA by `peft_config`",
        "FSDP, `actor_rollout_ref.actor.fsdp_config.fsdp_size`; `param_offload`, `optimizer_offload` of the same",
    ),
    (
        "KV cache",
        "`generation_chunk_size` completions at once; with vLLM `vllm_gpu_memory_utilization`",
        "`actor_rollout_ref.rollout.gpu_memory_utilization`",
    ),
    (
        "tokens at once",
        "`per_device_train_batch_size=1` (a micro-batch is padded to its longest)",
        "`actor_rollout_ref.actor.use_dynamic_bsz=True`, `ppo_max_token_len_per_gpu`",
    ),
)


def gigabytes() -> list[str]:
    """A row a model and length."""
    updates = [Update(model, length) for model in MODELS for length in LENGTHS]
    found = [(one, one.gigabytes()) for one in updates]
    cells = [
        [
            one.model.name,
            f"{one.length:,}",
            *(f"{each:,.3f}" if each < 0.1 else f"{each:,.1f}" for each in parts.values()),
        ]
        for one, parts in found
    ]
    return table(["Qwen2.5", "completion", *found[0][1]], cells)


def checked() -> tuple[list[str], float]:
    """Counted peaks beside the arithmetic, and the largest deviation."""
    compared = rows()
    cells = [[row.what, f"{row.counted / 1e6:,.0f}", f"{row.model / 1e6:,.0f}", f"{row.ratio:.3f}"] for row in compared]
    return table(["", "counted, MB", "arithmetic, MB", "ratio"], cells), max(abs(row.ratio - 1) for row in compared)


def page() -> list[str]:
    """All of it."""
    checks, deviation = checked()
    return f"""## By model and length

GB of one process that holds the whole model, one completion and its {PROMPT}-token prompt in a micro-batch:
**arithmetic**, not measured. Weights, gradients and both moments of Adam in float32, 16 bytes a parameter (shared by as
many GPUs as FSDP has); activations in bf16 with fused attention. *Offloaded*: the part of the checkpointed activations
that goes to main memory where offloading is on. *Logits at once*: what a head without chunks would hold. *Head of TRL,
of pmpo*: chunks, the gradients of hidden states and of the head's weights, at their peak; pmpo's with `bf16x3` and
float32 weights. *KV cache*: {GROUP} completions of that length side by side, in bf16. *Loss*: the [B, T] tensors of
`pmpo`'s loss, {loss_bytes("pmpo"):.0f} bytes a token at their peak, counted.

{chr(10).join(gigabytes())}
Under TRL with `bf16: true` the weights are float32 and autocast adds up to 2 bytes a parameter for bf16 copies; layer
inputs, which checkpoints keep, are float32: *offloaded* doubles.

## What to set

Names as of TRL 1.16, transformers 5.23 and the verl that this library is tested with.

{chr(10).join(table(["what is large", "TRL (`PMPOConfig`)", "verl"], [list(row) for row in SETTINGS]))}
From the table: without checkpoints activations outgrow the state from 8k at 0.5B, 16k at 1.5B and 32k above; with them
they stay below half of it. A whole head would take more than the checkpointed layers everywhere; in chunks it is a
matter of its weights' gradient. From 7B on the state does not fit on one 80 GB GPU whatever the length: FSDP first. At
14B and 32k checkpointed inputs are what offloading or sequence parallelism still have to take.

## Checked

Counted peaks of bytes in forward and backward of a float32 Qwen2 ({LONG.layers} layers of {LONG.hidden}, vocabulary
{LONG.vocabulary:,}, {LONG.parameters:,} parameters), gradients included and weights not, torch {torch.__version__} on a
CPU. The arithmetic is within {deviation:.1%} of the counts; it leaves out what an operation needs while it runs.

{chr(10).join(checks)}""".split("\n")


def main() -> None:
    """Count, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    report("Memory of long completions", "memory_table.py --output docs/measured/memory.md", page(), options.output)


if __name__ == "__main__":
    main()
