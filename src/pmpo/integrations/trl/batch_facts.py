"""Facts of the generation batch, and the sentences about configurations that make an objective pointless."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pmpo.objective.presets import Objective

if TYPE_CHECKING:
    from pmpo.integrations.trl.config import PMPOConfig


def reward_facts(rewards: Tensor) -> dict[str, Tensor]:
    """μ_R and σ_R (population) as 0-dim tensors, which survive TRL's shuffle and split.

    Args:
        rewards: [all completions of all ranks], NaN where there is no reward; those take no part.
    """
    scored = rewards[~rewards.isnan()]
    if not len(scored):
        scored = torch.zeros_like(rewards[:1])
    return {"reward_mean": scored.mean(), "reward_std": scored.std(correction=0)}


def range_warning(objective: Objective, rewards: Tensor) -> str | None:
    """Exponents and bounds that follow the rewards are defined for rewards in [0, 1]; None where all is well."""
    scored = rewards[~rewards.isnan()]
    if "reward_mean" not in objective.needs or not len(scored):
        return None
    low, high = scored.min().item(), scored.max().item()
    if low >= 0.0 and high <= 1.0:
        return None
    return (
        f"Objective '{objective.name}' reads the mean reward as a share in [0, 1], but rewards range from {low:g} to "
        f"{high:g}: rescale the reward functions or their weights."
    )


def one_update_warning(args: PMPOConfig) -> str | None:
    """With one update per generation the exponent cannot matter; None where there are more."""
    if args.updates_per_generation > 1:
        return None
    return (
        f"This configuration makes one update per generation (steps_per_generation={args.steps_per_generation}, "
        f"num_iterations={args.num_iterations}, gradient_accumulation_steps={args.gradient_accumulation_steps}): every "
        "importance ratio is 1, no token is clipped, and the exponent cannot matter. Set steps_per_generation to "
        f"{8 * args.gradient_accumulation_steps} for 8 updates per generation, as the papers do."
    )
