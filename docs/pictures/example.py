"""The one completion of all pictures, and what an objective does to its tokens, by policy_loss and autograd alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

import pmpo

TOKENS = ("48", "/", "2", "=", "24", ",", "so", "48", "+", "24", "=", "62")
EXPLODING = 6  # "so": from 6% to 73%
OLD_PROBABILITIES = (0.90, 0.80, 0.95, 0.85, 0.70, 0.60, 0.06, 0.80, 0.75, 0.90, 0.90, 0.30)
LOG_RATIOS = (0.05, -0.08, 0.02, 0.12, -0.15, 0.08, 2.50, -0.05, 0.10, -0.30, 0.03, 0.22)
SAMPLER_RATIOS = (1.0, 0.4, 1.0, 1.0, 1.5, 1.0, 1.0, 1.0, 6.0, 1.0, 1.0, 1.0)  # π_old/π_sampler


@dataclass(frozen=True)
class Weighing:
    """What happens to the completion when it is rewarded (row 0, A = +1) and punished (row 1, A = −1).

    Attributes:
        ratios: r, [2, T].
        after: exp(c), the ratio after a token-level trust region, [2, T].
        share: the token's part of the completion's gradient, [2, T]; sums to 1, or is 0 everywhere.
        size: the completion's gradient, Σ_t |∂J/∂ log π_t|, [2]; 1 when every ratio is 1.
        exponent, power_mean: p and M, [2].
    """

    ratios: Tensor
    after: Tensor
    share: Tensor
    size: Tensor
    exponent: Tensor
    power_mean: Tensor


def completion() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(log_probs, old_log_probs, advantages, mask) of the completion, [2, T]: once with A = +1, once with A = −1."""
    old_BT = torch.tensor([OLD_PROBABILITIES] * 2, dtype=torch.float64).log()
    new_BT = old_BT + torch.tensor(LOG_RATIOS, dtype=torch.float64)
    return new_BT, old_BT, torch.tensor([1.0, -1.0], dtype=torch.float64), torch.ones_like(old_BT, dtype=torch.bool)


FACTS = pmpo.BatchContext(
    0.4, 0.49, 0.0, ratio_sums=pmpo.ratio_sums(*completion()[:2], completion()[3], pmpo.OBJECTIVES["p3o"])
)
"""For objectives that look at the batch: 40% of the rewards are 1, at the first update of a step of this completion."""


def weigh(objective: pmpo.Objective, batch: pmpo.BatchContext = FACTS, loss_weights: Tensor | None = None) -> Weighing:
    """The gradient of each token under an objective; the KL penalties and the weight of the completion are left out."""
    objective = replace(objective, kl_coef=0.0, old_kl_coef=0.0, sequence_weight="sequence")
    new_BT, old_BT, advantages_B, mask_BT = completion()
    new_BT.requires_grad_()
    result = pmpo.policy_loss(new_BT, old_BT, advantages_B, mask_BT, objective, batch, loss_weights=loss_weights)
    (gradient_BT,) = torch.autograd.grad(result.loss, new_BT)
    size_BT = gradient_BT.abs() * len(gradient_BT)  # 1/N of the weight `sequence` taken out
    size_B = size_BT.sum(dim=1)
    log_ratios_BT = (new_BT - old_BT).detach()
    after_BT, region = log_ratios_BT, objective.trust_region.of_tokens
    if region is not None:
        more = {"log_probs_BT": new_BT.detach()} if region.sees_probabilities else {}
        after_BT = region.apply(log_ratios_BT, advantages_B, batch, **more).log_ratios_BT
    return Weighing(
        ratios=log_ratios_BT.exp(),
        after=after_BT.exp(),
        share=size_BT / torch.where(size_B == 0, 1.0, size_B).unsqueeze(1),
        size=size_B,
        exponent=result.diagnostics.exponent,
        power_mean=result.diagnostics.power_mean,
    )
