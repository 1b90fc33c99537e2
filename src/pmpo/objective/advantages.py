"""Group-relative advantages.

Equations: docs/equations.md.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pmpo.objective.naming import unknown_name

ADVANTAGES = ("grpo", "dr_grpo", "rloo", "batch")
"""grpo: (R − mean)/(std + δ) of the group; dr_grpo: R − mean; rloo: R − mean of the others; batch: (R − group
mean)/(std of all rewards + δ)."""


def group_advantages(rewards: Tensor, group_size: int, kind: str = "grpo", *, delta: float = 1e-4) -> Tensor:
    """Advantage of every completion against the others of its prompt.

    Args:
        rewards: R, [B], completions of one prompt next to each other. NaN means that the completion has no
            reward: it counts in no mean and gets advantage 0.
        group_size: G, completions per prompt; divides B.
        kind: one of `ADVANTAGES`.
        delta: δ, keeps the division finite; in units of reward. Standard deviations are the unbiased ones (G − 1).
    Returns: [B], float32 (float64 for float64 rewards). A group of one, or of equal rewards, gives exactly 0.
    Raises: ValueError for an unknown kind, a group size that does not divide B, rewards that are not [B], and
        infinite rewards.
    Source: grpo arXiv 2402.03300; dr_grpo 2503.20783; rloo 2402.14740; batch 2508.08221.

    >>> group_advantages(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]), 4, "dr_grpo")
    tensor([ 0.7500, -0.2500, -0.2500, -0.2500,  0.0000,  0.0000,  0.0000,  0.0000])
    """
    _check(rewards, group_size, kind)
    rewards_B = rewards.double() if rewards.dtype == torch.float64 else rewards.float()
    rewards_PG = rewards_B.view(-1, group_size)
    present_PG = ~rewards_PG.isnan()
    count_P1 = present_PG.sum(dim=1, keepdim=True)
    mean_P1 = rewards_PG.nan_to_num().sum(dim=1, keepdim=True) / count_P1.clamp(min=1)
    centered_PG = torch.where(present_PG & ~_all_equal(rewards_PG), rewards_PG - mean_P1, 0.0)
    if kind == "grpo":
        advantages_PG = centered_PG / (_unbiased_std(centered_PG, count_P1, dim=1) + delta)
    elif kind == "rloo":
        advantages_PG = centered_PG * count_P1 / (count_P1 - 1).clamp(min=1)
    elif kind == "batch":
        mean = rewards_B.nanmean()
        deviations_PG = torch.where(present_PG, rewards_PG - mean, 0.0)
        advantages_PG = centered_PG / (_unbiased_std(deviations_PG, present_PG.sum(), dim=None) + delta)
    else:
        advantages_PG = centered_PG
    return advantages_PG.reshape(-1)


def _all_equal(rewards_PG: Tensor) -> Tensor:
    """[P, 1]: R − mean of equal rewards is not exactly 0 in floating point, so equality is tested itself."""
    low_P1 = rewards_PG.nan_to_num(nan=torch.inf).amin(dim=1, keepdim=True)
    high_P1 = rewards_PG.nan_to_num(nan=-torch.inf).amax(dim=1, keepdim=True)
    return high_P1 <= low_P1


def _unbiased_std(deviations: Tensor, count: Tensor, dim: int | None) -> Tensor:
    squares = deviations.square()
    total = squares.sum() if dim is None else squares.sum(dim=dim, keepdim=True)
    return (total / (count - 1).clamp(min=1)).sqrt()


def _check(rewards: Tensor, group_size: int, kind: str) -> None:
    if kind not in ADVANTAGES:
        raise ValueError(unknown_name("advantage", kind, ADVANTAGES))
    if rewards.dim() != 1:
        raise ValueError(f"`rewards` must be one number per completion, shape [B]; got shape {list(rewards.shape)}.")
    if group_size < 1 or rewards.shape[0] % group_size:
        raise ValueError(
            f"`group_size` must divide the number of rewards: got {rewards.shape[0]} rewards and group_size "
            f"{group_size}. Pass whole groups, completions of one prompt next to each other."
        )
    infinite = torch.nonzero(rewards.isinf()).flatten()
    if len(infinite):
        raise ValueError(
            f"Reward {int(infinite[0])} is {float(rewards[infinite[0]])}: an infinite reward has no group mean. "
            "Return a finite number, or NaN for a completion that could not be scored."
        )
