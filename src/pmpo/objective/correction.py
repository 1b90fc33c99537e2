"""Token weights that correct for where the samples came from; for `policy_loss(loss_weights=)`, any objective.

Equations: docs/equations.md.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pmpo.foundation.errors import unknown_name
from pmpo.objective.batch import SATURATION_NATS, check_mask, fill_masked, full_precision, per_completion

ROLLOUT_MODES = ("token_truncate", "token_mask", "sequence_truncate", "sequence_mask")
"""Level of the ratio, and what happens outside [ratio_min, ratio_max]: moved to the bound, or 0."""


@torch.no_grad()
def rollout_weights(
    old_log_probs: Tensor,
    sampler_log_probs: Tensor,
    mask: Tensor,
    *,
    mode: str,
    ratio_min: float | None = None,
    ratio_max: float | None = None,
) -> Tensor:
    """ρ = π_old/π_sampler, bounded: the correction for completions that another policy or engine has sampled.

        token_truncate     ρ_t = clip(r_t, min, max)        TIS: ratio_max 2 (verl), 3 (TRL)
        token_mask         ρ_t = r_t within, else 0         IcePop: 0.5 and 5
        sequence_truncate  ρ = clip(Π_t r_t, min, max)
        sequence_mask      ρ = Π_t r_t within, else 0       MIS: ratio_max 3 (TRL)

    Args:
        old_log_probs: log π_old(y_t), nats, [B, T], by the trainer's own forward pass.
        sampler_log_probs: what the sampler (vLLM) reported, nats, [B, T]. NaN where it reported none: r = 1 there.
        mask: bool (or 0/1) [B, T], True on tokens that count.
        ratio_min, ratio_max: bounds of the ratio; one of them must be given (math.inf for no bound above).
    Returns: [B, T], 0 on masked tokens, or [B, 1] for sequence modes; float32 or 64. Log ratios saturate at ±80 nats.
    Raises: ValueError for an unknown mode, bounds that hold nothing, and shapes that disagree.
    Source: TIS https://fengyao.notion.site/off-policy-rl; MIS https://richardli.xyz/rl-collapse; IcePop arXiv
        2510.18855; the same numbers as TRL's vllm_importance_sampling_mode and verl's rollout_corr.

    >>> old, sampled = torch.tensor([[-1.0, -1.0]]), torch.tensor([[-1.0, -3.0]])
    >>> rollout_weights(old, sampled, torch.ones(1, 2), mode="token_truncate", ratio_max=2.0)
    tensor([[1., 2.]])
    >>> rollout_weights(old, sampled, torch.ones(1, 2), mode="token_mask", ratio_min=0.5, ratio_max=5.0)
    tensor([[1., 0.]])
    """
    low, high = _bounds(mode, ratio_min, ratio_max)
    mask_BT = check_mask(old_log_probs, mask)
    check_mask(sampler_log_probs, mask)
    level, action = mode.split("_")
    ratios = _sampler_ratios(old_log_probs, sampler_log_probs, mask_BT, level)
    inside = (ratios >= low) & (ratios <= high)
    ratios = ratios.clamp(low, high) if action == "truncate" else torch.where(inside, ratios, 0.0)
    return fill_masked(ratios, mask_BT) if level == "token" else ratios


@torch.no_grad()
def divergence_mask(
    log_probs: Tensor,
    old_log_probs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    probability_low: float = 0.2,
    probability_high: float = 0.2,
) -> Tensor:
    """DPPO's mask by total variation: 0 where the probability itself has moved too far in the direction of A.

    Where A > 0 a token counts while π_θ − π_old <= probability_high, else while π_θ − π_old >= −probability_low. With
    objective("cispo", trust_region=PassThroughClip(ratio_max=20)) these weights give DPPO-Binary-TV.

    Args:
        log_probs: log π_θ(y_t), nats, [B, T].
        old_log_probs: log π_old(y_t), nats, [B, T].
        advantages: A, [B].
        mask: bool (or 0/1) [B, T], True on tokens that count.
        probability_low, probability_high: largest fall and rise of a token's probability, in [0, 1].
    Returns: [B, T] of 0 and 1, 0 on masked tokens.
    Raises: ValueError when shapes disagree, and for bounds outside [0, 1].
    Source: arXiv 2602.04879; verl's dppo_tv.

    >>> new, old = torch.tensor([[0.9, 0.5]]).log(), torch.tensor([[0.6, 0.45]]).log()
    >>> divergence_mask(new, old, torch.ones(1), torch.ones(1, 2))
    tensor([[0., 1.]])
    """
    for name, bound in (("probability_low", probability_low), ("probability_high", probability_high)):
        if not 0.0 <= bound <= 1.0:
            raise ValueError(f"`{name}` is a difference of probabilities and must lie in [0, 1], got {bound}.")
    mask_BT = check_mask(log_probs, mask)
    check_mask(old_log_probs, mask)
    new_BT = full_precision(log_probs)
    positive_B1 = per_completion(advantages, new_BT, "advantages").unsqueeze(1) > 0
    moved_BT = new_BT.exp() - old_log_probs.to(new_BT.dtype).exp()
    near_BT = torch.where(positive_B1, moved_BT <= probability_high, moved_BT >= -probability_low)
    return (near_BT & mask_BT).to(new_BT.dtype)


def _sampler_ratios(old_log_probs: Tensor, sampler_log_probs: Tensor, mask_BT: Tensor, level: str) -> Tensor:
    """π_old/π_sampler of tokens, [B, T], 1 where the sampler reported none; their product over a completion, [B, 1]."""
    old_BT = full_precision(old_log_probs)
    sampler_BT = sampler_log_probs.to(old_BT.dtype)
    reported_BT = mask_BT & ~sampler_BT.isnan()
    log_ratios_BT = fill_masked(old_BT - sampler_BT, reported_BT)
    if level == "sequence":
        log_ratios_BT = log_ratios_BT.sum(dim=1, keepdim=True)
    return log_ratios_BT.clamp(-SATURATION_NATS, SATURATION_NATS).exp()


def _bounds(mode: str, ratio_min: float | None, ratio_max: float | None) -> tuple[float, float]:
    if mode not in ROLLOUT_MODES:
        raise ValueError(unknown_name("mode of rollout weights", mode, ROLLOUT_MODES))
    if ratio_min is None and ratio_max is None:
        raise ValueError(
            f"mode '{mode}' needs a bound: write ratio_max (3.0), ratio_min or both; ratio_max=math.inf asks for plain "
            "importance weights."
        )
    return ratio_bounds(ratio_min, ratio_max)


def ratio_bounds(ratio_min: float | None, ratio_max: float | None) -> tuple[float, float]:
    """Both bounds of a ratio, 0 and infinity where there is none.

    Raises: ValueError for bounds that hold nothing.
    """
    low, high = ratio_min if ratio_min is not None else 0.0, ratio_max if ratio_max is not None else math.inf
    if not 0.0 <= low < high:
        raise ValueError(
            f"The ratio must have room between its bounds, 0 <= ratio_min < ratio_max, got {ratio_min} and {ratio_max}."
        )
    return low, high
