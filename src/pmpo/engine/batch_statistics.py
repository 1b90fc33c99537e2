"""Facts of a whole generation batch.

Rewards are those of all completions of all ranks: gather first. NaN stands where a completion has no reward.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pmpo.objective.advantages import equal_groups
from pmpo.objective.presets import Objective


def weighted_sums(rewards_BK: Tensor, weights_K: Tensor) -> Tensor:
    """The reward of a completion: the weighted sum over reward functions, without the missing ones.

    Args:
        rewards_BK: of every reward function, NaN where one has none.
        weights_K: of the reward functions, on any device.
    Returns: [B]; NaN for a completion that no function gave a reward.
    """
    weighted_BK = rewards_BK * weights_K.to(rewards_BK.device)
    return weighted_BK.nansum(dim=1).masked_fill(rewards_BK.isnan().all(dim=1), torch.nan)


def reward_facts(rewards_B: Tensor) -> dict[str, Tensor]:
    """μ_R and σ_R (population) as 0-dim tensors, of the completions that have a reward; 0 where none has."""
    scored = rewards_B[~rewards_B.isnan()]
    if not len(scored):
        scored = torch.zeros_like(rewards_B[:1])
    return {"reward_mean": scored.mean(), "reward_std": scored.std(correction=0)}


def silent_groups(rewards_BK: Tensor, weights_K: Tensor, group_size: int, aggregation: str) -> Tensor:
    """Groups that teach nothing, because their rewards are equal up to the rounding of float32.

    Args:
        rewards_BK: of every reward function, completions of one prompt next to each other.
        weights_K: of the reward functions.
        group_size: G; divides B.
        aggregation: sum_then_normalize: the weighted sums are equal. normalize_then_sum (GDPO, arXiv 2601.05242):
            every function that has a weight is. Each one's normalised rewards sum to 0 over a group, so the mean
            that TRL then takes off over the batch is 0 as well, and such a group's advantage is 0 by definition.
    Returns: bool [P], one entry a group; a group without any reward is silent.
    """
    if aggregation == "normalize_then_sum":
        columns = [column for column, weight in zip(rewards_BK.unbind(dim=1), weights_K, strict=True) if weight != 0]
        equal = [equal_groups(column, group_size) for column in columns]
        groups = len(rewards_BK) // group_size
        return torch.stack(equal).all(dim=0) if equal else rewards_BK.new_ones(groups, dtype=torch.bool)
    magnitudes_B = (rewards_BK * weights_K).abs().nansum(dim=1)
    return equal_groups(weighted_sums(rewards_BK, weights_K), group_size, magnitudes=magnitudes_B)


def silent_share(rewards_B: Tensor, silent_P: Tensor) -> float:
    """Share of the groups that have rewards, and equal ones.

    Args:
        rewards_B: the weighted sums, groups next to each other.
        silent_P: bool, `silent_groups`.
    """
    scored_P = ~rewards_B.view(len(silent_P), -1).isnan().all(dim=1)
    return (silent_P & scored_P).float().mean().item()


def range_warning(objective: Objective, rewards_B: Tensor) -> str | None:
    """Exponents and bounds that follow the rewards are defined for rewards in [0, 1]; None where all is well."""
    scored = rewards_B[~rewards_B.isnan()]
    if "reward_mean" not in objective.needs or not len(scored):
        return None
    low, high = scored.min().item(), scored.max().item()
    if low >= 0.0 and high <= 1.0:
        return None
    return (
        f"Objective '{objective.name}' reads the mean reward as a share in [0, 1], but rewards range from {low:g} to "
        f"{high:g}: rescale the reward functions or their weights."
    )
