"""What benchmarks/triton_gpu.py sets beside the Triton kernel, each as one call, forward and backward."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import torch
from triton_calls import call_of

import pmpo

Batch = dict[str, torch.Tensor]


def ours(
    objective: pmpo.Objective, batch: Batch, context: pmpo.BatchContext, loss: Callable = pmpo.policy_loss
) -> Callable:
    """Forward and backward of `policy_loss`."""
    new_BT = batch["new"].clone().requires_grad_()

    def call() -> None:
        new_BT.grad = None
        result = loss(new_BT, batch["old"], batch["advantages"], batch["mask"], objective, context)
        result.loss.backward()

    return call


def theirs(batch: Batch) -> Callable | None:
    """Forward and backward of TRL's GRPO block, metrics included; None without TRL."""
    try:
        from trl import GRPOTrainer
    except ImportError:
        return None
    new_BT = batch["new"].clone().requires_grad_()
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_args, **_kwargs: (new_BT, torch.zeros_like(new_BT), None),
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level="token",
        beta=0.0,
        loss_type="grpo",
        epsilon_low=0.2,
        epsilon_high=0.2,
        use_vllm=False,
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False),
        model=SimpleNamespace(training=True),
        current_gradient_accumulation_steps=1,
        _entropy_bonus_enabled=False,
        accelerator=SimpleNamespace(gather=_alone, reduce=_alone, num_processes=1),
        _metrics={"train": defaultdict(list)},
    )
    mask_BT = batch["mask"].int()
    inputs = {
        "prompt_ids": mask_BT[:, :1],
        "prompt_mask": mask_BT[:, :1],
        "completion_ids": mask_BT,
        "completion_mask": mask_BT,
        "advantages": batch["advantages"],
        "old_per_token_logps": batch["old"],
    }

    def call() -> None:
        new_BT.grad = None
        GRPOTrainer._compute_loss(trainer, None, inputs).backward()

    return call


def _alone(values: torch.Tensor, **_options: str) -> torch.Tensor:
    return values


def contenders(
    objective: pmpo.Objective, batch: Batch, context: pmpo.BatchContext, compiled: bool
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Name and call of everything that is measured on a batch."""
    yield "fused", call_of(objective, batch, context)
    yield "reference", ours(objective, batch, context)
    if compiled:
        yield "reference, compiled", ours(objective, batch, context, torch.compile(pmpo.policy_loss))
    block = theirs(batch) if objective.name == "grpo" else None
    if block is not None:
        yield "TRL grpo", block
