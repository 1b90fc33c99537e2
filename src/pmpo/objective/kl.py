"""Per-completion KL estimates from log probabilities of sampled tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from pmpo.objective.batch import SATURATION_NATS, fill_masked, masked_mean


def kl_estimate(
    log_ratios_BT: Tensor,
    mask_BT: Tensor,
    *,
    token_weights_BT: Tensor | None = None,
    measure_BT: Tensor | None = None,
    largest: float = SATURATION_NATS,
) -> Tensor:
    """Mean over tokens of exp(x) − 1 − x, the low-variance non-negative estimator ("k3").

    For tokens sampled from q and x = log p − log q it estimates KL(q ‖ p), nats per token. With q the current
    policy and p the reference it is GRPO's penalty.

    Args:
        log_ratios_BT: x, nats, [B, T]; saturated at `largest` inside exp and linear below, so that it stays finite.
        mask_BT: bool [B, T].
        token_weights_BT: factors on the tokens' estimates, [B, T] (TRL's bias correction multiplies by the ratio).
        measure_BT: ρ, [B, T], the measure of the mean, Σ ρ k3 / Σ ρ. Default: 1 for every token.
        largest: nats. Default: 80.
    Returns: [B], >= 0; a completion without tokens, or with Σρ = 0, gives 0.
    Source: http://joschu.net/blog/kl-approx.html; GRPO arXiv 2402.03300 eq. 4.
    """
    x_BT = fill_masked(log_ratios_BT, mask_BT)
    estimate_BT = torch.expm1(x_BT.clamp(max=largest)) - x_BT
    if token_weights_BT is not None:
        estimate_BT = estimate_BT * fill_masked(token_weights_BT, mask_BT)
    return masked_mean(estimate_BT, mask_BT, measure_BT)
