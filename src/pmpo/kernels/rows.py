"""What every fused kernel gives back."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

DIAGNOSTICS = (
    "exponent", "clip_fraction", "clip_fraction_two_sided", "ess", "power_mean", "max_abs_log_ratio", "max_log_ratio",
    "min_log_ratio", "kl", "kl_ref",
)  # fmt: skip
"""Fields of `Diagnostics` that are numbers, in the order of `Rows.diagnostics`."""


class Rows(NamedTuple):
    """The completions of a call, forward and backward at once.

    Attributes:
        losses_B: a completion's part of the loss, ω(−gain + kl_coef·KL_ref + old_kl_coef·KL_old); they sum to it.
        gradient_BT: ∂ Σ losses / ∂ log_probs, [B, T], in the dtype of the log probabilities; 0 where nothing flows.
        diagnostics: [10, B], the rows of `DIAGNOSTICS`.
        active, nonfinite: bool [B], as in `Diagnostics`.
    """

    losses_B: Tensor
    gradient_BT: Tensor
    diagnostics: Tensor
    active: Tensor
    nonfinite: Tensor
