"""What a fused kernel gives back."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

DIAGNOSTICS = (
    "exponent", "clip_fraction", "clip_fraction_two_sided", "ess", "power_mean", "max_abs_log_ratio", "max_log_ratio",
    "min_log_ratio", "kl", "kl_ref",
)  # fmt: skip
"""Rows of `Rows.diagnostics`, fields of `Diagnostics`."""


class Rows(NamedTuple):
    """One call, completion by completion.

    Attributes:
        losses_B: each completion's part of the loss.
        gradient_BT: d Σ losses / d log π_θ, in the dtype of log π_θ, 0 where nothing flows.
        diagnostics: [10, B], the `DIAGNOSTICS`.
        active_B: bool.
        nonfinite_B: bool.
    """

    losses_B: Tensor
    gradient_BT: Tensor
    diagnostics: Tensor
    active_B: Tensor
    nonfinite_B: Tensor
