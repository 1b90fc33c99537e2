"""Policy losses, forward and backward with their metrics, on the same tensors: ours, TRL's, verl's, and the floor.

Each block is a function without arguments that takes one step: it computes the loss of log-probabilities that carry a
gradient, calls backward, and reads what its trainer would log. `blocks(case)` has those that this environment can run.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

import pmpo

Step = Callable[[], None]


@dataclass(frozen=True)
class Case:
    """Shapes of a call.

    Attributes:
        rows, width: B and T.
        padded: completions of T/2 to T tokens; else all of T, where padding helps nobody.
    """

    rows: int
    width: int
    padded: bool = False

    @property
    def name(self) -> str:
        """B×T."""
        return f"{self.rows}×{self.width}" + (" padded" if self.padded else "")

    @property
    def bytes(self) -> int:
        """What any implementation must move: log π_θ, log π_old and the mask in, the gradient out."""
        return self.rows * self.width * (4 + 4 + 1 + 4)


@dataclass(frozen=True)
class Batch:
    """log π_θ, log π_old, nats; mask; A."""

    new_BT: Tensor
    old_BT: Tensor
    mask_BT: Tensor
    advantages_B: Tensor


def batch_of(case: Case, device: str) -> Batch:
    """Completions whose log ratios have standard deviations from .02 to .4: from none clipped to a third."""
    random = torch.Generator().manual_seed(0)
    shape = (case.rows, case.width)
    spread_B1 = 0.02 * 20.0 ** torch.rand(case.rows, 1, generator=random)
    old_BT = -torch.rand(shape, generator=random).square() * 4.0
    new_BT = old_BT + spread_B1 * torch.randn(shape, generator=random)
    low = case.width // 2 if case.padded else case.width
    lengths_B1 = torch.randint(low, case.width + 1, (case.rows, 1), generator=random)
    mask_BT = torch.arange(case.width) < lengths_B1
    advantages_B = torch.randn(case.rows, generator=random)
    return Batch(*(each.to(device) for each in (new_BT, old_BT, mask_BT, advantages_B)))


FACTS = {"reward_mean": 0.4, "reward_std": 0.3, "progress": 0.25}
COPY = "copy of the same bytes"
COMPILED = ("grpo", "gmpo", "pmpo")


def blocks(case: Case, device: str = "cpu") -> dict[str, Callable[[], Step]]:
    """Every block that can run here by its name, each made when it is called."""
    batch = batch_of(case, device)
    found: dict[str, Callable[[], Step]] = {COPY: lambda: _copy(case, device)}
    for name in pmpo.OBJECTIVES:
        for implementation in ("reference", "fused"):
            found[f"pmpo, {implementation}: {name}"] = partial(_ours, name, implementation, batch)
    for name in COMPILED:
        found[f"pmpo, compiled: {name}"] = partial(_compiled, name, batch)
    for part in (_trl, _verl):
        found |= part(batch)
    return found


def _copy(case: Case, device: str) -> Step:
    half = case.bytes // 2
    source = torch.ones(half, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def _objective(name: str, batch: Batch) -> pmpo.Objective:
    limit = {} if name == "luspo" else {"max_completion_length": batch.mask_BT.shape[1]}
    return pmpo.objective(name, kl_coef=0.0, **limit)


def _compiled(name: str, batch: Batch) -> Step:
    """torch.compile of the reference, diagnostics included."""
    objective, context = _objective(name, batch), pmpo.BatchContext(**FACTS, num_sequences=len(batch.mask_BT))

    @torch.compile
    def loss(new_BT: Tensor) -> tuple[Tensor, list[Tensor]]:
        result = pmpo.policy_loss(new_BT, batch.old_BT, batch.advantages_B, batch.mask_BT, objective, context)
        return result.loss, list(vars(result.diagnostics).values())

    return lambda: loss(batch.new_BT.detach().requires_grad_())[0].backward()


def _ours(name: str, implementation: str, batch: Batch) -> Step:
    chosen = pmpo.choose(_objective(name, batch), implementation, batch.new_BT.device)
    context = pmpo.BatchContext(**FACTS)

    def step() -> None:
        new_BT = batch.new_BT.detach().requires_grad_()
        result = chosen.policy_loss(new_BT, batch.old_BT, batch.advantages_B, batch.mask_BT, context)
        result.loss.backward()
        assert result.diagnostics.ess is not None

    return step


# ---- TRL's own code, called with a trainer that has no model --------------------------------------------------------


def _trl(batch: Batch) -> dict[str, Callable[[], Step]]:
    try:
        from trl import GRPOTrainer
        from trl.experimental.gmpo import GMPOTrainer
    except ImportError:
        return {}
    made = {"TRL: grpo": GRPOTrainer}
    if "_compute_loss" in vars(GMPOTrainer):
        made["TRL: gmpo"] = GMPOTrainer
    return {name: partial(_of_trl, trainer, batch) for name, trainer in made.items()}


def _of_trl(trainer: Any, batch: Batch) -> Step:
    ids = torch.zeros_like(batch.mask_BT, dtype=torch.long)
    inputs = {
        "prompt_ids": ids[:, :1],
        "prompt_mask": ids[:, :1] + 1,
        "completion_ids": ids,
        "completion_mask": batch.mask_BT.long(),
        "advantages": batch.advantages_B,
        "old_per_token_logps": batch.old_BT,
    }
    entropies_BT = torch.zeros_like(batch.new_BT)
    host = SimpleNamespace(
        aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None, beta=0.0, loss_type="grpo",
        importance_sampling_level="token", epsilon_low=0.2, epsilon_high=0.2, use_vllm=False,
        current_gradient_accumulation_steps=1, _entropy_bonus_enabled=False, model=SimpleNamespace(training=True),
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False), max_completion_length=ids.shape[1],
        accelerator=SimpleNamespace(
            reduce=lambda tensor, reduction: tensor, gather=lambda tensor: tensor, num_processes=1, sync_gradients=True
        ),
        _metrics=defaultdict(lambda: defaultdict(list)),
    )  # fmt: skip
    if trainer.__name__ == "GMPOTrainer":
        host.epsilon_low = host.epsilon_high = 0.4

    def step() -> None:
        new_BT = batch.new_BT.detach().requires_grad_()
        host._get_per_token_logps_and_entropies = lambda *args, **more: (new_BT, entropies_BT, None)
        trainer._compute_loss(host, host.model, inputs).backward()

    return step


# ---- verl's registry -----------------------------------------------------------------------------------------------


def _verl(batch: Batch) -> dict[str, Callable[[], Step]]:
    try:
        from verl.trainer.ppo.core_algos import get_policy_loss_fn
        from verl.workers.config import FSDPActorConfig
    except ImportError:
        return {}
    return {
        f"verl: {mode}": partial(_of_verl, get_policy_loss_fn(mode), FSDPActorConfig, batch)
        for mode in ("vanilla", "geo_mean")
    }


def _of_verl(loss_fn: Any, actor_config: Any, batch: Batch) -> Step:
    config = actor_config(
        strategy="fsdp2", ppo_mini_batch_size=8, ppo_micro_batch_size_per_gpu=8, rollout_n=8, clip_ratio_low=0.2,
        clip_ratio_high=0.2,
    )  # fmt: skip
    config.global_batch_info.update(
        dp_size=1, batch_num_tokens=batch.mask_BT.sum().item(), global_batch_size=len(batch.mask_BT)
    )
    advantages_BT = batch.advantages_B.unsqueeze(1).expand_as(batch.new_BT).contiguous()

    def step() -> None:
        new_BT = batch.new_BT.detach().requires_grad_()
        loss, metrics = loss_fn(
            old_log_prob=batch.old_BT, log_prob=new_BT, advantages=advantages_BT, response_mask=batch.mask_BT.float(),
            loss_agg_mode="seq-mean-token-mean", config=config,
        )  # fmt: skip
        loss.backward()
        assert isinstance(metrics, Mapping) and math.isfinite(loss.item())

    return step
