"""Group-relative advantages.

Equations: docs/equations.md.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pmpo.foundation.errors import unknown_name

ADVANTAGES = {
    "grpo": "(R − mean)/(std + δ) of the group",
    "dr_grpo": "R − mean of the group",
    "rloo": "R − mean of the others of the group",
    "batch": "(R − mean of the group)/(std of all rewards + δ)",
    "maxrl": "(R − mean)/mean of the group, for rewards >= 0",
}
"""A by name, each with its equation."""

EQUAL_ULPS = 8
"""A sum of k weighted rewards is off by at most k/2 machine epsilons of Σ |w_k R_k|, and two such sums differ by at
most k: 8 covers eight reward functions. A real difference of one part in a million is still seen in float32."""


def group_advantages(rewards: Tensor, group_size: int, kind: str = "grpo", *, delta: float = 1e-4) -> Tensor:
    """Advantage of every completion against the others of its prompt.

    Args:
        rewards: R, [B], completions of one prompt next to each other. NaN means that the completion has no
            reward: it counts in no mean and gets advantage 0.
        group_size: G, completions per prompt; divides B.
        kind: one of `ADVANTAGES`.
        delta: δ, keeps the division finite; in units of reward. Standard deviations are the unbiased ones (G − 1).
    Returns: [B], float32 (float64 for float64 rewards). A group of one, or of equal rewards (`equal_groups`),
        gives exactly 0.
    Raises: ValueError for an unknown kind, a group size that does not divide B, rewards that are not [B],
        infinite rewards, and negative ones for maxrl, whose mean would turn the sign around.
    Source: grpo arXiv 2402.03300; dr_grpo 2503.20783; rloo 2402.14740; batch 2508.08221; maxrl 2602.02710.

    >>> group_advantages(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]), 4, "dr_grpo")
    tensor([ 0.7500, -0.2500, -0.2500, -0.2500,  0.0000,  0.0000,  0.0000,  0.0000])
    """
    _check(rewards, group_size, kind)
    rewards_B = _wide(rewards)
    rewards_PG = rewards_B.reshape(-1, group_size)
    present_PG = ~rewards_PG.isnan()
    count_P1 = present_PG.sum(dim=1, keepdim=True)
    mean_P1 = rewards_PG.nan_to_num().sum(dim=1, keepdim=True) / count_P1.clamp(min=1)
    differ_P1 = ~equal_groups(rewards_B, group_size).unsqueeze(1)
    centered_PG = torch.where(present_PG & differ_P1, rewards_PG - mean_P1, 0.0)
    if kind == "grpo":
        advantages_PG = centered_PG / (_unbiased_std(centered_PG, count_P1, dim=1) + delta)
    elif kind == "rloo":
        advantages_PG = centered_PG * count_P1 / (count_P1 - 1).clamp(min=1)
    elif kind == "batch":
        mean = rewards_B.nanmean()
        deviations_PG = torch.where(present_PG, rewards_PG - mean, 0.0)
        advantages_PG = centered_PG / (_unbiased_std(deviations_PG, present_PG.sum(), dim=None) + delta)
    elif kind == "maxrl":
        advantages_PG = centered_PG / torch.where(mean_P1 > 0.0, mean_P1, 1.0)  # equal rewards are 0 already
    else:
        advantages_PG = centered_PG
    return advantages_PG.reshape(-1)


def equal_groups(rewards: Tensor, group_size: int, *, magnitudes: Tensor | None = None) -> Tensor:
    """Which groups have one and the same reward, up to the rounding of a weighted sum of reward functions.

    R − mean of equal rewards is not exactly 0 in floating point (eight times 0.1 give 7e-9 in float32), and
    0.1 + 0.2 + 0.7 and 0.7 + 0.2 + 0.1 differ in the last digit. Divided by a standard deviation of the same size
    (and rescaled once more by Adam) such noise would train the model. So the largest and the smallest reward of a
    group count as equal when they differ by at most `EQUAL_ULPS` machine epsilons of the magnitude.

    Args:
        rewards: R, [B], completions of one prompt next to each other; NaN where there is no reward. 16-bit rewards
            are compared in float32, since a difference that 16 bits can hold is no rounding of a float32 sum.
        group_size: G; divides B.
        magnitudes: Σ_k |w_k R_k|, [B], the size of the terms whose sum is R, for rewards of both signs that cancel
            (0.1 + 0.2 − 0.3 is 3e-8 in float32). Default: |R|.
    Returns: bool [P], one entry a group. A group of one, or without any reward, is equal; an infinite reward equals
        only itself.
    Raises: ValueError for a group size that does not divide B, and for shapes other than [B].

    >>> equal_groups(torch.tensor([0.1, 0.1, 0.0, 1.0]), 2)
    tensor([ True, False])
    """
    _check_groups(rewards, group_size)
    if magnitudes is not None and magnitudes.shape != rewards.shape:
        raise ValueError(f"`magnitudes` must be [{rewards.shape[0]}] as the rewards, got {list(magnitudes.shape)}.")
    rewards_PG = _wide(rewards).reshape(-1, group_size)
    sizes_PG = (rewards_PG if magnitudes is None else magnitudes.to(rewards_PG).reshape(-1, group_size)).abs()
    missing_PG = rewards_PG.isnan()
    low_P = rewards_PG.masked_fill(missing_PG, torch.inf).amin(dim=1)
    high_P = rewards_PG.masked_fill(missing_PG, -torch.inf).amax(dim=1)
    size_P = sizes_PG.masked_fill(missing_PG | ~sizes_PG.isfinite(), 0.0).amax(dim=1)
    rounding_P = EQUAL_ULPS * torch.finfo(rewards_PG.dtype).eps * size_P
    return (high_P <= low_P) | (high_P - low_P <= rounding_P)


def _wide(rewards: Tensor) -> Tensor:
    return rewards if rewards.dtype == torch.float64 else rewards.float()


def _unbiased_std(deviations: Tensor, count: Tensor, dim: int | None) -> Tensor:
    squares = deviations.square()
    total = squares.sum() if dim is None else squares.sum(dim=dim, keepdim=True)
    return (total / (count - 1).clamp(min=1)).sqrt()


def _check(rewards: Tensor, group_size: int, kind: str) -> None:
    if kind not in ADVANTAGES:
        raise ValueError(unknown_name("advantage", kind, ADVANTAGES))
    _check_groups(rewards, group_size)
    infinite = torch.nonzero(rewards.isinf()).flatten()
    if len(infinite):
        raise ValueError(
            f"Reward {int(infinite[0])} is {float(rewards[infinite[0]])}: an infinite reward has no group mean. "
            "Return a finite number, or NaN for a completion that could not be scored."
        )
    negative = torch.nonzero(rewards < 0).flatten() if kind == "maxrl" else infinite
    if len(negative):
        raise ValueError(
            f"Reward {int(negative[0])} is {float(rewards[negative[0]])}: the advantage maxrl divides by the group's "
            "mean and takes rewards >= 0 (the paper: 0 or 1). Shift the rewards, or write advantage: grpo."
        )


def _check_groups(rewards: Tensor, group_size: int) -> None:
    if rewards.dim() != 1:
        raise ValueError(f"`rewards` must be one number per completion, shape [B]; got shape {list(rewards.shape)}.")
    if group_size < 1 or rewards.shape[0] % group_size:
        raise ValueError(
            f"`group_size` must divide the number of rewards: got {rewards.shape[0]} rewards and group_size "
            f"{group_size}. Pass whole groups, completions of one prompt next to each other."
        )
